"""What tests of services share: a real Kafka broker."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from emulator.backing import Backing
from emulator.kafka.broker.tansu import Tansu

PATIENCE_SECONDS = 30.0


class _Nobody:
    def came(self, address: str, restarts: int) -> None: ...

    def went(self) -> None: ...


@dataclass
class Kafka:
    """A broker, and a client that says nothing."""

    tansu: Tansu
    _producer: Producer | None = field(default=None)

    @property
    def address(self) -> str:
        return self.tansu.address

    def topic(self, prefix: str = "topic", partitions: int = 1) -> str:
        """A new topic, with its dead-letter topic; returns its name."""
        name = f"{prefix}-{uuid.uuid4().hex[:8]}"
        self.create(name, partitions)
        self.create(f"{name}.dead-letter", 1)
        return name

    def create(self, name: str, partitions: int = 1) -> None:
        admin = AdminClient({"bootstrap.servers": self.address, "log_level": 0})
        admin.create_topics([NewTopic(name, partitions, 1)])[name].result(PATIENCE_SECONDS)

    def produce(
        self,
        topic: str,
        *values: bytes,
        key: bytes | None = None,
        partition: int = -1,
        headers: dict[str, bytes] | None = None,
    ) -> None:
        """Send records and wait until the broker has them."""
        if self._producer is None:
            self._producer = Producer({"bootstrap.servers": self.address, "log_level": 0})
        failed: list[object] = []
        for value in values:
            self._producer.produce(
                topic,
                value,
                key=key,
                partition=partition,
                headers=dict(headers or {}),
                on_delivery=lambda error, _: failed.append(error) if error else None,
            )
        assert self._producer.flush(PATIENCE_SECONDS) == 0
        assert failed == []

    def records(self, topic: str, count: int, partitions: int = 1) -> list[Message]:
        """That many records from a topic's beginning."""
        consumer = Consumer({"bootstrap.servers": self.address, "group.id": "test", "log_level": 0})
        consumer.assign([TopicPartition(topic, number, 0) for number in range(partitions)])
        try:
            found: list[Message] = []
            while len(found) < count:
                more = consumer.consume(count - len(found), timeout=PATIENCE_SECONDS)
                assert more, f"{len(found)} of {count} records came"
                found += [message for message in more if message.error() is None]
            return found
        finally:
            consumer.close()

    def committed(self, group: str, topic: str, partitions: int = 1) -> int:
        """The sum of a group's committed offsets of a topic."""
        consumer = Consumer({"bootstrap.servers": self.address, "group.id": group, "log_level": 0})
        asked = [TopicPartition(topic, number) for number in range(partitions)]
        found = consumer.committed(asked, timeout=PATIENCE_SECONDS)
        consumer.close()
        return sum(each.offset for each in found if each.offset > 0)


@contextmanager
def running_kafka(directory: Path) -> Iterator[Kafka]:
    """A broker with nothing in it."""
    backing = Backing(directory, "http://127.0.0.1:1", "123456789012", "eu-west-1")
    broker = Tansu(f"test-{uuid.uuid4().hex[:8]}", 0, backing, _Nobody())
    broker.start()
    try:
        yield Kafka(broker)
    finally:
        broker.stop()
        backing.stop()


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """A broker; each test has topics of its own."""
    with running_kafka(tmp_path_factory.mktemp("kafka")) as broker:
        yield broker
