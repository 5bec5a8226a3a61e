"""Cursors of search results: opaque to clients, and good only for the query that they came from.

Results have no order that a database could seek in, so a cursor holds how many were shown. What is published between
two pages may repeat or skip a result, as on every search page.
"""

import base64
import binascii
import struct
import zlib
from typing import Final

from services.common.problems import FieldProblem, Problem
from services.search.backend import MAX_WINDOW

MAX_CURSOR: Final = 64
_LAYOUT: Final = struct.Struct(">HI")


def encode(query: str, offset: int) -> str:
    """The cursor of what comes after the first `offset` results of a query."""
    return base64.urlsafe_b64encode(_LAYOUT.pack(offset, _checksum(query, offset))).decode("ascii")


def decode(query: str, cursor: str | None) -> int:
    """How many results were shown. Raises Problem 400 for what is no cursor of this query."""
    if not cursor:
        return 0
    try:
        raw = base64.b64decode(cursor, altchars=b"-_", validate=True) if cursor.isascii() else b""
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) == _LAYOUT.size:
        offset, checksum = _LAYOUT.unpack(raw)
        if 0 < offset < MAX_WINDOW and checksum == _checksum(query, offset):
            return offset
    detail = (
        "this is no cursor of this search: take `next_cursor` of a page of the same search, or begin without"
    )
    raise Problem(400, f"cursor: {detail}", errors=[FieldProblem(detail, "cursor", "query")])


def following(query: str, offset: int, limit: int, shown: int) -> str | None:
    """The cursor of the next page; None when this was the last, or deeper pages are not answered."""
    end = offset + limit
    return encode(query, end) if shown == limit and end < MAX_WINDOW else None


def _checksum(query: str, offset: int) -> int:
    return zlib.crc32(f"{offset} {query}".encode())
