"""A part is away for a while: what can go on does, and says how; then all is as before."""

import uuid

import httpx
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from infra.data.catalogue import DEAD_LETTER_SUFFIX, TOPICS
from tests.clients.support import needs_mysql
from tests.system.system import PATIENCE_SECONDS, Person, System
from tests.waiting import until

pytestmark = [pytest.mark.xdist_group("harmed"), needs_mysql]


@pytest.fixture
def somebody(harmed: System) -> Person:
    return harmed.person()


def unready(harmed: System, name: str) -> str | None:
    """Why the pod is not ready, if it is not."""
    answer = harmed.operations(name, "/readyz")
    return answer.text if answer.status_code != 200 else None


def test_without_a_broker_pins_are_taken_and_found_later(harmed: System, somebody: Person) -> None:
    board = somebody.board()
    with harmed.held("kafka"):
        pins = [somebody.pin(board, f"Held {somebody.name} {number}") for number in range(5)]
        assert somebody.pins_of(board).keys() == set(pins)
        assert unready(harmed, "pin") is None
        assert somebody.found(somebody.name) == []
    until(lambda: sorted(somebody.found(somebody.name)) == sorted(pins), PATIENCE_SECONDS)


def test_without_a_database_what_was_read_lately_is_read_and_nothing_is_written(
    harmed: System, somebody: Person
) -> None:
    board = somebody.board()
    pin = somebody.pin(board, f"Read lately {somebody.name}")
    assert "x-pinwheel-stale" not in somebody.ask("GET", f"/v1/pins/{pin}").headers
    until(lambda: somebody.found(somebody.name) == [pin])
    with harmed.held("mysql"):
        until(lambda: "database" in (unready(harmed, "pin") or ""), PATIENCE_SECONDS)
        write = until_answered(somebody, "POST", "/v1/boards", json={"name": "Too early"})
        assert write.status_code == 503
        assert write.headers["content-type"].startswith("application/problem+json")
        assert "retry-after" in write.headers
        stale = until_answered(somebody, "GET", f"/v1/pins/{pin}")
        assert stale.status_code == 200, stale.text
        assert stale.headers["x-pinwheel-stale"] == "true"
        assert stale.json()["title"] == f"Read lately {somebody.name}"
        assert somebody.found(somebody.name) == [pin]
    until(lambda: unready(harmed, "pin") is None, PATIENCE_SECONDS)
    fresh = until(lambda: somebody.ask("GET", f"/v1/pins/{pin}"), PATIENCE_SECONDS)
    assert "x-pinwheel-stale" not in fresh.headers
    somebody.board("In time")


def until_answered(person: Person, method: str, path: str, **arguments: object) -> httpx.Response:
    """The pod's own answer, which comes when its patience with the database is over."""
    return person.client.request(method, path, timeout=PATIENCE_SECONDS, **arguments)


def test_a_leaf_that_is_away_is_missing_in_answers_that_say_so(harmed: System, somebody: Person) -> None:
    board = somebody.board()
    pins = sorted(somebody.pin(board, f"Spread {somebody.name} {number}") for number in range(12))
    until(lambda: sorted(somebody.found(somebody.name)) == pins, PATIENCE_SECONDS)
    with harmed.held("search-leaf-1"):
        answer = until(lambda: found if (found := somebody.search(somebody.name))["partial"] else None)
        assert answer["missing_shards"] == [1]
        assert answer["shards"] == 2
        assert {hit["pin_id"] for hit in answer["items"]} < set(pins)
        assert answer["items"]
    until(lambda: not somebody.search(somebody.name)["partial"], PATIENCE_SECONDS)
    harmed.kill("search-leaf-1")
    until(lambda: not somebody.search(somebody.name)["partial"], PATIENCE_SECONDS)
    until(lambda: sorted(somebody.found(somebody.name)) == pins, PATIENCE_SECONDS)


def test_a_poisoned_record_is_parked_and_the_stream_goes_on(harmed: System, somebody: Person) -> None:
    brokers = harmed.printed.thing("Kafka brokers")
    poison = f"no PinEvent at all: {uuid.uuid4()}".encode()
    producer = Producer({"bootstrap.servers": brokers, "log_level": 0})
    partitions = {topic.name: topic.partitions for topic in TOPICS}
    for partition in range(partitions["pins"]):
        producer.produce("pins", poison, key=b"1", partition=partition)
    assert producer.flush(PATIENCE_SECONDS) == 0

    board = somebody.board()
    pin = somebody.pin(board, f"After poison {somebody.name}", upload_id=somebody.uploaded(seed=7))
    until(lambda: somebody.found(somebody.name) == [pin], PATIENCE_SECONDS)
    until(lambda: somebody.looks_like_some(pin), PATIENCE_SECONDS)

    topic = f"pins{DEAD_LETTER_SUFFIX}"
    parked = _parked(brokers, topic, partitions[topic], poison, 2 * partitions["pins"])
    by = [headers["dead-letter-service"].decode() for headers in parked]
    assert by.count("ml-stream") == partitions["pins"]
    assert sum(each.startswith("search-leaf") for each in by) == partitions["pins"]
    assert {headers["dead-letter-topic"] for headers in parked} == {b"pins"}
    assert all(headers["dead-letter-reason"] for headers in parked)
    metrics = harmed.operations("ml-stream", "/metrics").text
    assert 'outcome="dead-letter"' in metrics


def _parked(brokers: str, topic: str, partitions: int, value: bytes, count: int) -> list[dict[str, bytes]]:
    """The headers of the records with this value, once there are so many."""
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": "tests-system", "log_level": 0})
    consumer.assign([TopicPartition(topic, number, 0) for number in range(partitions)])
    found: list[dict[str, bytes]] = []

    def enough() -> bool:
        messages = consumer.consume(100, timeout=0.5)
        found.extend(
            dict(each.headers() or ()) for each in messages if each.error() is None and each.value() == value
        )
        return len(found) >= count

    try:
        until(enough, PATIENCE_SECONDS)
        return found
    finally:
        consumer.close()
