"""The role `relay`: what stands in the table `outbox` goes to Kafka, and is deleted when the brokers have it.

No row is lost: it is deleted only after its acknowledgement (acks=all), and a row is looked for by its presence, not by
a position: one that a slow transaction commits behind later ones is found all the same.

Consumers see each event once: the producer is idempotent, and what is sent twice nevertheless (the process died between
acknowledgement and deletion, or a new leader took over) has the same `event-id` and the same version in its
payload. A consumer keeps the highest version of each key and drops what is not above it.

Of one key, the last record is the newest: rows are numbered while the changed row is locked, one relay works at a
time (`leadership`), and what failed is sent again together with what came after it.
"""

import asyncio
import time
from datetime import UTC, datetime
from typing import Final

from confluent_kafka.admin import AdminClient  # pyright: ignore[reportPrivateImportUsage]
from prometheus_client import Counter, Gauge
from sqlalchemy import delete, func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.common import kafka
from services.common.lifetime import Lifetime
from services.common.logs import logger
from services.pin.database import Database
from services.pin.engines import create_engine
from services.pin.models import OutboxEvent
from services.pin.outbox.leadership import leadership
from services.pin.outbox.publisher import Publisher, Waiting
from services.pin.outbox.republishing import Republisher
from services.pin.outbox.settings import RelaySettings

_FULL_LOOK_SECONDS: Final = 5.0
_LATE_ROWS: Final = 10_000
"""Rows that a slow transaction may be behind and still be found at once; what is further behind is found by the
next full look. Looking from the start each time would pass over every deleted row that MySQL has not purged yet,
of which a long transaction elsewhere (a backup) leaves millions."""
_COUNTED_ROWS: Final = 100_000
_IDLE_GROWTH: Final = 1.5
_RETRY_SECONDS: Final = 1.0

_PRODUCER: Final = {"topic.metadata.propagation.max.ms": 1_000, "delivery.timeout.ms": 20_000}
"""What is for an unknown topic is set aside soon: the rest of its batch waits for the answer. All answers are there
before the database ends the session of a leader that was silent."""

PUBLISHED = Counter("outbox_published", "Events that Kafka has acknowledged.", ["topic"])
ROWS = Gauge("outbox_rows", "Events that wait to be published (the leader knows), counted up to 100,000.")
OLDEST_SECONDS = Gauge("outbox_oldest_seconds", "Age of the oldest event that waits (the leader knows).")

_log = logger(__name__)
_columns: Final = (
    OutboxEvent.sequence,
    OutboxEvent.id,
    OutboxEvent.aggregatetype,
    OutboxEvent.aggregateid,
    OutboxEvent.type,
    OutboxEvent.payload,
    OutboxEvent.traceparent,
    OutboxEvent.created_at,
)


async def start(lifetime: Lifetime, settings: RelaySettings) -> None:
    """Be the relay until the process is told to end."""
    engine = create_engine(settings, autocommit=True)
    lifetime.on_stop("database", engine.dispose)
    database = Database(settings)
    lifetime.on_stop("database of republishing", database.close)
    admin = AdminClient(kafka.client_configuration(settings))
    publisher = Publisher(lambda: kafka.producer(settings, **_PRODUCER), lifetime.stopping)
    republisher = Republisher(database, admin, settings.relay_topic_check_seconds, publisher.renew)
    relay = Relay(engine, publisher, republisher, settings)
    lifetime.operations.ready_when("relay", lambda: relay.trouble)
    task = asyncio.create_task(relay.run())

    async def stop() -> None:
        task.cancel()
        await asyncio.wait({task})

    lifetime.on_stop("relay", stop)


