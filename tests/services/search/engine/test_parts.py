"""The parts by themselves: identifiers, locks, queries that are refused."""

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.search.engine import ids as identifiers
from services.search.engine.engine import Engine
from services.search.engine.tables import NONE, pick
from services.search.engine.types import GroupPredicate, Query, QueryError
from services.search.engine.vectors.approximate import lists_for
from services.search.engine.vectors.locks import ReadersWriterLock


@given(
    batches=st.lists(st.lists(st.integers(0, 50) | st.integers(2**62, 2**63 - 1))),
    merge_at=st.integers(1, 20),
)
def test_identifiers_keep_their_rows(batches: list[list[int]], merge_at: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(identifiers, "_MERGE_AT", merge_at)
        index = identifiers.IdIndex()
        model: dict[int, int] = {}
        for batch in batches:
            rows = index.add(batch)
            for number in batch:
                model.setdefault(number, len(model))
            assert rows.tolist() == [model[number] for number in batch]
        asked = [*model, 77, 2**61]
        assert index.rows(np.array(asked)).tolist() == [model.get(number, -1) for number in asked]
        assert len(index) == len(model)


def test_rows_are_filled_from_what_was_kept() -> None:
    index = identifiers.IdIndex()
    index.add([9])
    index.fill(np.array([5, 3, 7]))
    assert index.rows(np.array([3, 5, 7, 9, 1])).tolist() == [2, 1, 3, 0, -1]


def test_readers_run_together_and_a_writer_alone() -> None:
    lock = ReadersWriterLock()
    both_in = threading.Barrier(2, timeout=10)
    value = [0, 0]
    torn: list[object] = []

    def read_together() -> None:
        with lock.reading():
            both_in.wait()

    def write() -> None:
        for number in range(200):
            with lock.writing():
                value[0] = number
                value[1] = number

    def read() -> None:
        for _ in range(200):
            with lock.reading():
                if value[0] != value[1]:
                    torn.append(tuple(value))

    for targets in ([read_together, read_together], [write, write, read, read]):
        threads = [threading.Thread(target=target) for target in targets]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
            assert not thread.is_alive()
    assert torn == []


@pytest.mark.parametrize(
    ("query", "says"),
    [
        (Query(), "asks for nothing; expected a text, a vector or groups"),
        (Query(groups=GroupPredicate()), "asks for nothing"),
        (Query("lamp", limit=0), "limit 0, offset 0: expected at least 1"),
        (Query("lamp", offset=-1), "offset -1"),
        (Query("lamp", limit=10, offset=995), "together at most 1000"),
        (Query(vector=np.ones(3, np.float32)), "shape is .3,.; expected .8,."),
        (Query(vector=np.zeros(8, np.float32)), "no direction"),
        (Query(vector=np.full(8, np.nan, np.float32)), "no direction"),
        (
            Query("lamp", groups=GroupPredicate(country="Germany")),
            "country is 'Germany'; expected two capital",
        ),
        (Query("lamp", groups=GroupPredicate(ids=[-1])), "group ids: -1 is no identifier"),
        (Query("lamp", groups=GroupPredicate(ids=[2**70])), "is no identifier"),
        (Query("lamp", groups=GroupPredicate(owner=2**64)), "owner: 18446744073709551616 is no identifier"),
        (Query("lamp", groups=GroupPredicate(ids=[1] * 70_000)), "a list of at most 65536"),
        (Query("lamp", groups=GroupPredicate(kinds=[9])), "kinds are"),  # pyright: ignore[reportArgumentType]
        (Query("lamp", exclude_pins=["a"]), "exclude_pins: 'a' is no identifier"),  # pyright: ignore[reportArgumentType]
    ],
    ids=str,
)
def test_queries_that_cannot_be_answered_are_refused(engine: Engine, query: Query, says: str) -> None:
    with pytest.raises(QueryError, match=says):
        engine.search(query)


def test_lists_grow_with_the_root_of_the_vectors() -> None:
    assert [lists_for(count) for count in (0, 6, 100, 40_000, 1_000_000, 4_000_000)] == [
        1,
        3,
        32,
        1024,
        4096,
        8192,
    ]


def test_groups_that_come_while_a_query_runs_are_not_of_its_groups() -> None:
    mask = np.array([True, False, True, False])  # of three groups, and of NONE
    rows = np.array([0, 2, NONE, 3, 17], np.int32)
    assert pick(mask, rows).tolist() == [True, True, False, False, False]


def test_an_empty_index_answers(engine: Engine) -> None:
    vector = np.ones(8, np.float32)
    for query in (Query("lamp"), Query(vector=vector), Query("lamp", vector=vector)):
        assert engine.search(query).hits == []
    assert engine.search(Query("lamp", groups=GroupPredicate("kitchen"))).total == 0
    figures = engine.statistics()
    assert (figures.pins, figures.groups, figures.vectors, figures.recall) == (0, 0, 0, None)
