"""The role `stream`: embeds the image of every new or changed pin, and tells search through `embeddings`.

It asks the role `serve` rather than running the model itself: search embeds its queries there too, so that both
are always by the same version, a new version comes to both at once, and only one Deployment needs GPUs. What it
costs is that each image crosses the network once more. Images are sent one by one, many at once: `serve` makes
batches of them, also with what others send.

Nothing is lost: an offset is committed after the brokers have acknowledged the embedding. What is embedded twice
has the same pin and version both times, and whoever keeps the highest version ends with the same.
"""

from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any, Final, Protocol

import grpc
from botocore.exceptions import BotoCoreError, ClientError
from google.protobuf.message import DecodeError

from services.api.events.v1 import events_pb2
from services.api.ml.v1 import ml_pb2, ml_pb2_grpc
from services.common import grpc_client
from services.common.kafka import PoisonedRecordError, Record, TransientError
from services.ml import metrics
from services.ml.pictures import MAX_BYTES

PINS: Final = "pins"
EMBEDDINGS: Final = "embeddings"
GROUP: Final = "ml-stream"
_REMEMBERED: Final = 200_000
"""Pins whose last image is remembered, about 50 MB."""
_BROKEN_OBJECT: Final = {"NoSuchKey", "404", "InvalidObjectState"}
"""Codes of S3 that say the object itself is the matter; any other may pass."""
_BROKEN_IMAGE: Final = {grpc.StatusCode.INVALID_ARGUMENT}


class Images(Protocol):
    """Where originals are."""

    def fetch(self, key: str) -> bytes:
        """Raises PoisonedRecordError when there is no such image, TransientError when it cannot be had now."""
        ...


class Embeddings(Protocol):
    """What makes vectors."""

    def embed(self, image: bytes) -> tuple[str, bytes]:
        """Model version and vector. Raises PoisonedRecordError for a broken image, else TransientError."""
        ...


class Events(Protocol):
    """Where embeddings go."""

    def send(self, events: Sequence[events_pb2.EmbeddingEvent]) -> None:
        """Return when all are acknowledged. Raises TransientError when one is not."""
        ...


@dataclass(frozen=True, slots=True)
class _Done:
    """The last image of a pin that was embedded, and told."""

    version: int
    image_key: str


class PinStream:
    """Handles batches of pin events. Called in one thread."""

    def __init__(self, images: Images, embeddings: Embeddings, events: Events, concurrency: int) -> None:
        self._images = images
        self._embeddings = embeddings
        self._events = events
        self._workers = ThreadPoolExecutor(concurrency, thread_name_prefix="embed")
        self._done: OrderedDict[int, _Done] = OrderedDict()
        self._last_offsets: dict[int, int] = {}
        """Of each partition's records that were handled."""

    def handle(self, records: Sequence[Record]) -> None:
        """Embed what is new. What works is told before what does not is raised, so that a batch that is tried
        again has only the rest to do."""
        self._forget_if_read_again(records)
        failures: list[Exception] = []
        pins: dict[int, events_pb2.PinEvent] = {}
        for record in records:
            try:
                pin = _parsed(record)
            except PoisonedRecordError as error:
                failures.append(error)
                continue
            known = pins.get(pin.pin_id)
            if known is None or known.version <= pin.version:
                pins[pin.pin_id] = pin
        wanted = [pin for pin in pins.values() if self._is_new(pin)]
        made: list[events_pb2.EmbeddingEvent] = []
        # Each in a copy of this context, so that calls belong to the records' trace.
        results = [self._workers.submit(copy_context().run, self._embedded, pin) for pin in wanted]
        for result in (each.result() for each in results):
            if isinstance(result, Exception):
                failures.append(result)
            else:
                made.append(result)
        if made:
            self._events.send(made)
            for event in made:
                self._remember(pins[event.pin_id])
        for failure in failures:
            metrics.embedded.labels("failed").inc()
            if not isinstance(failure, PoisonedRecordError):
                raise failure
        if failures:
            raise failures[0]
        for record in records:
            self._last_offsets[record.partition] = record.offset

    def close(self) -> None:
        """End the threads."""
        self._workers.shutdown()

    def _forget_if_read_again(self, records: Sequence[Record]) -> None:
        """Who sends what was handled already has lost it, and perhaps with it what was told of it: the brokers may
        have begun anew, without the embeddings."""
        if any(record.offset <= self._last_offsets.get(record.partition, -1) for record in records):
            self._done.clear()
            self._last_offsets.clear()

    def _is_new(self, pin: events_pb2.PinEvent) -> bool:
        """False for a pin that is gone, or whose image has been told of since: titles change more often."""
        if pin.deleted:
            self._done.pop(pin.pin_id, None)
            metrics.embedded.labels("deleted").inc()
            return False
        done = self._done.get(pin.pin_id)
        if done is not None and done.version <= pin.version and done.image_key == pin.image_key:
            metrics.embedded.labels("unchanged").inc()
            return False
        return True

    def _embedded(self, pin: events_pb2.PinEvent) -> events_pb2.EmbeddingEvent | Exception:
        event = events_pb2.EmbeddingEvent(pin_id=pin.pin_id, version=pin.version)
        if not pin.image_key:
            return event
        try:
            event.model_version, event.vector = self._embeddings.embed(self._images.fetch(pin.image_key))
        except Exception as error:  # judged by the caller, in its own thread
            return error
        return event

    def _remember(self, pin: events_pb2.PinEvent) -> None:
        metrics.embedded.labels("embedded" if pin.image_key else "without-image").inc()
        self._done[pin.pin_id] = _Done(pin.version, pin.image_key)
        self._done.move_to_end(pin.pin_id)
        if len(self._done) > _REMEMBERED:
            self._done.popitem(last=False)


