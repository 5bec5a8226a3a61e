"""The forward index: versions decide, saves count once, positions are those of what is stored."""

import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.api.events.v1.events_pb2 import BoardEvent, PinEvent, SaveEvent
from services.search.forward import ForwardEvent, ForwardIndex
from tests.services.search.searching import board, pin, save

IDS = st.integers(1, 4)
VERSIONS = st.integers(1, 5)


def of_version(kind: str, number: int, version: int) -> ForwardEvent:
    """What a version of a thing holds follows from its version: events of one version are alike."""
    deleted = version % 3 == 0
    if kind == "pin":
        return PinEvent(
            pin_id=number, version=version, deleted=deleted, board_id=number % 2 + 1, title=f"{version}"
        )
    if kind == "board":
        return BoardEvent(board_id=number, version=version, deleted=deleted, name=f"{version}")
    return SaveEvent(save_id=number, version=version, deleted=deleted, pin_id=number % 2 + 1)


EVENTS = st.lists(
    st.builds(of_version, st.sampled_from(["pin", "board", "save"]), IDS, VERSIONS), max_size=30
)


def shown(index: ForwardIndex) -> object:
    return index.pins([1, 2, 3, 4]), index.boards([1, 2, 3, 4])


@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(EVENTS, st.integers(0, 1_000), st.integers(1, 7))
def test_whatever_the_order_and_however_often_the_same_is_shown(
    tmp_path_factory: pytest.TempPathFactory, events: list[ForwardEvent], seed: int, size: int
) -> None:
    directory = tmp_path_factory.mktemp("forward")
    once, again = ForwardIndex(directory / "once"), ForwardIndex(directory / "again")
    once.apply(events, {})
    shuffled = [*events, *events]
    random.Random(seed).shuffle(shuffled)
    for start in range(0, len(shuffled), size):
        again.apply(shuffled[start : start + size], {})
    try:
        assert shown(once) == shown(again)
    finally:
        once.close()
        again.close()


def test_what_was_written_is_there_after_opening_it_again(tmp_path: Path) -> None:
    index = ForwardIndex(tmp_path / "index")
    index.apply(
        [board(1, name="Home"), pin(1, title="lamp"), save(1, 1)], {("pins@x", 3): 17, ("saves@y", 0): 4}
    )
    index.close()
    index = ForwardIndex(tmp_path / "index")
    found = index.pins([1, 2])[1]
    assert (found.pin.title, found.board_name, found.saves) == ("lamp", "Home", 1)
    assert index.positions() == {("pins@x", 3): 17, ("saves@y", 0): 4}
    index.close()


def test_a_checkpoint_is_the_index_as_it_was(tmp_path: Path) -> None:
    index = ForwardIndex(tmp_path / "index")
    index.apply([pin(1, title="before")], {("pins@x", 0): 1})
    index.checkpoint(tmp_path / "copy")
    index.apply([pin(1, 2, title="after")], {("pins@x", 0): 2})
    copy = ForwardIndex(tmp_path / "copy")
    assert copy.pins([1])[1].pin.title == "before"
    assert copy.positions() == {("pins@x", 0): 1}
    assert index.pins([1])[1].pin.title == "after"
    copy.close()
    index.close()


def test_a_save_that_is_taken_back_counts_no_longer(tmp_path: Path) -> None:
    index = ForwardIndex(tmp_path / "index")
    index.apply([pin(1), save(1, 1), save(2, 1), save(2, 1, 2, deleted=True)], {})
    assert index.pins([1])[1].saves == 1
    index.apply([save(2, 1, 3), save(1, 1)], {})
    assert index.pins([1])[1].saves == 2
    index.close()
