"""A broker, a MySQL server, and relays in processes of their own."""

import asyncio
import itertools
import json
import os
import signal
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pymysql
import pytest
from confluent_kafka import Consumer, Message, TopicPartition
from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from emulator.backing import Backing
from emulator.kafka.broker.tansu import Tansu
from emulator.kafka.server import RealBrokers
from emulator.rds import mariadb
from emulator.rds.database_server import DatabaseServer
from emulator.rds.real import Credential
from services.api.events.v1.events_pb2 import PinEvent
from services.common.settings import KafkaSettings
from services.pin.database import Database
from services.pin.migrations import migrate
from services.pin.models import OutboxEvent
from services.pin.outbox.publisher import Waiting
from services.pin.settings import PinDatabaseSettings
from tests.waiting import until

ROOT = Path(__file__).parents[4]
MASTER = Credential("pinwheel_admin", "only-for-tests-of-the-relay")
PARTITIONS = 4
_CLUSTER = {"ClusterArn": "arn:events", "ClusterName": "events", "ClusterType": "SERVERLESS"}


def declared(topic: str) -> dict[str, Any]:
    """What MSK's API says of a topic."""
    return {"TopicName": topic, "PartitionCount": PARTITIONS, "ReplicationFactor": 3, "Configs": ""}


@dataclass
class Broker:
    """A real broker."""

    brokers: RealBrokers
    address: str

    @property
    def settings(self) -> KafkaSettings:
        return KafkaSettings(kafka_bootstrap_servers=self.address, kafka_security_protocol="PLAINTEXT")

    def declare(self, topic: str) -> None:
        self.brokers.declare_topic(_CLUSTER, declared(topic))

    @contextmanager
    def silent(self) -> Generator[None]:
        """It accepts connections and answers nothing, as a broker whose disk or network hangs."""
        process = self.brokers.broker("arn:events")
        assert isinstance(process, Tansu)
        os.kill(process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(process.pid, signal.SIGCONT)


@pytest.fixture(scope="session")
def outbox_backing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backing]:
    backing = Backing(tmp_path_factory.mktemp("outbox"), "http://127.0.0.1:1", "210987654321", "eu-west-1")
    yield backing
    backing.stop()


@pytest.fixture(scope="session")
def broker(outbox_backing: Backing) -> Broker:
    brokers = RealBrokers(
        outbox_backing, lambda name, port, watcher: Tansu(name, port, outbox_backing, watcher)
    )
    outbox_backing.at_stop(brokers.stop)
    brokers.create_cluster(_CLUSTER, "eu-west-1", b"")
    return Broker(brokers, brokers.addresses(_CLUSTER, "eu-west-1")["BootstrapBrokerStringSaslIam"][0])


@pytest.fixture
def topic(broker: Broker) -> str:
    """A new one, which takes the place of `pins`."""
    name = f"pins-{uuid4().hex[:8]}"
    broker.declare(name)
    return name


@pytest.fixture(scope="session")
def mysql_server(outbox_backing: Backing) -> DatabaseServer:
    try:
        program = mariadb.find()
    except mariadb.MariaDbError as error:
        pytest.skip(f"{error}; CI installs mariadb-server-core")
    server = DatabaseServer(outbox_backing, program, "outbox", MASTER, "pin")
    server.start()
    outbox_backing.at_stop(lambda: server.stop(remove=True))
    server.wait()
    return server


@pytest.fixture
def mysql(mysql_server: DatabaseServer, tmp_path: Path) -> dict[str, str]:
    """Variables that lead to an empty database of the server."""
    name = f"pin_{uuid4().hex[:8]}"
    with mysql_server.connect(MASTER, autocommit=True) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
    secret = tmp_path / "database.json"
    host, port = mysql_server.address
    about = {"engine": "mysql", "host": host, "port": port, "dbname": name}
    secret.write_text(json.dumps({**about, "username": MASTER.username, "password": MASTER.password}))
    return {
        "DATABASE_SECRET_FILE": str(secret),
        "DATABASE_CA_FILE": str(mysql_server.certificate_authority),
    }


@pytest.fixture
def sqlite(tmp_path: Path) -> dict[str, str]:
    return {"DATABASE_URL": f"sqlite+aiosqlite:///{tmp_path / 'pin.db'}"}


@pytest.fixture(params=["sqlite", "mysql"])
def variables(request: pytest.FixtureRequest) -> dict[str, str]:
    """Of a database, each kind in turn."""
    return request.getfixturevalue(request.param)


