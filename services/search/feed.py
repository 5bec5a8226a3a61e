"""A leaf's Kafka side: its own partitions, read from positions that the leaf itself keeps, without a group.

A position means something only in the log that it was read from. A topic that was deleted and made anew, or a
broker that lost everything (the emulated one does when it restarts), has a log in which the same number is
another record, or none: reading on there would lose records without any error. So positions carry the topic's id,
which Kafka gives at creation, and a position of another topic id counts as none. What was indexed before stays;
versions make reading the new log from its beginning safe.
"""

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from typing import Final, cast

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, TopicDescription  # pyright: ignore[reportPrivateImportUsage]
from prometheus_client import Counter

from services.common import kafka, logs, metrics
from services.common.kafka import Record
from services.search.settings import LeafSettings

PINS, BOARDS, SAVES, EMBEDDINGS = TOPICS = ("pins", "boards", "saves", "embeddings")
_SHARDED: Final = frozenset({PINS, SAVES, EMBEDDINGS})
"""Keyed by pin: shard i of N reads partitions p with p % N == i. All of the boards go to every leaf."""
Positions = Mapping[tuple[str, int], int]
"""The next offset, by `topic@topic id` and partition."""

BREAKS: Final = Counter(
    "search_log_breaks",
    "Positions that were no longer in Kafka's log, by why: replaced, truncated, expired.",
    ["topic", "reason"],
)
_ASK_SECONDS: Final = 10.0
_MISSING: Final = (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC)
_PASSING: Final = (
    KafkaError._ALL_BROKERS_DOWN,
    KafkaError._TRANSPORT,
    KafkaError._RESOLVE,
    *_MISSING,
)
"""librdkafka tries again by itself; `check` finds out what it is about."""
_log = logs.logger(__name__)


@dataclass(frozen=True)
class Source:
    """A partition of a topic as it is now."""

    topic: str
    partition: int
    topic_id: str

    @property
    def key(self) -> tuple[str, int]:
        """What its position is kept under."""
        return f"{self.topic}@{self.topic_id}", self.partition


