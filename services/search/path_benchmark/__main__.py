"""The whole path, from HTTP request to hit: `python -m services.search.path_benchmark --pins 1000000`.

A leaf and a root as processes on this machine, over an index that is built first (and kept in --directory), with
events from Kafka coming in meanwhile. `python -m pinwheel.search_path_benchmark` measures the same with the gateway
before them.
"""
# ruff: noqa: T201 - it prints a table

import argparse
import itertools
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

from services.api.events.v1.events_pb2 import PinEvent
from services.search.benchmark.corpus import Corpus
from services.search.benchmark.measures import resident_mb
from services.search.path_benchmark.feeding import UPSERTS_A_SECOND, get, producer, publishing
from services.search.path_benchmark.load import Load, run
from services.search.path_benchmark.world import START_SECONDS, World, build, pin_event, running

_QUERIES: Final = 10_000
_FRESH: Final = 100
_STEP: Final = 7919
"""Coprime to every count here: pins and queries in an order that looks random and is always the same."""


def main(
    before: Callable[[World], AbstractContextManager[World]] = nullcontext,
    program: str = "services.search.path_benchmark",
) -> None:
    """Measure, and print what the reference's last table asks for beside it.

    Args:
        before: puts something before the root, and gives the world as it looks from there.
        program: that the help names.
    """
    parser = argparse.ArgumentParser(prog=program)
    parser.add_argument("--pins", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=8, help="of each load")
    parser.add_argument("--directory", type=Path, help="where the index is built, and kept")
    arguments = parser.parse_args()
    corpus = Corpus(arguments.pins)
    with ExitStack() as stack:
        directory = arguments.directory or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        build(corpus, directory)
        world = stack.enter_context(running(directory))
        _measure(stack.enter_context(before(world)), corpus, arguments.seconds)


def _measure(world: World, corpus: Corpus, seconds: float) -> None:
    """Ask under each load, and print beside each the target of a million pins."""
    paths = _mixed(corpus)
    print(f"leaf ready after {world.ready_seconds:.1f} s; target: 30 s for a million pins")
    run(world.url, paths, connections=8, seconds=2)  # warm
    before = world.cpu_seconds()
    requests = _closed(world.url, paths, seconds)
    costs = {name: (after - before[name]) / requests * 1e6 for name, after in world.cpu_seconds().items()}
    print("CPU a request: " + ", ".join(f"{name} {cost:.0f} us" for name, cost in costs.items()))
    with publishing(world.kafka, upserts(corpus), UPSERTS_A_SECOND):
        load = run(world.url, paths, connections=8, seconds=seconds)
        _print(f"closed, 8 connections, + {UPSERTS_A_SECOND} upserts/s", load, ">= 1000 rps")
        load = run(world.url, paths, connections=8, seconds=seconds, delay_ms=14)
        _print(f"about 480 rps + {UPSERTS_A_SECOND} upserts/s", load, "5 / 25 ms")
        fresh = freshness(world, corpus)
    p50, p99 = fresh[len(fresh) // 2], fresh[int(len(fresh) * 0.99)]
    what = f"produce -> HTTP hit, + {UPSERTS_A_SECOND} upserts/s"
    print(f"{what:51} p50 {p50:6.1f} ms   p99 {p99:6.1f} ms   target: 80 / 200 ms")
    memory = resident_mb(world.processes["leaf"].pid)
    print(f"leaf: {memory:.0f} MB of its own; target: 1,100 MB for a million pins")


def _mixed(corpus: Corpus) -> list[str]:
    """Half flat text, 30% two-stage, 20% similar: the reference's mix."""
    flat = [{"q": text} for text in corpus.text_queries(_QUERIES // 2)]
    two_stage = [
        {"q": text, "country": country, "board": board, "mode": "two-stage"}
        for text, country, board in corpus.group_queries(_QUERIES * 3 // 10)
    ]
    similar = [number * _STEP % corpus.pins + 1 for number in range(_QUERIES // 5)]
    paths = [f"/v1/search/pins?{urlencode(query)}&limit=10" for query in [*flat, *two_stage]]
    paths += [f"/v1/search/pins/{pin_id}/similar?limit=10" for pin_id in similar]
    return [paths[number * _STEP % len(paths)] for number in range(len(paths))]


def _closed(url: str, paths: list[str], seconds: float) -> float:
    """As fast as it goes; how many requests that were."""
    requests = 0.0
    for connections, target in ((1, "none"), (32, ">= 1700 rps")):
        load = run(url, paths, connections=connections, seconds=seconds)
        _print(f"closed, {connections} connections, no ingest", load, target)
        requests += load.requests_per_second * seconds
    return requests


def upserts(corpus: Corpus) -> Iterator[PinEvent]:
    """New titles for pins that are there, without end."""
    titles = next(corpus.chunks()).titles
    version = int(time.time())  # above those of an earlier run on the same index
    for number in itertools.count():
        pin_id = number * _STEP % corpus.pins + 1
        yield pin_event(pin_id, version, pin_id % corpus.groups + 1, titles[number % len(titles)])


def freshness(world: World, corpus: Corpus) -> list[float]:
    """Milliseconds from produce to the HTTP answer that has the pin, sorted."""
    publisher = producer(world.kafka)
    version = int(time.time())
    found: list[float] = []
    for number in range(_FRESH):
        pin_id = corpus.pins + 1 + number
        word = f"fresh{number}word{version}"
        began = time.perf_counter()
        publisher.produce("pins", pin_event(pin_id, version, 1, word).SerializeToString(), str(pin_id))
        publisher.flush(10)
        while not get(f"{world.url}/v1/search/pins?q={word}")["items"]:
            if time.perf_counter() - began > START_SECONDS:
                raise TimeoutError(f"a pin was not found within {START_SECONDS:g} s")
            time.sleep(0.002)
        found.append((time.perf_counter() - began) * 1e3)
    return sorted(found)


def _print(what: str, load: Load, target: str) -> None:
    failed = f"; {load.failures} failed" if load.failures else ""
    print(
        f"{what:38} {load.requests_per_second:7.0f} rps   p50 {load.p50_ms:6.1f} ms   p99 {load.p99_ms:6.1f} ms   "
        f"target: {target} ({load.generator}{failed})",
        flush=True,
    )


if __name__ == "__main__":
    main()
