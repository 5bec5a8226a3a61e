"""Small consecutive numbers for 64-bit identifiers: what arrays are indexed by."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

_RECENT: Final = 4096


class Numbering:
    """Numbers from 0, in the order in which identifiers came.

    Sorted arrays hold most of them, in 12 bytes each; the newest are in a dictionary until they are worth sorting.
    """

    def __init__(self, identifiers: NDArray[np.int64] | None = None) -> None:
        self._of_number = np.zeros(0, np.int64) if identifiers is None else identifiers.astype(np.int64)
        self._count = len(self._of_number)
        self._recent: dict[int, int] = {}
        self._sort()

    def __len__(self) -> int:
        return self._count

    @property
    def bytes(self) -> int:
        """Of memory, without the newest."""
        return sum(each.nbytes for each in (self._of_number, self._sorted, self._numbers))

    def find(self, identifier: int) -> int | None:
        """Its number, if it has one."""
        if (recent := self._recent.get(identifier)) is not None:
            return recent
        place = int(np.searchsorted(self._sorted, identifier))
        if place < len(self._sorted) and self._sorted[place] == identifier:
            return int(self._numbers[place])
        return None

    def find_all(self, identifiers: NDArray[np.int64]) -> NDArray[np.int32]:
        """Their numbers; -1 for those that have none."""
        self._sort()
        if len(self._sorted) == 0:
            return np.full(len(identifiers), -1, np.int32)
        places = np.minimum(np.searchsorted(self._sorted, identifiers), len(self._sorted) - 1)
        return np.where(self._sorted[places] == identifiers, self._numbers[places], -1).astype(np.int32)

    def number(self, identifier: int) -> int:
        """Its number, a new one if need be."""
        found = self.find(identifier)
        if found is not None:
            return found
        if self._count == len(self._of_number):
            larger = np.zeros(max(64, self._count + self._count // 2), np.int64)
            larger[: self._count] = self._of_number
            self._of_number = larger
        self._of_number[self._count] = identifier
        self._recent[identifier] = self._count
        self._count += 1
        if len(self._recent) > max(_RECENT, self._count // 8):
            self._sort()
        return self._count - 1

    def identifiers(self, numbers: NDArray[np.integer]) -> NDArray[np.int64]:
        """What the numbers stand for."""
        return self._of_number[numbers]

    def _sort(self) -> None:
        there = self._of_number[: self._count]
        self._numbers = np.argsort(there, kind="stable").astype(np.int32)
        self._sorted = there[self._numbers]
        self._recent.clear()
