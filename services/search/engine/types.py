"""What goes into the engine and what comes out: changes, queries, hits, settings, statistics."""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float32]
"""One vector, of shape (dimension,)."""
Positions = Mapping[tuple[str, int], int]
"""The offset of the next record to read, by topic and partition."""

NO_GROUP: Final = 0
"""`group_id` of a pin that is in no group: everybody may find it."""
MAX_WINDOW: Final = 1000
"""Largest `offset + limit` of a query: deeper pages cost more than they are worth."""


class ChangeError(ValueError):
    """A change that cannot be indexed: says which one, what is wrong and what would be right."""


class QueryError(ValueError):
    """A query that cannot be answered: says what is wrong and what would be right."""


class GroupKind(enum.IntEnum):
    """What a group of pins is; the numbers are those of events.proto."""

    UNSPECIFIED = 0
    BOARD = 1
    CAMPAIGN = 2
    AD_GROUP = 3


@dataclass(frozen=True, slots=True)
class PinChanged:
    """The whole state of a pin after its change. The highest version of a pin counts, whenever it comes."""

    pin_id: int
    """1 to 2**63 - 1."""
    version: int
    """0 to 2**63 - 1."""
    group_id: int = NO_GROUP
    title: str = ""
    description: str = ""
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class GroupChanged:
    """The whole state of a group after its change. Its pins are not touched: they follow at once.

    Pins of a group that has not come yet are found by nobody, since it may be a secret one.
    """

    group_id: int
    """1 to 2**63 - 1."""
    version: int
    owner_id: int = 0
    name: str = ""
    description: str = ""
    country: str = ""
    """ISO 3166-1 alpha-2, upper case; empty when unknown."""
    kind: GroupKind = GroupKind.BOARD
    secret: bool = False
    """Only `reader` finds its pins."""
    reader: int = 0
    """What the `viewer` of a query must be to find a secret one; 0: the owner's identifier."""
    deleted: bool = False

    @property
    def secret_to(self) -> int:
        """0: everybody finds its pins."""
        return (self.reader or self.owner_id) if self.secret else 0


@dataclass(frozen=True, slots=True)
class VectorChanged:
    """The vector of a pin, which may come before the pin. All are of one model: others do not compare."""

    pin_id: int
    version: int
    """Version of the pin whose image it is."""
    vector: Vector | bytes | None
    """Of the engine's dimension, not zero, finite; bytes are float32, little-endian. None: it has none now."""


Change = PinChanged | GroupChanged | VectorChanged


class Mode(enum.Enum):
    """How groups take part in a query."""

    AUTO = "auto"
    """The engine chooses by what the terms and the predicate select."""
    FLAT = "flat"
    """Pins are searched first; those whose group does not fit are dropped."""
    TWO_STAGE = "two_stage"
    """Groups are searched first; pins are searched within the best of them."""


@dataclass(frozen=True, slots=True)
class GroupPredicate:
    """Which groups' pins are wanted: all that is given must hold. Empty values are not looked at."""

    text: str = ""
    """Words of the name or description; groups that fit better lift their pins."""
    country: str = ""
    ids: Sequence[int] = ()
    owner: int | None = None
    kinds: Sequence[GroupKind] = ()

    @property
    def empty(self) -> bool:
        """Whether it says nothing."""
        return not (self.text or self.country or self.ids or self.kinds) and self.owner is None


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for: words, a vector, groups, or several of them. Any text is allowed: it has no syntax."""

    text: str = ""
    vector: Vector | None = None
    """Of the engine's dimension; its length does not matter."""
    groups: GroupPredicate | None = None
    mode: Mode = Mode.AUTO
    limit: int = 10
    offset: int = 0
    """`offset + limit` is at most MAX_WINDOW."""
    viewer: int | None = None
    """Who asks: finds the pins of their own secret groups too."""
    exclude_pins: Sequence[int] = ()
    """Pins that are not wanted, such as the one whose like is looked for."""


@dataclass(frozen=True, slots=True)
class Hit:
    """One pin that was found. Scores of different queries do not compare."""

    pin_id: int
    group_id: int
    score: float
    text_score: float | None = None
    """BM25 of the pin's text, with its group's; None when text was not looked for or did not find it."""
    vector_score: float | None = None
    """Cosine, -1 to 1; None when no vector was looked for or it did not find it."""


@dataclass(frozen=True, slots=True)
class Found:
    """The hits of one query, best first."""

    hits: list[Hit]
    total: int
    """How many there are, or at least this many."""
    total_relation: Literal["eq", "gte"]
    mode: Mode
    """What AUTO chose."""


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """What can be chosen. The defaults hold the targets at a million pins on two cores."""

    dimension: int = 128
    vector_index: Literal["ivf", "hnsw"] = "ivf"
    vector_encoding: Literal["float32", "sq8"] = "float32"
    """sq8 takes a quarter of the memory and about .03 of the recall."""
    seal_vectors: int = 20_000
    """Vectors that one segment holds. The newest, not yet in the approximate index, are compared exactly."""
    exact_vectors: int = 40_000
    """Up to this many vectors there is no approximate index at all."""
    dead_ratio: float = 0.15
    """Above this share of dead vectors the vectors are compacted."""
    max_groups: int = 1000
    """Groups that the first of two stages hands to the second."""
    stage_limit: int = 200
    """Pins at least that are scored by words and vector both, or flat with their groups, to take the best of."""
    writer_heap_bytes: int = 128_000_000
    background: bool = True
    """Let a thread seal, train and compact. Otherwise whoever holds the engine calls `maintain`."""


@dataclass(frozen=True, slots=True)
class SnapshotFile:
    """One file of a snapshot."""

    path: str
    """Relative to the snapshot's directory."""
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One commit as files that never change; `Engine.open(directory)` opens a copy of it."""

    directory: Path
    files: list[SnapshotFile]
    """All but the manifest; most are the same, by name and checksum, as in the snapshot before."""
    manifest: SnapshotFile
    """To be uploaded last."""
    positions: dict[tuple[str, int], int]


@dataclass(frozen=True, slots=True)
class Statistics:
    """Figures for metrics."""

    pins: int
    """That are not deleted."""
    groups: int
    text_segments: int
    vectors: int
    """Alive: the newest of pins that are not deleted, or that have not come yet."""
    vectors_dead: int
    vectors_exact: int
    """Compared exactly, because they are newer than the approximate index."""
    vectors_indexed: int
    """In the approximate index, the dead ones included."""
    vector_lists: int
    """Lists of the inverted index; 0 without one."""
    recall: float | None
    """Of the approximate index against exact search, of the latest sample; None before the first."""
    positions: dict[tuple[str, int], int] = field(default_factory=dict[tuple[str, int], int])
