"""Tables of the pin service's database: MySQL (Aurora, MariaDB), or SQLite where there is none.

Pins, boards and saves are never removed: `deleted` is set and `version` rises, so that whoever sees two states
of a row knows which came later. Every change of one of them writes its event to `outbox` in the same transaction.

Change data capture reads these rows into the lake: its columns are added to, never renamed or removed.
"""

from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    DateTime,
    Dialect,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
)
from sqlalchemy.dialects import mysql
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeEngine

SUBJECT_LENGTH: Final = 255
USERNAME_LENGTH: Final = 30
TITLE_LENGTH: Final = 100
DESCRIPTION_LENGTH: Final = 500
LINK_LENGTH: Final = 2048
IMAGE_KEY_LENGTH: Final = 255
IDEMPOTENCY_KEY_LENGTH: Final = 128


def ascii_string(length: int) -> TypeEngine[str]:
    """Text of machines: compared byte by byte, a byte a character in an index."""
    return String(length).with_variant(
        mysql.VARCHAR(length, charset="ascii", collation="ascii_bin"), "mysql", "mariadb"
    )


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC, to the microsecond. Aware in Python; without a zone in the database."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """MySQL rounds to seconds unless told otherwise."""
        return mysql.DATETIME(fsp=6) if dialect.name in {"mysql", "mariadb"} else DateTime()

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """To UTC, and without its zone."""
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """With its zone."""
        return None if value is None else value.replace(tzinfo=UTC)


class Base(DeclarativeBase):
    """What Alembic compares the database with."""

    type_annotation_map = {int: BigInteger, datetime: UtcDateTime}  # noqa: RUF012 - SQLAlchemy's own
    __table_args__: Any = {"mysql_charset": "utf8mb4", "mysql_engine": "InnoDB"}  # noqa: RUF012


_OPTIONS: Final = Base.__table_args__


class User(Base):
    """Who a person is here. Their e-mail address and name stay with who signs them in."""

    __tablename__ = "users"

    user_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    subject: Mapped[str] = mapped_column(ascii_string(SUBJECT_LENGTH), unique=True)
    """The token's `sub`; of a deleted user, `deleted-<user_id>`, so that the person can come back anew."""
    username: Mapped[str] = mapped_column(ascii_string(USERNAME_LENGTH), unique=True)
    country: Mapped[str] = mapped_column(ascii_string(2), default="")
    """ISO 3166-1 alpha-2; empty when unknown."""
    version: Mapped[int]
    deleted: Mapped[bool] = mapped_column(Boolean, default=False)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class Board(Base):
    """A collection of pins."""

    __tablename__ = "boards"
    __table_args__ = (
        Index("boards_of_owner", "owner_id", "deleted", "board_id"),
        Index("boards_changed", "updated_at"),
        _OPTIONS,
    )

    board_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    owner_id: Mapped[int]
    name: Mapped[str] = mapped_column(String(TITLE_LENGTH))
    description: Mapped[str] = mapped_column(String(DESCRIPTION_LENGTH), default="")
    secret: Mapped[bool] = mapped_column(Boolean, default=False)
    version: Mapped[int]
    deleted: Mapped[bool] = mapped_column(Boolean, default=False)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class Section(Base):
    """A part of a board."""

    __tablename__ = "sections"
    __table_args__ = (Index("sections_of_board", "board_id", "deleted", "section_id"), _OPTIONS)

    section_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    board_id: Mapped[int]
    name: Mapped[str] = mapped_column(String(TITLE_LENGTH))
    version: Mapped[int]
    deleted: Mapped[bool] = mapped_column(Boolean, default=False)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class Pin(Base):
    """A picture with words, on the board of who made it."""

    __tablename__ = "pins"
    __table_args__ = (
        Index("pins_of_board", "board_id", "deleted", "pin_id"),
        Index("pins_of_section", "section_id", "deleted", "pin_id"),
        Index("pins_changed", "updated_at"),
        _OPTIONS,
    )

    pin_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    board_id: Mapped[int]
    section_id: Mapped[int | None]
    owner_id: Mapped[int]
    title: Mapped[str] = mapped_column(String(TITLE_LENGTH), default="")
    description: Mapped[str] = mapped_column(String(DESCRIPTION_LENGTH), default="")
    link: Mapped[str] = mapped_column(String(LINK_LENGTH), default="")
    """http or https; empty for none."""
    image_key: Mapped[str] = mapped_column(ascii_string(IMAGE_KEY_LENGTH), default="")
    """Key of the original in the images bucket; empty for none. Never changes."""
    image_width: Mapped[int | None] = mapped_column(Integer)
    """Pixels; NULL, as the next two, until the job `thumbnails` has looked at the image."""
    image_height: Mapped[int | None] = mapped_column(Integer)
    image_color: Mapped[str | None] = mapped_column(ascii_string(7))
    """The color that most of it has, to show while it loads: #rrggbb."""
    version: Mapped[int]
    deleted: Mapped[bool] = mapped_column(Boolean, default=False)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class Save(Base):
    """Somebody's pin on a board of one's own. Saving again what was taken off brings the same row back."""

    __tablename__ = "saves"
    __table_args__ = (
        UniqueConstraint("board_id", "pin_id", name="saves_once"),
        Index("saves_of_board", "board_id", "deleted", "save_id"),
        Index("saves_of_pin", "pin_id", "deleted", "save_id"),
        Index("saves_changed", "updated_at"),
        _OPTIONS,
    )

    save_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    pin_id: Mapped[int]
    board_id: Mapped[int]
    user_id: Mapped[int]
    version: Mapped[int]
    deleted: Mapped[bool] = mapped_column(Boolean, default=False)
    saved_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class Upload(Base):
    """An image on its way to the bucket: asked for by its owner, then claimed by one pin."""

    __tablename__ = "uploads"
    __table_args__ = (Index("uploads_unclaimed", "pin_id", "expires_at"), _OPTIONS)

    upload_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    owner_id: Mapped[int]
    image_key: Mapped[str] = mapped_column(ascii_string(IMAGE_KEY_LENGTH), unique=True)
    content_type: Mapped[str] = mapped_column(ascii_string(64))
    content_length: Mapped[int]
    """Bytes, as announced and signed."""
    pin_id: Mapped[int | None]
    """The pin that shows it; an image makes one pin."""
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    """The presigned request is good until then; unclaimed after it, the image may be removed."""


