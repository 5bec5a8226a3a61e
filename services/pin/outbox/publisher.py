"""Rows of the outbox as Kafka records, and which of them the brokers have acknowledged."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from services.common.logs import logger

_FLUSH_SECONDS: Final = 0.2
_SET_ASIDE_SECONDS: Final = 60.0

_OF_THE_TOPIC: Final = frozenset(
    {
        KafkaError._UNKNOWN_TOPIC,
        KafkaError._UNKNOWN_PARTITION,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError.TOPIC_EXCEPTION,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
    }
)
_OF_THE_RECORD: Final = frozenset({KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_RECORD})
_OF_THE_PRODUCER: Final = frozenset(
    {
        KafkaError._FATAL,
        KafkaError._FENCED,
        KafkaError.PRODUCER_FENCED,
        KafkaError.INVALID_PRODUCER_EPOCH,
        KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER,
        KafkaError.UNKNOWN_PRODUCER_ID,
    }
)
"""An idempotent producer does not survive these, and not each failed delivery says `fatal`."""
_log = logger(__name__)


class Waiting(NamedTuple):
    """A row of the outbox."""

    sequence: int
    id: str
    aggregatetype: str
    aggregateid: str
    type: str
    payload: bytes
    traceparent: str | None
    created_at: datetime


@dataclass
class SetAside:
    """What the brokers will not take, however often it is sent: the rest must not wait behind it.

    It stays in the table, is tried again from time to time, and `outbox_oldest_seconds` tells of it.
    """

    topics: dict[str, float] = field(default_factory=dict[str, float])
    sequences: dict[int, float] = field(default_factory=dict[int, float])

    def add(self, row: Waiting, error: KafkaError) -> None:
        """Leave it for a while, if it is that kind of error."""
        until = time.monotonic() + _SET_ASIDE_SECONDS
        if error.code() in _OF_THE_TOPIC:
            self.topics[row.aggregatetype] = until
        elif error.code() in _OF_THE_RECORD:
            self.sequences[row.sequence] = until

    def forget_old(self) -> None:
        """What has waited long enough is tried again."""
        now = time.monotonic()
        self.topics = {topic: until for topic, until in self.topics.items() if until > now}
        self.sequences = {sequence: until for sequence, until in self.sequences.items() if until > now}


class Publisher:
    """Sends rows and waits for the acknowledgements.

    Args:
        make_producer: an idempotent producer; called again after an error that one does not survive.
        stopping: set when the process ends: whatever is not acknowledged then stays in the table.
    """

    def __init__(self, make_producer: Callable[[], Producer], stopping: threading.Event) -> None:
        self._make_producer = make_producer
        self._producer = make_producer()
        self._stopping = stopping
        self._ended = False
        """The producer will never work again. Set from any thread."""
        self._failures: dict[tuple[str, str], list[str]] = {}
        """Of the present batch: ids of events by topic and error."""
        self.set_aside = SetAside()

    def renew(self) -> None:
        """The brokers do not know the producer any more: go on with another. From any thread."""
        self._ended = True

    def publish(self, rows: Sequence[Waiting]) -> list[int]:
        """Send rows, in their order. Returns the sequences of those that need not be sent again.

        A row behind one of the same key that failed is sent again with it, so that the last record of each key is
        its newest. Blocks until the brokers have answered for each, or the delivery timeout is over.
        """
        if self._ended:
            self._producer.purge()
            self._producer, self._ended = self._make_producer(), False
        acknowledged: set[int] = set()
        for row in rows:
            self._produce(row, acknowledged)
        try:
            while self._producer.flush(_FLUSH_SECONDS) and not (self._stopping.is_set() or self._ended):
                pass
        except KafkaException as raised:
            _log.error("the producer ended; another follows", error=raised.args[0].name())
            self._ended = True
        self._tell_failures()
        done: list[int] = []
        broken: set[tuple[str, str]] = set()
        for row in rows:
            key = (row.aggregatetype, row.aggregateid)
            if row.sequence in acknowledged and key not in broken:
                done.append(row.sequence)
            else:
                broken.add(key)
        return done

    def _produce(self, row: Waiting, acknowledged: set[int]) -> None:
        def delivered(error: KafkaError | None, _: Message) -> None:
            if error is None:
                acknowledged.add(row.sequence)
            else:
                self._failed(row, error)

        headers: list[tuple[str, str | bytes | None]] = [
            ("event-id", row.id.encode()),
            ("event-type", row.type.encode()),
        ]
        if row.traceparent:
            headers.append(("traceparent", row.traceparent.encode()))
        try:
            self._producer.produce(
                row.aggregatetype,
                row.payload,
                key=row.aggregateid.encode(),
                headers=headers,
                on_delivery=delivered,
            )
        except KafkaException as raised:
            self._failed(row, raised.args[0])

    def _failed(self, row: Waiting, error: KafkaError) -> None:
        self._failures.setdefault((row.aggregatetype, error.name()), []).append(row.id)
        self.set_aside.add(row, error)
        self._ended |= error.fatal() or error.code() in _OF_THE_PRODUCER

    def _tell_failures(self) -> None:
        """One line a kind: thousands of rows fail for the same reason."""
        for (topic, error), events in self._failures.items():
            _log.error(
                "not published",
                topic=topic,
                error=error,
                events=len(events),
                first_event_id=events[0],
                remedy="they stay in the outbox and are tried again",
            )
        self._failures.clear()
