"""The event of every change, written to the outbox in the transaction of the change.

Call `publish` when the changed row is locked by its INSERT or UPDATE: then the events of one key are numbered in the
order of its versions.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from google.protobuf.message import Message
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.api.events.v1.events_pb2 import GROUP_KIND_BOARD, BoardEvent, PinEvent, SaveEvent
from services.common import traces
from services.common.subjects import subject_key
from services.pin.models import OutboxEvent

PINS: Final = "pins"
BOARDS: Final = "boards"
SAVES: Final = "saves"
_ROWS_OF_A_STATEMENT: Final = 500
_insert: Final = insert(OutboxEvent)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

Columns = Mapping[str, Any]
"""A row by its columns' names: `row._mapping`, or what was inserted."""


@dataclass(frozen=True)
class Event:
    """What consumers are told: the whole state after the change."""

    topic: str
    key: int
    message: Message


def pin_changed(pin: Columns) -> Event:
    """Of a pin's columns after the change."""
    message = PinEvent(
        pin_id=pin["pin_id"],
        version=pin["version"],
        board_id=pin["board_id"],
        owner_id=pin["owner_id"],
        title=pin["title"],
        description=pin["description"],
        link=pin["link"],
        image_key=pin["image_key"],
        created_at_ms=milliseconds(pin["created_at"]),
    )
    return Event(PINS, message.pin_id, message)


def pin_deleted(pin_id: int, version: int) -> Event:
    """The pin is gone; `version` is that of its going."""
    return Event(PINS, pin_id, PinEvent(pin_id=pin_id, version=version, deleted=True))


def board_changed(board: Columns, country: str, subject: str) -> Event:
    """Of a board's columns after the change, and its owner's country and subject."""
    message = BoardEvent(
        board_id=board["board_id"],
        version=board["version"],
        owner_id=board["owner_id"],
        name=board["name"],
        description=board["description"],
        secret=board["secret"],
        country=country,
        kind=GROUP_KIND_BOARD,
        owner_key=subject_key(subject),
    )
    return Event(BOARDS, message.board_id, message)


def board_deleted(board_id: int, version: int) -> Event:
    """The board is gone; `version` is that of its going."""
    return Event(BOARDS, board_id, BoardEvent(board_id=board_id, version=version, deleted=True))


def saved(save: Columns) -> Event:
    """Of a save's columns after the change, whether it was put there or taken off."""
    message = SaveEvent(
        save_id=save["save_id"],
        version=save["version"],
        deleted=save["deleted"],
        pin_id=save["pin_id"],
        board_id=save["board_id"],
        user_id=save["user_id"],
        saved_at_ms=milliseconds(save["saved_at"]),
    )
    return Event(SAVES, message.pin_id, message)


async def publish(connection: AsyncConnection, *events: Event) -> None:
    """Write events to the outbox; they go to Kafka once the transaction commits."""
    headers: dict[str, str] = {}
    traces.inject(headers)
    now = datetime.now(UTC)
    rows = [
        {
            "id": str(uuid.uuid4()),
            "aggregatetype": event.topic,
            "aggregateid": str(event.key),
            "type": event.message.DESCRIPTOR.full_name,
            "payload": event.message.SerializeToString(),
            "traceparent": headers.get(traces.TRACEPARENT),
            "created_at": now,
        }
        for event in events
    ]
    for part in _parts(rows):
        await connection.execute(_insert, part)


def milliseconds(moment: datetime) -> int:
    """Since the epoch, exactly: a float would not do."""
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def _parts(rows: Sequence[dict[str, Any]]) -> list[Sequence[dict[str, Any]]]:
    return [rows[start : start + _ROWS_OF_A_STATEMENT] for start in range(0, len(rows), _ROWS_OF_A_STATEMENT)]
