"""What one leaf keeps: the search index and the forward index, changed together by what Kafka brings."""

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from google.protobuf.message import DecodeError

from services.api.events.v1.events_pb2 import BoardEvent, EmbeddingEvent, PinEvent, SaveEvent
from services.common import logs
from services.common.kafka import PoisonedRecordError, Record
from services.search.engine.engine import Engine
from services.search.engine.types import (
    Change,
    ChangeError,
    EngineSettings,
    GroupChanged,
    GroupKind,
    PinChanged,
    VectorChanged,
)
from services.search.feed import BOARDS, EMBEDDINGS, PINS, SAVES
from services.search.forward import ForwardEvent, ForwardIndex
from services.search.settings import LeafSettings

ENGINE, FORWARD = "engine", "forward"
_ABOUT: Final = "about.json"
_LARGEST: Final = 2**63 - 1
_log = logs.logger(__name__)


class UnusableIndexError(Exception):
    """What is in the directory is of another shard or kind than this leaf should serve; the message says what."""


Park = Callable[[Record, Exception], None]
"""Puts a record that cannot be indexed where people look; returns when it is safe there."""


class Index:
    """An open index in a directory. One thread applies; any read."""

    def __init__(self, engine: Engine, forward: ForwardIndex, model_version: str) -> None:
        self.engine: Final = engine
        self.forward: Final = forward
        self._model_version: Final = model_version

    @classmethod
    def open(cls, settings: LeafSettings) -> "Index":
        """Open what is in the settings' directory, or begin an empty one.

        Raises UnusableIndexError, and whatever the engines raise on files that are damaged.
        """
        directory = settings.index_directory
        directory.mkdir(parents=True, exist_ok=True)
        about = {
            "shard": settings.shard,
            "shards": settings.shards,
            "dimension": settings.embedding_dimension,
            "model_version": settings.embedding_model_version,
        }
        noted = directory / _ABOUT
        if noted.exists():
            found = json.loads(noted.read_text(encoding="utf-8"))
            if found != about:
                raise UnusableIndexError(
                    f"the index in {directory} is of {found}; this leaf should serve {about}"
                )
        engine = Engine.open(
            directory / ENGINE,
            EngineSettings(
                dimension=settings.embedding_dimension,
                vector_index=settings.vector_index,
                vector_encoding=settings.vector_encoding,
            ),
        )
        try:
            forward = ForwardIndex(directory / FORWARD)
        except BaseException:
            engine.close()
            raise
        noted.write_text(json.dumps(about), encoding="utf-8")
        return cls(engine, forward, settings.embedding_model_version)

    @staticmethod
    def clear(directory: Path) -> None:
        """Remove what `open` would open."""
        for name in (ENGINE, FORWARD):
            shutil.rmtree(directory / name, ignore_errors=True)
        (directory / _ABOUT).unlink(missing_ok=True)

    def positions(self) -> dict[tuple[str, int], int]:
        """From where Kafka must be read: what both indexes have; what only one knows is read again."""
        engine, forward = self.engine.positions(), self.forward.positions()
        return {key: min(offset, forward[key]) for key, offset in engine.items() if key in forward}

    def apply(self, records: Sequence[Record], positions: Mapping[tuple[str, int], int], park: Park) -> None:
        """Index the records, park those that cannot be, and note the positions after them.

        Durable and searchable when it returns. A crash before leaves positions from which the same records are
        read again, which changes nothing (versions).
        """
        changes: list[tuple[Record, Change | None, ForwardEvent | None]] = []
        for record in records:
            try:
                changes.append((record, *self._decode(record)))
            except PoisonedRecordError as error:
                park(record, error)
        try:
            self.engine.apply([change for _, change, _ in changes if change is not None], positions)
        except ChangeError:  # nothing was touched: find out which it was
            changes = self._apply_one_by_one(changes, park)
            self.engine.apply([], positions)
        self.forward.apply([event for _, _, event in changes if event is not None], positions)
        self.engine.commit()

    def close(self) -> None:
        """Close both; what was applied is durable."""
        self.forward.close()
        self.engine.close()

    def _apply_one_by_one(
        self, changes: list[tuple[Record, Change | None, ForwardEvent | None]], park: Park
    ) -> list[tuple[Record, Change | None, ForwardEvent | None]]:
        """Those that could be applied; the others are parked."""
        good: list[tuple[Record, Change | None, ForwardEvent | None]] = []
        for record, change, event in changes:
            try:
                if change is not None:
                    self.engine.apply([change], {})
                good.append((record, change, event))
            except ChangeError as error:
                park(record, error)
        return good

    def _decode(self, record: Record) -> tuple[Change | None, ForwardEvent | None]:
        """What a record means for each of the indexes. Raises PoisonedRecordError."""
        if record.value is None:  # a tombstone says nothing that the event before it did not
            return None, None
        try:
            return _DECODERS[record.topic](record.value, self._model_version)
        except DecodeError:
            raise PoisonedRecordError(f"the value is no message of topic {record.topic}") from None


def _pin(value: bytes, _: str) -> tuple[Change | None, ForwardEvent | None]:
    event = PinEvent.FromString(value)
    return PinChanged(
        event.pin_id, event.version, event.board_id, event.title, event.description, event.deleted
    ), event


def _board(value: bytes, _: str) -> tuple[Change | None, ForwardEvent | None]:
    event = BoardEvent.FromString(value)
    try:
        kind = GroupKind(event.kind) or GroupKind.BOARD
    except ValueError:
        raise PoisonedRecordError(f"kind is {event.kind}, which is none that this version knows") from None
    return GroupChanged(
        group_id=event.board_id,
        version=event.version,
        owner_id=event.owner_id,
        name=event.name,
        description=event.description,
        country=event.country,
        kind=kind,
        secret=event.secret,
        reader=event.owner_key,
        deleted=event.deleted,
    ), event


def _save(value: bytes, _: str) -> tuple[Change | None, ForwardEvent | None]:
    event = SaveEvent.FromString(value)
    for name, number in (("save_id", event.save_id), ("pin_id", event.pin_id), ("version", event.version)):
        if not 0 < number <= _LARGEST and not (name == "version" and number == 0):
            raise PoisonedRecordError(f"{name} is {number}; expected a whole number above 0")
    return None, event


def _embedding(value: bytes, model_version: str) -> tuple[Change | None, ForwardEvent | None]:
    event = EmbeddingEvent.FromString(value)
    if model_version and event.vector and event.model_version != model_version:
        return None, None
    return VectorChanged(event.pin_id, event.version, event.vector or None), None


_Decoder = Callable[[bytes, str], tuple[Change | None, ForwardEvent | None]]
_DECODERS: Final[dict[str, _Decoder]] = {PINS: _pin, BOARDS: _board, SAVES: _save, EMBEDDINGS: _embedding}
