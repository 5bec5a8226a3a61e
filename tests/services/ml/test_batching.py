"""Inputs of many threads go through the model together; what nobody waits for any more does not."""

import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.ml.batching import Admission, ExpiredError, MicroBatcher, OverloadedError, results_of

PATIENCE = 30.0


class Model:
    """Doubles numbers, a batch at a time, when it is let."""

    def __init__(self, *, open_gate: bool = True) -> None:
        self.batches: list[list[int]] = []
        self.entered = threading.Semaphore(0)
        self.gate = threading.Event()
        if open_gate:
            self.gate.set()

    def __call__(self, batch: list[int]) -> Sequence[int]:
        self.batches.append(batch)
        self.entered.release()
        assert self.gate.wait(PATIENCE)
        if -1 in batch:
            raise ValueError("minus one")
        return [2 * number for number in batch]


def batcher(model: Model, largest: int = 8, wait_seconds: float = 0.0) -> MicroBatcher[int, int]:
    return MicroBatcher("test", model, largest=largest, wait_seconds=wait_seconds)


def later() -> float:
    return time.monotonic() + PATIENCE


def test_what_arrives_while_a_batch_runs_is_the_next_batch() -> None:
    model = Model(open_gate=False)
    batches = batcher(model)
    first = batches.submit([1], later())
    assert model.entered.acquire(timeout=PATIENCE)
    rest = [batches.submit([number], later()) for number in (2, 3, 4)]
    model.gate.set()
    assert results_of([*first, *(each[0] for each in rest)], later()) == [2, 4, 6, 8]
    assert model.batches == [[1], [2, 3, 4]]


def test_a_full_batch_does_not_wait_for_the_timer() -> None:
    model = Model()
    batches = batcher(model, largest=3, wait_seconds=3600)
    with batches.coming():
        assert results_of(batches.submit([1, 2, 3], later()), later()) == [2, 4, 6]


def test_nobody_waits_when_nothing_more_comes() -> None:
    model = Model()
    batches = batcher(model, largest=16, wait_seconds=3600)
    with batches.coming():
        first = batches.submit([1], later())
    assert results_of(first, later()) == [2]


def test_what_is_ready_waits_for_what_is_coming() -> None:
    model = Model()
    batches = batcher(model, largest=16, wait_seconds=3600)
    with batches.coming():
        first = batches.submit([1], later())
        second = batches.submit([2], later())
        assert model.batches == []
    assert results_of([*first, *second], later()) == [2, 4]
    assert model.batches == [[1, 2]]


def test_what_was_coming_and_is_not_any_more_is_not_waited_for() -> None:
    model = Model()
    batches = batcher(model, largest=16, wait_seconds=3600)
    coming = batches.coming()
    coming.__enter__()
    first = batches.submit([1], later())
    assert model.batches == []
    assert not coming.__exit__(KeyError, KeyError("it could not be prepared"), None)
    assert results_of(first, later()) == [2]


def test_what_is_coming_is_waited_for_no_longer_than_said() -> None:
    model = Model()
    batches = batcher(model, largest=16, wait_seconds=0.01)
    with batches.coming():
        assert results_of(batches.submit([1], later()), later()) == [2]


def test_inputs_of_several_callers_share_a_batch_that_fills_up() -> None:
    model = Model()
    batches = batcher(model, largest=2, wait_seconds=3600)
    with batches.coming():
        futures = [*batches.submit([1], later()), *batches.submit([2], later())]
        assert results_of(futures, later()) == [2, 4]
    assert model.batches == [[1, 2]]


def test_a_call_larger_than_a_batch_is_split() -> None:
    model = Model()
    assert results_of(batcher(model, largest=2).submit([1, 2, 3, 4, 5], later()), later()) == [2, 4, 6, 8, 10]
    assert [len(batch) for batch in model.batches] == [2, 2, 1]


def test_what_is_late_is_not_done() -> None:
    model = Model(open_gate=False)
    batches = batcher(model)
    first = batches.submit([1], later())
    assert model.entered.acquire(timeout=PATIENCE)
    (expired,) = batches.submit([2], time.monotonic() - 1)
    (alive,) = batches.submit([3], later())
    model.gate.set()
    assert alive.result(PATIENCE) == 6
    with pytest.raises(ExpiredError):
        expired.result(PATIENCE)
    assert first[0].result(PATIENCE) == 2
    assert model.batches == [[1], [3]]


def test_what_was_cancelled_is_not_done() -> None:
    model = Model(open_gate=False)
    batches = batcher(model)
    batches.submit([1], later())
    assert model.entered.acquire(timeout=PATIENCE)
    (gone,) = batches.submit([2], later())
    (alive,) = batches.submit([3], later())
    assert gone.cancel()
    model.gate.set()
    assert alive.result(PATIENCE) == 6
    assert model.batches == [[1], [3]]


def test_a_caller_that_runs_out_of_time_takes_its_inputs_along() -> None:
    model = Model(open_gate=False)
    batches = batcher(model)
    batches.submit([1], later())
    assert model.entered.acquire(timeout=PATIENCE)
    waiting = batches.submit([2, 3], later())
    with pytest.raises(ExpiredError):
        results_of(waiting, time.monotonic())
    assert all(future.cancelled() for future in waiting)
    model.gate.set()


def test_a_batch_that_fails_fails_for_those_in_it_and_the_next_goes_on() -> None:
    model = Model()
    batches = batcher(model)
    with pytest.raises(ValueError, match="minus one"):
        results_of(batches.submit([-1], later()), later())
    assert results_of(batches.submit([4], later()), later()) == [8]


def test_a_model_that_loses_results_is_an_error_and_no_hang() -> None:
    batches = MicroBatcher[int, int]("test", lambda batch: batch[:1], largest=4, wait_seconds=0)
    with pytest.raises(ValueError, match="zip"):
        results_of(batches.submit([1, 2], later()), later())


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.lists(st.integers(0, 1000), min_size=1, max_size=5), min_size=1, max_size=20),
    st.integers(1, 7),
)
def test_everybody_gets_their_own_results_in_order(calls: list[list[int]], largest: int) -> None:
    model = Model()
    batches = batcher(model, largest=largest)
    with ThreadPoolExecutor(8) as callers:
        answers = list(callers.map(lambda call: results_of(batches.submit(call, later()), later()), calls))
    assert answers == [[2 * number for number in call] for call in calls]
    assert max(len(batch) for batch in model.batches) <= largest
    assert sum(len(batch) for batch in model.batches) == sum(len(call) for call in calls)


def test_more_than_the_limit_is_refused_at_once_and_admitted_again_later() -> None:
    admission = Admission("test", 10)
    with admission.of(7):
        with pytest.raises(OverloadedError, match="7 test wait"), admission.of(4):
            pass
        with admission.of(3):
            pass
    with admission.of(10):
        pass


def test_an_error_inside_leaves_the_room_free() -> None:
    admission = Admission("test", 1)
    for _ in range(3):
        with pytest.raises(KeyError), admission.of(1):
            raise KeyError


def test_futures_that_are_done_are_left_alone() -> None:
    done: Future[int] = Future()
    done.set_result(5)
    assert results_of([done], later()) == [5]
