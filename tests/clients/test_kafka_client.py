"""confluent-kafka against the brokers that `pinwheel up` printed."""

import json
import subprocess
import sys

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from infra.data.catalogue import TOPICS

pytestmark = pytest.mark.xdist_group("world")

PINS = 300

CONSUMER = """
import json, sys
from confluent_kafka import Consumer
brokers, group = sys.argv[1:]
assigned, ended = set(), set()

def on_assign(_, partitions):
    assigned.clear()
    assigned.update(each.partition for each in partitions)
    print(len(partitions), flush=True)

consumer = Consumer({"bootstrap.servers": brokers, "group.id": group, "auto.offset.reset": "earliest",
                     "enable.auto.commit": False})
consumer.subscribe(["clicks"], on_assign=on_assign)
while not assigned or not assigned <= ended:
    message = consumer.poll(0.2)
    if message is None or message.error() is not None:
        continue
    value = json.loads(message.value())
    if value == "end":
        ended.add(message.partition())
    else:
        consumer.commit(message, asynchronous=False)
        print(json.dumps([message.partition(), value]), flush=True)
consumer.close()
"""


@pytest.fixture
def brokers(world) -> str:
    return world.thing("Kafka brokers")


def test_every_declared_topic_is_there_with_its_partitions(brokers: str) -> None:
    topics = AdminClient({"bootstrap.servers": brokers}).list_topics(timeout=20).topics
    assert {topic.name: topic.partitions for topic in TOPICS} == {
        name: len(topics[name].partitions) for name in (topic.name for topic in TOPICS)
    }


def test_a_message_comes_back_with_key_and_headers(brokers: str) -> None:
    producer = Producer({"bootstrap.servers": brokers, "enable.idempotence": True})
    delivered = []
    producer.produce(
        *("saves", json.dumps({"pin": "7"}).encode(), b"board-1"),
        headers={"trace": b"abc"},
        on_delivery=lambda error, message: delivered.append((error, message.partition(), message.offset())),
    )
    assert producer.flush(20) == 0
    ((error, partition, offset),) = delivered
    assert error is None
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": "reader"})
    consumer.assign([TopicPartition("saves", partition, offset)])
    (message,) = consumer.consume(1, timeout=20)
    consumer.close()
    assert (message.key(), message.value()) == (b"board-1", b'{"pin": "7"}')
    assert message.headers() == [("trace", b"abc")]


def test_a_topic_that_nobody_declared_is_refused(brokers: str) -> None:
    producer = Producer({"bootstrap.servers": brokers, "message.timeout.ms": 5000})
    errors = []
    producer.produce("undeclared", b"x", on_delivery=lambda error, _: errors.append(error))
    producer.flush(20)
    assert errors[0] is not None
    assert "undeclared" not in AdminClient({"bootstrap.servers": brokers}).list_topics(timeout=20).topics


def test_two_processes_of_a_group_share_the_work_without_losing_or_doubling(brokers: str) -> None:
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", CONSUMER, brokers, "shared-work"], stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    try:
        for worker in workers:  # each has got partitions, and will get the others' if they leave
            assert worker.stdout is not None
            assert int(worker.stdout.readline()) > 0
        producer = Producer({"bootstrap.servers": brokers})
        for number in range(PINS):
            producer.produce("clicks", json.dumps(number).encode(), key=f"user-{number % 40}")
        assert producer.flush(20) == 0
        for partition in range(24):
            producer.produce("clicks", b'"end"', partition=partition)
        assert producer.flush(20) == 0
        told = [worker.communicate(timeout=60)[0] for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
    seen = [json.loads(line)[1] for each in told for line in each.splitlines() if line.startswith("[")]
    assert sorted(seen) == list(range(PINS))
    assert all("[" in each for each in told)
