"""What tests of the search service share: a broker, processes of its roles, and events to feed them with."""

import json
import os
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from google.protobuf.message import Message

from emulator.backing import Backing
from emulator.kafka.broker.tansu import Tansu
from services.api.events.v1.events_pb2 import BoardEvent, EmbeddingEvent, PinEvent, SaveEvent
from tests.waiting import until

ROOT = Path(__file__).resolve().parents[3]
PARTITIONS = {"pins": 4, "boards": 2, "saves": 4, "embeddings": 4}
DIMENSION = 8
PATIENCE_SECONDS = 30


class Watcher:
    """Lets clients in at once."""

    def came(self, address: str, restarts: int) -> None:
        pass

    def went(self) -> None:
        pass


class Reported(Backing):
    """A backing whose reports nobody reads."""

    def report(self, text: str) -> None:
        pass


class Broker:
    """A real tansu with the topics of the services."""

    def __init__(self, directory: Path) -> None:
        self._backing = Reported(directory, "http://127.0.0.1:1", "210987654321", "eu-west-1")
        self._tansu = Tansu("events", 0, self._backing, Watcher())
        self._tansu.start()
        self.address = self._tansu.address
        self.create_topics()

    def create_topics(self) -> None:
        admin = AdminClient({"bootstrap.servers": self.address, "log_level": 0})
        wanted = [NewTopic(name, count, 1) for name, count in PARTITIONS.items()]
        wanted += [NewTopic(f"{name}.dead-letter", 1, 1) for name in PARTITIONS]
        for done in admin.create_topics(wanted).values():
            done.result(PATIENCE_SECONDS)

    def restart(self) -> None:
        """Kill it: it comes back at the same address and has forgotten everything."""
        before = self._tansu.pid
        os.kill(before, signal.SIGKILL)
        until(lambda: self._tansu.pid != before)
        until(lambda: self._topics() == set() or None)
        self.create_topics()

    def _topics(self) -> set[str]:
        admin = AdminClient({"bootstrap.servers": self.address, "log_level": 0})
        return {name for name in admin.list_topics(timeout=5).topics if not name.startswith("_")}

    def records(self, topic: str) -> list[Any]:
        """All of a topic's one partition, once something is there."""
        consumer = Consumer({"bootstrap.servers": self.address, "group.id": "test", "log_level": 0})
        consumer.assign([TopicPartition(topic, 0, 0)])
        try:
            found = []
            while True:
                message = consumer.poll(PATIENCE_SECONDS if not found else 0.2)
                if message is None:
                    return found
                assert message.error() is None
                found.append(message)
        finally:
            consumer.close()

    def stop(self) -> None:
        self._tansu.stop()
        self._backing.stop()


@dataclass
class Publisher:
    """Sends events as the pin and ml services do."""

    address: str
    _producer: Producer = field(init=False)

    def __post_init__(self) -> None:
        self._producer = Producer(
            {
                "bootstrap.servers": self.address,
                "linger.ms": 1,
                "partitioner": "murmur2_random",
                "topic.metadata.propagation.max.ms": 500,
                "log_level": 0,
            }
        )

    def send(self, *events: Message) -> None:
        """Returns when the broker has them all."""
        for event in events:
            topic, key = route(event)
            self.raw(topic, str(key).encode(), event.SerializeToString())
        self.flush()

    def raw(self, topic: str, key: bytes, value: bytes | None) -> None:
        while True:
            try:
                self._producer.produce(topic, value, key)
            except BufferError:
                self._producer.poll(0.1)
            else:
                return

    def flush(self) -> None:
        assert self._producer.flush(PATIENCE_SECONDS) == 0


def route(event: Message) -> tuple[str, int]:
    """Topic and key of an event."""
    if isinstance(event, PinEvent):
        return "pins", event.pin_id
    if isinstance(event, BoardEvent):
        return "boards", event.board_id
    if isinstance(event, SaveEvent):
        return "saves", event.pin_id
    assert isinstance(event, EmbeddingEvent)
    return "embeddings", event.pin_id


def board(board_id: int, version: int = 1, **more: Any) -> BoardEvent:
    given = {"name": f"board {board_id}", "owner_id": 7, "country": "DE", "kind": 1, **more}
    return BoardEvent(board_id=board_id, version=version, **given)


def pin(pin_id: int, version: int = 1, **more: Any) -> PinEvent:
    given = {
        "board_id": 1,
        "owner_id": 7,
        "title": f"pin {pin_id}",
        "created_at_ms": 1_700_000_000_000,
        **more,
    }
    return PinEvent(pin_id=pin_id, version=version, **given)


def save(save_id: int, pin_id: int, version: int = 1, **more: Any) -> SaveEvent:
    return SaveEvent(save_id=save_id, pin_id=pin_id, version=version, user_id=7, board_id=1, **more)


def vector_of(*values: float) -> bytes:
    """A vector that begins with these values."""
    vector = np.zeros(DIMENSION, "<f4")
    vector[: len(values)] = values
    return (vector / np.linalg.norm(vector)).astype("<f4").tobytes()


