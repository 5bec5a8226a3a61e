"""Finding pins by words, within groups, by whom."""

from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.search.engine.engine import Engine
from services.search.engine.types import (
    Change,
    GroupChanged,
    GroupKind,
    GroupPredicate,
    Mode,
    PinChanged,
    Query,
)

ANNA, BORIS = 101, 102


def ids(engine: Engine, query: Query) -> list[int]:
    return [hit.pin_id for hit in engine.search(query).hits]


def put(engine: Engine, *changes: Change) -> None:
    engine.apply(changes)
    engine.commit()


@pytest.fixture
def catalogue(engine: Engine) -> Engine:
    put(
        engine,
        GroupChanged(1, 1, owner_id=ANNA, name="Kitchen ideas", country="DE"),
        GroupChanged(2, 1, owner_id=BORIS, name="Garden ideas", country="FR"),
        GroupChanged(3, 1, owner_id=ANNA, name="Birthday kitchen", country="DE", secret=True),
        GroupChanged(4, 1, owner_id=BORIS, name="Lamps on sale", country="DE", kind=GroupKind.AD_GROUP),
        PinChanged(10, 1, 1, "Red lamp", "Hangs over the table"),
        PinChanged(11, 1, 1, "Blue chair"),
        PinChanged(20, 1, 2, "Red bench", "For roses"),
        PinChanged(21, 1, 2, "Lamp for the path"),
        PinChanged(30, 1, 3, "Lamp that nobody may know of"),
        PinChanged(40, 1, 4, "Lamp, cheap"),
    )
    return engine


def test_pins_with_more_of_the_words_come_first(catalogue: Engine) -> None:
    found = catalogue.search(Query("red lamp"))
    assert found.hits[0].pin_id == 10
    assert {hit.pin_id for hit in found.hits} == {10, 20, 21, 40}
    assert (found.total, found.total_relation) == (4, "eq")


def test_words_are_found_by_their_stems_without_accents_in_any_case(engine: Engine) -> None:
    put(engine, PinChanged(1, 1, title="Cafés in Zürich"))
    assert ids(engine, Query("CAFE")) == ids(engine, Query("zurich")) == [1]


def test_a_title_counts_more_than_a_description(engine: Engine) -> None:
    put(
        engine,
        PinChanged(1, 1, title="chair", description="lamp"),
        PinChanged(2, 1, title="lamp", description="chair"),
    )
    assert ids(engine, Query("lamp")) == [2, 1]


def test_words_like_the_are_looked_at_only_when_there_are_no_others(engine: Engine) -> None:
    put(engine, PinChanged(1, 1, title="the who"), PinChanged(2, 1, title="lamp"))
    assert ids(engine, Query("the lamp")) == [2]
    assert ids(engine, Query("the")) == [1]


def test_pages_do_not_overlap_where_scores_are_equal(engine: Engine) -> None:
    put(engine, *(PinChanged(number, 1, title="lamp") for number in range(1, 31)))
    whole = ids(engine, Query("lamp", limit=30))
    assert sorted(whole) == list(range(1, 31))
    pages = [number for offset in (0, 10, 20) for number in ids(engine, Query("lamp", offset=offset))]
    assert pages == whole


def test_words_are_found_after_the_commit_and_not_before(engine: Engine) -> None:
    engine.apply([PinChanged(1, 1, title="lamp")])
    assert ids(engine, Query("lamp")) == []
    engine.commit()
    assert ids(engine, Query("lamp")) == [1]


def test_a_new_title_replaces_the_old(engine: Engine) -> None:
    put(engine, PinChanged(1, 1, title="lamp"))
    put(engine, PinChanged(1, 2, title="chair"))
    assert ids(engine, Query("lamp")) == []
    assert ids(engine, Query("chair")) == [1]


def test_a_deleted_pin_is_gone_before_the_commit(engine: Engine) -> None:
    put(engine, PinChanged(1, 1, title="lamp"))
    engine.apply([PinChanged(1, 2, deleted=True)])
    assert ids(engine, Query("lamp")) == []


def test_pins_of_a_secret_group_are_found_by_its_owner_only(catalogue: Engine) -> None:
    assert 30 in ids(catalogue, Query("lamp", viewer=ANNA))
    assert 30 not in ids(catalogue, Query("lamp", viewer=BORIS))
    assert 30 not in ids(catalogue, Query("lamp"))
    birthday = GroupPredicate("birthday")
    assert ids(catalogue, Query("lamp", groups=birthday, viewer=ANNA)) == [30]
    assert ids(catalogue, Query("lamp", groups=birthday)) == []


def test_a_group_becomes_secret_and_public_again_at_once(catalogue: Engine) -> None:
    catalogue.apply([GroupChanged(1, 2, owner_id=ANNA, name="Kitchen ideas", country="DE", secret=True)])
    assert 10 not in ids(catalogue, Query("lamp"))
    catalogue.apply([GroupChanged(1, 3, owner_id=ANNA, name="Kitchen ideas", country="DE")])
    assert 10 in ids(catalogue, Query("lamp"))


def test_a_secret_group_that_is_given_away_is_seen_by_the_new_owner(catalogue: Engine) -> None:
    catalogue.apply([GroupChanged(3, 2, owner_id=BORIS, name="Birthday", secret=True)])
    assert 30 in ids(catalogue, Query("lamp", viewer=BORIS))
    assert 30 not in ids(catalogue, Query("lamp", viewer=ANNA))


