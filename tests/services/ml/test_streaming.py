"""The role `stream` as a process, between a real broker, an emulated S3 and the role `serve`."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from confluent_kafka import Consumer, Message, TopicPartition

from emulator.ports import free_port
from emulator.process import Emulator, client_environment
from services.api.events.v1.events_pb2 import EmbeddingEvent, PinEvent
from services.ml.embedder import OnnxEmbedder
from tests.services.conftest import Kafka, running_kafka
from tests.services.ml.conftest import REGION
from tests.services.ml.drawing import encoded, picture
from tests.services.ml.running import Role, running
from tests.waiting import until

pytestmark = pytest.mark.xdist_group("ml-aws")
PARTITIONS = 3
PICTURES = 12


@dataclass
class World:
    """What stands around the stream."""

    kafka: Kafka
    s3: Any
    images: str
    environment: dict[str, str]
    directory: Path
    ml_port: int = field(default_factory=free_port)
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def stream(self) -> AbstractContextManager[Role]:
        log = self.directory / f"stream-{next(self.numbers)}"
        return running("stream", log, ML_ADDRESS=f"127.0.0.1:{self.ml_port}", **self.environment)

    def serve(self) -> AbstractContextManager[Role]:
        log = self.directory / f"serve-{next(self.numbers)}"
        return running("serve", log, GRPC_PORT=str(self.ml_port), INFERENCE_THREADS="1")

    def upload(self, key: str, body: bytes) -> None:
        self.s3.put_object(Bucket=self.images, Key=key, Body=body)

    def publish(self, *pins: PinEvent) -> None:
        for pin in pins:
            partition = pin.pin_id % PARTITIONS
            self.kafka.produce(
                "pins", pin.SerializeToString(), key=str(pin.pin_id).encode(), partition=partition
            )

    def embeddings(self) -> list[EmbeddingEvent]:
        return [EmbeddingEvent.FromString(message.value() or b"") for message in self.all("embeddings")]

    def all(self, topic: str) -> list[Message]:
        """What is in a topic now."""
        consumer = Consumer(
            {
                "bootstrap.servers": self.kafka.address,
                "group.id": "test",
                "log_level": 0,
                "enable.partition.eof": True,
            }
        )
        partitions = PARTITIONS if topic == "embeddings" else 1
        consumer.assign([TopicPartition(topic, number, 0) for number in range(partitions)])
        found: list[Message] = []
        ended = 0
        while ended < partitions:
            message = consumer.poll(30)
            assert message is not None
            if message.error() is not None:
                ended += 1
            else:
                found.append(message)
        consumer.close()
        return found


@pytest.fixture
def world(aws: Emulator, s3: Any, bucket: Callable[[], str], tmp_path: Path) -> Iterator[World]:
    with running_kafka(tmp_path / "kafka") as kafka:
        kafka.create("pins", PARTITIONS)
        kafka.create("embeddings", PARTITIONS)
        kafka.create("pins.dead-letter")
        images = bucket()
        environment = {
            **client_environment(aws.endpoint, REGION),
            "KAFKA_BOOTSTRAP_SERVERS": kafka.address,
            "KAFKA_SECURITY_PROTOCOL": "PLAINTEXT",
            "KAFKA_FETCH_WAIT_MS": "10",
            "IMAGES_BUCKET": images,
            "STREAM_CONCURRENCY": "4",
        }
        made = World(kafka, s3, images, environment, tmp_path)
        for number in range(PICTURES):
            made.upload(f"image-{number}", encoded(picture(number), "JPEG"))
        yield made


def pins(count: int, version: int = 1) -> list[PinEvent]:
    return [
        PinEvent(
            pin_id=number,
            version=version,
            image_key=f"image-{(number + version) % PICTURES}",
            title=f"Pin {number}",
        )
        for number in range(1, count + 1)
    ]


def expected(embedder: OnnxEmbedder, pin: PinEvent) -> Any:
    number = int(pin.image_key.removeprefix("image-"))
    return embedder.embed_images([embedder.prepare_image(encoded(picture(number), "JPEG"))])[0]


def test_killed_at_any_point_it_loses_no_pin(world: World, embedder: OnnxEmbedder) -> None:
    published = pins(150)
    with world.serve() as serve:
        serve.ready()
        world.publish(*published)
        with world.stream() as stream:
            until(lambda: len(world.embeddings()) >= 20)
            stream.kill()
        changed = pins(60, version=2)
        world.publish(*changed)
        with world.stream() as stream:
            wanted = {pin.pin_id: pin for pin in [*published, *changed]}

            def latest() -> dict[int, EmbeddingEvent] | None:
                kept: dict[int, EmbeddingEvent] = {}
                for event in world.embeddings():
                    if event.pin_id not in kept or kept[event.pin_id].version <= event.version:
                        kept[event.pin_id] = event
                complete = {pin_id: pin.version for pin_id, pin in wanted.items()} == {
                    pin_id: event.version for pin_id, event in kept.items()
                }
                return kept if complete else None

            kept = until(latest, seconds=60)
            assert stream.terminate() == 0
    for pin_id, event in kept.items():
        assert event.model_version == "default:1"
        assert np.frombuffer(event.vector, "<f4") == pytest.approx(
            expected(embedder, wanted[pin_id]), abs=1e-5
        )
    assert world.all("pins.dead-letter") == []
    assert world.kafka.committed("ml-stream", "pins", PARTITIONS) == len(published) + len(changed)
    keys = {message.key() for message in world.all("embeddings")}
    assert keys == {str(pin_id).encode() for pin_id in wanted}


def test_poison_is_parked_with_the_reason_and_the_stream_goes_on(world: World) -> None:
    world.upload("broken", b"this is no picture")
    bad = {
        101: PinEvent(pin_id=101, version=1, image_key="broken"),
        102: PinEvent(pin_id=102, version=1, image_key="never-uploaded"),
    }
    good = pins(20)
    with world.serve() as serve, world.stream() as stream:
        serve.ready()
        world.publish(*good[:10], *bad.values(), *good[10:])
        world.kafka.produce("pins", b"\xff\xff", key=b"103", partition=0)
        parked = world.kafka.records("pins.dead-letter", 3)
        until(lambda: len({event.pin_id for event in world.embeddings()}) == len(good))
        until(lambda: world.kafka.committed("ml-stream", "pins", PARTITIONS) == len(good) + 3)
        assert 'outcome="dead-letter"' in stream.operations("/metrics")[1]
    reasons = {
        message.key(): dict(message.headers() or [])["dead-letter-reason"].decode() for message in parked
    }
    assert reasons[b"101"].startswith("the image cannot be embedded: images[0]: the bytes are not a JPEG")
    assert reasons[b"102"] == "the image is not in the bucket: NoSuchKey"
    assert reasons[b"103"] == "the value is no PinEvent"
    assert next(each.value() for each in parked if each.key() == b"101") == bad[101].SerializeToString()


def test_without_the_ml_service_it_waits_and_parks_nothing(world: World) -> None:
    published = pins(10)
    world.publish(*published)
    with world.stream() as stream:
        stream.said("cannot handle records yet")
        assert stream.operations("/livez")[0] == 200
        with world.serve():
            until(lambda: len({event.pin_id for event in world.embeddings()}) == len(published), seconds=60)
    assert world.all("pins.dead-letter") == []
