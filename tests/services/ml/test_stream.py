"""What the stream does with pin events, whatever order they come in; no broker, no S3."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import grpc
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from hypothesis import given, settings
from hypothesis import strategies as st

from services.api.events.v1.events_pb2 import EmbeddingEvent, PinEvent
from services.common.kafka import PoisonedRecordError, Record, TransientError
from services.ml.stream import MlEmbeddings, PinStream, S3Images


@dataclass
class World:
    """Images by key, a model that repeats them, and a topic. Each may be away, or broken in a place."""

    images: dict[str, bytes] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    away: set[str] = field(default_factory=set)
    topic_away: bool = False
    fetched: list[str] = field(default_factory=list)
    sent: list[EmbeddingEvent] = field(default_factory=list)

    def fetch(self, key: str) -> bytes:
        self.fetched.append(key)
        if key in self.away:
            raise TransientError("S3: SlowDown")
        if key in self.broken:
            raise PoisonedRecordError("the image is not in the bucket: NoSuchKey")
        return self.images.get(key, key.encode())

    def embed(self, image: bytes) -> tuple[str, bytes]:
        return "model:1", b"vector of " + image

    def send(self, events: Sequence[EmbeddingEvent]) -> None:
        if self.topic_away:
            raise TransientError("Kafka: 1 of 1 embeddings were not acknowledged")
        self.sent.extend(events)

    def latest(self) -> dict[int, EmbeddingEvent]:
        """What a reader keeps: the highest version of each pin."""
        kept: dict[int, EmbeddingEvent] = {}
        for event in self.sent:
            if event.pin_id not in kept or kept[event.pin_id].version <= event.version:
                kept[event.pin_id] = event
        return kept


def stream(world: World) -> PinStream:
    return PinStream(world, world, world, concurrency=4)


def record(value: bytes | None, offset: int = 0) -> Record:
    return Record("pins", 0, offset, b"1", value, {}, 0)


def pin(pin_id: int, version: int = 1, image: str = "a", **more: object) -> Record:
    event = PinEvent(pin_id=pin_id, version=version, image_key=image, **more)  # pyright: ignore[reportArgumentType]
    return record(event.SerializeToString(), version)


def test_each_image_is_embedded_with_its_pin_s_version() -> None:
    world = World()
    stream(world).handle([pin(1, 3, "a"), pin(2, 1, "b")])
    assert sorted(world.sent, key=lambda event: event.pin_id) == [
        EmbeddingEvent(pin_id=1, version=3, model_version="model:1", vector=b"vector of a"),
        EmbeddingEvent(pin_id=2, version=1, model_version="model:1", vector=b"vector of b"),
    ]


def test_a_pin_without_an_image_has_no_vector_from_then_on() -> None:
    world = World()
    stream(world).handle([pin(1, 2, "")])
    assert world.sent == [EmbeddingEvent(pin_id=1, version=2)]
    assert world.fetched == []


def test_another_title_is_no_work() -> None:
    world = World()
    handler = stream(world)
    handler.handle([pin(1, 1, "a", title="Chair")])
    handler.handle([pin(1, 2, "a", title="Red chair")])
    assert world.fetched == ["a"]
    handler.handle([pin(1, 3, "b", title="Red chair")])
    assert world.latest()[1].vector == b"vector of b"


def test_what_comes_again_after_it_was_handled_is_told_again() -> None:
    """The brokers have lost it, and perhaps with it what was told of it."""
    world = World()
    handler = stream(world)
    handler.handle([pin(1, 1, "a"), pin(1, 2, "a", title="Red chair")])
    assert len(world.sent) == 1
    handler.handle([replace(pin(1, 2, "a", title="Red chair"), offset=0)])
    assert len(world.sent) == 2
    assert world.latest()[1].vector == b"vector of a"


def test_deleted_pins_need_no_vector() -> None:
    world = World()
    stream(world).handle([pin(1, 2, "", deleted=True)])
    assert world.sent == []


def test_of_several_changes_in_a_batch_only_the_last_counts() -> None:
    world = World()
    stream(world).handle([pin(1, 1, "a"), pin(1, 3, "c"), pin(1, 2, "b")])
    assert world.fetched == ["c"]


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        (record(b"\xff\xff no protobuf"), "no PinEvent"),
        (record(None), "tombstone"),
        (record(PinEvent(pin_id=0, version=1).SerializeToString()), "above 0"),
        (pin(9, 1, "missing"), "NoSuchKey"),
    ],
)
def test_a_poisoned_record_is_told_and_the_others_of_its_batch_are_done(bad: Record, told: str) -> None:
    world = World(broken={"missing"})
    handler = stream(world)
    records = [replace(each, offset=offset) for offset, each in enumerate([pin(1), bad, pin(2)])]
    with pytest.raises(PoisonedRecordError, match=told):
        handler.handle(records)
    assert sorted(world.latest()) == [1, 2]
    # The consumer's loop handles them one by one then; what was done is not done again.
    handler.handle(records[:1])
    with pytest.raises(PoisonedRecordError, match=told):
        handler.handle(records[1:2])
    handler.handle(records[2:])
    assert world.fetched.count("a") == 2


def test_what_is_away_is_waited_for_and_never_parked() -> None:
    world = World(away={"later"}, broken={"missing"})
    handler = stream(world)
    with pytest.raises(TransientError):
        handler.handle([pin(1, 1, "a"), pin(2, 1, "later"), pin(3, 1, "missing")])
    assert sorted(world.latest()) == [1]
    world.away.clear()
    world.fetched.clear()
    with pytest.raises(PoisonedRecordError):
        handler.handle([pin(1, 1, "a"), pin(2, 1, "later"), pin(3, 1, "missing")])
    assert sorted(world.latest()) == [1, 2]
    assert "a" not in world.fetched


def test_what_the_brokers_did_not_acknowledge_is_done_again() -> None:
    world = World(topic_away=True)
    handler = stream(world)
    with pytest.raises(TransientError):
        handler.handle([pin(1)])
    world.topic_away = False
    handler.handle([pin(1)])
    assert sorted(world.latest()) == [1]


histories = st.lists(
    st.tuples(st.integers(1, 4), st.sampled_from(["a", "b", "c", ""])), min_size=1, max_size=15
)


@settings(deadline=None, max_examples=60)
@given(histories, st.data())
def test_repeats_and_restarts_converge_to_each_pin_s_last_image(
    changes: list[tuple[int, str]], data: st.DataObject
) -> None:
    """At least once, in order: any record may be the point to which a restarted stream goes back."""
    versions: dict[int, int] = {}
    records: list[Record] = []
    expected: dict[int, bytes] = {}
    for pin_id, image in changes:
        versions[pin_id] = versions.get(pin_id, 0) + 1
        records.append(pin(pin_id, versions[pin_id], image))
        expected[pin_id] = f"vector of {image}".encode() if image else b""
    world = World()
    handler, at = stream(world), 0
    for _ in range(data.draw(st.integers(0, 4), label="interruptions")):
        end = data.draw(st.integers(at, len(records)), label="read up to")
        handler.handle(records[at:end])
        at = data.draw(st.integers(0, end), label="go on from")
        if data.draw(st.booleans(), label="in a new process"):
            handler = stream(world)
    handler.handle(records[at:])
    assert {pin_id: event.vector for pin_id, event in world.latest().items()} == expected


class Bucket:
    """An S3 client that fails."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def get_object(self, **_: str) -> None:
        raise self._error


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ClientError({"Error": {"Code": "NoSuchKey"}}, "GetObject"), PoisonedRecordError),
        (ClientError({"Error": {"Code": "SlowDown"}}, "GetObject"), TransientError),
        (ClientError({"Error": {"Code": "AccessDenied"}}, "GetObject"), TransientError),
        (EndpointConnectionError(endpoint_url="http://127.0.0.1:1"), TransientError),
        (ConnectionResetError(), TransientError),
    ],
)
def test_what_s3_says_is_the_image_s_fault_or_passes(error: Exception, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        S3Images(Bucket(error), "images").fetch("a")


def test_an_ml_service_that_is_away_is_waited_for() -> None:
    with grpc.insecure_channel("127.0.0.1:1") as channel, pytest.raises(TransientError, match="UNAVAILABLE"):
        MlEmbeddings(channel, timeout_seconds=5).embed(b"image")