class Relay:
    """Leads when it can, and publishes while it leads."""

    def __init__(
        self, engine: AsyncEngine, publisher: Publisher, republisher: Republisher, settings: RelaySettings
    ) -> None:
        self._engine = engine
        self._publisher = publisher
        self._republisher = republisher
        self._settings = settings
        self._oldest: datetime | None = None
        self._last_sequence = 0
        self._full_look_at = 0.0
        self.trouble: str | None = "it has not reached the database yet"
        """Why nothing is published, None when all is well: leading, or waiting for the leader to end."""
        OLDEST_SECONDS.set_function(self._oldest_seconds)

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            try:
                async with leadership(self._engine, self._waits) as connection:
                    _log.info("leads")
                    self._full_look_at = 0.0
                    republishing = asyncio.create_task(self._republisher.run())
                    try:
                        await self._publish_all(connection)
                    finally:
                        republishing.cancel()
                        await asyncio.wait({republishing})
            except (SQLAlchemyError, OSError, TimeoutError) as error:
                self.trouble = f"the database does not answer: {type(error).__name__}"
                _log.warning("leads no longer", reason=self.trouble)
            except Exception as error:  # nothing may end the relay but its end
                self.trouble = f"it failed: {type(error).__name__}"
                _log.exception("failed")
            self._oldest = None
            await asyncio.sleep(_RETRY_SECONDS)

    def _waits(self) -> None:
        self.trouble = None

    async def _publish_all(self, connection: AsyncConnection) -> None:
        poll = self._settings.relay_poll_milliseconds
        wait = poll
        while True:
            async with asyncio.timeout(self._settings.database_timeout_seconds):
                waiting = await self._read(connection)
            done = await asyncio.to_thread(self._publisher.publish, waiting) if waiting else []
            if done:
                async with asyncio.timeout(self._settings.database_timeout_seconds):
                    await connection.execute(delete(OutboxEvent).where(OutboxEvent.sequence.in_(done)))
                self._count_published(waiting, set(done))
            self.trouble = None if len(done) == len(waiting) else "Kafka does not take what is sent"
            wait = poll if done else min(wait * _IDLE_GROWTH, self._settings.relay_idle_poll_milliseconds)
            if len(done) < self._settings.relay_batch:
                await asyncio.sleep(wait / 1000)

    async def _read(self, connection: AsyncConnection) -> list[Waiting]:
        aside = self._publisher.set_aside
        aside.forget_old()
        query = select(*_columns).order_by(OutboxEvent.sequence).limit(self._settings.relay_batch)
        full = time.monotonic() >= self._full_look_at
        if full:
            await self._measure(connection)
            self._full_look_at = time.monotonic() + _FULL_LOOK_SECONDS
        else:
            query = query.where(OutboxEvent.sequence > self._last_sequence - _LATE_ROWS)
        if aside.topics:
            query = query.where(OutboxEvent.aggregatetype.not_in(sorted(aside.topics)))
        if aside.sequences:
            query = query.where(OutboxEvent.sequence.not_in(sorted(aside.sequences)))
        found = [Waiting._make(row) for row in await connection.execute(query)]
        if found and self._oldest is None:
            self._oldest = found[0].created_at
        return found

    def _count_published(self, waiting: list[Waiting], done: set[int]) -> None:
        self._last_sequence = max(self._last_sequence, *done)
        for row in waiting:
            if row.sequence in done:
                PUBLISHED.labels(row.aggregatetype).inc()
        aside = self._publisher.set_aside
        if len(done) == len(waiting) and not aside.topics and not aside.sequences:
            self._oldest = None

    async def _measure(self, connection: AsyncConnection) -> None:
        """What is set aside counts, too."""
        some = select(OutboxEvent.sequence).limit(_COUNTED_ROWS).subquery()
        ROWS.set(await connection.scalar(select(func.count()).select_from(some)) or 0)
        first = select(OutboxEvent.created_at).order_by(OutboxEvent.sequence).limit(1)
        self._oldest = await connection.scalar(first)

    def _oldest_seconds(self) -> float:
        oldest = self._oldest
        return 0.0 if oldest is None else (datetime.now(UTC) - oldest).total_seconds()
