"""What the indexer writes to OpenSearch, whatever happens on the way."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opensearchpy import OpenSearch

from services.api.events.v1.events_pb2 import (
    GROUP_KIND_AD_GROUP,
    BoardEvent,
    EmbeddingEvent,
    PinEvent,
    SaveEvent,
)
from services.common.kafka import PoisonedRecordError, Record, TransientError
from services.search.opensearch.client import bulk_client
from services.search.opensearch.indexer import Indexer
from services.search.opensearch.indexes import Indexes
from services.search.opensearch.settings import OpenSearchSettings
from tests.services.conftest import Kafka, running_kafka
from tests.services.search.opensearch.fake import Answer, FakeOpenSearch, running
from tests.waiting import until

VECTOR = np.array([0.5, -0.5, 0.5, 0.5], "<f4").tobytes()
TOPICS = {PinEvent: "pins", BoardEvent: "boards", SaveEvent: "saves", EmbeddingEvent: "embeddings"}
Event = PinEvent | BoardEvent | SaveEvent | EmbeddingEvent


def indexer_of(opensearch: FakeOpenSearch, **more: Any) -> Indexer:
    client = OpenSearch(hosts=[opensearch.url], max_retries=0, timeout=10)
    return Indexer(client, Indexes("test-"), dimension=4, **more)


@pytest.fixture
def indexer(opensearch: FakeOpenSearch) -> Indexer:
    return indexer_of(opensearch)


def record(event: Event) -> Record:
    return Record(TOPICS[type(event)], 0, 0, b"1", event.SerializeToString(), {}, 0)


def records(*events: Event) -> list[Record]:
    return [record(event) for event in events]


PIN = PinEvent(
    pin_id=5, version=3, board_id=1, owner_id=7, title="Chair", link="https://example.org/", image_key="o/5"
)
BOARD = BoardEvent(
    board_id=1,
    version=2,
    owner_id=7,
    owner_key=70,
    name="Kitchen",
    secret=True,
    country="DE",
    kind=GROUP_KIND_AD_GROUP,
)


def test_what_is_sent(opensearch: FakeOpenSearch, indexer: Indexer) -> None:
    indexer.handle(
        records(
            PIN,
            BOARD,
            SaveEvent(save_id=9, version=1, pin_id=5),
            EmbeddingEvent(pin_id=5, version=3, model_version="m", vector=VECTOR),
        )
    )
    (lines,) = opensearch.bodies("/_bulk")
    assert lines[0] == {"update": {"_index": "test-pins", "_id": "5", "retry_on_conflict": 5}}
    assert lines[1]["script"]["params"] == {
        "field": "pin_version",
        "version": 3,
        "cleared": [],
        "state": {
            "live": True,
            "pin_id": 5,
            "board_id": 1,
            "owner_id": 7,
            "title": "Chair",
            "description": "",
            "link": "https://example.org/",
            "image_key": "o/5",
            "created_at_ms": 0,
        },
    }
    assert (lines[1]["scripted_upsert"], lines[1]["upsert"]) == (True, {})
    assert lines[2:4] == [
        {"index": {"_index": "test-groups", "_id": "1", "version": 2, "version_type": "external_gte"}},
        {
            "live": True,
            "group_id": 1,
            "owner_id": 7,
            "name": "Kitchen",
            "description": "",
            "secret": True,
            "owner_key": 70,
            "country": "DE",
            "kind": "ad-group",
        },
    ]
    assert lines[4:6] == [
        {
            "index": {
                "_index": "test-saves",
                "_id": "9",
                "version": 1,
                "version_type": "external_gte",
                "routing": "5",
            }
        },
        {"live": True, "pin_id": 5},
    ]
    assert lines[7]["script"]["params"] == {
        "field": "vector_version",
        "version": 3,
        "cleared": [],
        "state": {"vector": [0.5, -0.5, 0.5, 0.5]},
    }


def test_the_indexes_are_made(opensearch: FakeOpenSearch, indexer: Indexer) -> None:
    indexer.create_indexes(shards=3, replicas=1)
    pins, groups, saves = opensearch.asked
    assert (pins.method, pins.path) == ("PUT", "/test-pins")
    assert pins.body["settings"]["index"] == {
        "number_of_shards": 3,
        "number_of_replicas": 1,
        "knn": True,
        "refresh_interval": "1s",
        "replication.type": "SEGMENT",
    }
    assert pins.body["mappings"]["dynamic"] is False
    assert pins.body["mappings"]["properties"]["vector"] == {
        "type": "knn_vector",
        "dimension": 4,
        "method": {
            "name": "hnsw",
            "engine": "faiss",
            "space_type": "innerproduct",
            "parameters": {
                "m": 16,
                "ef_construction": 128,
                "encoder": {"name": "sq", "parameters": {"type": "fp16"}},
            },
        },
    }
    assert groups.path == "/test-groups"
    assert groups.body["settings"]["index"]["number_of_shards"] == 1
    assert groups.body["settings"]["index"]["auto_expand_replicas"] == "0-all"
    assert saves.path == "/test-saves"


def test_indexes_that_are_there_stay(opensearch: FakeOpenSearch, indexer: Indexer) -> None:
    exists = Answer(400, {"error": {"type": "resource_already_exists_exception"}, "status": 400})
    opensearch.failures.extend([exists] * 3)
    indexer.create_indexes(shards=3, replicas=1)
    opensearch.failures.append(Answer(400, {"error": {"type": "mapper_parsing_exception"}, "status": 400}))
    with pytest.raises(Exception, match="mapper_parsing_exception"):
        indexer.create_indexes(shards=3, replicas=1)


def test_a_vector_before_its_pin_is_found_by_nobody_until_the_pin_comes(
    opensearch: FakeOpenSearch, indexer: Indexer
) -> None:
    vector = EmbeddingEvent(pin_id=5, version=3, model_version="m", vector=VECTOR)
    indexer.handle(records(vector))
    assert "live" not in opensearch.documents["test-pins", "5"]
    indexer.handle(records(PIN))
    pin = opensearch.documents["test-pins", "5"]
    assert pin["live"]
    assert pin["vector"] == [0.5, -0.5, 0.5, 0.5]


def test_a_deleted_pin_leaves_nothing_but_its_version(opensearch: FakeOpenSearch, indexer: Indexer) -> None:
    indexer.handle(records(PIN, PinEvent(pin_id=5, version=4, deleted=True), PIN))
    assert opensearch.documents["test-pins", "5"] == {"live": False, "pin_id": 5, "pin_version": 4}


def test_what_is_newer_there_already_is_success(opensearch: FakeOpenSearch, indexer: Indexer) -> None:
    indexer.handle(records(BoardEvent(board_id=1, version=9, name="New"), BOARD))
    assert opensearch.documents["test-groups", "1"]["name"] == "New"


def pin_events() -> st.SearchStrategy[PinEvent]:
    """What a pin is follows from its version, as it does for every reader of the topic."""

    def made(pin_id: int, version: int) -> PinEvent:
        if version % 3 == 0:
            return PinEvent(pin_id=pin_id, version=version, deleted=True)
        return PinEvent(pin_id=pin_id, version=version, board_id=1, title=f"v{version}")

    return st.builds(made, st.integers(1, 3), st.integers(1, 5))


def vector_events() -> st.SearchStrategy[EmbeddingEvent]:
    """The vector follows from pin and version, as a model's does."""

    def made(pin_id: int, version: int) -> EmbeddingEvent:
        numbers = np.array([pin_id, version, 1, 1], "<f4")
        vector = b"" if version % 4 == 0 else numbers.tobytes()
        return EmbeddingEvent(pin_id=pin_id, version=version, model_version="m", vector=vector)

    return st.builds(made, st.integers(1, 3), st.integers(1, 5))


