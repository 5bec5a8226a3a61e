"""The thread that keeps a leaf's index in step with Kafka: read for a moment, index, commit, again.

One pass is one commit: what came within COMMIT_INTERVAL_MS becomes searchable together with the positions after
it. Records that cannot be indexed are parked in `<topic>.dead-letter` before their position is passed.
"""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from confluent_kafka import KafkaException
from prometheus_client import Gauge, Histogram

from services.common import logs, metrics
from services.common.kafka import DeadLetters, Record
from services.search.feed import Feed
from services.search.index import Index
from services.search.settings import LeafSettings

FRESHNESS: Final = Histogram(
    "search_freshness_seconds",
    "From a record's arrival in Kafka until it was searchable; only once the leaf had caught up.",
    ["topic"],
    buckets=(0.01, 0.02, 0.05, 0.08, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0, 10.0, 60.0),
)
LAG_SECONDS: Final = Gauge(
    "search_index_lag_seconds", "Age of the oldest record of the last commit, when it became searchable."
)
_BATCH: Final = 4_000
_RETRY_SECONDS: Final = 0.5
_log = logs.logger(__name__)


class Ingest:
    """Indexes until it is stopped.

    Args:
        index: what it writes to, as the only one.
        failed: is told when it cannot go on, so that the process ends and begins anew from what is durable.
    """

    def __init__(self, settings: LeafSettings, index: Index, failed: Callable[[str], None]) -> None:
        self._settings: Final = settings
        self._index: Final = index
        self._failed: Final = failed
        self._feed: Final = Feed(settings)
        self._dead_letters: Final = DeadLetters(settings)
        self._stopping: Final = threading.Event()
        self._thread: Final = threading.Thread(target=self._run, name="ingest", daemon=True)
        self._began = time.monotonic()
        self._problem: str | None = "not started"
        self._caught_up = False

    def start(self) -> None:
        """Begin."""
        self._began = time.monotonic()
        self._thread.start()

    def stop(self) -> None:
        """Finish the present pass, with its commit, and end."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def unready(self) -> str | None:
        """Why searches should not come here yet. Once caught up, a leaf stays ready: old answers beat none."""
        if self._caught_up:
            return None
        waited = time.monotonic() - self._began
        if self._problem is not None and waited > self._settings.patience_seconds and self._index.positions():
            return None
        return self._problem or "it is reading what was missed"

    @property
    def caught_up(self) -> bool:
        """Whether it ever had read all that there was."""
        return self._caught_up

    def _run(self) -> None:
        try:
            self._begin()
            while not self._stopping.is_set():
                self._pass()
        except _StoppedError:
            _log.warning("stopped before a record could be parked; it will be read again")
        except Exception as error:
            _log.exception("indexing failed")
            self._problem = f"indexing failed: {type(error).__name__}"
            self._failed("indexing failed")
        finally:
            self._feed.close()

    def _begin(self) -> None:
        """Find the partitions; without Kafka, try until it is there."""
        positions = self._index.positions()
        while not self._stopping.is_set():
            try:
                self._feed.start(positions)
            except KafkaException as error:
                self._problem = f"Kafka cannot be asked: {error.args[0].str()}"
                _log.warning("waiting for Kafka", reason=self._problem)
                self._stopping.wait(_RETRY_SECONDS)
            else:
                _log.info("indexing", positions=len(positions))
                return

    def _pass(self) -> None:
        records = self._feed.records(_BATCH, self._settings.commit_interval_ms / 1_000)
        if records:
            self._take(records)
        self._feed.check()
        self._problem = self._feed.problem
        if not self._caught_up:
            lag = self._feed.lag()
            self._caught_up = lag is not None and lag <= self._settings.caught_up_records
            if self._caught_up:
                _log.info("caught up", seconds=round(time.monotonic() - self._began, 3), lag=lag)

    def _take(self, records: Sequence[Record]) -> None:
        self._index.apply(records, self._feed.after(records), self._park)
        now = time.time() * 1_000
        ages = [max(0.0, now - record.timestamp_ms) / 1_000 for record in records]
        LAG_SECONDS.set(max(ages))
        for record, age in zip(records, ages, strict=True):
            metrics.KAFKA_RECORDS.labels(record.topic, "handled").inc()
            if self._caught_up:
                FRESHNESS.labels(record.topic).observe(age)

    def _park(self, record: Record, error: Exception) -> None:
        """Put it into its dead-letter topic; tried until Kafka has it, because the position passes it next."""
        _log.error(
            "a record is parked",
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            error=type(error).__name__,
        )
        metrics.KAFKA_RECORDS.labels(record.topic, "dead-letter").inc()
        while (failure := self._dead_letters.park(record, error)) is not None:
            _log.warning("cannot park a record yet", topic=record.topic, error=failure)
            if self._stopping.wait(_RETRY_SECONDS):
                raise _StoppedError


class _StoppedError(Exception):
    """The leaf ends before a record could be parked: its position is not passed, so it is read again."""