class OutboxEvent(Base):
    """An event on its way to Kafka. The columns are those of Debezium's outbox event router.

    Source: https://debezium.io/documentation/reference/stable/transformations/outbox-event-router.html
    """

    __tablename__ = "outbox"
    __table_args__ = {**_OPTIONS, "sqlite_autoincrement": True}  # noqa: RUF012

    sequence: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True
    )
    """Given while the changed row is locked: of one key, in the order of its versions."""
    id: Mapped[str] = mapped_column(ascii_string(36), unique=True)
    """UUID: header `event-id`."""
    aggregatetype: Mapped[str] = mapped_column(ascii_string(64))
    """The topic."""
    aggregateid: Mapped[str] = mapped_column(ascii_string(32))
    """The record's key, decimal."""
    type: Mapped[str] = mapped_column(ascii_string(64))
    """Header `event-type`: the full name of the protobuf message."""
    payload: Mapped[bytes] = mapped_column(LargeBinary(65535))
    traceparent: Mapped[str | None] = mapped_column(ascii_string(55))
    """W3C trace context of the request; header `traceparent`."""
    created_at: Mapped[datetime]


class PublishedTopic(Base):
    """The topic that the relay publishes to: one of another id has not had what was published before."""

    __tablename__ = "published_topics"

    topic: Mapped[str] = mapped_column(ascii_string(64), primary_key=True)
    topic_id: Mapped[str] = mapped_column(ascii_string(36))
    """Kafka's, given at the topic's creation."""
    republished_to: Mapped[int | None]
    """What was there before is published again, up to this key; NULL when all is."""


class ScheduledJob(Base):
    """A job on its way to SQS, written in the transaction of what asks for it; see services/pin/jobs."""

    __tablename__ = "scheduled_jobs"
    __table_args__ = (Index("scheduled_jobs_due", "due_at"), _OPTIONS)

    job_id: Mapped[str] = mapped_column(ascii_string(36), primary_key=True)
    """UUID: the message's id."""
    queue: Mapped[str] = mapped_column(ascii_string(16))
    name: Mapped[str] = mapped_column(ascii_string(64))
    arguments: Mapped[str] = mapped_column(Text)
    """JSON object."""
    due_at: Mapped[datetime]


class IdempotencyKey(Base):
    """The answer to a POST that carried an `Idempotency-Key`, written in the transaction of what it did."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (Index("idempotency_keys_expired", "expires_at"), _OPTIONS)

    subject: Mapped[str] = mapped_column(ascii_string(SUBJECT_LENGTH), primary_key=True)
    key: Mapped[str] = mapped_column(ascii_string(IDEMPOTENCY_KEY_LENGTH), primary_key=True)
    fingerprint: Mapped[bytes] = mapped_column(
        LargeBinary(32).with_variant(mysql.BINARY(32), "mysql", "mariadb")
    )
    """SHA-256 of the request: method, path and body."""
    status: Mapped[int] = mapped_column(SmallInteger)
    headers: Mapped[str] = mapped_column(Text)
    """JSON object."""
    body: Mapped[bytes] = mapped_column(LargeBinary(65535))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