def test_pins_of_a_deleted_group_are_found_by_nobody(catalogue: Engine) -> None:
    catalogue.apply([GroupChanged(3, 2, deleted=True), GroupChanged(2, 2, deleted=True)])
    assert set(ids(catalogue, Query("lamp", viewer=ANNA))) == {10, 40}
    assert ids(catalogue, Query(groups=GroupPredicate(ids=[2, 3]), viewer=ANNA)) == []


def test_pins_of_a_group_that_has_not_come_are_not_found_until_it_comes(engine: Engine) -> None:
    put(engine, PinChanged(1, 1, 9, "lamp"))
    assert ids(engine, Query("lamp")) == []
    engine.apply([GroupChanged(9, 1)])
    assert ids(engine, Query("lamp")) == [1]


def test_pins_that_may_be_seen_are_found_below_thousands_that_may_not(engine: Engine) -> None:
    hidden = [PinChanged(number, 1, 1, "lamp") for number in range(100, 4000)]
    put(
        engine,
        GroupChanged(1, 1, secret=True),
        *hidden,
        PinChanged(1, 1, title="lamp and a long title about chairs"),
    )
    assert ids(engine, Query("lamp", limit=1)) == [1]


@pytest.mark.parametrize("mode", Mode)
def test_a_predicate_narrows_to_groups(catalogue: Engine, mode: Mode) -> None:
    def found(predicate: GroupPredicate) -> set[int]:
        return set(ids(catalogue, Query("lamp", groups=predicate, mode=mode)))

    assert found(GroupPredicate("kitchen")) == {10}
    assert found(GroupPredicate(country="DE")) == {10, 40}
    assert found(GroupPredicate(ids=[2, 4, 77])) == {21, 40}
    assert found(GroupPredicate(owner=BORIS)) == {21, 40}
    assert found(GroupPredicate(kinds=[GroupKind.AD_GROUP])) == {40}
    assert found(GroupPredicate("ideas", country="DE")) == {10}
    assert found(GroupPredicate("ideas", owner=BORIS, kinds=[GroupKind.BOARD], ids=[1, 2])) == {21}
    assert found(GroupPredicate("submarine")) == set()
    assert found(GroupPredicate("!?")) == set()


def test_groups_that_fit_better_lift_their_pins(engine: Engine) -> None:
    put(
        engine,
        GroupChanged(1, 1, name="kitchen and many other things of the house"),
        GroupChanged(2, 1, name="kitchen"),
        PinChanged(1, 1, 1, "lamp"),
        PinChanged(2, 1, 2, "lamp"),
        PinChanged(3, 1, 1, "lamp"),
    )
    for mode in Mode:
        assert ids(engine, Query("lamp", groups=GroupPredicate("kitchen"), mode=mode)) == [2, 1, 3]


def test_all_pins_of_groups_are_found_without_words_the_newest_first(catalogue: Engine) -> None:
    assert ids(catalogue, Query(groups=GroupPredicate(ids=[1, 2]))) == [21, 20, 11, 10]
    assert ids(catalogue, Query(groups=GroupPredicate(country="FR"), mode=Mode.FLAT)) == [21, 20]


def test_a_pin_that_moves_is_found_in_its_new_group_only(catalogue: Engine) -> None:
    put(catalogue, PinChanged(10, 2, 2, "Red lamp"))
    assert ids(catalogue, Query("red", groups=GroupPredicate(ids=[1]))) == []
    assert 10 in ids(catalogue, Query("red", groups=GroupPredicate(ids=[2])))


def test_auto_takes_the_way_that_fits(engine: Engine) -> None:
    pins = [PinChanged(number, 1, number % 40 + 1, f"lamp rare{number}") for number in range(1, 3000)]
    put(engine, *(GroupChanged(number, 1, name=f"board{number}") for number in range(1, 41)), *pins)
    board = GroupPredicate("board7")
    assert engine.search(Query("lamp")).mode is Mode.FLAT
    assert engine.search(Query("lamp", groups=board)).mode is Mode.TWO_STAGE
    assert engine.search(Query("rare46", groups=board)).mode is Mode.FLAT
    for text in ("lamp", "lamp rare46"):
        answers = [engine.search(Query(text, groups=board, mode=mode)).hits for mode in Mode]
        assert all(first == second for first, second in pairwise(answers))
    assert engine.search(Query("lamp rare46", groups=board)).hits[0].pin_id == 46


def test_excluded_pins_do_not_shorten_the_page(catalogue: Engine) -> None:
    assert len(ids(catalogue, Query("lamp", limit=2, exclude_pins=[40]))) == 2
    assert 40 not in ids(catalogue, Query("lamp", exclude_pins=[40]))


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    text=st.text(max_size=60) | st.text(alphabet='"*()[]{}:^~+-\\/ANDORT lamp\x00', max_size=40),
    viewer=st.integers(),
)
def test_no_text_breaks_a_query(catalogue: Engine, text: str, viewer: int) -> None:
    queries = [Query(text or "x", viewer=viewer), Query("lamp", groups=GroupPredicate(text or "x"))]
    for query in queries:
        assert catalogue.search(query).total >= 0


def test_a_text_of_which_no_word_is_left_finds_nothing(catalogue: Engine) -> None:
    assert catalogue.search(Query('"+*" \ud800 )(')).total == 0
    assert catalogue.search(Query("lamp " * 100_000)).total == 3
