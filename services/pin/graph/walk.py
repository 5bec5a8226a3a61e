"""Random walks with restart over pins and boards, many at once in arrays.

After Pixie (Eksombatchai et al., WWW 2018): walks that begin at each of the query's pins and return to it now and then
count which pins they pass; a query pin gets steps by its degree (eq. 2), the counts of several query pins are
boosted when they meet (eq. 3), walks prefer boards that suit the viewer, and end early once enough pins have been
passed often enough (algorithm 3).
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.pin.graph.adjacency import Adjacency, Array

_CHECKED_ROUNDS: Final = 4
"""Between two looks at whether it is enough: a look costs about as much as a round."""


@dataclass(frozen=True)
class Walking:
    """How far to go. Pixie walks 200,000 steps over billions of edges; ours answers within 10 ms."""

    steps: int = 12_000
    """From pin to pin, of all walks together."""
    walkers: int = 1_000
    """Walks that go on at the same time."""
    restart: float = 0.5
    """Probability of going back to the query pin before a step: a walk passes two pins on average."""
    enough_visits: int = 4
    enough_pins: int = 500
    """End once so many pins have been passed `enough_visits` times."""


@dataclass(frozen=True)
class Graph:
    """What walks read. A neighbour is (number << 1) | a bit that walks do not look at."""

    boards_of_pin: Adjacency
    pins_of_board: Adjacency
    open: NDArray[np.bool_]
    """Boards that may be walked."""
    country: NDArray[np.int16]
    """Of a board's owner."""


def visits(
    graph: Graph, starts: Array, walking: Walking, random: np.random.Generator, country: int | None = None
) -> tuple[Array, NDArray[np.float64]]:
    """Pins that were passed, and their boosted counts; the query's own may be among them.

    Args:
        graph: what is walked.
        starts: the query's pins.
        walking: how far.
        random: where the walks turn.
        country: of two boards, prefer the one of this country.
    """
    starts = starts[graph.boards_of_pin.degree[starts] > 0]
    if len(starts) == 0:
        return np.zeros(0, np.int32), np.zeros(0)
    queries = _shared_out(graph.boards_of_pin, starts, walking.walkers)
    homes = starts[queries]
    at = homes.copy()
    passed: list[NDArray[np.int64]] = []
    for number in range(1, walking.steps // walking.walkers + 1):
        again = random.random(len(at), np.float32) < walking.restart
        at = np.where(again, homes, at)
        boards = _preferred(graph, at, random, country)
        pins, lives = _step(graph.pins_of_board, boards, random)
        lives &= graph.open[boards] & (boards >= 0)
        passed.append(queries[lives].astype(np.int64) << 32 | pins[lives])
        at = np.where(lives, pins, homes)
        if number % _CHECKED_ROUNDS == 0 and _enough(passed, walking):
            break
    return _boosted(np.concatenate(passed))


def _shared_out(boards_of_pin: Adjacency, starts: Array, walkers: int) -> Array:
    """Which query pin each walker belongs to: more for those with more boards, but less than in proportion."""
    degree = boards_of_pin.degree[starts].astype(np.float64)
    weight = degree * (max(1.0, float(degree.max())) - np.log(degree))
    share = np.maximum(1, np.floor(walkers * weight / weight.sum())).astype(np.int64)
    return np.repeat(np.arange(len(starts), dtype=np.int32), share)


def _preferred(graph: Graph, pins: Array, random: np.random.Generator, country: int | None) -> Array:
    boards, lives = _step(graph.boards_of_pin, pins, random)
    if country is not None:
        others, _ = _step(graph.boards_of_pin, pins, random)
        better = (graph.country[others] == country) & (graph.country[boards] != country)
        boards = np.where(better, others, boards)
    return np.where(lives, boards, -1)


def _step(adjacency: Adjacency, nodes: Array, random: np.random.Generator) -> tuple[Array, NDArray[np.bool_]]:
    """A neighbour of each node, and whether it has any."""
    degree = adjacency.degree[nodes]
    within = (random.random(len(nodes)) * degree).astype(np.int64)
    places = np.minimum(adjacency.first[nodes] + within, len(adjacency.neighbours) - 1)
    return adjacency.neighbours[places] >> 1, degree > 0


def _enough(passed: list[NDArray[np.int64]], walking: Walking) -> bool:
    passed[:] = [np.concatenate(passed)]
    pins = passed[0] & 0xFFFFFFFF
    _, counts = np.unique(pins, return_counts=True)
    return int((counts >= walking.enough_visits).sum()) >= walking.enough_pins


def _boosted(passed: NDArray[np.int64]) -> tuple[Array, NDArray[np.float64]]:
    """(sum over query pins of the root of the count) squared: pins that several lead to count more."""
    pairs, counts = np.unique(passed, return_counts=True)
    pins, places = np.unique((pairs & 0xFFFFFFFF).astype(np.int32), return_inverse=True)
    roots = np.bincount(places, np.sqrt(counts.astype(np.float64)), minlength=len(pins))
    return pins, np.square(roots, dtype=np.float64)