def embedding(pin_id: int, *values: float, version: int = 1) -> EmbeddingEvent:
    return EmbeddingEvent(pin_id=pin_id, version=version, model_version="test-1", vector=vector_of(*values))


@dataclass
class Service:
    """A process of one role."""

    role: str
    environment: dict[str, str]
    process: subprocess.Popen[bytes] = field(init=False)
    addresses: dict[str, str] = field(default_factory=dict[str, str])
    log: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    def __post_init__(self) -> None:
        self.start()

    def start(self) -> None:
        self.addresses.clear()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "services.search", self.role],
            cwd=ROOT,
            env={**inherited(), **self.environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        threading.Thread(target=self._read, args=[self.process], daemon=True).start()

    def _read(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            try:
                entry = json.loads(line)
            except json.JSONDecodeError:
                entry = {"event": line.decode(errors="replace")}
            self.log.append(entry)
            event = str(entry.get("event"))
            if event.endswith(" listens") or event == "operations listen":
                self.addresses[event.split(" ", maxsplit=1)[0]] = entry["address"]

    def address(self, what: str) -> str:
        """Of `http`, `rpc` or `operations`, once it listens."""

        def look() -> str | None:
            assert self.process.poll() is None, self.log[-5:]
            return self.addresses.get(what)

        return until(look)

    def ready(self) -> "Service":
        """Returns when it says that it is ready."""
        until(lambda: self.probe("readyz")[0] == 200 or None)
        return self

    def probe(self, path: str) -> tuple[int, str]:
        status, body = fetch(f"http://{self.address('operations')}/{path}")
        return status, body.decode()

    def metric(self, name: str) -> float:
        """The sum of a metric's samples; `name` may end in labels: `x{a="b"}`."""
        lines = [line for line in self.probe("metrics")[1].splitlines() if line.startswith(name)]
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines)

    def events(self, text: str) -> list[dict[str, Any]]:
        """What it logged that begins so."""
        return [entry for entry in list(self.log) if str(entry.get("event")).startswith(text)]

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(PATIENCE_SECONDS)

    def stop(self) -> int:
        """Ask it to end; its exit status."""
        self.process.terminate()
        return self.process.wait(PATIENCE_SECONDS)


def inherited() -> dict[str, str]:
    """The tests' environment without what settings would be read from."""
    return {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "TMPDIR", "LANG"}}


def common(name: str) -> dict[str, str]:
    """What every role is told: loopback, free ports, no long drain."""
    return {
        "SERVICE_NAME": name,
        "HTTP_PORT": "0",
        "RPC_PORT": "0",
        "OPERATIONS_PORT": "0",
        "SHUTDOWN_DRAIN_SECONDS": "0",
        "OPENBLAS_NUM_THREADS": "1",
    }


def leaf(broker: Broker, directory: Path, *, shard: int = 0, shards: int = 1, **more: str) -> Service:
    return Service(
        "leaf",
        {
            **common(f"search-leaf-{shard}"),
            "SHARD": str(shard),
            "SHARDS": str(shards),
            "INDEX_DIRECTORY": str(directory),
            "KAFKA_BOOTSTRAP_SERVERS": broker.address,
            "KAFKA_SECURITY_PROTOCOL": "PLAINTEXT",
            "KAFKA_FETCH_WAIT_MS": "10",
            "EMBEDDING_DIMENSION": str(DIMENSION),
            "COMMIT_INTERVAL_MS": "20",
            "TOPIC_CHECK_SECONDS": "0.2",
            "STATISTICS_SECONDS": "0.1",
            "CAUGHT_UP_RECORDS": "0",
            **more,
        },
    )


def root(*leaves: str, **more: str) -> Service:
    """Over these addresses, in shard order."""
    return Service("root", {**common("search-root"), "SEARCH_LEAVES": ",".join(leaves), **more})


def fetch(url: str, data: bytes | None = None, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
    request = urllib.request.Request(url, data, headers or {})
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


@dataclass
class Api:
    """The REST API of a root."""

    service: Service

    def get(self, path: str) -> tuple[int, Any]:
        status, body = fetch(f"http://{self.service.address('http')}/v1/search/{path}")
        return status, json.loads(body)

    def post(self, path: str, data: bytes, media_type: str) -> tuple[int, Any]:
        url = f"http://{self.service.address('http')}/v1/search/{path}"
        status, body = fetch(url, data, {"content-type": media_type})
        return status, json.loads(body)

    def found(self, path: str) -> list[int]:
        """The ids of the pins, in their order."""
        status, body = self.get(path)
        assert status == 200, body
        return [int(item["pin_id"]) for item in body["items"]]

    def all_found(self, query: str) -> list[int]:
        """Of all pages."""
        found: list[int] = []
        cursor = ""
        while True:
            status, body = self.get(f"pins?{query}&limit=100{cursor}")
            assert status == 200, body
            found += [int(item["pin_id"]) for item in body["items"]]
            if body["next_cursor"] is None:
                return found
            cursor = f"&cursor={body['next_cursor']}"


def stopped(services: Sequence[Service]) -> Iterator[None]:
    """Ends what is left at the end of a test."""
    yield
    for service in services:
        if service.process.poll() is None:
            service.kill()
