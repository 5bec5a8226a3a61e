"""What a topic carries, what may be wrong with it, and how it looks in the dead-letter topic."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import msgspec
from confluent_kafka import TIMESTAMP_NOT_AVAILABLE, Message
from google.protobuf.message import DecodeError

DEAD_LETTER_SUFFIX: Final = ".dead-letter"
_REASON_CHARACTERS: Final = 500


class PoisonedRecordError(Exception):
    """A record that can never be handled, however often it is tried. The message says why, without its content."""


class TransientError(Exception):
    """What the handler needs is away: the same records may work later. Tried until it does."""


POISON: Final = (PoisonedRecordError, DecodeError, msgspec.DecodeError, UnicodeDecodeError)
TRANSIENT: Final = (TransientError, ConnectionError, TimeoutError)


@dataclass(frozen=True, slots=True)
class Record:
    """What a topic carries."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    """None is a tombstone."""
    headers: Mapping[str, bytes]
    timestamp_ms: int
    """Milliseconds since the epoch, of its producer; 0 when unknown."""


def from_message(message: Message) -> Record:
    """A message of confluent-kafka that is no error."""
    headers: dict[str, bytes] = {}
    for name, value in message.headers() or ():
        if value is not None:
            headers[name] = value.encode() if isinstance(value, str) else value
    kind, milliseconds = message.timestamp()
    key, value = message.key(), message.value()
    return Record(
        message.topic() or "",
        message.partition() or 0,
        message.offset() or 0,
        key.encode() if isinstance(key, str) else key,
        value.encode() if isinstance(value, str) else value,
        headers,
        0 if kind == TIMESTAMP_NOT_AVAILABLE else milliseconds,
    )


def dead_letter_headers(
    record: Record, error: Exception, service: str
) -> list[tuple[str, str | bytes | None]]:
    """The record's own, and why, where and by whom it was parked."""
    return [
        *record.headers.items(),
        ("dead-letter-error", type(error).__name__.encode()),
        ("dead-letter-reason", str(error)[:_REASON_CHARACTERS].encode(errors="replace")),
        ("dead-letter-topic", record.topic.encode()),
        ("dead-letter-partition", str(record.partition).encode()),
        ("dead-letter-offset", str(record.offset).encode()),
        ("dead-letter-service", service.encode()),
    ]
