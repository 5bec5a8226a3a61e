"""Which rows may be deleted, for brokers that take some records and refuse others."""

import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException
from hypothesis import given
from hypothesis import strategies as st

from services.pin.outbox.publisher import Publisher, Waiting


class Brokers:
    """In place of a producer: answers at `flush`, by the record's event id."""

    def __init__(self, answers: Mapping[str, KafkaError]) -> None:
        self.answers = answers
        self.arrived: list[str] = []
        self.sent: list[tuple[str, Callable[..., None]]] = []

    def produce(self, topic: str, value: bytes, *, key: bytes, headers: Any, on_delivery: Any) -> None:
        event_id = headers[0][1].decode()
        error = self.answers.get(event_id)
        if error is not None and error.code() == KafkaError.MSG_SIZE_TOO_LARGE:
            raise KafkaException(error)
        self.sent.append((event_id, on_delivery))

    def purge(self) -> None:
        self.sent.clear()

    def flush(self, _: float) -> int:
        for event_id, on_delivery in self.sent:
            error = self.answers.get(event_id)
            if error is None:
                self.arrived.append(event_id)
            on_delivery(error, None)
        self.sent.clear()
        return 0


def row(sequence: int, key: str = "1", topic: str = "pins") -> Waiting:
    return Waiting(sequence, f"event-{sequence}", topic, key, "PinEvent", b"", None, datetime.now(UTC))


def publisher_to(brokers: Any) -> Publisher:
    return Publisher(lambda: brokers, threading.Event())


TIMED_OUT = KafkaError(KafkaError._MSG_TIMED_OUT)


def test_what_comes_behind_a_failed_record_of_its_key_is_sent_again_with_it() -> None:
    brokers = Brokers({"event-2": TIMED_OUT})
    publisher = publisher_to(brokers)
    rows = [row(1), row(2), row(3), row(4, key="2")]
    assert publisher.publish(rows) == [1, 4]
    brokers.answers = {}
    assert publisher.publish(rows[1:3]) == [2, 3]
    assert brokers.arrived == ["event-1", "event-3", "event-4", "event-2", "event-3"]


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=12), st.data())
def test_whatever_fails_the_last_record_of_each_key_is_its_newest(
    keys: list[str], data: st.DataObject
) -> None:
    waiting = [row(number, key) for number, key in enumerate(keys, 1)]
    brokers = Brokers({})
    publisher = publisher_to(brokers)
    while waiting:
        failing = data.draw(st.sets(st.sampled_from([each.id for each in waiting])))
        brokers.answers = dict.fromkeys(failing, TIMED_OUT)
        done = set(publisher.publish(waiting))
        waiting = [each for each in waiting if each.sequence not in done]
        if failing and len(brokers.arrived) > 100:
            break  # they would fail for ever
    brokers.answers = {}
    publisher.publish(waiting)
    places = {event_id: place for place, event_id in enumerate(brokers.arrived)}
    for key in set(keys):
        of_key = [f"event-{number}" for number, each in enumerate(keys, 1) if each == key]
        assert sorted(of_key, key=lambda event_id: places[event_id]) == of_key


@pytest.mark.parametrize("code", [KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_RECORD])
def test_a_record_that_is_never_taken_is_set_aside_alone(code: int) -> None:
    publisher = publisher_to(Brokers({"event-1": KafkaError(code)}))
    assert publisher.publish([row(1), row(2, key="2")]) == [2]
    assert set(publisher.set_aside.sequences) == {1}
    assert not publisher.set_aside.topics


def test_a_topic_that_does_not_exist_is_set_aside_as_a_whole() -> None:
    publisher = publisher_to(Brokers({"event-1": KafkaError(KafkaError._UNKNOWN_TOPIC)}))
    assert publisher.publish([row(1, topic="nothing"), row(2)]) == [2]
    assert set(publisher.set_aside.topics) == {"nothing"}


@pytest.mark.parametrize(
    "fatal",
    [
        KafkaError(KafkaError._FATAL, "out of order", True),
        KafkaError(KafkaError.PRODUCER_FENCED),  # as each delivery is told after the fatal one
        KafkaError(KafkaError.UNKNOWN_PRODUCER_ID),
    ],
    ids=KafkaError.name,
)
def test_after_a_fatal_error_there_is_a_new_producer(fatal: KafkaError) -> None:
    made = [Brokers({"event-1": fatal}), Brokers({})]
    brokers = iter(made)
    publisher = Publisher(lambda: next(brokers), threading.Event())  # pyright: ignore[reportArgumentType]
    assert publisher.publish([row(1)]) == []
    assert publisher.publish([row(1)]) == [1]
    assert made[1].arrived == ["event-1"]


def test_a_flush_that_raises_leaves_everything_for_a_new_producer() -> None:
    class Ended(Brokers):
        def flush(self, _: float) -> int:
            raise KafkaException(KafkaError(KafkaError.UNKNOWN_PRODUCER_ID, "lost", True))

    made = [Ended({}), Brokers({})]
    brokers = iter(made)
    publisher = Publisher(lambda: next(brokers), threading.Event())  # pyright: ignore[reportArgumentType]
    assert publisher.publish([row(1)]) == []
    assert publisher.publish([row(1)]) == [1]
