"""One numbering of the vectors: its segments, the index over them, and who is alive in which group.

Whoever searches holds one generation from the first step to the last; compaction makes another.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.search.engine.ids import Rows
from services.search.engine.tables import NONE, Mask, pick
from services.search.engine.types import Vector
from services.search.engine.vectors.approximate import Approximate, Bits, Scores, Slots, exact
from services.search.engine.vectors.segment import Segment, slices

_FEW: Final = 8192
"""Up to this many vectors that a filter lets through are compared exactly."""
_SPARSE: Final = 0.5
"""Below this share that a filter lets through, those are picked before they are compared."""
_SLACK: Final = 32
"""Asked for beyond what is wanted, since some may be dead."""


class Generation:
    """Slots and what belongs to each. One thread changes it, others search meanwhile."""

    def __init__(self, segments: list[Segment], approximate: Approximate | None) -> None:
        self.segments: Final = segments
        """In the order of their slots; the last is being written to."""
        self.approximate: Approximate | None = approximate
        self.count: int = sum(segment.count for segment in segments)
        """Slots that may be searched."""
        self.pins: Rows = np.full(self.count, NONE, np.int32)
        """Row of the pin in the table, by slot."""
        self.groups: Rows = np.full(self.count, NONE, np.int32)
        """Row of the pin's group, by slot; NONE: dead, or its pin is not there."""
        self.public: Bits = np.zeros((self.count + 7) // 8, np.uint8)
        """Whether everybody finds it."""

    def reserve(self, count: int) -> None:
        """Room for so many slots. Who searches may keep the arrays it has."""
        if count > len(self.pins):
            more = max(count, len(self.pins) * 3 // 2, 4096) - len(self.pins)
            self.pins = np.concatenate([self.pins, np.full(more, NONE, np.int32)])
            self.groups = np.concatenate([self.groups, np.full(more, NONE, np.int32)])
            self.public = np.concatenate([self.public, np.zeros(more // 8 + 2, np.uint8)])

    def place(self, slots: Slots | Rows, groups: Rows, public: Mask) -> None:
        """Say of which group some slots are and whether everybody finds them."""
        self.groups[slots] = groups
        masks = np.left_shift(1, slots & 7).astype(np.uint8)
        np.bitwise_and.at(self.public, slots[~public] >> 3, ~masks[~public])
        np.bitwise_or.at(self.public, slots[public] >> 3, masks[public])

    def show(self, public: Mask) -> None:
        """Compute anew who is found by everybody; `public` of each group, and False for NONE."""
        bits = np.packbits(pick(public, self.groups[: self.count]), bitorder="little")
        self.public[: len(bits)] = bits

    def search(self, vector: Vector, k: int, wanted: Mask | None) -> tuple[Scores, Slots]:
        """The best slots, best first: of the groups that are `wanted`, or else those that everybody finds."""
        count = self.count
        bits, share = self.public, 1.0
        if wanted is not None:
            selected = pick(wanted, self.groups[:count])
            number = int(np.count_nonzero(selected))
            if number <= _FEW:
                return self._among(vector, k, np.flatnonzero(selected))
            bits, share = np.packbits(selected, bitorder="little"), number / count
        found: list[tuple[Scores, Slots]] = []
        start = 0
        if self.approximate is not None:
            scores, slots, start = self.approximate.search(vector, k, bits, share)
            found.append((scores, slots))
        found.extend(self._exact(vector, k, bits, start, count, sparse=share < _SPARSE))
        return _best(found, k)

    def recall(self, vector: Vector, k: int) -> float | None:
        """The share of the k best in the approximate index that it finds; None if there is none."""
        if self.approximate is None:
            return None
        _, best, _ = self.approximate.search(vector, k, self.public, 1.0, everything=True)
        _, found, _ = self.approximate.search(vector, k, self.public, 1.0)
        return len(np.intersect1d(best, found)) / len(best) if len(best) else None

    def vectors(self, slots: Slots | Rows) -> NDArray[np.float32]:
        """The vectors of some slots, read from the segments."""
        found = np.empty((len(slots), self.segments[0].vectors.shape[1]), np.float32)
        starts = np.cumsum([0, *(segment.count for segment in self.segments)])
        of = np.searchsorted(starts, slots, side="right") - 1
        for number in np.unique(of).tolist():
            here = of == number
            found[here] = self.segments[number].vectors[slots[here] - starts[number]]
        return found

    def _among(self, vector: Vector, k: int, slots: Slots) -> tuple[Scores, Slots]:
        if not len(slots):
            return np.empty(0, np.float32), slots
        scores, places = exact(vector, self.vectors(slots), k)
        return scores, slots[places]

    def _exact(
        self, vector: Vector, k: int, bits: Bits, start: int, end: int, *, sparse: bool
    ) -> list[tuple[Scores, Slots]]:
        """The best of the slots that the approximate index does not have yet."""
        found: list[tuple[Scores, Slots]] = []
        for first, vectors in slices(self.segments, start, end):
            if not sparse:
                scores, places = exact(vector, vectors, k + _SLACK)
                alive = _set(bits, first + places)
                if np.count_nonzero(alive) >= k or len(places) == len(vectors):
                    found.append((scores[alive], first + places[alive]))
                    continue
            places = np.flatnonzero(_set(bits, np.arange(first, first + len(vectors))))
            if len(places):
                scores, best = exact(vector, vectors[places], k)
                found.append((scores, first + places[best]))
        return found


def _set(bits: Bits, slots: Slots) -> Mask:
    return (bits[slots >> 3] >> (slots & 7).astype(np.uint8) & 1).astype(np.bool_)


def _best(found: list[tuple[Scores, Slots]], k: int) -> tuple[Scores, Slots]:
    scores = np.concatenate([np.empty(0, np.float32), *(scores for scores, _ in found)])
    slots = np.concatenate([np.empty(0, np.int64), *(slots for _, slots in found)])
    order = np.argsort(-scores, kind="stable")[:k]
    return scores[order], slots[order]
