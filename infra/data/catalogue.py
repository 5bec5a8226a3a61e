"""What data there is: topics, captured tables and the lake's tables, declared once.

Topics and tables are the same in every environment, so they are code rather than configuration. Adding one
is adding a declaration here; brokers, connector, catalog and optimizers all read these tuples. Databases
and users follow from what services declare (`infra/workloads/declarations.py`).
"""

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

CAPTURED_TABLES = MappingProxyType({"pin": ("pins", "boards", "saves")})
"""Database -> its tables whose changes Debezium publishes, one topic a table."""

CDC_PREFIX = "cdc"
"""Debezium's `topic.prefix`: a row's change goes to `cdc.<database>.<table>`."""

SCHEMA_HISTORY_TOPIC = "cdc.schema-history"
HEARTBEAT_PREFIX = "heartbeat"
CONNECT_OFFSETS_TOPIC = "connect.debezium.offsets"

OUTBOX = MappingProxyType({"pin": ("outbox",)})
"""Database -> the table of events that are on their way to Kafka."""

OUTBOX_EVENTS = ("pins", "boards", "saves")
"""The topics that they go to: each row of the outbox names its own."""

OUTBOX_PREFIX = "outbox"
"""`topic.prefix` of the connector that reads outboxes; no record goes to a topic of this name."""

OUTBOX_HISTORY_TOPIC = "outbox.schema-history"
OUTBOX_OFFSETS_TOPIC = "connect.debezium-outbox.offsets"


class Cleanup(StrEnum):
    """What Kafka does with old records (`cleanup.policy`): by age, or all but the last of each key."""

    DELETE = "delete"
    COMPACT = "compact"


@dataclass(frozen=True)
class Topic:
    """A Kafka topic. Replication factor and in-sync minimum follow from the number of zones."""

    name: str
    partitions: int
    """Can grow, never shrink; growing it moves keys to other partitions."""
    retention_days: int | None
    """None: for ever."""
    cleanup: Cleanup = Cleanup.DELETE


_EVENTS = (
    Topic("pins", partitions=12, retention_days=7),
    Topic("boards", partitions=6, retention_days=7),
    Topic("saves", partitions=12, retention_days=7),
    Topic("clicks", partitions=24, retention_days=3),
    Topic("embeddings", partitions=12, retention_days=7),
)
"""Keyed by pin, board or user, so that what happens to one of them stays in order."""

DEAD_LETTER_SUFFIX = ".dead-letter"
_DEAD_LETTERS = tuple(
    Topic(f"{topic.name}{DEAD_LETTER_SUFFIX}", partitions=1, retention_days=30) for topic in _EVENTS
)
"""Records that a consumer could not process: kept long enough for a person to look and replay."""

CDC_TOPICS = (
    *(
        Topic(f"{CDC_PREFIX}.{database}.{table}", partitions=6, retention_days=7)
        for database, tables in CAPTURED_TABLES.items()
        for table in tables
    ),
    # One partition, in order, for ever: without it Debezium cannot read the rows it has yet to read.
    Topic(SCHEMA_HISTORY_TOPIC, partitions=1, retention_days=None),
    Topic(CDC_PREFIX, partitions=1, retention_days=30),  # DDL statements, for consumers
    Topic(f"{HEARTBEAT_PREFIX}.{CDC_PREFIX}", partitions=1, retention_days=1),
    # Declared, so that a connector that is created anew goes on where the old one stopped.
    Topic(CONNECT_OFFSETS_TOPIC, partitions=5, retention_days=None, cleanup=Cleanup.COMPACT),
)
"""What the Debezium connector reads and writes; brokers create no topic by themselves."""

OUTBOX_TOPICS = (
    Topic(OUTBOX_HISTORY_TOPIC, partitions=1, retention_days=None),
    Topic(f"{HEARTBEAT_PREFIX}.{OUTBOX_PREFIX}", partitions=1, retention_days=1),
    Topic(OUTBOX_OFFSETS_TOPIC, partitions=5, retention_days=None, cleanup=Cleanup.COMPACT),
)
"""Beside the events themselves, what a connector needs that reads outboxes; only where one does."""

TOPICS = (*_EVENTS, *_DEAD_LETTERS, *CDC_TOPICS)
"""In every environment."""


class Primitive(StrEnum):
    """Iceberg's primitive types, those in use. Source: Iceberg table specification, "Primitive Types"."""

    BOOLEAN = "boolean"
    INT = "int"
    LONG = "long"
    FLOAT = "float"
    STRING = "string"
    TIMESTAMP = "timestamptz"
    """Microseconds, UTC."""


@dataclass(frozen=True)
class ListOf:
    """A list whose elements are never null."""

    element: Primitive


