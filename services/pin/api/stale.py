"""Pins and boards that were read lately, for when the database cannot be asked."""

import time
from collections import OrderedDict
from typing import Any, Final

from sqlalchemy import Row

STALE_HEADERS: Final = {"x-pinwheel-stale": "true", "warning": '110 - "Response is Stale"'}
"""Of an answer from memory; `age` tells its seconds. RFC 5861's stale-if-error, on the server's side."""


class StaleCache:
    """The newest rows, the least recently used going first.

    Args:
        entries: kept at most.
        seconds: an older one is not answered.
    """

    def __init__(self, entries: int, seconds: float) -> None:
        self._entries = entries
        self._seconds = seconds
        self._rows: OrderedDict[tuple[str, int], tuple[float, Row[Any]]] = OrderedDict()

    def keep(self, kind: str, identifier: int, row: Row[Any] | None) -> None:
        """Remember what was read; None: it is not there any more."""
        key = (kind, identifier)
        if row is None:
            self._rows.pop(key, None)
            return
        self._rows[key] = (time.monotonic(), row)
        self._rows.move_to_end(key)
        if len(self._rows) > self._entries:
            self._rows.popitem(last=False)

    def find(self, kind: str, identifier: int) -> tuple[Row[Any], int] | None:
        """A row and its age in seconds."""
        kept = self._rows.get((kind, identifier))
        if kept is None:
            return None
        age = time.monotonic() - kept[0]
        return (kept[1], int(age)) if age <= self._seconds else None
