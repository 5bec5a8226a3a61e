"""Re-ranking by what a person did before."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.ml.ranking import Found, InterestRanker

RANKER = InterestRanker()
EAST, NORTH = np.array([1, 0], np.float32), np.array([0, 1], np.float32)

directions = st.floats(0, 6.28).map(lambda turn: np.array([np.cos(turn), np.sin(turn)], np.float32))
candidates = st.lists(
    st.builds(
        Found,
        st.integers(1, 50),
        st.floats(-1e6, 1e6, allow_subnormal=False),
        st.none() | directions,
    ),
    max_size=30,
)
histories = st.lists(directions, max_size=8)


@given(histories, candidates)
def test_it_returns_every_candidate_once_and_nothing_else(history: list, found: list[Found]) -> None:
    assert sorted(RANKER.rank(history, found)) == sorted(each.pin_id for each in found)


@given(histories, st.lists(st.integers(1, 10**9), max_size=30), st.floats(-10, 10), st.none() | directions)
def test_equals_stay_in_the_order_given(history: list, ids: list[int], score: float, vector: object) -> None:
    assert RANKER.rank(history, [Found(each, score, vector) for each in ids]) == ids  # type: ignore[arg-type]


@given(candidates)
def test_without_a_history_the_order_is_that_of_the_scores(found: list[Found]) -> None:
    by_score = sorted(found, key=lambda each: -each.score)
    scores = {id(each): each.score for each in found}
    ranked = RANKER.rank([], found)
    assert len(ranked) == len(by_score)
    spread = max(scores.values(), default=0) - min(scores.values(), default=0)
    if spread > 1e-3:  # else rounding makes equals of what hardly differs
        assert ranked[0] == by_score[0].pin_id


@given(histories, candidates)
def test_the_same_question_has_the_same_answer(history: list, found: list[Found]) -> None:
    assert RANKER.rank(history, found) == RANKER.rank(history, found)


def test_what_is_like_the_recent_interest_comes_first() -> None:
    found = [Found(1, 1.0, NORTH), Found(2, 1.0, EAST), Found(3, 1.0, None)]
    assert RANKER.rank([EAST], found) == [2, 1, 3]
    assert RANKER.rank([-NORTH], found) == [2, 3, 1]


def test_newer_interest_weighs_more() -> None:
    found = [Found(1, 1.0, NORTH), Found(2, 1.0, EAST)]
    assert RANKER.rank([EAST, NORTH], found) == [2, 1]
    assert RANKER.rank([NORTH, EAST], found) == [1, 2]


def test_a_much_better_score_outweighs_a_weak_likeness() -> None:
    slightly = np.array([np.cos(1.4), np.sin(1.4)], np.float32)
    found = [Found(1, 10.0, NORTH), Found(2, 1.0, slightly)]
    assert RANKER.rank([EAST], found) == [1, 2]


def test_interests_that_cancel_out_leave_the_scores() -> None:
    ranker = InterestRanker(decay=1.0)
    assert ranker.rank([EAST, -EAST], [Found(1, 1.0, EAST), Found(2, 2.0, None)]) == [2, 1]