@dataclass(frozen=True)
class Column:
    """A column. Its field id is its place in the table: append columns, never reorder or remove them."""

    name: str
    type: Primitive | ListOf
    doc: str
    required: bool = False


@dataclass(frozen=True)
class Partition:
    """How files are split: `transform` is `identity`, `day`, `bucket[16]`, ... of a column."""

    column: str
    transform: str

    @property
    def name(self) -> str:
        """The partition field's name, e.g. `clicked_at_day`; `identity` keeps the column's own."""
        kind = self.transform.partition("[")[0]
        return self.column if kind == "identity" else f"{self.column}_{kind}"


@dataclass(frozen=True)
class Table:
    """An Iceberg table of the lake. `key` names the columns that identify a row."""

    name: str
    description: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    partitions: tuple[Partition, ...]

    def field_id(self, column: str) -> int:
        """The Iceberg field id of `column`, from 1; raises ValueError for a column that is not there."""
        names = [each.name for each in self.columns]
        if column not in names:
            raise ValueError(f"table {self.name} has no column {column}; it has {', '.join(names)}")
        return names.index(column) + 1


_CREATED = Column("created_at", Primitive.TIMESTAMP, "When it was first written", required=True)
_UPDATED = Column("updated_at", Primitive.TIMESTAMP, "When it last changed", required=True)
_DELETED = Column("deleted", Primitive.BOOLEAN, "By its owner; the row stays for history", required=True)

TABLES = (
    Table(
        "pins",
        description="Pins, one row each, as Aurora has them",
        key=("pin_id",),
        columns=(
            Column("pin_id", Primitive.LONG, "The pin", required=True),
            Column("board_id", Primitive.LONG, "The board it was first put on", required=True),
            Column("owner_id", Primitive.LONG, "Who created it", required=True),
            Column("title", Primitive.STRING, "As written by the owner"),
            Column("description", Primitive.STRING, "As written by the owner"),
            Column("link", Primitive.STRING, "The page it leads to"),
            Column("image_key", Primitive.STRING, "S3 key of the original image", required=True),
            _CREATED,
            _UPDATED,
            _DELETED,
        ),
        partitions=(Partition("pin_id", "bucket[16]"),),
    ),
    Table(
        "boards",
        description="Boards, one row each, as Aurora has them",
        key=("board_id",),
        columns=(
            Column("board_id", Primitive.LONG, "The board", required=True),
            Column("owner_id", Primitive.LONG, "Who created it", required=True),
            Column("name", Primitive.STRING, "As written by the owner", required=True),
            Column("description", Primitive.STRING, "As written by the owner"),
            Column("secret", Primitive.BOOLEAN, "Only its owner and guests see it", required=True),
            _CREATED,
            _UPDATED,
            _DELETED,
        ),
        partitions=(Partition("board_id", "bucket[16]"),),
    ),
    Table(
        "saves",
        description="A pin saved to a board by a user",
        key=("save_id",),
        columns=(
            Column("save_id", Primitive.LONG, "The save", required=True),
            Column("pin_id", Primitive.LONG, "What was saved", required=True),
            Column("board_id", Primitive.LONG, "Where to", required=True),
            Column("user_id", Primitive.LONG, "Who saved it", required=True),
            Column("saved_at", Primitive.TIMESTAMP, "When", required=True),
        ),
        partitions=(Partition("saved_at", "day"), Partition("board_id", "bucket[16]")),
    ),
    Table(
        "clicks",
        description="A click on a pin, with where it was shown",
        key=("click_id",),
        columns=(
            Column(
                "click_id",
                Primitive.STRING,
                "UUID of the client: a repeat counts once",
                required=True,
            ),
            Column("pin_id", Primitive.LONG, "What was clicked", required=True),
            Column("user_id", Primitive.LONG, "Who clicked; empty when signed out"),
            Column("surface", Primitive.STRING, "home, search, board or related", required=True),
            Column("query", Primitive.STRING, "The search that showed it"),
            Column("position", Primitive.INT, "Its place in the results, from 0"),
            Column("clicked_at", Primitive.TIMESTAMP, "When", required=True),
        ),
        partitions=(Partition("clicked_at", "day"),),
    ),
    Table(
        "embeddings",
        description="The visual embedding of a pin's image under one version of the model",
        key=("pin_id", "model_version"),
        columns=(
            Column("pin_id", Primitive.LONG, "Whose image", required=True),
            Column(
                "model_version",
                Primitive.STRING,
                "Vectors of two versions do not compare",
                required=True,
            ),
            Column("vector", ListOf(Primitive.FLOAT), "Of unit length", required=True),
            Column("embedded_at", Primitive.TIMESTAMP, "When it was computed", required=True),
        ),
        partitions=(Partition("model_version", "identity"), Partition("pin_id", "bucket[16]")),
    ),
)
