"""Leaves that are killed, lose their disk, or whose broker forgets everything: nothing is lost, nothing doubled."""

import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from moto.server import ThreadedMotoServer

from services.common import aws
from tests.services.search import searching
from tests.services.search.searching import Api, Broker, Publisher, Service, board, embedding, pin, save
from tests.waiting import until

BUCKET = "snapshots"
Ending = Callable[[Service], Service]


@pytest.fixture(scope="module")
def s3() -> Iterator[dict[str, str]]:
    """A bucket for snapshots, as the environment of who uses it."""
    server = ThreadedMotoServer("127.0.0.1", 0)
    server.start()
    host, port = server.get_host_and_port()
    environment = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        aws.client("s3").create_bucket(Bucket=BUCKET)
        yield environment
    server.stop()


def snapshots() -> list[str]:
    """Keys of the manifests, the oldest first."""
    listed = aws.client("s3").list_objects_v2(Bucket=BUCKET, Prefix="shard-000-of-001/manifests/")
    return [entry["Key"] for entry in listed.get("Contents", [])]


def test_a_leaf_killed_while_it_indexes_loses_and_doubles_nothing(
    own_broker: Broker, tmp_path: Path, ending: Ending
) -> None:
    publisher = Publisher(own_broker.address)
    publisher.send(board(1))

    def publish(first_lot: int) -> None:
        for lot in range(first_lot, first_lot + 10):
            ids = range(lot * 100, lot * 100 + 100)
            publisher.send(
                *(pin(n, title=f"brass lot{lot}") for n in ids), *(save(n, n % 50 + 100) for n in ids)
            )

    leaf = ending(searching.leaf(own_broker, tmp_path / "index"))
    for first_lot in (1, 11, 21):
        thread = threading.Thread(target=publish, args=[first_lot])
        thread.start()
        until(lambda: leaf.metric("kafka_records_total") >= 200)
        leaf.kill()
        thread.join()
        leaf.start()
    leaf.ready()
    until(lambda: leaf.metric('search_documents{kind="pins"}') == 3_000)
    api = Api(ending(searching.root(leaf.address("rpc"))).ready())
    for lot in range(1, 31):
        assert sorted(api.found(f"pins?q=lot{lot}&limit=100")) == list(range(lot * 100, lot * 100 + 100))
    assert saves(api, "lot1") == {n: 60 if n < 150 else 0 for n in range(100, 200)}


def saves(api: Api, word: str) -> dict[int, int]:
    """How often each of the pins with the word was saved."""
    items = api.get(f"pins?q={word}&limit=100")[1]["items"]
    return {int(item["pin_id"]): item["saves"] for item in items}


def test_an_empty_disk_is_filled_from_the_newest_good_snapshot(
    own_broker: Broker, tmp_path: Path, ending: Ending, s3: dict[str, str]
) -> None:
    publisher = Publisher(own_broker.address)
    given = {
        **s3,
        "SNAPSHOTS_BUCKET": BUCKET,
        "SNAPSHOT_INTERVAL_SECONDS": "1",
        "POD_NAME": "search-leaf-0-0",
    }
    publisher.send(
        board(1),
        *(pin(n, title=f"opal {n}") for n in range(1, 11)),
        save(1, 1),
        embedding(1, 1),
        embedding(2, 1, 1),
    )
    leaf = ending(searching.leaf(own_broker, tmp_path / "index", **given)).ready()
    until(lambda: len(snapshots()) >= 1)
    publisher.send(pin(11, title="opal 11"))
    until(lambda: len(snapshots()) >= 2)
    assert leaf.stop() == 0
    client = aws.client("s3")
    client.put_object(Bucket=BUCKET, Key="shard-000-of-001/manifests/999999999999999-x.json", Body=b"{}")

    # A broker that holds nothing: what comes back can only come from the snapshot.
    own_broker.restart()
    shutil.rmtree(tmp_path / "index")
    publisher.send(pin(12, title="opal 12"))
    leaf.start()
    leaf.ready()
    assert leaf.events("a snapshot cannot be used")
    assert leaf.events("restored a snapshot")
    api = Api(ending(searching.root(leaf.address("rpc"))).ready())
    until(lambda: sorted(api.found("pins?q=opal")) == list(range(1, 13)))
    assert api.found("pins/1/similar") == [2]
    assert saves(api, "opal")[1] == 1
    until(lambda: len(snapshots()) == 3 and snapshots()[-1].endswith("999999999999999-x.json"))


