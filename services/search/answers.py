"""What the REST API answers. Identifiers are strings of digits: JavaScript's numbers end at 2^53."""

from datetime import UTC, datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from services.search.backend import GroupKind, GroupResults, PinResults

_LATEST_MS = 253_402_300_799_000
"""End of the year 9999, where datetime ends."""

Identifier = Annotated[
    str, Meta(pattern="^[0-9]{1,19}$", description="A 64-bit number in decimal", examples=["1"])
]
NextCursor = Annotated[str | None, Meta(description="`cursor` of the next page; null: this is the last")]
Total = Annotated[int, Meta(ge=0, description="How many match, or at least this many: see total_exact")]
Score = Annotated[float, Meta(description="Higher is better; comparable within one answer only")]


class FoundPin(msgspec.Struct):
    """A pin that was found."""

    pin_id: Identifier
    board_id: Identifier
    owner_id: Identifier
    score: Score
    title: str
    link: str
    image_key: Annotated[str, Meta(description="Of the original image; empty when there is none")]
    board_name: str
    saves: Annotated[int, Meta(ge=0, description="How often people saved it")]
    created_at: datetime


class FoundPins(msgspec.Struct):
    """A page of pins, best first."""

    items: list[FoundPin]
    next_cursor: NextCursor
    total: Total
    total_exact: bool
    partial: Annotated[
        bool, Meta(description="Some shards did not answer in time: there may be more and better pins")
    ]
    missing_shards: list[int]
    shards: int


class FoundBoard(msgspec.Struct):
    """A board that was found."""

    board_id: Identifier
    owner_id: Identifier
    score: Score
    name: str
    description: str
    country: str
    kind: GroupKind


class FoundBoards(msgspec.Struct):
    """A page of boards, best first."""

    items: list[FoundBoard]
    next_cursor: NextCursor
    total: Total
    total_exact: bool


def pins(results: PinResults, next_cursor: str | None) -> FoundPins:
    """As the API tells it."""
    items = [
        FoundPin(
            str(hit.pin_id),
            str(hit.board_id),
            str(hit.owner_id),
            hit.score,
            hit.title,
            hit.link,
            hit.image_key,
            hit.board_name,
            hit.saves,
            datetime.fromtimestamp(min(max(hit.created_at_ms, 0), _LATEST_MS) / 1_000, UTC),
        )
        for hit in results.hits
    ]
    missing = list(results.missing_shards)
    return FoundPins(
        items, next_cursor, results.total, results.total_exact, bool(missing), missing, results.shards
    )


def boards(results: GroupResults, next_cursor: str | None) -> FoundBoards:
    """As the API tells it."""
    items = [
        FoundBoard(
            str(hit.group_id), str(hit.owner_id), hit.score, hit.name, hit.description, hit.country, hit.kind
        )
        for hit in results.hits
    ]
    return FoundBoards(items, next_cursor, results.total, results.total_exact)
