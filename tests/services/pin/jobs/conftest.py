"""SQS and S3 of the emulator, a database with `scheduled_jobs`, and workers in processes of their own."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import boto3
import pytest
from sqlalchemy import Row, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from emulator.process import Emulator, client_environment
from services.pin.database import Database
from services.pin.jobs.broker import JobsBroker
from services.pin.jobs.dispatcher import Dispatcher
from services.pin.jobs.schedule import Priority, schedule
from services.pin.jobs.settings import WorkerSettings
from services.pin.migrations import migrate
from services.pin.models import Board, OutboxEvent, Pin, ScheduledJob, User
from services.pin.settings import PinDatabaseSettings

ROOT = Path(__file__).parents[4]
REGION = "eu-west-1"
BUCKET = "pinwheel-test-images"
QUEUES = ("high", "default", "low", "dead-letter")
T = TypeVar("T")


@dataclass
class Cloud:
    """An emulated account with the bucket of images."""

    emulator: Emulator

    @property
    def variables(self) -> dict[str, str]:
        return {**client_environment(self.emulator.endpoint, REGION), "IMAGES_BUCKET": BUCKET}

    def client(self, service: str) -> Any:
        names = {"AWS_ACCESS_KEY_ID": "aws_access_key_id", "AWS_SECRET_ACCESS_KEY": "aws_secret_access_key"}
        credentials = {names[name]: value for name, value in self.variables.items() if name in names}
        return boto3.client(service, endpoint_url=self.emulator.endpoint, region_name=REGION, **credentials)


@pytest.fixture(scope="session")
def cloud() -> Iterator[Cloud]:
    with Emulator("210987654321", REGION) as emulator:
        made = Cloud(emulator)
        made.client("s3").create_bucket(
            Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION}
        )
        yield made


@dataclass
class Queues:
    """The four queues, as infrastructure makes them."""

    sqs: Any
    prefix: str
    urls: dict[str, str] = field(default_factory=dict)

    def create(self, *, receives: int = 10) -> None:
        for name in reversed(QUEUES):
            made = self.sqs.create_queue(QueueName=f"{self.prefix}-{name}")
            self.urls[name] = made["QueueUrl"]
        dead = self.sqs.get_queue_attributes(QueueUrl=self.urls["dead-letter"], AttributeNames=["QueueArn"])
        policy = {"deadLetterTargetArn": dead["Attributes"]["QueueArn"], "maxReceiveCount": receives}
        for name in QUEUES[:3]:
            self.sqs.set_queue_attributes(
                QueueUrl=self.urls[name], Attributes={"RedrivePolicy": json.dumps(policy)}
            )

    def count(self, name: str) -> int:
        """Messages that are there, whoever holds them."""
        found = self.sqs.get_queue_attributes(QueueUrl=self.urls[name], AttributeNames=["All"])["Attributes"]
        return sum(int(found[f"ApproximateNumberOfMessages{kind}"]) for kind in ("", "NotVisible", "Delayed"))


@pytest.fixture
def absent_queues(cloud: Cloud) -> Queues:
    """Queues that nobody has made yet."""
    return Queues(cloud.client("sqs"), f"pinwheel-test-{uuid4().hex[:8]}")


@pytest.fixture
def queues(absent_queues: Queues) -> Queues:
    absent_queues.create()
    return absent_queues


class Store:
    """A migrated database."""

    def __init__(self, directory: Path) -> None:
        self.url = f"sqlite+aiosqlite:///{directory / 'pin.db'}"
        self.settings = PinDatabaseSettings(database_url=self.url)
        self.runner = asyncio.Runner()
        self.runner.run(migrate(self.settings))
        self.database = self.runner.run(self._open())

    async def _open(self) -> Database:
        return Database(self.settings)

    def write(self, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
        return self.runner.run(self.database.write(work))  # pyright: ignore[reportArgumentType]

    def rows(self, query: Any) -> list[Row[Any]]:
        return list(self.runner.run(self.database.rows(query)))

    def schedule(
        self, name: str, priority: Priority = Priority.DEFAULT, at: datetime | None = None, **arguments: str
    ) -> str:
        return self.write(lambda connection: schedule(connection, name, arguments, priority, at))

    def send_due(self, variables: dict[str, str]) -> int:
        """What a worker's dispatcher does once."""
        with pytest.MonkeyPatch.context() as patch:
            for name, value in variables.items():
                patch.setenv(name, value)
            settings = WorkerSettings()  # pyright: ignore[reportCallIssue]
            dispatcher = Dispatcher(self.database, JobsBroker(settings), settings)
            return self.runner.run(dispatcher.send_due())

    def scheduled(self) -> list[str]:
        return [row.job_id for row in self.rows(select(ScheduledJob.job_id))]

    def pin(self, pin_id: int) -> Any:
        [row] = self.rows(select(*Pin.__table__.c).where(Pin.pin_id == pin_id))
        return row

    def events(self) -> list[Row[Any]]:
        return self.rows(select(OutboxEvent.aggregateid, OutboxEvent.payload).order_by(OutboxEvent.sequence))

    def create_pin(self, pin_id: int, image_key: str) -> None:
        """A pin that has an image, with the job for it."""
        now = datetime.now(UTC)
        history = {"version": 1, "deleted": False, "created_at": now, "updated_at": now}

        async def work(connection: AsyncConnection) -> None:
            user = {"user_id": pin_id, "subject": f"s{pin_id}", "username": f"u{pin_id}", "country": "DE"}
            board = {"board_id": pin_id, "owner_id": pin_id, "name": "b", "description": "", "secret": False}
            pin = {"pin_id": pin_id, "board_id": pin_id, "owner_id": pin_id, "title": "t", "link": ""}
            await connection.execute(insert(User).values({**user, **history}))
            await connection.execute(insert(Board).values({**board, **history}))
            about = {"description": "", "image_key": image_key}
            await connection.execute(insert(Pin).values({**pin, **about, **history}))
            await schedule(connection, "thumbnails", {"pin_id": str(pin_id)}, Priority.HIGH)

        self.write(work)

    def close(self) -> None:
        self.runner.run(self.database.close())
        self.runner.close()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path)
    yield opened
    opened.close()


