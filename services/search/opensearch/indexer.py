"""Fills OpenSearch from Kafka: the role `index`, in consumer group `search-opensearch`.

What a batch of records comes to goes to `_bulk`; offsets are committed when OpenSearch has it. Every action may be
repeated (see `documents`), so that a batch of which a part failed is sent again as a whole.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NoReturn

from google.protobuf.message import DecodeError, Message
from opensearchpy import OpenSearch
from opensearchpy.exceptions import OpenSearchException, RequestError, TransportError
from opensearchpy.helpers import streaming_bulk

from services.api.events.v1.events_pb2 import BoardEvent, EmbeddingEvent, PinEvent, SaveEvent
from services.common import kafka, lifetime
from services.common.kafka import PoisonedRecordError, Record, TransientError
from services.common.lifetime import Lifetime
from services.common.settings import load
from services.search.opensearch.client import bulk_client
from services.search.opensearch.documents import (
    Action,
    group_action,
    pin_action,
    save_action,
    vector_action,
)
from services.search.opensearch.indexes import Indexes
from services.search.opensearch.settings import IndexerSettings

GROUP: Final = "search-opensearch"
TOPICS: Final = ("pins", "boards", "saves", "embeddings")
_MAX_CHUNK_BYTES: Final = 8 * 1024 * 1024
"""Amazon OpenSearch takes 10 MiB at once on its smallest instances."""
_CONFLICT: Final = 409
_TOO_MANY_REQUESTS: Final = 429
_SERVER_ERROR: Final = 500
_EXISTS: Final = "resource_already_exists_exception"


class Indexer:
    """Handles batches of records. Called in one thread.

    Args:
        client: of the domain.
        indexes: names.
        dimension: of vectors.
        model_version: vectors of others are passed over; empty takes all.
    """

    def __init__(
        self, client: OpenSearch, indexes: Indexes, *, dimension: int, model_version: str = ""
    ) -> None:
        self._client = client
        self._indexes = indexes
        self._dimension = dimension
        self._model_version = model_version
        self._actions: Mapping[str, Callable[[bytes], Action | None]] = {
            "pins": lambda value: pin_action(_parsed(PinEvent(), value), indexes),
            "boards": lambda value: group_action(_parsed(BoardEvent(), value), indexes),
            "saves": lambda value: save_action(_parsed(SaveEvent(), value), indexes),
            "embeddings": self._vector_action,
        }

    def create_indexes(self, *, shards: int, replicas: int) -> None:
        """Make the indexes that are not there. One that is there stays as it is."""
        bodies = self._indexes.bodies(shards=shards, replicas=replicas, dimension=self._dimension)
        for name, body in bodies.items():
            try:
                self._client.indices.create(index=name, body=body)
            except RequestError as error:
                if error.error != _EXISTS:
                    raise

    def handle(self, records: Sequence[Record]) -> None:
        """Index them. Raises PoisonedRecordError for one that never will be, TransientError when it may be later."""
        actions = [action for record in records if (action := self._action(record)) is not None]
        try:
            results = list(
                streaming_bulk(
                    self._client,
                    actions,
                    chunk_size=max(1, len(actions)),
                    max_chunk_bytes=_MAX_CHUNK_BYTES,
                    raise_on_error=False,
                )
            )
        except OpenSearchException as error:
            status = error.status_code if isinstance(error, TransportError) else type(error).__name__
            raise TransientError(f"OpenSearch: {status}") from error
        failed = [_Failure(item) for succeeded, item in results if not succeeded]
        refused = [failure for failure in failed if failure.is_refusal]
        if any(failure.is_transient for failure in failed):
            raise TransientError(f"OpenSearch: {len(failed)} of {len(actions)} actions failed")
        if refused:
            raise PoisonedRecordError(f"OpenSearch refuses it: {refused[0].kind}")

    def _action(self, record: Record) -> Action | None:
        if record.value is None:
            raise PoisonedRecordError("a tombstone: deletions are events with deleted set")
        return self._actions[record.topic](record.value)

    def _vector_action(self, value: bytes) -> Action | None:
        event = _parsed(EmbeddingEvent(), value)
        if event.vector and self._model_version not in ("", event.model_version):
            return None
        return vector_action(event, self._indexes, self._dimension)


class _Failure:
    """What `_bulk` says of an action that did not succeed."""

    def __init__(self, item: Mapping[str, Any]) -> None:
        outcome = next(iter(item.values()))
        self.status: Final = int(outcome.get("status", _SERVER_ERROR))
        error = outcome.get("error")
        self.kind: Final = str(error.get("type")) if isinstance(error, Mapping) else str(error)
        self._of_update = "update" in item

    @property
    def is_transient(self) -> bool:
        """Worth another try: too busy, or an update that lost against another too often."""
        if self.status == _CONFLICT:
            return self._of_update
        return self.status in {_TOO_MANY_REQUESTS, 404} or self.status >= _SERVER_ERROR

    @property
    def is_refusal(self) -> bool:
        """Never to succeed. A conflict of versions is none: something newer is there already."""
        return not self.is_transient and self.status != _CONFLICT


def _parsed(event: Message, value: bytes) -> Any:
    try:
        event.ParseFromString(value)
    except DecodeError:
        raise PoisonedRecordError(f"the value is no {event.DESCRIPTOR.name}") from None
    return event


def run() -> NoReturn:
    """Index until SIGTERM."""
    settings = load(IndexerSettings)

    async def start(life: Lifetime) -> None:
        client = bulk_client(settings)
        life.on_stop("opensearch", client.close)
        indexer = Indexer(
            client,
            Indexes(settings.opensearch_prefix),
            dimension=settings.embedding_dimension,
            model_version=settings.embedding_model_version,
        )
        indexer.create_indexes(shards=settings.opensearch_shards, replicas=settings.opensearch_replicas)
        consumer = kafka.Consumer(
            settings, indexer.handle, topics=TOPICS, group=GROUP, batch_seconds=0.2, on_failure=life.fail
        )
        life.operations.alive_when("consumer", lambda: None if consumer.running else "its thread has ended")
        consumer.start()
        life.on_stop("consumer", consumer.stop)

    lifetime.run(settings, start)
