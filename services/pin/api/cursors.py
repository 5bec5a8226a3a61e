"""Cursors of lists: opaque to clients, and good only for the list that they came from.

A cursor holds the last identifier of its page, so that the next one begins behind it in the index (keyset
pagination), however long the list is and whatever was added meanwhile. A checksum tells garbage from cursors; it is
no secret, for whoever forges one only moves within a list that they may see anyway.
"""

import base64
import binascii
import zlib
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final, TypeVar

from litestar.params import QueryParameter

from services.common.problems import FieldProblem, Problem
from services.pin.identifiers import LARGEST

T = TypeVar("T")

_NUMBER_BYTES: Final = 8
_CHECKSUM_BYTES: Final = 4
_LENGTH: Final = 16
"""Of the text: 12 bytes in base64."""
DEFAULT_LIMIT: Final = 25

Limit = Annotated[
    int,
    QueryParameter(ge=1, le=100, required=False, description="Entries of a page, at most"),
]
Cursor = Annotated[
    str | None, QueryParameter(max_length=64, required=False, description="`next_cursor` of the page before")
]


def encode(listing: str, last: int) -> str:
    """The cursor behind the entry `last` of a list, which has a name of its own such as `board/17`."""
    number = last.to_bytes(_NUMBER_BYTES, "big")
    return base64.urlsafe_b64encode(number + _checksum(listing, number)).decode("ascii")


def decode(listing: str, cursor: str) -> int:
    """The last entry of the page before. Raises Problem 400 for what is no cursor of this list."""
    if len(cursor) == _LENGTH and cursor.isascii():
        try:
            raw = base64.b64decode(cursor, altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raw = b""
        number, checksum = raw[:_NUMBER_BYTES], raw[_NUMBER_BYTES:]
        last = int.from_bytes(number, "big")
        if 0 < last <= LARGEST and checksum == _checksum(listing, number):
            return last
    detail = "this is no cursor of this list: take `next_cursor` of a page of it, or begin without"
    raise Problem(400, f"cursor: {detail}", errors=[FieldProblem(detail, "cursor", "query")])


def after(listing: str, cursor: str | None) -> int:
    """In lists that fall: entries of the page are smaller than this."""
    return LARGEST if cursor is None else decode(listing, cursor)


def page(
    listing: str, rows: Sequence[T], limit: int, key: Callable[[T], Any]
) -> tuple[Sequence[T], str | None]:
    """The rows of the page and the next cursor, of up to one row more than `limit`."""
    if len(rows) <= limit:
        return rows, None
    return rows[:limit], encode(listing, int(key(rows[limit - 1])))


def _checksum(listing: str, number: bytes) -> bytes:
    return zlib.crc32(listing.encode() + number).to_bytes(_CHECKSUM_BYTES, "big")