def board_events() -> st.SearchStrategy[BoardEvent]:
    return st.builds(
        lambda board_id, version: BoardEvent(
            board_id=board_id, version=version, name=f"v{version}", deleted=version % 3 == 0
        ),
        st.integers(1, 2),
        st.integers(1, 5),
    )


events = st.lists(st.one_of(pin_events(), vector_events(), board_events()), min_size=1, max_size=20)


@pytest.fixture(scope="module")
def shared() -> Iterator[FakeOpenSearch]:
    with running() as fake:
        yield fake


@settings(deadline=None, max_examples=40)
@given(events, st.randoms(use_true_random=False), st.integers(1, 7))
def test_any_order_and_any_repeats_end_in_the_same_documents(
    shared: FakeOpenSearch, given_events: list[Event], random: Any, size: int
) -> None:
    def ended(order: Sequence[Event], batch: int) -> dict[Any, Any]:
        shared.documents.clear()
        shared.versions.clear()
        indexer = indexer_of(shared)
        for at in range(0, len(order), batch):
            indexer.handle(records(*order[at : at + batch]))
        return dict(shared.documents)

    shuffled = [*given_events, *random.choices(given_events, k=5)]
    random.shuffle(shuffled)
    assert ended(given_events, len(given_events)) == ended(shuffled, size)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_request_that_fails_is_tried_again(
    opensearch: FakeOpenSearch, indexer: Indexer, status: int
) -> None:
    opensearch.failures.append(Answer(status, {"error": "too busy", "status": status}))
    with pytest.raises(TransientError, match=str(status)):
        indexer.handle(records(PIN))
    indexer.handle(records(PIN))
    assert opensearch.documents["test-pins", "5"]["live"]


@pytest.mark.parametrize("status", [429, 503])
def test_an_action_that_fails_is_tried_again_with_its_batch(
    opensearch: FakeOpenSearch, indexer: Indexer, status: int
) -> None:
    opensearch.item_failures.append(Answer(status, {"error": {"type": "rejected_execution_exception"}}))
    with pytest.raises(TransientError, match="1 of 2"):
        indexer.handle(records(PIN, BOARD))
    indexer.handle(records(PIN, BOARD))
    assert opensearch.documents["test-pins", "5"]["live"]


