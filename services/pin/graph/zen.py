"""The board-pin graph in memory: related pins, and pins for a board.

A pin is on the board it was made on and on those that it was saved to. Boards that are secret or deleted are not
walked, and a pin whose own board is secret or deleted is never an answer: nothing here depends on who asks.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from services.pin.graph.adjacency import Adjacency, Array
from services.pin.graph.numbering import Numbering
from services.pin.graph.walk import Graph, Walking, visits

T = TypeVar("T", bound=np.generic)

_SEED: Final = 2018
_QUERY_PINS: Final = 64
"""Of a board, at most: more make no better answer."""
_HOME, _SAVED = 0, 1
"""Why a pin is on a board: the lowest bit of a neighbour. Taking a save off leaves the other."""
_NONE: Final = -1


@dataclass(frozen=True)
class BoardChange:
    """A board as it is now. `hidden`: secret or deleted."""

    board_id: int
    hidden: bool
    country: str = ""


@dataclass(frozen=True)
class PinChange:
    """A pin as it is now; on no board when it is deleted."""

    pin_id: int
    board_id: int | None


@dataclass(frozen=True)
class SaveChange:
    """Whether a pin is saved to a board."""

    pin_id: int
    board_id: int
    deleted: bool


@dataclass(frozen=True)
class Edges:
    """Everything, in columns of equal length, to build the graph of at once."""

    boards: NDArray[np.int64]
    hidden: NDArray[np.bool_]
    countries: Sequence[str]
    pins: NDArray[np.int64]
    homes: NDArray[np.int64]
    """Board of each pin."""
    saved_pins: NDArray[np.int64]
    saved_boards: NDArray[np.int64]


class BoardPinGraph:
    """Threads may ask and change it at once. The same graph, seed and question give the same answer."""

    def __init__(self, walking: Walking | None = None, seed: int = _SEED) -> None:
        self._walking = walking or Walking()
        self._seed = seed
        self._lock = threading.Lock()
        self._boards, self._pins = Numbering(), Numbering()
        self._open = np.zeros(0, np.bool_)
        self._country = np.zeros(0, np.int16)
        self._home = np.zeros(0, np.int32)
        self._boards_of_pin, self._pins_of_board = Adjacency(), Adjacency()
        self._countries: dict[str, int] = {}

    @classmethod
    def build(cls, edges: Edges, walking: Walking | None = None, seed: int = _SEED) -> "BoardPinGraph":
        """Of many rows at once; edges to what is not among the pins and boards are left out."""
        made = cls(walking, seed)
        made._boards, made._pins = Numbering(edges.boards), Numbering(edges.pins)
        made._open = ~edges.hidden
        made._country = np.array([made._country_number(each) for each in edges.countries], np.int16)
        made._home = made._boards.find_all(edges.homes)
        saved_pins, saved_boards = (
            made._pins.find_all(edges.saved_pins),
            made._boards.find_all(edges.saved_boards),
        )
        known = (saved_pins >= 0) & (saved_boards >= 0)
        at_home = np.flatnonzero(made._home >= 0).astype(np.int32)
        pins = np.concatenate((at_home, saved_pins[known]))
        boards = np.concatenate((made._home[at_home], saved_boards[known]))
        kinds = np.repeat(np.array([_HOME, _SAVED], np.int32), (len(at_home), int(known.sum())))
        made._boards_of_pin = Adjacency.of(len(made._pins), pins, boards << 1 | kinds)
        made._pins_of_board = Adjacency.of(len(made._boards), boards, pins << 1 | kinds)
        return made

    @property
    def edges(self) -> int:
        """Pins on boards."""
        return int(self._boards_of_pin.degree.sum(dtype=np.int64))

    @property
    def bytes(self) -> int:
        """Of memory in its arrays."""
        arrays = (self._open, self._country, self._home)
        parts = (self._boards_of_pin, self._pins_of_board, self._boards, self._pins)
        return sum(each.nbytes for each in arrays) + sum(each.bytes for each in parts)

    def apply(self, changes: Sequence[BoardChange | PinChange | SaveChange]) -> None:
        """Make it so; the same change again changes nothing. A save counts only while its pin is known."""
        with self._lock:
            for change in changes:
                if isinstance(change, BoardChange):
                    self._set_board(change)
                elif isinstance(change, PinChange):
                    self._set_pin(change)
                else:
                    self._set_save(change)

    def related(
        self, pin_id: int, limit: int, *, board_id: int | None = None, country: str = ""
    ) -> list[int]:
        """Pins that people keep beside this one, the nearest first; at most `limit`, perhaps none.

        When walks find too few (nobody has saved it), pins of its own board follow, the newest first.

        Args:
            pin_id: need not be known here yet.
            limit: how many, at most.
            board_id: its board, for a pin that is not known here yet.
            country: of who asks: boards of the same country are preferred.
        """
        with self._lock:
            number = self._pins.find(pin_id)
            home = _NONE if number is None else int(self._home[number])
            if home == _NONE and board_id is not None and (found := self._boards.find(board_id)) is not None:
                home = found
            starts = np.array([] if number is None else [number], np.int32)
            answer = self._walked(starts, starts, limit, pin_id, country)
            if len(answer) < limit and home != _NONE and self._open[home]:
                beside = np.unique(self._pins_of_board.of_node(home) >> 1)[::-1]
                more = beside[self._shown(beside) & ~np.isin(beside, np.concatenate((answer, starts)))]
                answer = np.concatenate((answer, more[: limit - len(answer)]))
            return [int(each) for each in self._pins.identifiers(answer)]

    def more_like_board(self, board_id: int, limit: int, *, country: str = "") -> list[int]:
        """Pins that are not on the board and that people keep beside those that are; at most `limit`."""
        with self._lock:
            board = self._boards.find(board_id)
            if board is None:
                return []
            there = np.unique(self._pins_of_board.of_node(board) >> 1)
            starts = there
            if len(there) > _QUERY_PINS:
                random = np.random.default_rng([self._seed, board_id])
                starts = np.sort(random.choice(there, _QUERY_PINS, replace=False))
            answer = self._walked(starts, there, limit, board_id, country)
            return [int(each) for each in self._pins.identifiers(answer)]

    def _walked(self, starts: Array, without: Array, limit: int, about: int, country: str) -> Array:
        if limit < 1 or len(starts) == 0 or len(self._boards_of_pin.neighbours) == 0:
            return np.zeros(0, np.int32)
        graph = Graph(self._boards_of_pin, self._pins_of_board, self._open, self._country)
        random = np.random.default_rng([self._seed, about])
        pins, scores = visits(graph, starts, self._walking, random, self._countries.get(country))
        shown = self._shown(pins) & ~np.isin(pins, without)
        pins, scores = pins[shown], scores[shown]
        # Of equal scores, the newest first: identifiers rise with time.
        best = np.lexsort((-self._pins.identifiers(pins), -scores))[:limit]
        return pins[best]

    def _shown(self, pins: Array) -> NDArray[np.bool_]:
        homes = self._home[pins]
        return (homes >= 0) & self._open[homes] if len(self._open) else np.zeros(len(pins), np.bool_)

    def _set_board(self, change: BoardChange) -> None:
        board = self._board(change.board_id)
        self._open[board] = not change.hidden
        self._country[board] = self._country_number(change.country)

    def _set_pin(self, change: PinChange) -> None:
        pin = self._pins.number(change.pin_id)
        self._home = _with_room(self._home, pin, _NONE)
        self._boards_of_pin.have(pin)
        board = _NONE if change.board_id is None else self._board(change.board_id)
        former = int(self._home[pin])
        if board == former:
            return
        if former != _NONE:
            self._remove(pin, former, _HOME)
        if board == _NONE:
            for neighbour in self._boards_of_pin.of_node(pin).tolist():
                self._remove(pin, neighbour >> 1, neighbour & 1)
        else:
            self._add(pin, board, _HOME)
        self._home[pin] = board

    def _set_save(self, change: SaveChange) -> None:
        pin = self._pins.find(change.pin_id)
        if pin is None or self._home[pin] == _NONE:
            return
        board = self._board(change.board_id)
        there = self._has(pin, board)
        if change.deleted and there:
            self._remove(pin, board, _SAVED)
        elif not change.deleted and not there:
            self._add(pin, board, _SAVED)

    def _board(self, board_id: int) -> int:
        """Its number; a board that was not known is closed until its own change says otherwise."""
        board = self._boards.number(board_id)
        self._pins_of_board.have(board)
        self._open = _with_room(self._open, board, fill=False)
        self._country = _with_room(self._country, board, _NONE)
        return board

    def _country_number(self, country: str) -> int:
        return self._countries.setdefault(country, len(self._countries)) if country else _NONE

    def _has(self, pin: int, board: int) -> bool:
        boards, pins = self._boards_of_pin.of_node(pin), self._pins_of_board.of_node(board)
        if len(boards) <= len(pins):
            return bool((boards == (board << 1 | _SAVED)).any())
        return bool((pins == (pin << 1 | _SAVED)).any())

    def _add(self, pin: int, board: int, kind: int) -> None:
        self._boards_of_pin.add(pin, board << 1 | kind)
        self._pins_of_board.add(board, pin << 1 | kind)

    def _remove(self, pin: int, board: int, kind: int) -> None:
        self._boards_of_pin.remove(pin, board << 1 | kind)
        self._pins_of_board.remove(board, pin << 1 | kind)


def _with_room(array: NDArray[T], place: int, fill: int) -> NDArray[T]:
    """The array with `place` in it; new places hold `fill`."""
    if place < len(array):
        return array
    larger = np.full(max(64, place + 1, len(array) + len(array) // 2), fill, array.dtype)
    larger[: len(array)] = array
    return larger
