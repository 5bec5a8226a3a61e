"""`python -m services.search.benchmark --pins 1000000`: one table of our engine and others, in one run.

Each engine runs in a process of its own, one after the other, on the same catalogue with the same queries.
Engines that are not installed are named. The figures are of this machine and of this moment: trust ratios.
"""

import argparse
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import Final

from services.search.benchmark.engines import ENGINES, measure
from services.search.benchmark.measures import Row

_FEWEST_PINS: Final = 1_000
_FEWEST_QUERIES: Final = 100
_HEADINGS: Final = (
    "engine",
    "task",
    "build s",
    "query p50 / p99 ms",
    "recall@10",
    "add to found p50 / p99 ms",
    "memory MB",
    "note",
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; the exit code is 0 unless an engine failed."""
    parser = argparse.ArgumentParser(prog="python -m services.search.benchmark", description=__doc__)
    parser.add_argument("--pins", type=int, default=100_000, help="size of the catalogue")
    parser.add_argument("--queries", type=int, default=1_000, help="of each kind")
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=list(ENGINES))
    chosen = parser.parse_args(arguments)
    if chosen.pins < _FEWEST_PINS or chosen.queries < _FEWEST_QUERIES:
        parser.error(f"at least {_FEWEST_PINS} pins and {_FEWEST_QUERIES} queries say something")
    rows: list[Row] = []
    exact: list[list[int]] = []
    failed = False
    with tempfile.TemporaryDirectory() as directory:
        for engine in sorted(
            chosen.engines, key=lambda name: name != "faiss_exact"
        ):  # it knows the exact answers
            start = time.perf_counter()
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                try:
                    some, exact = pool.apply(measure, (engine, chosen.pins, chosen.queries, directory, exact))
                except Exception as error:
                    failed = True
                    some = [Row(engine, "-", note=f"failed: {type(error).__name__}: {error}")]
            rows.extend(some)
            print(f"{engine}: {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)  # noqa: T201
    rows.sort(key=lambda row: (row.task, not row.engine.startswith("pinwheel")))
    print(table(rows, f"{chosen.pins:,} pins, {chosen.queries} queries, one client"))  # noqa: T201
    return int(failed)


def table(rows: Sequence[Row], title: str) -> str:
    """The rows as a table of Markdown."""
    lines = [_HEADINGS, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEADINGS))]
    texts = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |"
        for line in lines
    ]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([title, "", texts[0], rule, *texts[1:]])


def _cells(row: Row) -> tuple[str, ...]:
    return (
        row.engine,
        row.task,
        _number(row.build_seconds, 1),
        _pair(row.query_ms),
        _number(row.recall, 3),
        _pair(row.found_ms),
        _number(row.memory_mb, 0),
        row.note,
    )


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _pair(values: tuple[float, float] | None) -> str:
    return "-" if values is None else f"{values[0]:.2f} / {values[1]:.2f}"


if __name__ == "__main__":
    sys.exit(main())