def _parsed(record: Record) -> events_pb2.PinEvent:
    if record.value is None:
        raise PoisonedRecordError("a tombstone: deletions are PinEvents with deleted set")
    try:
        pin = events_pb2.PinEvent.FromString(record.value)
    except DecodeError:
        raise PoisonedRecordError("the value is no PinEvent") from None
    if pin.pin_id <= 0 or pin.version <= 0:
        raise PoisonedRecordError(f"pin_id {pin.pin_id} with version {pin.version}: both are above 0")
    return pin


class S3Images:
    """Originals in S3."""

    def __init__(self, s3: Any, bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    def fetch(self, key: str) -> bytes:
        """See `Images`."""
        try:
            found = self._s3.get_object(Bucket=self._bucket, Key=key)
            if found["ContentLength"] > MAX_BYTES:
                found["Body"].close()
                raise PoisonedRecordError(
                    f"the image has {found['ContentLength']} bytes, more than the {MAX_BYTES} that are taken"
                )
            return found["Body"].read()
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if code in _BROKEN_OBJECT:
                raise PoisonedRecordError(f"the image is not in the bucket: {code}") from None
            raise TransientError(f"S3: {code}") from error
        except (BotoCoreError, OSError) as error:
            raise TransientError(f"S3: {type(error).__name__}") from error


class MlEmbeddings:
    """Vectors of the role `serve`."""

    def __init__(self, channel: grpc.Channel, timeout_seconds: float) -> None:
        self._stub = ml_pb2_grpc.EmbeddingServiceStub(channel)
        self._timeout_seconds = timeout_seconds

    def embed(self, image: bytes) -> tuple[str, bytes]:
        """See `Embeddings`."""
        try:
            answer = self._stub.EmbedImages(
                ml_pb2.EmbedImagesRequest(images=[image]),
                timeout=self._timeout_seconds,
                metadata=tuple(grpc_client.metadata()),
            )
        except grpc.RpcError as error:
            code, details = error.code(), error.details()  # pyright: ignore[reportAttributeAccessIssue]
            if code in _BROKEN_IMAGE:
                raise PoisonedRecordError(f"the image cannot be embedded: {details}") from None
            raise TransientError(f"ml: {code.name}") from error
        return answer.model_version, answer.vectors[0]