def test_an_update_that_lost_too_often_is_tried_again(opensearch: FakeOpenSearch, indexer: Indexer) -> None:
    opensearch.item_failures.append(Answer(409, {"error": {"type": "version_conflict_engine_exception"}}))
    with pytest.raises(TransientError):
        indexer.handle(records(PIN))


def test_nobody_there_is_tried_again() -> None:
    with pytest.raises(TransientError):
        indexer_of(FakeOpenSearch(url="http://127.0.0.1:1")).handle(records(PIN))


def test_what_opensearch_will_never_take_is_poison(opensearch: FakeOpenSearch, indexer: Indexer) -> None:
    opensearch.item_failures.append(Answer(400, {"error": {"type": "mapper_parsing_exception"}}))
    with pytest.raises(PoisonedRecordError, match="mapper_parsing_exception"):
        indexer.handle(records(PIN, BOARD))
    assert opensearch.documents["test-groups", "1"]["live"], "the others of the batch are done"


@pytest.mark.parametrize(
    "vector", [b"abc", VECTOR[:8], bytes(16), np.array([1, 1, 1, np.inf], "<f4").tobytes()]
)
def test_vectors_that_no_index_takes_are_poison(indexer: Indexer, vector: bytes) -> None:
    with pytest.raises(PoisonedRecordError, match="4 finite float32"):
        indexer.handle(records(EmbeddingEvent(pin_id=5, version=1, model_version="m", vector=vector)))


def test_noise_is_poison(indexer: Indexer) -> None:
    for value in (b"\xff\xff", None):
        with pytest.raises(PoisonedRecordError):
            indexer.handle([Record("pins", 0, 0, b"1", value, {}, 0)])


def test_vectors_of_another_model_are_passed_over(opensearch: FakeOpenSearch) -> None:
    indexer = indexer_of(opensearch, model_version="m:2")
    other = EmbeddingEvent(pin_id=5, version=1, model_version="m:1", vector=VECTOR)
    own = EmbeddingEvent(pin_id=6, version=1, model_version="m:2", vector=VECTOR)
    indexer.handle(records(other, own))
    assert list(opensearch.documents) == [("test-pins", "6")]
    indexer.handle(records(other))
    assert len(opensearch.bodies("/_bulk")) == 1


def test_bulk_requests_are_signed(opensearch: FakeOpenSearch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE000000000")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "example")
    client = bulk_client(OpenSearchSettings(opensearch_url=opensearch.url, aws_region="eu-west-1"))
    Indexer(client, Indexes("test-"), dimension=4).handle(records(PIN))
    assert "/eu-west-1/es/aws4_request" in opensearch.asked[0].headers["authorization"]


@pytest.fixture
def kafka_of_search(tmp_path: Path) -> Iterator[Kafka]:
    with running_kafka(tmp_path / "kafka") as kafka:
        for topic in TOPICS.values():
            kafka.create(topic, 2)
            kafka.create(f"{topic}.dead-letter")
        yield kafka


@pytest.mark.xdist_group("ml-aws")
def test_the_role_reads_four_topics_parks_poison_and_commits(
    opensearch: FakeOpenSearch, kafka_of_search: Kafka, tmp_path: Path
) -> None:
    kafka = kafka_of_search
    for number in range(1, 21):
        pin = PinEvent(pin_id=number, version=1, board_id=1)
        vector = EmbeddingEvent(pin_id=number, version=1, model_version="m", vector=VECTOR)
        kafka.produce("pins", pin.SerializeToString(), partition=number % 2)
        kafka.produce("embeddings", vector.SerializeToString(), partition=number % 2)
    kafka.produce("boards", BOARD.SerializeToString(), partition=0)
    kafka.produce("saves", SaveEvent(save_id=9, version=1, pin_id=5).SerializeToString(), partition=0)
    kafka.produce("pins", b"\xff\xff", key=b"bad", partition=0)
    environment = {
        **os.environ,
        "OPENSEARCH_URL": opensearch.url,
        "OPENSEARCH_AUTH": "none",
        "KAFKA_BOOTSTRAP_SERVERS": kafka.address,
        "KAFKA_SECURITY_PROTOCOL": "PLAINTEXT",
        "EMBEDDING_DIMENSION": "4",
        "OPERATIONS_PORT": "0",
        "SHUTDOWN_DRAIN_SECONDS": "0",
    }
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "services.search", "index"], env=environment, stdout=log, stderr=log
        )
    try:
        (parked,) = kafka.records("pins.dead-letter", 1)
        until(
            lambda: sum(kafka.committed("search-opensearch", topic, 2) for topic in TOPICS.values()) == 43,
            seconds=60,
        )
        process.terminate()
        assert process.wait(30) == 0, (tmp_path / "log").read_text()
    finally:
        process.kill()
    assert parked.key() == b"bad"
    pins = [document for (index, _), document in opensearch.documents.items() if index == "pins"]
    assert len(pins) == 20
    assert all(pin["live"] and pin["vector"] == [0.5, -0.5, 0.5, 0.5] for pin in pins)
    assert json.dumps(opensearch.documents["groups", "1"])
    assert opensearch.documents["saves", "9"] == {"live": True, "pin_id": 5}