@dataclass
class Workers:
    """Starts them, and ends what is left. What test jobs did stands in a file."""

    directory: Path
    variables: dict[str, str]
    started: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def diary(self) -> Path:
        return self.directory / "diary"

    def entries(self) -> list[str]:
        return self.diary.read_text().splitlines() if self.diary.exists() else []

    def log(self, number: int = 0) -> str:
        return (self.directory / f"worker-{number}.log").read_text()

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`python -m services.pin ...` to its end."""
        return subprocess.run(
            [sys.executable, "-m", "services.pin", *arguments],
            env=self._environment({}),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def start(self, program: str = "services.pin", *arguments: str, **more: str) -> subprocess.Popen[bytes]:
        with (self.directory / f"worker-{len(self.started)}.log").open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", program, *arguments],
                env=self._environment(more),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        self.started.append(process)
        return process

    def start_test_jobs(self, **more: str) -> subprocess.Popen[bytes]:
        """A worker with the jobs of `worker_of_test_jobs.py`."""
        return self.start("tests.services.pin.jobs.worker_of_test_jobs", **more)

    def _environment(self, more: dict[str, str]) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        ours = {
            "PYTHONPATH": str(ROOT),
            "OPERATIONS_PORT": "0",
            "SHUTDOWN_DRAIN_SECONDS": "0",
            "JOBS_WAIT_SECONDS": "1",
            "JOBS_RETRY_FIRST_SECONDS": "0.01",
            "TEST_DIARY": str(self.diary),
        }
        return {**kept, **ours, **self.variables, **more}


@pytest.fixture
def workers(tmp_path: Path, cloud: Cloud, store: Store, absent_queues: Queues) -> Iterator[Workers]:
    variables = {"DATABASE_URL": store.url, "JOBS_QUEUE_PREFIX": absent_queues.prefix}
    started = Workers(tmp_path, {**cloud.variables, **variables})
    yield started
    for process in started.started:
        process.kill()
        process.wait()