class Feed:
    """Records of this shard, in order within a partition. Only one thread may use it."""

    def __init__(self, settings: LeafSettings) -> None:
        configuration = kafka.client_configuration(settings)
        self._settings: Final = settings
        self._consumer: Final = Consumer(
            {
                **configuration,
                "group.id": f"{settings.service_name}-unused",  # librdkafka asks for it, but nobody joins it
                "enable.auto.commit": False,
                "enable.auto.offset.store": False,
                "auto.offset.reset": "error",  # a position that is not there is for us to judge
                "fetch.wait.max.ms": self._settings.kafka_fetch_wait_ms,
                "queued.max.messages.kbytes": 32_768,
            }
        )
        self._admin: Final = AdminClient(configuration)
        self._sources: dict[tuple[str, int], Source] = {}
        self._next: dict[tuple[str, int], int] = {}
        self._asked: dict[str, Future[TopicDescription]] = {}
        self._asked_at = 0.0
        self.problem: str | None = "Kafka was not asked yet"
        """Why not all can be read now, as far as is known."""

    def start(self, positions: Positions) -> None:
        """Read on from `positions`. Raises KafkaException when Kafka cannot be asked now."""
        self._ask()
        _, waiting = wait(self._asked.values(), _ASK_SECONDS)
        if waiting:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
        self._understand(positions)

    def records(self, count: int, timeout_seconds: float) -> list[Record]:
        """What comes within the timeout, at most `count` records."""
        good: list[Record] = []
        for message in self._consumer.consume(count, timeout_seconds):
            error = message.error()
            at = cast("str", message.topic()), cast("int", message.partition())
            if error is None:
                self._next[at] = cast("int", message.offset()) + 1
                good.append(kafka.from_message(message))
            elif error.code() == KafkaError._AUTO_OFFSET_RESET and at in self._sources:
                self._begin_anew(self._sources[at])
            elif error.code() not in _PASSING:
                _log.warning("reading failed", topic=at[0], partition=at[1], error=error.str())
        return good

    def after(self, records: Sequence[Record]) -> dict[tuple[str, int], int]:
        """The positions after these records."""
        return {self._sources[each.topic, each.partition].key: each.offset + 1 for each in records}

    def check(self) -> None:
        """Now and then: are these still the topics that we read? Never waits."""
        now = time.monotonic()
        if self._asked and all(each.done() for each in self._asked.values()):
            try:
                self._understand({})
            except KafkaException as error:
                self.problem = f"Kafka cannot be asked: {error.args[0].str()}"
        elif not self._asked and now - self._asked_at >= self._settings.topic_check_seconds:
            self._ask()

    def lag(self) -> int | None:
        """Records that are left to read; None while that is not known of every partition."""
        left = [self._left(source) for source in self._sources.values()]
        for source, count in zip(self._sources.values(), left, strict=True):
            if count is not None:
                metrics.KAFKA_LAG.labels(source.topic, str(source.partition)).set(count)
        known = [count for count in left if count is not None]
        return sum(known) if self.problem is None and left and len(known) == len(left) else None

    def close(self) -> None:
        """Leave."""
        self._consumer.close()

    def _ask(self) -> None:
        self._asked_at = time.monotonic()
        timeout = max(1.0, self._settings.topic_check_seconds)
        self._asked = self._admin.describe_topics(TopicCollection(list(TOPICS)), request_timeout=timeout)

    def _understand(self, positions: Positions) -> None:
        """Take over what was answered: new partitions, and topics that were made anew."""
        asked, self._asked = self._asked, {}
        missing: list[str] = []
        changed = False
        for topic, answer in asked.items():
            try:
                found = answer.result(0)
            except KafkaException as error:
                if error.args[0].code() not in _MISSING:
                    raise
                missing.append(topic)
                continue
            changed |= self._take_over(found, positions)
        self.problem = f"there is no topic {', '.join(missing)} yet" if missing else None
        if changed:
            self._assign()

    def _take_over(self, found: TopicDescription, positions: Positions) -> bool:
        """The partitions of ours in a topic as it is now; whether any is new."""
        topic, topic_id = found.name, str(found.topic_id)
        of_shard = [
            Source(topic, each.id, topic_id)
            for each in found.partitions
            if topic not in _SHARDED or each.id % self._settings.shards == self._settings.shard
        ]
        new = [each for each in of_shard if self._sources.get((topic, each.partition)) != each]
        read_before = {source.topic_id for source in self._sources.values() if source.topic == topic}
        read_before |= {key.partition("@")[2] for key, _ in positions if key.partition("@")[0] == topic}
        if new and read_before and topic_id not in read_before:
            BREAKS.labels(topic, "replaced").inc()
            _log.error(
                "this topic is not the one that was read before: it was made anew, or the broker lost it. What is "
                "indexed stays, and the new log is read from its beginning",
                topic=topic,
                topic_id=topic_id,
            )
        for source in new:
            self._sources[topic, source.partition] = source
            self._next[topic, source.partition] = positions.get(source.key, OFFSET_BEGINNING)
        return bool(new)

    def _begin_anew(self, source: Source) -> None:
        """The position is outside of the log: retention was shorter than we were away, or the log was cut."""
        at = source.topic, source.partition
        low, _ = self._consumer.get_watermark_offsets(TopicPartition(*at), timeout=_ASK_SECONDS)
        reason = "expired" if self._next[at] < low else "truncated"
        BREAKS.labels(source.topic, reason).inc()
        _log.error(
            "the position is not in Kafka's log any more: reading from the log's beginning. Changes between may be "
            "missing until the things they were about change again, or are published anew",
            topic=source.topic,
            partition=source.partition,
            position=self._next[at],
            log_begins=low,
            reason=reason,
        )
        self._next[at] = OFFSET_BEGINNING
        self._assign()

    def _assign(self) -> None:
        self._consumer.assign([TopicPartition(*at, offset) for at, offset in self._next.items()])

    def _left(self, source: Source) -> int | None:
        at = source.topic, source.partition
        # What the last fetch brought along: exact, and costs nothing.
        low, high = self._consumer.get_watermark_offsets(TopicPartition(*at), cached=True)
        if high < 0:
            return None
        return max(0, high - (max(low, 0) if self._next[at] == OFFSET_BEGINNING else self._next[at]))
