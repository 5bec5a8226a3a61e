"""Finding pins by vectors: at once, from segments of all ages, within groups, by words too."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from services.search.engine.engine import Engine
from services.search.engine.types import (
    EngineSettings,
    GroupChanged,
    GroupPredicate,
    PinChanged,
    Query,
    VectorChanged,
)

ANNA = 101
Matrix = NDArray[np.float32]


def vectors(count: int, dimension: int = 8, seed: int = 3) -> Matrix:
    matrix = np.random.default_rng(seed).standard_normal((count, dimension), np.float32)
    return matrix / np.linalg.norm(matrix, axis=1, keepdims=True)


def ids(engine: Engine, query: Query) -> list[int]:
    return [hit.pin_id for hit in engine.search(query).hits]


def fill(engine: Engine, matrix: Matrix, groups: int = 4) -> None:
    """Pins from 1, in groups from 1, in batches."""
    engine.apply(
        [GroupChanged(number, 1, owner_id=ANNA, name=f"board{number}") for number in range(1, groups + 1)]
    )
    for start in range(0, len(matrix), 10):
        part = range(start, min(start + 10, len(matrix)))
        engine.apply(
            [PinChanged(place + 1, 1, place % groups + 1, f"lamp number{place + 1}") for place in part]
        )
        engine.apply([VectorChanged(place + 1, 1, matrix[place]) for place in part])


def nearest(matrix: Matrix, vector: Matrix, k: int = 10) -> list[int]:
    return [int(place) + 1 for place in np.argsort(-(matrix @ vector), kind="stable")[:k]]


def test_a_vector_is_found_at_once_by_cosine(engine: Engine) -> None:
    matrix = vectors(2)
    engine.apply(
        [PinChanged(1, 1), PinChanged(2, 1), VectorChanged(1, 1, matrix[0]), VectorChanged(2, 1, matrix[1])]
    )
    found = engine.search(Query(vector=matrix[0] * 7))
    assert [hit.pin_id for hit in found.hits] == [1, 2]
    assert found.hits[0].vector_score == pytest.approx(1)
    assert found.hits[1].vector_score == pytest.approx(float(matrix[0] @ matrix[1]), abs=1e-6)


@pytest.mark.parametrize("index", ["ivf", "hnsw"])
@pytest.mark.parametrize("encoding", ["float32", "sq8"])
def test_sealed_indexed_and_new_vectors_are_found_together(
    open_engine, settings: EngineSettings, index: str, encoding: str
) -> None:
    engine = open_engine(settings=replace(settings, vector_index=index, vector_encoding=encoding))
    matrix = vectors(230)
    fill(engine, matrix[:200])
    engine.maintain()
    for place in range(200, 230):
        engine.apply([PinChanged(place + 1, 1, 1), VectorChanged(place + 1, 1, matrix[place])])
    figures = engine.statistics()
    assert figures.vectors == 230
    assert figures.vectors_indexed >= 190
    assert figures.vectors_exact >= 30
    shares = [
        len({*nearest(matrix, query)} & {*ids(engine, Query(vector=query))}) / 10
        for query in vectors(20, seed=4)
    ]
    assert np.mean(shares) > (0.97 if encoding == "float32" else 0.9)


def test_recall_is_sampled_from_the_latest_queries(engine: Engine) -> None:
    matrix = vectors(200)
    fill(engine, matrix)
    assert engine.sample_recall() is None
    engine.maintain()
    engine.search(Query(vector=matrix[0]))
    recall = engine.sample_recall()
    assert recall is not None
    assert 0.5 < recall <= 1
    assert engine.statistics().recall == recall


def test_a_newer_vector_replaces_the_older_and_none_takes_it_away(engine: Engine) -> None:
    old, new = np.eye(8, dtype=np.float32)[:2]
    engine.apply([PinChanged(1, 1), VectorChanged(1, 1, old)])
    engine.apply([VectorChanged(1, 2, new.tobytes())])
    assert engine.search(Query(vector=old)).hits[0].vector_score == pytest.approx(0)
    engine.apply([VectorChanged(1, 3, None)])
    engine.apply([VectorChanged(1, 2, new)])
    assert ids(engine, Query(vector=new)) == []


def test_a_vector_may_come_before_its_pin_and_the_pin_before_its_group(engine: Engine) -> None:
    vector = vectors(1)[0]
    engine.apply([VectorChanged(1, 1, vector)])
    assert ids(engine, Query(vector=vector)) == []
    engine.apply([PinChanged(1, 1, 5)])
    assert ids(engine, Query(vector=vector)) == []
    engine.apply([GroupChanged(5, 1)])
    assert ids(engine, Query(vector=vector)) == [1]


def test_secret_and_deleted_groups_hide_vectors_in_every_kind_of_segment(engine: Engine) -> None:
    matrix = vectors(100)
    fill(engine, matrix)
    engine.maintain()
    engine.apply([GroupChanged(1, 2, owner_id=ANNA, secret=True), GroupChanged(2, 2, deleted=True)])
    public = set(ids(engine, Query(vector=matrix[0], limit=100)))
    assert public == {number for number in range(1, 101) if (number - 1) % 4 in (2, 3)}
    own = set(ids(engine, Query(vector=matrix[0], limit=100, viewer=ANNA)))
    assert own == {number for number in range(1, 101) if (number - 1) % 4 in (0, 2, 3)}


def test_groups_are_a_filter(engine: Engine) -> None:
    matrix = vectors(200)
    fill(engine, matrix)
    engine.commit()
    engine.maintain()
    found = ids(engine, Query(vector=matrix[0], limit=60, groups=GroupPredicate("board3")))
    assert found == [number for number in nearest(matrix, matrix[0], 200) if (number - 1) % 4 == 2]


def test_words_and_a_vector_together_find_what_either_finds_and_like_both_best(engine: Engine) -> None:
    matrix = vectors(100)
    fill(engine, matrix)
    engine.apply([PinChanged(200, 1, 1, "submarine"), PinChanged(1, 2, 1, "submarine")])
    engine.commit()
    engine.maintain()
    found = engine.search(Query("submarine", vector=matrix[0], limit=5)).hits
    assert found[0].pin_id == 1
    assert found[0].text_score is not None
    assert found[0].vector_score == pytest.approx(1)
    by_id = {hit.pin_id: hit for hit in engine.search(Query("submarine", vector=matrix[0], limit=200)).hits}
    assert by_id[200].vector_score is None
    assert by_id[50].text_score is None
    assert by_id[50].vector_score == pytest.approx(float(matrix[49] @ matrix[0]), abs=1e-5)


def test_every_candidate_is_scored_by_both(open_engine, settings: EngineSettings) -> None:
    engine = open_engine(settings=replace(settings, stage_limit=10))
    matrix = vectors(200)
    fill(engine, matrix)
    engine.commit()
    for hit in engine.search(Query("lamp number7", vector=matrix[99], limit=10)).hits:
        assert hit.text_score is not None
        assert hit.vector_score == pytest.approx(float(matrix[hit.pin_id - 1] @ matrix[99]), abs=1e-5)


def test_the_dead_are_compacted_away(engine: Engine, tmp_path: Path) -> None:
    matrix = vectors(200)
    fill(engine, matrix)
    engine.maintain()
    engine.apply([PinChanged(number, 2, deleted=True) for number in range(1, 101)])
    assert engine.statistics().vectors_dead == 100
    engine.maintain()
    figures = engine.statistics()
    assert figures.vectors == 100
    assert figures.vectors_dead < 16
    found = ids(engine, Query(vector=matrix[150], limit=200))
    assert sorted(found) == list(range(101, 201))
    assert found[0] == 151


def test_compaction_keeps_since_when_a_pin_has_no_vector(engine: Engine, open_engine) -> None:
    matrix = vectors(100)
    fill(engine, matrix)
    engine.apply([VectorChanged(number, 5, None) for number in range(1, 51)])
    engine.apply([PinChanged(number, 2, deleted=True) for number in range(80, 101)])
    engine.commit()
    engine.maintain()
    engine.close()
    again = open_engine()
    again.apply([VectorChanged(number, 4, matrix[number - 1]) for number in range(1, 51)])
    assert sorted(ids(again, Query(vector=matrix[0], limit=100))) == list(range(51, 80))


def test_an_index_of_another_kind_is_learnt_anew_from_the_same_vectors(
    open_engine, settings: EngineSettings
) -> None:
    matrix = vectors(200)
    first = open_engine()
    fill(first, matrix)
    first.commit()
    first.maintain()
    first.close()
    second = open_engine(settings=replace(settings, vector_index="hnsw"))
    second.maintain()
    assert second.statistics().vectors_indexed > 0
    assert second.statistics().vector_lists == 0
    assert ids(second, Query(vector=matrix[5]))[0] == 6
