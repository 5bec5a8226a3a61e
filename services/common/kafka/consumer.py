"""The consumer's loop.

It hands over records in batches and notes their offsets only when they are handled (at least once: handlers are
idempotent). What can never be handled is parked in `<topic>.dead-letter`, and the stream goes on. What fails for
another reason is tried again, with back-off.
"""

import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from confluent_kafka import OFFSET_BEGINNING, KafkaError, KafkaException, TopicPartition
from confluent_kafka import Consumer as KafkaConsumer

from services.common import metrics, traces
from services.common.kafka.client import client_configuration
from services.common.kafka.dead_letters import DeadLetters
from services.common.kafka.records import DEAD_LETTER_SUFFIX, POISON, TRANSIENT, Record, from_message
from services.common.logs import logger
from services.common.settings import KafkaSettings

_STOP_SECONDS: Final = 0.1
_log = logger(__name__)
Handler = Callable[[Sequence[Record]], None]


class Consumer:
    """Reads topics in a thread of its own and hands the records to a handler, in batches.

    With a `group`, brokers share out the partitions and keep the offsets, which are committed every second and when
    it stops. With `assign`, it reads the partitions it is told from the offsets it is told, and the handler keeps
    them: after a batch, each partition's is its last record's offset and one.

    The handler gets records of one or more partitions, in order within each. It raises:

    - `PoisonedRecordError` or a decoding error: parked at once;
    - `TransientError`, `ConnectionError` or `TimeoutError` (or one of `transient`): tried again until it works;
    - anything else: tried `attempts` times, and parked then.

    When a batch fails for other than a transient reason its records are handled one by one, to find which it is:
    what was done of the batch is done again. A batch of which a part has been revoked goes on without that part.
    """

    def __init__(
        self,
        settings: KafkaSettings,
        handler: Handler,
        *,
        topics: Sequence[str] = (),
        group: str = "",
        assign: Mapping[tuple[str, int], int] | None = None,
        batch_records: int = 500,
        batch_seconds: float = 0.05,
        attempts: int = 5,
        backoff_seconds: float = 0.2,
        backoff_limit_seconds: float = 10.0,
        transient: tuple[type[Exception], ...] = (),
        on_failure: Callable[[str], None] | None = None,
        dead_letter_overrides: Mapping[str, Any] | None = None,
        **overrides: Any,
    ) -> None:
        """Nothing is read until `start`.

        Args:
            settings: how to reach the brokers.
            handler: called in the consumer's thread.
            topics: with `group`.
            group: consumer group's name.
            assign: the offset to begin with of each topic and partition; negative is the beginning.
            batch_records: a batch's size, at most.
            batch_seconds: for how long records are collected: what it adds to latency, at most.
            attempts: at a record that fails for unknown reasons.
            backoff_seconds: before the second attempt; twice as long before each further.
            backoff_limit_seconds: at most.
            transient: what the handler raises when what it needs is away.
            on_failure: told when the thread ends of an error: `lifetime.fail`.
            dead_letter_overrides: of librdkafka's configuration of the producer of dead letters.
            overrides: of librdkafka's configuration of the consumer.
        """
        if bool(group) == (assign is not None):
            raise ValueError("give either a group with topics, or assign")
        self.caught_up = threading.Event()
        """Set once the end of every partition was seen."""
        self._handler = handler
        self._topics = list(topics)
        self._assign = assign
        self._batch_records = batch_records
        self._batch_seconds = batch_seconds
        self._attempts = attempts
        self._backoff = (backoff_seconds, backoff_limit_seconds)
        self._transient = (*TRANSIENT, *transient)
        self._on_failure = on_failure
        self._configuration = {
            **client_configuration(settings),
            "group.id": group or f"{settings.service_name}-assigned",
            "enable.auto.commit": bool(group),
            "enable.auto.offset.store": False,
            "auto.commit.interval.ms": 1_000,
            "auto.offset.reset": "earliest",
            "enable.partition.eof": True,
            "fetch.wait.max.ms": settings.kafka_fetch_wait_ms,
            "partition.assignment.strategy": "cooperative-sticky",
            **overrides,
        }
        self._stopping = threading.Event()
        self._assigned: set[tuple[str, int]] = set()
        self._ends_seen: set[tuple[str, int]] = set()
        self._positions: dict[tuple[str, int], int] = {}
        self._dead_letters = DeadLetters(settings, dead_letter_overrides)
        self._thread = threading.Thread(target=self._run, name=f"kafka-{group or 'assigned'}", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the batch in hand, commit, leave the group, and return then."""
        self._stopping.set()
        self._thread.join()

    @property
    def running(self) -> bool:
        """Whether its thread lives."""
        return self._thread.is_alive()

    def positions(self) -> dict[tuple[str, int], int]:
        """Of each partition that something was handled of, the offset that comes next."""
        return dict(self._positions)

    def _run(self) -> None:
        try:
            consumer = KafkaConsumer(self._configuration)
        except Exception as error:
            self._failed(error)
            return
        try:
            if self._assign is None:
                consumer.subscribe(self._topics, on_assign=self._on_assign, on_revoke=self._on_revoke)
            else:
                self._assigned = set(self._assign)
                consumer.assign(
                    [
                        TopicPartition(topic, partition, offset if offset >= 0 else OFFSET_BEGINNING)
                        for (topic, partition), offset in self._assign.items()
                    ]
                )
                if not self._assign:
                    self.caught_up.set()
            while not self._stopping.is_set():
                self._take(consumer)
        except Exception as error:
            self._failed(error)
        finally:
            consumer.close()  # commits what was stored
            self._dead_letters.close()

    def _failed(self, error: Exception) -> None:
        _log.error("the consumer ended", exc_info=error)
        if self._on_failure is not None:
            self._on_failure(f"the Kafka consumer ended: {type(error).__name__}")

    def _take(self, consumer: KafkaConsumer) -> None:
        records: list[Record] = []
        ended: list[tuple[str, int]] = []
        for message in consumer.consume(self._batch_records, self._batch_seconds):
            error = message.error()
            if error is None:
                records.append(from_message(message))
            elif error.code() == KafkaError._PARTITION_EOF:
                ended.append((message.topic() or "", message.partition() or 0))
            elif error.fatal():
                raise KafkaException(error)
            else:
                _log.warning("Kafka", error=error.name(), topic=message.topic())
        if records:
            self._handle(consumer, records)
        if ended:
            self._ends_seen.update(ended)
            if self._assigned and self._assigned <= self._ends_seen:
                self.caught_up.set()
        self._report_lag(consumer, records, ended)

    def _handle(self, consumer: KafkaConsumer, records: list[Record]) -> bool:
        """Handle or park all of them; False when the consumer is told to stop before that."""
        failures = 0
        while records:
            try:
                with traces.records_span(records[0].topic, [record.headers for record in records]):
                    self._handler(records)
            except self._transient as error:
                failures += 1
                metrics.KAFKA_RETRIES.labels(records[0].topic).inc()
                _log.warning("cannot handle records yet", error=type(error).__name__, failures=failures)
            except Exception as error:
                if len(records) > 1:
                    return all(self._handle(consumer, [record]) for record in records)
                failures += 1
                if isinstance(error, POISON) or failures >= self._attempts:
                    return self._park(consumer, records[0], error)
                metrics.KAFKA_RETRIES.labels(records[0].topic).inc()
                _log.warning(
                    "a record failed", **_where(records[0]), error=type(error).__name__, failures=failures
                )
            else:
                self._done(consumer, records, "handled")
                return True
            if not self._back_off(consumer, failures):
                return False
            records = [record for record in records if (record.topic, record.partition) in self._assigned]
        return True

    def _park(self, consumer: KafkaConsumer, record: Record, error: Exception) -> bool:
        """Put it into the dead-letter topic; the stream goes on only when the brokers have it."""
        _log.error("a record is parked", **_where(record), error=type(error).__name__)
        failures = 0
        while True:
            failed = self._dead_letters.park(record, error)
            if failed is None:
                self._done(consumer, [record], "dead-letter")
                return True
            failures += 1
            metrics.KAFKA_RETRIES.labels(record.topic + DEAD_LETTER_SUFFIX).inc()
            _log.warning("cannot park a record yet", **_where(record), error=failed)
            if not self._back_off(consumer, failures):
                return False

    def _done(self, consumer: KafkaConsumer, records: list[Record], outcome: str) -> None:
        for record in records:
            key = (record.topic, record.partition)
            self._positions[key] = max(self._positions.get(key, 0), record.offset + 1)
            metrics.KAFKA_RECORDS.labels(record.topic, outcome).inc()
        if self._assign is None:
            touched = {(record.topic, record.partition) for record in records} & self._assigned
            consumer.store_offsets(
                offsets=[TopicPartition(*key, self._positions[key]) for key in sorted(touched)]
            )

    def _back_off(self, consumer: KafkaConsumer, failures: int) -> bool:
        """Wait, but stay a member of the group, which who does not poll is thrown out of. False: stop."""
        first, limit = self._backoff
        seconds = min(limit, first * 2 ** (failures - 1)) * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
        until = time.monotonic() + seconds
        consumer.pause(consumer.assignment())
        while (left := until - time.monotonic()) > 0 and not self._stopping.is_set():
            message = consumer.poll(min(left, _STOP_SECONDS))
            if message is not None and message.error() is None:  # of a partition assigned just now
                consumer.seek(
                    TopicPartition(message.topic() or "", message.partition() or 0, message.offset() or 0)
                )
        consumer.resume(consumer.assignment())
        return not self._stopping.is_set()

    def _on_assign(self, _: KafkaConsumer, partitions: list[TopicPartition]) -> None:
        self._assigned |= {(each.topic, each.partition) for each in partitions}
        if not self._assigned:  # more members than partitions
            self.caught_up.set()

    def _on_revoke(self, _: KafkaConsumer, partitions: list[TopicPartition]) -> None:
        gone = {(each.topic, each.partition) for each in partitions}
        self._assigned -= gone
        self._ends_seen -= gone
        for topic, partition in gone:
            self._positions.pop((topic, partition), None)
            metrics.KAFKA_LAG.labels(topic, str(partition)).set(0)

    def _report_lag(
        self, consumer: KafkaConsumer, records: Sequence[Record], ended: Sequence[tuple[str, int]]
    ) -> None:
        for topic, partition in {(record.topic, record.partition) for record in records} & self._assigned:
            _, end = consumer.get_watermark_offsets(TopicPartition(topic, partition), cached=True)
            lag = max(0, end - self._positions.get((topic, partition), 0))
            metrics.KAFKA_LAG.labels(topic, str(partition)).set(lag)
        for topic, partition in ended:
            metrics.KAFKA_LAG.labels(topic, str(partition)).set(0)


def _where(record: Record) -> dict[str, Any]:
    return {"topic": record.topic, "partition": record.partition, "offset": record.offset}
