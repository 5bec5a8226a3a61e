"""What the root asks of whatever holds the index: our own leaves, or OpenSearch when one machine is outgrown.

The REST API is written against `Backend` only, so that one setting (`SEARCH_BACKEND`) chooses between them and
the same tests run on both. Vectors are float32, little-endian, of unit length, as in `embeddings` events.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol

import msgspec

MAX_WINDOW = 1_000
"""offset + limit may not exceed this: every shard has to find, and the root to merge, all that is skipped."""


class Mode(StrEnum):
    """How groups narrow pins. AUTO: the index chooses by what the query asks."""

    AUTO = "auto"
    FLAT = "flat"
    """Group fields were copied into each pin's document, or are checked as a filter: one stage."""
    TWO_STAGE = "two-stage"
    """The best groups first, then pins of those groups only, with both scores combined."""


class GroupKind(StrEnum):
    """What a group of pins is."""

    BOARD = "board"
    CAMPAIGN = "campaign"
    AD_GROUP = "ad-group"


class GroupFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which groups' pins are wanted; what is left empty does not matter."""

    text: str = ""
    """Words of the group's name; they count for the score too."""
    country: str = ""
    """ISO 3166-1 alpha-2."""
    ids: tuple[int, ...] = ()
    owner: int | None = None
    kinds: tuple[GroupKind, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether every group will do."""
        return not (self.text or self.country or self.ids or self.kinds or self.owner is not None)


class PinSearch(msgspec.Struct, frozen=True, kw_only=True):
    """Pins by text, by vector, or by both. At least one of text, vector and groups is given."""

    text: str = ""
    vector: bytes = b""
    groups: GroupFilter = GroupFilter()
    mode: Mode = Mode.AUTO
    limit: int = 10
    offset: int = 0
    viewer: int | None = None
    """`subject_key` of who asks: pins on their own secret boards are found by them alone. None: nobody known."""
    with_vectors: bool = False
    """Return the hits' vectors too, which re-ranking needs."""


class SimilarSearch(msgspec.Struct, frozen=True, kw_only=True):
    """Pins that look like a pin, without that pin itself."""

    pin_id: int
    limit: int = 10
    offset: int = 0
    viewer: int | None = None
    with_vectors: bool = False


class PinHit(msgspec.Struct, frozen=True):
    """A pin found, with what is shown for it."""

    pin_id: int
    board_id: int
    owner_id: int
    score: float
    """Higher is better; comparable within one answer only."""
    title: str
    link: str
    image_key: str
    board_name: str
    saves: int
    created_at_ms: int
    vector: bytes = b""


class PinResults(msgspec.Struct, frozen=True):
    """A page of pins, best first; equal ones in an order of the index' own."""

    hits: list[PinHit]
    total: int
    """Pins that match, of the shards that answered."""
    total_exact: bool
    """False: there are at least `total`."""
    shards: int
    """How many there are."""
    missing_shards: tuple[int, ...] = ()
    """Which of them did not answer in time: the results are partial."""


class GroupSearch(msgspec.Struct, frozen=True, kw_only=True):
    """Boards (or other groups) by the words of their name and description."""

    text: str
    country: str = ""
    kinds: tuple[GroupKind, ...] = (GroupKind.BOARD,)
    limit: int = 10
    offset: int = 0
    viewer: int | None = None


class GroupHit(msgspec.Struct, frozen=True):
    """A group found."""

    group_id: int
    owner_id: int
    score: float
    name: str
    description: str
    country: str
    kind: GroupKind
    secret: bool


class GroupResults(msgspec.Struct, frozen=True):
    """A page of groups, best first. Every shard holds all groups, so there are no partial results."""

    hits: list[GroupHit]
    total: int
    total_exact: bool


class BackendUnavailableError(Exception):
    """Nothing of the index can be reached now; the message says what was tried. Becomes a 503."""


class UnknownPinError(Exception):
    """There is no such pin, it has no vector yet, or the viewer may not see it. Becomes a 404."""


class InvalidSearchError(Exception):
    """The index refuses the query; the message says what would be right. Becomes a 400."""


class Backend(Protocol):
    """An index of pins and groups. Every method may raise BackendUnavailableError or InvalidSearchError."""

    async def search(self, request: PinSearch) -> PinResults:
        """Find pins."""
        ...

    async def similar(self, request: SimilarSearch) -> PinResults:
        """Find pins that look like one. Raises UnknownPinError."""
        ...

    async def groups(self, request: GroupSearch) -> GroupResults:
        """Find boards."""
        ...

    async def vectors(self, pin_ids: Sequence[int], viewer: int | None) -> dict[int, bytes]:
        """The vectors of pins that the viewer may see, as far as there are any: what re-ranking compares with."""
        ...

    def unready(self) -> str | None:
        """Why no search can be answered now; None when it can. Looks only at what is known, asks nobody."""
        ...

    async def close(self) -> None:
        """Close connections."""
        ...
