"""When fetches go on to the broker, on a clock that the test moves."""

from collections.abc import Callable
from typing import Any

import pytest

from emulator.kafka.broker.fetches import Arrivals, HeldFetches
from emulator.kafka.broker.requests import Onward

NEW, AGAIN, OTHER = Onward(b"new", 0.0), Onward(b"again", 0.5), Onward(b"other")


class Timer:
    def __init__(self, due: float, callback: Callable[[], None]) -> None:
        self.due, self.callback = due, callback
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class Clock:
    """What of an event loop is used."""

    def __init__(self) -> None:
        self.now = 100.0
        self.timers: list[Timer] = []

    def time(self) -> float:
        return self.now

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        self.timers.append(Timer(self.now + seconds, callback))
        return self.timers[-1]

    def move(self, seconds: float) -> None:
        self.now += seconds
        due = [timer for timer in self.timers if not timer.cancelled and timer.due <= self.now]
        self.timers = [timer for timer in self.timers if not timer.cancelled and timer.due > self.now]
        for timer in due:
            timer.callback()


class Consumer:
    def __init__(self, clock: Any, arrivals: Arrivals) -> None:
        self.sent: list[bytes] = []
        self.way = HeldFetches(clock, arrivals, self.sent.append)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def arrivals() -> Arrivals:
    return Arrivals()


@pytest.fixture
def consumer(clock: Clock, arrivals: Arrivals) -> Consumer:
    return Consumer(clock, arrivals)


def test_what_is_no_fetch_goes_on_at_once(consumer: Consumer) -> None:
    consumer.way.send([OTHER, OTHER])
    assert consumer.sent == [b"other"] * 2


def test_a_fetch_that_found_nothing_is_held_for_as_long_as_it_asks(consumer: Consumer, clock: Clock) -> None:
    consumer.way.send([NEW, AGAIN])
    clock.move(0.499)
    assert consumer.sent == [b"new"]
    clock.move(0.001)
    assert consumer.sent == [b"new", b"again"]


def test_it_goes_on_when_something_comes_and_what_stands_behind_it_follows(
    consumer: Consumer, clock: Clock, arrivals: Arrivals
) -> None:
    consumer.way.send([NEW, AGAIN, OTHER])
    clock.move(0.2)
    arrivals.tell()
    clock.move(0)
    assert consumer.sent == [b"new", b"again", b"other"]


def test_what_came_since_the_last_one_went_on_counts(
    consumer: Consumer, clock: Clock, arrivals: Arrivals
) -> None:
    """The broker may have looked before it came."""
    consumer.way.send([NEW])
    arrivals.tell()
    clock.move(0.06)
    consumer.way.send([AGAIN])
    assert consumer.sent == [b"new", b"again"]


def test_under_load_fetches_come_a_while_apart(consumer: Consumer, clock: Clock, arrivals: Arrivals) -> None:
    for _ in range(10):
        consumer.way.send([NEW])
        consumer.way.answered(500)
        arrivals.tell()
        clock.move(0.009)
    assert len(consumer.sent) == 2


def test_who_catches_up_is_not_held_up(consumer: Consumer) -> None:
    for _ in range(5):
        consumer.way.send([NEW])
        consumer.way.answered(40_000)
    assert len(consumer.sent) == 5


def test_consumers_do_not_wait_for_each_other(consumer: Consumer, clock: Clock, arrivals: Arrivals) -> None:
    other = Consumer(clock, arrivals)
    consumer.way.send([NEW, AGAIN])
    other.way.send([NEW, AGAIN])
    clock.move(0.1)
    consumer.way.close()
    arrivals.tell()
    clock.move(0)
    assert (consumer.sent, other.sent) == ([b"new"], [b"new", b"again"])
    assert not arrivals.waiting