class Outbox:
    """A migrated database, written to as the API does: each event with the next version of its key."""

    def __init__(self, variables: dict[str, str], topic: str) -> None:
        self.topic = topic
        self.settings = PinDatabaseSettings.model_validate(
            {name.lower(): value for name, value in variables.items()}
        )
        self.versions: dict[int, int] = {}
        self.runner = asyncio.Runner()
        self.runner.run(migrate(self.settings))
        self.database = self.runner.run(self._open())

    async def _open(self) -> Database:
        return Database(self.settings)

    def write(self, *pins: int, topic: str = "", title: str = "") -> None:
        """One transaction with an event of each pin."""
        rows = [self._row(pin, topic or self.topic, title) for pin in pins]

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(insert(OutboxEvent).values(rows))

        self.runner.run(self.database.write(work))

    def _row(self, pin: int, topic: str, title: str) -> dict[str, Any]:
        self.versions[pin] = version = self.versions.get(pin, 0) + 1
        event = PinEvent(pin_id=pin, version=version, title=title)
        return {
            "id": str(uuid4()),
            "aggregatetype": topic,
            "aggregateid": str(pin),
            "type": "services.api.events.v1.PinEvent",
            "payload": event.SerializeToString(),
            "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "created_at": datetime.now(UTC),
        }

    def waiting(self) -> list[str]:
        """Event ids in the table."""
        query = select(OutboxEvent.id).order_by(OutboxEvent.sequence)
        return [row.id for row in self.runner.run(self.database.rows(query))]

    def rows(self) -> list[Waiting]:
        """What a relay reads."""
        columns = [getattr(OutboxEvent, name) for name in Waiting._fields]
        found = self.runner.run(self.database.rows(select(*columns).order_by(OutboxEvent.sequence)))
        return [Waiting._make(row) for row in found]

    def empty(self) -> bool:
        return not self.waiting()

    def close(self) -> None:
        self.runner.run(self.database.close())
        self.runner.close()


@pytest.fixture
def outbox(variables: dict[str, str], topic: str) -> Iterator[Outbox]:
    opened = Outbox(variables, topic)
    yield opened
    opened.close()


@dataclass
class RelayProcess:
    """`python -m services.pin relay`, as its Deployment starts it."""

    process: subprocess.Popen[bytes]
    log: Path

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]

    def said(self, event: str) -> bool:
        return any(line.get("event") == event for line in self.lines())

    @property
    def operations(self) -> str:
        """Base URL."""
        address = until(
            lambda: next(
                (line["address"] for line in self.lines() if line["event"] == "operations listen"), None
            )
        )
        return f"http://{address}"

    def metric(self, name: str) -> float:
        text = httpx.get(f"{self.operations}/metrics").text
        return float(next(line.split()[-1] for line in text.splitlines() if line.startswith(f"{name} ")))

    def kill(self) -> None:
        """kill -9"""
        self.process.kill()
        self.process.wait()


@dataclass
class Relays:
    """Starts them, and ends what is left."""

    directory: Path
    numbers: Iterator[int] = field(default_factory=itertools.count)
    started: list[RelayProcess] = field(default_factory=list)

    def start(self, variables: dict[str, str], address: str, **more: str) -> RelayProcess:
        log = self.directory / f"relay-{next(self.numbers)}.log"
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
            "PYTHONPATH": str(ROOT),
            "OPERATIONS_PORT": "0",
            "SERVICE_NAME": "pin-relay",
            "KAFKA_BOOTSTRAP_SERVERS": address,
            "KAFKA_SECURITY_PROTOCOL": "PLAINTEXT",
            **variables,
            **more,
        }
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "services.pin", "relay"],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        self.started.append(RelayProcess(process, log))
        return self.started[-1]


@pytest.fixture
def relays(tmp_path: Path) -> Iterator[Relays]:
    relays = Relays(tmp_path)
    yield relays
    for each in relays.started:
        each.kill()


class Reader:
    """Reads a topic from its start."""

    def __init__(self, address: str, topic: str) -> None:
        self.consumer = Consumer({"bootstrap.servers": address, "group.id": "test", "log_level": 0})
        self.consumer.assign([TopicPartition(topic, number, 0) for number in range(PARTITIONS)])
        self.messages: list[Message] = []

    def read(self) -> list[Message]:
        """What has come until now."""
        self.messages += self.consumer.consume(1000, timeout=0.05)
        return self.messages

    def events(self) -> list[PinEvent]:
        return [PinEvent.FromString(message.value() or b"") for message in self.read()]

    def ids(self) -> list[str]:
        """Of the events, as their headers have them."""
        found = [dict(message.headers() or [])["event-id"] for message in self.read()]
        return [each.decode() for each in found if isinstance(each, bytes)]


@pytest.fixture
def reader(broker: Broker, topic: str) -> Iterator[Reader]:
    made = Reader(broker.address, topic)
    yield made
    made.consumer.close()


def pymysql_to(variables: dict[str, str]) -> Any:
    """A connection of its own to the database that the variables lead to."""
    secret = json.loads(Path(variables["DATABASE_SECRET_FILE"]).read_text())
    return pymysql.connect(
        host=secret["host"],
        port=secret["port"],
        user=secret["username"],
        password=secret["password"],
        database=secret["dbname"],
        ssl_ca=variables["DATABASE_CA_FILE"],
    )
