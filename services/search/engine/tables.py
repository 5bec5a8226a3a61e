"""What must be known at once of every pin and group: newest versions, who is in which group, who may see it.

Columns in memory, filled from the two text indexes and the vectors' records when the engine opens. One thread
writes; others read while it does, each value by itself being whole.
"""

from collections.abc import Sequence
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from services.search.engine.ids import IdIndex, Ids, Rows
from services.search.engine.types import NO_GROUP, GroupChanged

NONE: Final = -1
"""No version yet, no group, no slot."""
UNKNOWN, DELETED, SECRET, PUBLIC = range(4)
"""States of a group. An unknown one is one that a pin named and that has not come itself."""

Mask = NDArray[np.bool_]


class _Table:
    """Rows of one structured array that grows."""

    def __init__(self, fields: list[tuple[str, Any]], empty: tuple[int, ...]) -> None:
        self.index: Final = IdIndex()
        self._empty = np.array(empty, np.dtype(fields, align=True))
        self.data: NDArray[np.void] = np.full(1024, self._empty)

    def __len__(self) -> int:
        return len(self.index)

    def add(self, ids: Sequence[int]) -> Rows:
        """The row of each identifier, which gets one if it has none."""
        rows = self.index.add(ids)
        self.reserve(len(self.index))
        self.data["id"][rows] = ids
        return rows

    def fill(self, ids: Ids) -> Rows:
        """Rows for identifiers of which none is known yet, or there twice."""
        first = len(self.index)
        self.index.fill(ids)
        self.reserve(len(self.index))
        rows = np.arange(first, len(self.index), dtype=np.int32)
        self.data["id"][rows] = ids
        return rows

    def reserve(self, rows: int) -> None:
        """Room for so many."""
        if rows > len(self.data):
            grown = np.full(max(rows, len(self.data) * 3 // 2), self._empty)
            grown[: len(self.data)] = self.data
            self.data = grown


class PinTable(_Table):
    """Every pin that was heard of, be it by its vector or its deletion."""

    def __init__(self) -> None:
        fields = [("id", "i8"), ("version", "i8"), ("vector_version", "i8"), ("group", "i4"), ("slot", "i4")]
        super().__init__(fields, (0, NONE, NONE, NONE, NONE))

    def groups_of(self, ids: Ids) -> Rows:
        """The row of each pin's group; NONE for a pin that is not there."""
        rows = self.index.rows(ids)  # before the data, which has room for them by then
        return np.where(rows >= 0, self.data["group"][rows], NONE)


class GroupTable(_Table):
    """Every group that was heard of, be it by a pin's naming it."""

    def __init__(self) -> None:
        fields = [
            ("id", "i8"),
            ("version", "i8"),
            ("owner", "i8"),
            ("reader", "i8"),
            ("country", "u2"),
            ("kind", "u1"),
            ("state", "u1"),
        ]
        super().__init__(fields, (0, NONE, 0, 0, 0, 0, UNKNOWN))
        self._secret_of: dict[int, set[int]] = {}
        none = int(self.add([NO_GROUP])[0])
        self.data["state"][none] = PUBLIC

    def put(self, row: int, change: GroupChanged) -> None:
        """Take over a newer state."""
        self._forget_secret(row)
        state = DELETED if change.deleted else SECRET if change.secret else PUBLIC
        self.data[row] = (
            change.group_id,
            change.version,
            change.owner_id,
            change.secret_to,
            country_code(change.country),
            int(change.kind),
            state,
        )
        if state == SECRET:
            self._secret_of.setdefault(change.secret_to, set()).add(row)

    def fill_secrets(self) -> None:
        """Note whose the secret groups are, after the columns were filled."""
        for row in np.flatnonzero(self.data["state"][: len(self)] == SECRET).tolist():
            self._secret_of.setdefault(int(self.data["reader"][row]), set()).add(row)

    def public(self, row: int) -> bool:
        """Whether everybody finds its pins."""
        return bool(self.data["state"][row] == PUBLIC)

    def has_secrets(self, viewer: int | None) -> bool:
        """Whether somebody finds more than everybody."""
        return viewer in self._secret_of

    def visible(self, rows: Rows, viewer: int | None) -> Mask:
        """Which of the groups somebody sees; a row of NONE is seen by nobody."""
        data = self.data
        states = data["state"][rows]
        seen: Mask = states == PUBLIC
        if viewer in self._secret_of:
            seen |= (states == SECRET) & (data["reader"][rows] == viewer)
        return seen & (rows >= 0)

    def visible_mask(self, viewer: int | None) -> Mask:
        """Which of all groups somebody sees, with one False more at the end: what NONE indexes."""
        count = len(self)
        mask = np.zeros(count + 1, np.bool_)
        mask[:count] = self.visible(np.arange(count, dtype=np.int32), viewer)
        return mask

    def _forget_secret(self, row: int) -> None:
        reader = int(self.data["reader"][row])
        if self.data["state"][row] == SECRET:
            rows = self._secret_of[reader]
            rows.discard(row)
            if not rows:
                del self._secret_of[reader]


_Value = TypeVar("_Value", bound=np.generic)


def pick(values: NDArray[_Value], rows: Rows) -> NDArray[_Value]:
    """The value of each row; the last one for NONE and for rows that came after the values were made."""
    try:
        return values[rows]
    except IndexError:
        return values[np.minimum(rows, len(values) - 1)]


def country_code(country: str) -> int:
    """Two letters as one number of 16 bits; 0 for none."""
    return int.from_bytes(country.encode("ascii"), "big")
