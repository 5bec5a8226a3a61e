"""Neighbours of numbered nodes, in arrays: compact for millions of edges, and changed in place.

Each node has a block of one large array, with room at its end; a block that is full moves to the end of the array, to
twice the room. What blocks leave behind is reclaimed when it is as much as what is used. (A compressed sparse row
matrix with slack: a walk reads it as fast as one without, and a new edge needs no second structure.)
"""

from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

T = TypeVar("T", bound=np.generic)
Array = NDArray[np.int32]

_ROOM: Final = 4
_GROWTH: Final = 1.5


class Adjacency:
    """A multigraph's one direction. Nodes and neighbours are small numbers from 0."""

    def __init__(self) -> None:
        self.first = np.zeros(0, np.int64)
        """Of each node, where its block begins in `neighbours`."""
        self.degree = np.zeros(0, np.int32)
        self._room = np.zeros(0, np.int32)
        self.neighbours = np.zeros(0, np.int32)
        self._end = 0
        self._nodes = 0
        self._garbage = 0

    @classmethod
    def of(cls, nodes: int, sources: Array, targets: Array) -> "Adjacency":
        """Of many edges at once: `sources[i]` -> `targets[i]`; nodes are numbered below `nodes`."""
        made = cls()
        order = np.argsort(sources, kind="stable")
        made.degree = np.bincount(sources, minlength=nodes).astype(np.int32)
        made._room = made.degree + np.maximum(_ROOM // 2, made.degree // 8)
        made.first = np.concatenate(([0], np.cumsum(made._room, dtype=np.int64)))[:-1]
        made._nodes, made._end = nodes, int(made._room.sum(dtype=np.int64))
        made.neighbours = np.zeros(made._end, np.int32)
        within = np.arange(len(sources)) - np.repeat(np.cumsum(made.degree) - made.degree, made.degree)
        sorted_sources = sources[order]
        made.neighbours[made.first[sorted_sources] + within] = targets[order]
        return made

    def __len__(self) -> int:
        return self._nodes

    @property
    def bytes(self) -> int:
        """Of memory."""
        return sum(each.nbytes for each in (self.first, self.degree, self._room, self.neighbours))

    def of_node(self, node: int) -> Array:
        """Its neighbours, in no order: a view, valid until the next change."""
        if node >= self._nodes:
            return self.neighbours[:0]
        first = int(self.first[node])
        return self.neighbours[first : first + int(self.degree[node])]

    def add(self, node: int, neighbour: int) -> None:
        """One edge more; the node comes into being if need be."""
        self.have(node)
        degree = int(self.degree[node])
        if degree == self._room[node]:
            self._move(node, max(_ROOM, 2 * degree))
        self.neighbours[int(self.first[node]) + degree] = neighbour
        self.degree[node] = degree + 1

    def remove(self, node: int, neighbour: int) -> bool:
        """One edge less; False when there is none."""
        found = np.flatnonzero(self.of_node(node) == neighbour)
        if len(found) == 0:
            return False
        first, last = int(self.first[node]), int(self.degree[node]) - 1
        self.neighbours[first + int(found[0])] = self.neighbours[first + last]
        self.degree[node] = last
        return True

    def have(self, node: int) -> None:
        """The node comes into being, without neighbours, if need be."""
        if node >= len(self.first):
            size = max(16, node + 1, int(len(self.first) * _GROWTH))
            self.first = _grown(self.first, size)
            self.degree = _grown(self.degree, size)
            self._room = _grown(self._room, size)
        self._nodes = max(self._nodes, node + 1)

    def _move(self, node: int, room: int) -> None:
        if self._end + room > len(self.neighbours):
            if self._garbage > self._end // 2:
                self._compact()
            if self._end + room > len(self.neighbours):
                size = max(64, self._end + room, int(len(self.neighbours) * _GROWTH))
                self.neighbours = _grown(self.neighbours, size)
        self.neighbours[self._end : self._end + int(self.degree[node])] = self.of_node(node)
        self._garbage += int(self._room[node])
        self.first[node], self._room[node] = self._end, room
        self._end += room

    def _compact(self) -> None:
        nodes = np.flatnonzero(self.degree)
        sources = np.repeat(nodes, self.degree[nodes]).astype(np.int32)
        within = np.arange(len(sources)) - np.repeat(
            np.cumsum(self.degree[nodes]) - self.degree[nodes], self.degree[nodes]
        )
        targets = self.neighbours[self.first[sources] + within]
        packed = Adjacency.of(len(self.first), sources, targets)
        self.first, self.degree, self._room = packed.first, packed.degree, packed._room
        self.neighbours, self._end, self._garbage = packed.neighbours, packed._end, 0


def _grown(array: NDArray[T], size: int) -> NDArray[T]:
    larger = np.zeros(size, array.dtype)
    larger[: len(array)] = array
    return larger
