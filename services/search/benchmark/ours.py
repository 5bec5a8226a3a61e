"""Our engine: built by its bulk load, opened again, asked."""

import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from services.search.benchmark.corpus import Corpus
from services.search.benchmark.measures import Row, Task, added_to_found, latencies, recall, resident_mb
from services.search.engine.engine import Engine
from services.search.engine.types import (
    Change,
    EngineSettings,
    GroupChanged,
    GroupPredicate,
    Mode,
    PinChanged,
    Query,
    VectorChanged,
)

_NAME = "pinwheel"
_EXHAUSTIVE = 100
"""Two-stage queries whose answer is held against that of all groups and all pins."""


def pinwheel(task: Task) -> list[Row]:
    """Text, two stages and vectors, from one index."""
    corpus, queries, exact = task.corpus, task.queries, task.exact
    settings = EngineSettings(dimension=corpus.dimension, background=False)
    path = task.directory / "pinwheel"
    shutil.rmtree(path, ignore_errors=True)
    build = _build(corpus, path, settings)
    start = time.perf_counter()
    engine = Engine.open(path, settings)
    opened = time.perf_counter() - start
    text = Row(_NAME, "text", build, note=f"text and vectors in one build; opens in {opened:.1f} s")
    text.query_ms = latencies(engine.search, [Query(one) for one in corpus.text_queries(queries)])
    staged = [
        Query(words, groups=GroupPredicate(group, country=country))
        for words, country, group in corpus.group_queries(queries)
    ]
    stages = Row(_NAME, "two-stage", note="country and a word of the board")
    stages.query_ms = latencies(engine.search, staged)
    vectors = Row(_NAME, "vectors", note="inverted file, float32")
    near = [Query(vector=vector) for vector in corpus.vector_queries(queries)]
    vectors.query_ms = latencies(engine.search, near)
    vectors.recall = recall(
        [[hit.pin_id for hit in engine.search(query).hits] for query in near[: len(exact)]], exact
    )
    vectors.memory_mb = text.memory_mb = stages.memory_mb = resident_mb()
    text.found_ms = added_to_found(
        lambda pin_id, word: (engine.apply([PinChanged(pin_id, 1, title=word)]), engine.commit()),
        lambda word: [hit.pin_id for hit in engine.search(Query(word)).hits],
        corpus.pins + 1,
    )
    vectors.found_ms = _vector_found(engine, corpus)
    found = [[hit.score for hit in engine.search(query).hits] for query in staged[:_EXHAUSTIVE]]
    engine.close()
    stages.recall = _two_stage_recall(path, settings, staged[:_EXHAUSTIVE], found)
    return [text, stages, vectors]


def _build(corpus: Corpus, path: Path, settings: EngineSettings) -> float:
    """Seconds, without those that making the catalogue takes."""
    making = 0.0

    def batches() -> Iterator[list[Change]]:
        nonlocal making
        yield [GroupChanged(group.group_id, 1, name=group.name, country=group.country) for group in groups]
        chunks = corpus.chunks()
        while True:
            start = time.perf_counter()
            chunk = next(chunks, None)
            making += time.perf_counter() - start
            if chunk is None:
                return
            ids = chunk.ids.tolist()
            pins = zip(ids, chunk.groups.tolist(), chunk.titles, strict=True)
            yield [PinChanged(pin_id, 1, group, title) for pin_id, group, title in pins]
            yield [
                VectorChanged(pin_id, 1, vector) for pin_id, vector in zip(ids, chunk.vectors, strict=True)
            ]

    groups = corpus.all_groups()
    start = time.perf_counter()
    engine = Engine.open(path, settings)
    engine.load(batches(), {("pins", 0): corpus.pins})
    taken = time.perf_counter() - start - making
    engine.close()
    return taken


def _vector_found(engine: Engine, corpus: Corpus) -> tuple[float, float]:
    vectors = corpus.vector_queries(50)[::-1].copy()
    asked: dict[str, NDArray[np.float32]] = {
        f"unheard{number}of": vector for number, vector in enumerate(vectors)
    }

    def add(pin_id: int, word: str) -> None:
        engine.apply([PinChanged(pin_id, 1), VectorChanged(pin_id, 1, asked[word])])

    def search(word: str) -> list[int]:
        return [hit.pin_id for hit in engine.search(Query(vector=asked[word])).hits]

    return added_to_found(add, search, corpus.pins + 1001)


def _two_stage_recall(
    path: Path, settings: EngineSettings, queries: list[Query], found: list[list[float]]
) -> float:
    """Of ten hits those that are as good as the tenth when all groups and all their pins are looked at."""
    engine = Engine.open(path, replace(settings, max_groups=1_000_000, stage_limit=1_000_000))
    shares: list[float] = []
    for query, scores in zip(queries, found, strict=True):
        best = [hit.score for hit in engine.search(replace(query, mode=Mode.FLAT)).hits]
        if best:
            shares.append(sum(score >= best[-1] - 1e-3 for score in scores) / len(best))
    engine.close()
    return float(np.mean(shares))
