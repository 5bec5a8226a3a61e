"""Users, boards, sections, pins, saves, uploads, the outbox, scheduled jobs and the idempotency keys.

MySQL commits with every DDL statement, so a migration that was killed leaves a part of these: what is there is left.
"""

from datetime import datetime

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql
from sqlalchemy.schema import SchemaItem
from sqlalchemy.types import TypeEngine

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make all tables."""
    _users_and_boards()
    _pins_and_saves()
    _table(
        "uploads",
        _id("upload_id"),
        _integer("owner_id"),
        sa.Column("image_key", _ascii(255), nullable=False, unique=True),
        sa.Column("content_type", _ascii(64), nullable=False),
        _integer("content_length"),
        sa.Column("pin_id", sa.BigInteger()),
        _moment("created_at"),
        _moment("expires_at"),
        sa.Index("uploads_unclaimed", "pin_id", "expires_at"),
    )
    _table(
        "outbox",
        sa.Column("sequence", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
        sa.Column("id", _ascii(36), nullable=False, unique=True),
        sa.Column("aggregatetype", _ascii(64), nullable=False),
        sa.Column("aggregateid", _ascii(32), nullable=False),
        sa.Column("type", _ascii(64), nullable=False),
        sa.Column("payload", sa.LargeBinary(65535), nullable=False),
        sa.Column("traceparent", _ascii(55)),
        _moment("created_at"),
    )
    _table(
        "scheduled_jobs",
        sa.Column("job_id", _ascii(36), primary_key=True),
        sa.Column("queue", _ascii(16), nullable=False),
        sa.Column("name", _ascii(64), nullable=False),
        sa.Column("arguments", sa.Text(), nullable=False),
        _moment("due_at"),
        sa.Index("scheduled_jobs_due", "due_at"),
    )
    _table(
        "idempotency_keys",
        sa.Column("subject", _ascii(255), primary_key=True),
        sa.Column("key", _ascii(128), primary_key=True),
        sa.Column(
            "fingerprint",
            sa.LargeBinary(32).with_variant(mysql.BINARY(32), "mysql", "mariadb"),
            nullable=False,
        ),
        sa.Column("status", sa.SmallInteger(), nullable=False),
        sa.Column("headers", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(65535), nullable=False),
        _moment("created_at"),
        _moment("expires_at"),
        sa.Index("idempotency_keys_expired", "expires_at"),
    )


def _users_and_boards() -> None:
    _table(
        "users",
        _id("user_id"),
        sa.Column("subject", _ascii(255), nullable=False, unique=True),
        sa.Column("username", _ascii(30), nullable=False, unique=True),
        sa.Column("country", _ascii(2), nullable=False),
        *_history(),
    )
    _table(
        "boards",
        _id("board_id"),
        _integer("owner_id"),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("description", sa.String(500), nullable=False),
        sa.Column("secret", sa.Boolean(), nullable=False),
        *_history(),
        sa.Index("boards_of_owner", "owner_id", "deleted", "board_id"),
        sa.Index("boards_changed", "updated_at"),
    )
    _table(
        "sections",
        _id("section_id"),
        _integer("board_id"),
        sa.Column("name", sa.String(100), nullable=False),
        *_history(),
        sa.Index("sections_of_board", "board_id", "deleted", "section_id"),
    )


def _pins_and_saves() -> None:
    _table(
        "pins",
        _id("pin_id"),
        _integer("board_id"),
        sa.Column("section_id", sa.BigInteger()),
        _integer("owner_id"),
        sa.Column("title", sa.String(100), nullable=False),
        sa.Column("description", sa.String(500), nullable=False),
        sa.Column("link", sa.String(2048), nullable=False),
        sa.Column("image_key", _ascii(255), nullable=False),
        sa.Column("image_width", sa.Integer()),
        sa.Column("image_height", sa.Integer()),
        sa.Column("image_color", _ascii(7)),
        *_history(),
        sa.Index("pins_of_board", "board_id", "deleted", "pin_id"),
        sa.Index("pins_of_section", "section_id", "deleted", "pin_id"),
        sa.Index("pins_changed", "updated_at"),
    )
    _table(
        "saves",
        _id("save_id"),
        _integer("pin_id"),
        _integer("board_id"),
        _integer("user_id"),
        _integer("version"),
        sa.Column("deleted", sa.Boolean(), nullable=False),
        _moment("saved_at"),
        _moment("updated_at"),
        sa.UniqueConstraint("board_id", "pin_id", name="saves_once"),
        sa.Index("saves_of_board", "board_id", "deleted", "save_id"),
        sa.Index("saves_of_pin", "pin_id", "deleted", "save_id"),
        sa.Index("saves_changed", "updated_at"),
    )


def _table(name: str, *items: SchemaItem) -> None:
    connection = op.get_bind()
    table = sa.Table(
        name,
        sa.MetaData(),
        *items,
        mysql_charset="utf8mb4",
        mysql_engine="InnoDB",
        sqlite_autoincrement=name == "outbox",
    )
    inspector = sa.inspect(connection)
    if not inspector.has_table(name):
        table.create(connection)
        return
    there = {index["name"] for index in inspector.get_indexes(name)}
    for index in table.indexes:
        if index.name not in there:
            index.create(connection)


def _id(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), primary_key=True, autoincrement=False)


def _integer(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=False)


def _moment(name: str) -> sa.Column[datetime]:
    in_mysql = mysql.DATETIME(fsp=6)
    return sa.Column(name, sa.DateTime().with_variant(in_mysql, "mysql", "mariadb"), nullable=False)


def _ascii(length: int) -> TypeEngine[str]:
    in_mysql = mysql.VARCHAR(length, charset="ascii", collation="ascii_bin")
    return sa.String(length).with_variant(in_mysql, "mysql", "mariadb")


def _history() -> list[SchemaItem]:
    return [
        _integer("version"),
        sa.Column("deleted", sa.Boolean(), nullable=False),
        _moment("created_at"),
        _moment("updated_at"),
    ]
