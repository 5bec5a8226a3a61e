"""From the table `scheduled_jobs` to SQS, when a job is due.

A job is leased (due later, for whoever comes by), sent, and deleted: no transaction waits for SQS, a worker that dies
in between leaves the job to another, and while SQS cannot be reached jobs stay in the table. A job that is sent
twice has the same id, and is idempotent.
"""

import asyncio
import contextlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from dramatiq import Message
from prometheus_client import Gauge
from sqlalchemy import Row, delete, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.common.logs import logger
from services.pin.database import Database, DatabaseUnavailable
from services.pin.jobs.broker import JobsBroker
from services.pin.jobs.settings import WorkerSettings
from services.pin.models import ScheduledJob

_BATCH: Final = 32
_RETRY_SECONDS: Final = 1.0

OLDEST_SECONDS = Gauge("scheduled_jobs_late_seconds", "How long the job that waits longest has been due.")
_log = logger(__name__)


class Dispatcher:
    """Of one worker; several share the table."""

    def __init__(self, database: Database, broker: JobsBroker, settings: WorkerSettings) -> None:
        self._database = database
        self._broker = broker
        self._settings = settings
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Have `run` end when what was leased is settled: else it would be sent twice."""
        self._stopping.set()

    async def run(self) -> None:
        """Until it is stopped."""
        while not self._stopping.is_set():
            try:
                found = await self.send_due()
            except DatabaseUnavailable as error:
                _log.warning("jobs wait for the database", reason=str(error))
                await self._pause(_RETRY_SECONDS)
                continue
            except Exception:  # nothing may end it but its end
                _log.exception("jobs could not be sent")
                await self._pause(_RETRY_SECONDS)
                continue
            if found < _BATCH:
                await self._pause(self._settings.jobs_poll_seconds)

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)

    async def send_due(self) -> int:
        """Send what is due, some of it at once; returns how many were sent. Raises DatabaseUnavailable."""
        jobs = await self._database.write(self._lease)
        now = datetime.now(UTC)
        OLDEST_SECONDS.set(max(((now - job.due_at).total_seconds() for job in jobs), default=0.0))
        if not jobs:
            return 0
        sent = await asyncio.gather(*(asyncio.to_thread(self._send, job) for job in jobs))
        done = [job.job_id for job, was_sent in zip(jobs, sent, strict=True) if was_sent]
        failed = [job.job_id for job, was_sent in zip(jobs, sent, strict=True) if not was_sent]

        async def settle(connection: AsyncConnection) -> None:
            if done:
                await connection.execute(delete(ScheduledJob).where(ScheduledJob.job_id.in_(done)))
            if failed:
                soon = now + timedelta(seconds=_RETRY_SECONDS)
                await connection.execute(
                    update(ScheduledJob).where(ScheduledJob.job_id.in_(failed)).values(due_at=soon)
                )

        await self._database.write(settle)
        return len(done)

    async def _lease(self, connection: AsyncConnection) -> list[Row[*tuple[Any, ...]]]:
        now = datetime.now(UTC)
        query = (
            select(*ScheduledJob.__table__.c)
            .where(ScheduledJob.due_at <= now)
            .order_by(ScheduledJob.due_at)
            .limit(_BATCH)
            .with_for_update(skip_locked=True)
        )
        jobs = list(await connection.execute(query))
        if jobs:
            until = now + timedelta(seconds=self._settings.jobs_lease_seconds)
            taken = ScheduledJob.job_id.in_([job.job_id for job in jobs])
            await connection.execute(update(ScheduledJob).where(taken).values(due_at=until))
        return jobs

    def _send(self, job: Row[*tuple[Any, ...]]) -> bool:
        try:
            self._broker.enqueue(
                Message(
                    queue_name=job.queue,
                    actor_name=f"{job.name}.{job.queue}",
                    args=(),
                    kwargs=json.loads(job.arguments),
                    options={},
                    message_id=job.job_id,
                )
            )
        except Exception as error:
            _log.warning(
                "a job stays in the table", job=job.name, job_id=job.job_id, error=type(error).__name__
            )
            return False
        return True
