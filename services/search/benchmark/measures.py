"""What is measured of every engine, and how: one client, one query after the other."""

import gc
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np

from services.search.benchmark.corpus import Corpus

T = TypeVar("T")
_WARM = 20
"""Queries before those that count."""
_LONGEST_SECONDS = 30


@dataclass(slots=True)
class Row:
    """One line of the table."""

    engine: str
    task: str
    """text, two-stage or vectors."""
    build_seconds: float | None = None
    query_ms: tuple[float, float] | None = None
    """p50 and p99."""
    recall: float | None = None
    """At 10, against exact search."""
    found_ms: tuple[float, float] | None = None
    """p50 and p99 from adding a pin to finding it."""
    memory_mb: float | None = None
    """Resident, of this process; of a server that runs beside it nothing."""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Task:
    """What an engine is to do."""

    corpus: Corpus
    directory: Path
    queries: int
    exact: list[list[int]] = field(default_factory=list[list[int]])
    """The ten nearest to the first vectors that are asked for, once they are known."""


class Timer:
    """Seconds of a block, into a row; making the catalogue included, which is the same for all."""

    def __init__(self, row: Row) -> None:
        self._row = row

    def __enter__(self) -> None:
        self._start = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self._row.build_seconds = time.perf_counter() - self._start


def titles(corpus: Corpus) -> Iterator[list[tuple[int, str]]]:
    """Identifiers and titles."""
    for chunk in corpus.chunks():
        yield list(zip(chunk.ids.tolist(), chunk.titles, strict=True))


def latencies(run: Callable[[T], object], queries: Sequence[T]) -> tuple[float, float]:
    """p50 and p99 of running each query once, in milliseconds."""
    for query in queries[:_WARM]:
        run(query)
    taken: list[float] = []
    for query in queries:
        start = time.perf_counter()
        run(query)
        taken.append((time.perf_counter() - start) * 1000)
    return percentiles(taken)


def percentiles(values: Iterable[float]) -> tuple[float, float]:
    """p50 and p99."""
    p50, p99 = np.percentile(np.array(list(values)), [50, 99]).tolist()
    return p50, p99


def added_to_found(
    add: Callable[[int, str], object], search: Callable[[str], list[int]], first: int
) -> tuple[float, float]:
    """p50 and p99 from adding one pin with a word of its own to finding it, in milliseconds."""
    taken: list[float] = []
    for number in range(50):
        word = f"unheard{number}of"
        start = time.perf_counter()
        add(first + number, word)
        while first + number not in search(word):
            if time.perf_counter() - start > _LONGEST_SECONDS:
                raise TimeoutError(f"a pin that was added is not found after {_LONGEST_SECONDS} s")
        taken.append((time.perf_counter() - start) * 1000)
    return percentiles(taken)


def resident_mb(pid: int | None = None) -> float:
    """Memory of this process, or of another one, that is not a file's."""
    gc.collect()
    status = Path(f"/proc/{pid or 'self'}/status")
    if not status.exists():
        return float("nan")
    found = re.search(r"RssAnon:\s+(\d+) kB", status.read_text(encoding="ascii"))
    return int(found[1]) / 1000 if found else float("nan")


def recall(found: Sequence[Sequence[int]], exact: Sequence[Sequence[int]]) -> float:
    """The share of the exact answers that was found."""
    shares = [
        len({*some} & {*best}) / len(best) for some, best in zip(found, exact, strict=True) if len(best)
    ]
    return float(np.mean(shares))
