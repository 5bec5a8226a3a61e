"""The consumer's loop against a real broker: nothing is lost, nothing stands still."""

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from google.protobuf.message import DecodeError

from services.common import metrics
from services.common.kafka import Consumer, PoisonedRecordError, Record, TransientError, producer
from services.common.settings import KafkaSettings
from tests.services.conftest import Kafka
from tests.waiting import until


def settings_for(kafka: Kafka) -> KafkaSettings:
    return KafkaSettings(kafka_bootstrap_servers=kafka.address, kafka_security_protocol="PLAINTEXT")


@dataclass
class Seen:
    """What a handler was given; `fault` may raise at a record."""

    fault: Callable[[Record], None] = lambda _: None
    batches: list[list[bytes]] = field(default_factory=list)

    @property
    def values(self) -> list[bytes]:
        return [value for batch in self.batches for value in batch]

    def __call__(self, records: Sequence[Record]) -> None:
        for record in records:
            self.fault(record)
        self.batches.append([record.value or b"" for record in records])


@pytest.fixture
def consume(kafka: Kafka) -> Iterator[Callable[..., Consumer]]:
    """Starts consumers, and stops them after the test."""
    started: list[Consumer] = []

    def start(handler: Any, **arguments: Any) -> Consumer:
        consumer = Consumer(settings_for(kafka), handler, backoff_seconds=0.01, **arguments)
        consumer.start()
        started.append(consumer)
        return consumer

    yield start
    for consumer in started:
        consumer.stop()


def numbers(first: int, last: int) -> list[bytes]:
    return [str(number).encode() for number in range(first, last)]


def poisoned(*values: bytes, error: type[Exception] = PoisonedRecordError) -> Callable[[Record], None]:
    def fault(record: Record) -> None:
        if record.value in values:
            raise error("it has no title")

    return fault


def test_a_group_continues_where_it_stopped(kafka: Kafka, consume: Callable[..., Consumer]) -> None:
    topic = kafka.topic()
    kafka.produce(topic, *numbers(0, 100))
    first = Seen()
    consumer = consume(first, topics=[topic], group=topic)
    until(lambda: len(first.values) == 100)
    consumer.stop()
    assert kafka.committed(topic, topic) == 100
    kafka.produce(topic, *numbers(100, 110))
    second = Seen()
    consume(second, topics=[topic], group=topic)
    until(lambda: second.values)
    assert first.values + second.values == numbers(0, 110)


@pytest.mark.parametrize("error", [PoisonedRecordError, DecodeError])
def test_a_poisoned_record_is_parked_and_the_stream_goes_on(
    kafka: Kafka, consume: Callable[..., Consumer], error: type[Exception]
) -> None:
    topic = kafka.topic()
    parked = metrics.KAFKA_RECORDS.labels(topic, "dead-letter")
    kafka.produce(topic, b"good", b"bad", b"also good", key=b"7", headers={"event-id": b"e-1"})
    seen = Seen(poisoned(b"bad", error=error))
    consume(seen, assign={(topic, 0): 0})
    until(lambda: b"also good" in seen.values)
    assert seen.values == [b"good", b"also good"]
    (letter,) = kafka.records(f"{topic}.dead-letter", 1)
    assert (letter.key(), letter.value()) == (b"7", b"bad")
    assert dict(letter.headers() or ()) == {
        "event-id": b"e-1",
        "dead-letter-error": error.__name__.encode(),
        "dead-letter-reason": b"it has no title",
        "dead-letter-topic": topic.encode(),
        "dead-letter-partition": b"0",
        "dead-letter-offset": b"1",
        "dead-letter-service": b"service",
    }
    assert parked._value.get() == 1  # pyright: ignore[reportPrivateUsage]


def test_a_record_that_fails_for_unknown_reasons_is_tried_before_it_is_parked(
    kafka: Kafka, consume: Callable[..., Consumer]
) -> None:
    topic = kafka.topic()
    tried: list[bytes | None] = []

    def fault(record: Record) -> None:
        tried.append(record.value)
        if record.value == b"odd":
            raise ZeroDivisionError("a bug")

    seen = Seen(fault)
    kafka.produce(topic, b"odd", b"good")
    consume(seen, assign={(topic, 0): 0}, attempts=3, batch_records=1)
    until(lambda: seen.values == [b"good"])
    assert tried == [b"odd"] * 3 + [b"good"]
    assert kafka.records(f"{topic}.dead-letter", 1)[0].value() == b"odd"


def test_what_the_handler_needs_may_be_away_for_as_long_as_it_likes(
    kafka: Kafka, consume: Callable[..., Consumer]
) -> None:
    topic = kafka.topic()
    away, attempts = threading.Event(), []
    away.set()

    def fault(record: Record) -> None:
        attempts.append(record.offset)
        if away.is_set():
            raise TransientError("the database is down")

    seen = Seen(fault)
    kafka.produce(topic, *numbers(0, 5))
    consume(seen, assign={(topic, 0): 0}, attempts=2, backoff_limit_seconds=0.02)
    until(lambda: len(attempts) > 10)
    assert seen.values == []
    away.clear()
    until(lambda: len(seen.values) == 5)
    assert seen.values == numbers(0, 5)
    assert metrics.KAFKA_RECORDS.labels(topic, "dead-letter")._value.get() == 0  # pyright: ignore[reportPrivateUsage]


