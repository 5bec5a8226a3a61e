"""The role `work`: jobs from the table to SQS, and from SQS into threads that do them.

dramatiq's threads take the messages; what a job does is a coroutine on the process's event loop, where the database's
connections are, and the thread waits for it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, NoReturn

from dramatiq import Actor, Worker

from services.common import aws
from services.common.lifetime import Lifetime, run
from services.common.settings import load
from services.pin.database import Database
from services.pin.jobs.broker import PRIORITIES, JobsBroker
from services.pin.jobs.dispatcher import Dispatcher
from services.pin.jobs.removal import drop_upload, remove_images
from services.pin.jobs.schedule import DROP_UPLOAD, REMOVE_IMAGES, THUMBNAILS
from services.pin.jobs.settings import WorkerSettings
from services.pin.jobs.thumbnails import Bucket, make_thumbnails

Job = Callable[..., Awaitable[None]]
"""Called with a job's arguments; raises to be tried again."""

_IDLE_MILLISECONDS: Final = 200


def main() -> NoReturn:
    """The role: `python -m services.pin work`."""
    settings = load(WorkerSettings)
    run(settings, lambda lifetime: start(lifetime, settings))


async def start(lifetime: Lifetime, settings: WorkerSettings) -> None:
    """Do jobs until the process is told to end."""
    database = Database(settings)
    lifetime.on_stop("database", database.close)
    watching = asyncio.create_task(database.watch())

    async def stop_watching() -> None:
        watching.cancel()
        await asyncio.wait({watching})

    lifetime.on_stop("database watch", stop_watching)
    bucket = Bucket(aws.client("s3"), settings.images_bucket)

    async def thumbnails(pin_id: str) -> None:
        await make_thumbnails(database, bucket, int(pin_id))

    async def images(pin_id: str, image_key: str) -> None:
        await remove_images(database, bucket, int(pin_id), image_key)

    async def upload(upload_id: str, image_key: str) -> None:
        await drop_upload(database, bucket, int(upload_id), image_key)

    jobs = {THUMBNAILS: thumbnails, REMOVE_IMAGES: images, DROP_UPLOAD: upload}
    await start_jobs(lifetime, settings, database, jobs)


async def start_jobs(
    lifetime: Lifetime, settings: WorkerSettings, database: Database, jobs: Mapping[str, Job]
) -> None:
    """Send, take and do these jobs until the process is told to end."""
    broker = JobsBroker(settings)
    declare(broker, jobs, asyncio.get_running_loop(), settings.jobs_time_limit_seconds)
    lifetime.operations.ready_when("database", lambda: database.unavailable)
    lifetime.operations.ready_when("queues", broker.missing_queues)
    dispatcher = Dispatcher(database, broker, settings)
    dispatching = asyncio.create_task(dispatcher.run())

    async def stop_dispatcher() -> None:
        dispatcher.stop()
        await dispatching

    lifetime.on_stop("dispatcher", stop_dispatcher)
    worker = Worker(broker, worker_threads=settings.jobs_threads, worker_timeout=_IDLE_MILLISECONDS)
    worker.start()
    lifetime.on_stop("worker", lambda: worker.stop(timeout=int(lifetime.seconds_left() * 1000)))


def declare(
    broker: JobsBroker, jobs: Mapping[str, Job], loop: asyncio.AbstractEventLoop, time_limit_seconds: float
) -> None:
    """Make dramatiq's actors: one of each job and priority, `<job>.<priority>`."""
    for name, job in jobs.items():
        for rank, priority in enumerate(PRIORITIES):
            Actor(
                _waiting(job, loop, time_limit_seconds),
                broker=broker,
                actor_name=f"{name}.{priority.value}",
                queue_name=priority.value,
                priority=rank,
                options={},
            )


def _waiting(job: Job, loop: asyncio.AbstractEventLoop, seconds: float) -> Callable[..., None]:
    def wait(**arguments: Any) -> None:
        async def within_limit() -> None:
            async with asyncio.timeout(seconds):
                await job(**arguments)

        asyncio.run_coroutine_threadsafe(within_limit(), loop).result()

    return wait