def test_a_broker_that_forgot_everything_does_not_empty_the_index(
    own_broker: Broker, tmp_path: Path, ending: Ending
) -> None:
    publisher = Publisher(own_broker.address)
    leaf = ending(searching.leaf(own_broker, tmp_path / "index")).ready()
    api = Api(ending(searching.root(leaf.address("rpc"))).ready())
    publisher.send(board(1), pin(1, 5, title="granite five"), pin(2, title="granite two"))
    until(lambda: sorted(api.found("pins?q=granite")) == [1, 2])

    own_broker.restart()
    publisher = Publisher(own_broker.address)
    publisher.send(pin(1, 4, title="granite four"), pin(3, title="granite three"))
    until(lambda: sorted(api.found("pins?q=granite")) == [1, 2, 3])
    assert api.found("pins?q=four") == []
    assert leaf.metric('search_log_breaks_total{reason="replaced"') >= 1
    (told, *_) = leaf.events("this topic is not the one that was read before")
    assert told["level"] == "error"

    # And the same when the leaf was away meanwhile.
    assert leaf.stop() == 0
    own_broker.restart()
    Publisher(own_broker.address).send(pin(4, title="granite four"))
    leaf.start()
    api = Api(ending(searching.root(leaf.ready().address("rpc"))).ready())
    until(lambda: sorted(api.found("pins?q=granite")) == [1, 2, 3, 4])


def test_a_poisoned_record_is_parked_and_the_stream_goes_on(
    own_broker: Broker, tmp_path: Path, ending: Ending
) -> None:
    publisher = Publisher(own_broker.address)
    publisher.send(board(1))
    publisher.raw("pins", b"1", b"\xff not protobuf")
    publisher.raw("pins", b"1", None)
    publisher.send(
        pin(-5, title="negative"),
        pin(1, title="marble one"),
        board(2, country="nowhere"),
        embedding(1, 1),
        searching.EmbeddingEvent(pin_id=1, version=2, vector=b"\0\0"),
        save(0, 1),
    )
    leaf = ending(searching.leaf(own_broker, tmp_path / "index")).ready()
    api = Api(ending(searching.root(leaf.address("rpc"))).ready())
    until(lambda: api.found("pins?q=marble") == [1])
    reasons = {
        topic: [
            dict(message.headers())["dead-letter-reason"].decode()
            for message in own_broker.records(f"{topic}.dead-letter")
        ]
        for topic in ("pins", "boards", "embeddings", "saves")
    }
    assert len(reasons["pins"]) == 2
    assert "the value is no message of topic pins" in reasons["pins"]
    assert any("pin_id is -5" in reason for reason in reasons["pins"])
    assert "country is 'nowhere'" in reasons["boards"][0]
    assert "vector has 2 bytes" in reasons["embeddings"][0]
    assert "save_id is 0" in reasons["saves"][0]
    assert leaf.metric('kafka_records_total{outcome="dead-letter"') == 5


def test_a_leaf_whose_directory_is_damaged_begins_anew(
    own_broker: Broker, tmp_path: Path, ending: Ending
) -> None:
    publisher = Publisher(own_broker.address)
    publisher.send(board(1), pin(1, title="slate"))
    leaf = ending(searching.leaf(own_broker, tmp_path / "index")).ready()
    assert leaf.stop() == 0
    for file in sorted((tmp_path / "index" / "engine").rglob("*.json")):
        file.write_text("no longer what it was")
    leaf.start()
    api = Api(ending(searching.root(leaf.ready().address("rpc"))).ready())
    assert api.found("pins?q=slate") == [1]
    assert leaf.events("the index on disk cannot be used")


def test_a_leaf_without_a_broker_waits_or_answers_from_what_it_has(
    own_broker: Broker, tmp_path: Path, ending: Ending
) -> None:
    publisher = Publisher(own_broker.address)
    publisher.send(board(1), pin(1, title="flint"))
    leaf = ending(searching.leaf(own_broker, tmp_path / "index")).ready()
    assert leaf.stop() == 0
    leaf.environment["KAFKA_BOOTSTRAP_SERVERS"] = "127.0.0.1:1"
    leaf.environment["PATIENCE_SECONDS"] = "8"
    leaf.start()
    until(lambda: "Kafka cannot be asked" in leaf.probe("readyz")[1])
    api = Api(ending(searching.root(leaf.ready().address("rpc"))).ready())
    assert api.found("pins?q=flint") == [1]


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("SHARD", "3", "the last shard is 0"),
        ("KAFKA_BOOTSTRAP_SERVERS", "nowhere", "is not host:port"),
        ("COMMIT_INTERVAL_MS", "soon", "COMMIT_INTERVAL_MS"),
    ],
)
def test_a_wrong_environment_ends_it_with_a_line_that_helps(
    tmp_path: Path, variable: str, value: str, told: str, broker: Broker
) -> None:
    leaf = searching.leaf(broker, tmp_path / "index", **{variable: value})
    assert leaf.process.wait(searching.PATIENCE_SECONDS) == 2
    until(lambda: any(told in str(entry) for entry in leaf.log))
    assert not (tmp_path / "index").exists()