def test_stopped_while_it_cannot_handle_it_loses_nothing(
    kafka: Kafka, consume: Callable[..., Consumer]
) -> None:
    topic = kafka.topic()

    def third_is_away(record: Record) -> None:
        if record.value == b"3":
            raise TransientError("down")

    kafka.produce(topic, *numbers(0, 6))
    first = Seen(third_is_away)
    consumer = consume(first, topics=[topic], group=topic, batch_records=1)
    until(lambda: metrics.KAFKA_RETRIES.labels(topic)._value.get() > 2)  # pyright: ignore[reportPrivateUsage]
    consumer.stop()
    assert kafka.committed(topic, topic) == 3
    second = Seen()
    consume(second, topics=[topic], group=topic)
    until(lambda: len(second.values) == 3)
    assert first.values + second.values == numbers(0, 6)


def test_a_dead_letter_topic_that_is_missing_holds_the_stream_up_and_loses_nothing(
    kafka: Kafka, consume: Callable[..., Consumer]
) -> None:
    topic = f"{kafka.topic()}-alone"
    kafka.create(topic)
    kafka.produce(topic, b"bad", b"good")
    seen = Seen(poisoned(b"bad"))
    consumer = consume(seen, assign={(topic, 0): 0}, dead_letter_overrides={"delivery.timeout.ms": 300})
    until(lambda: metrics.KAFKA_RETRIES.labels(f"{topic}.dead-letter")._value.get() > 0)  # pyright: ignore
    assert seen.values == []
    kafka.create(f"{topic}.dead-letter")
    until(lambda: seen.values == [b"good"])
    assert kafka.records(f"{topic}.dead-letter", 1)[0].value() == b"bad"
    consumer.stop()


def test_assigned_partitions_are_read_from_the_given_offsets_and_nothing_is_committed(
    kafka: Kafka, consume: Callable[..., Consumer]
) -> None:
    topic = kafka.topic(partitions=3)
    for partition in range(3):
        kafka.produce(topic, *numbers(partition * 10, partition * 10 + 5), partition=partition)
    seen = Seen()
    consumer = consume(seen, assign={(topic, 0): 3, (topic, 2): -1})
    assert consumer.caught_up.wait(30)
    assert sorted(seen.values) == sorted(numbers(3, 5) + numbers(20, 25))
    assert consumer.positions() == {(topic, 0): 5, (topic, 2): 5}
    consumer.stop()
    assert kafka.committed("service-assigned", topic, 3) == 0


def test_two_members_share_the_partitions_and_one_takes_over_what_the_other_leaves(
    kafka: Kafka, consume: Callable[..., Consumer]
) -> None:
    topic = kafka.topic(partitions=4)
    first, second = Seen(), Seen()
    consumer = consume(first, topics=[topic], group=topic)
    consume(second, topics=[topic], group=topic)
    sent = 0

    def both_read() -> bool:
        nonlocal sent
        for partition in range(4):
            kafka.produce(topic, str(sent).encode(), partition=partition)
            sent += 1
        return bool(first.values) and bool(second.values)

    until(both_read, 60)
    consumer.stop()
    kafka.produce(topic, *numbers(sent, sent + 20))
    until(lambda: set(first.values) | set(second.values) == set(numbers(0, sent + 20)), 60)


def test_a_consumer_that_ends_of_an_error_says_so(kafka: Kafka) -> None:
    told: list[str] = []

    def handler(_: Sequence[Record]) -> None:
        raise SystemExit

    consumer = Consumer(
        settings_for(kafka), handler, assign={(kafka.topic(), 0): 0}, on_failure=told.append, bad_option="x"
    )
    consumer.start()
    until(lambda: told)
    assert told == ["the Kafka consumer ended: KafkaException"]
    assert not consumer.running


def test_neither_a_group_nor_an_assignment_is_refused(kafka: Kafka) -> None:
    with pytest.raises(ValueError, match="either a group with topics, or assign"):
        Consumer(settings_for(kafka), Seen())


def test_keys_go_to_the_partitions_where_the_java_client_puts_them(kafka: Kafka) -> None:
    """murmur2 of kafka-clients' Utils: what Debezium writes and what the relay writes meet in one partition."""
    topic = kafka.topic(partitions=12)
    writer = producer(settings_for(kafka))
    placed: dict[bytes, int] = {}
    for key in (b"1", b"42", b"1234567890123456789"):
        writer.produce(
            topic,
            b"x",
            key=key,
            on_delivery=lambda _, message: placed.update({message.key(): message.partition()}),
        )
    assert writer.flush(30) == 0
    assert placed == {key: (murmur2(key) & 0x7FFFFFFF) % 12 for key in placed}
    assert len(placed) == 3


def murmur2(data: bytes) -> int:
    """org.apache.kafka.common.utils.Utils.murmur2, word for word."""
    mask, m = 0xFFFFFFFF, 0x5BD1E995
    h = 0x9747B28C ^ len(data)
    for at in range(0, len(data) - 3, 4):
        k = int.from_bytes(data[at : at + 4], "little") * m & mask
        k = (k ^ (k >> 24)) * m & mask
        h = (h * m & mask) ^ k
    rest = data[len(data) & ~3 :]
    if rest:
        h = ((h ^ int.from_bytes(rest, "little")) * m) & mask
    h = (h ^ (h >> 13)) * m & mask
    return h ^ (h >> 15)
