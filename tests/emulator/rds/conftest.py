"""Aurora clusters with real MySQL servers: a world of an emulator, and one of servers alone."""

import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pymysql
import pytest
from botocore.config import Config

from emulator.backing import Backing
from emulator.process import CREDENTIALS, BackedBy, Emulator
from emulator.processes import Member, registered
from emulator.rds import mariadb, real
from emulator.rds.database_server import DatabaseServer
from emulator.rds.real import Credential
from emulator.rds.server import install
from tests.waiting import until

ACCOUNT = "210987654321"
REGION = "eu-west-1"
MASTER = Credential("pinwheel_admin", "not 'so' \\ simple-a-password")
PATIENCE_SECONDS = 30.0


@pytest.fixture(scope="session", autouse=True)
def _needs_a_server() -> None:
    try:
        mariadb.find()
    except mariadb.MariaDbError as error:
        pytest.skip(f"{error}; CI installs mariadb-server-core")


def member(directory: Path, name: str) -> Member | None:
    """A process of a world, by its name in the registry."""
    found = (each for each in registered(directory / "processes") if each.name == name)
    return next(found, None)


@dataclass
class Cloud:
    """An emulator that carries data."""

    emulator: Emulator
    directory: Path
    _clients: dict[str, Any] = field(default_factory=dict)

    def client(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = boto3.client(
                service,
                endpoint_url=self.emulator.endpoint,
                region_name=REGION,
                config=Config(retries={"max_attempts": 0}),
                **CREDENTIALS,
            )
        return self._clients[service]


@dataclass
class Aurora:
    """A cluster of the emulator, with a writer and a reader."""

    cloud: Cloud
    name: str

    @property
    def described(self) -> dict[str, Any]:
        answer = self.cloud.client("rds").describe_db_clusters(DBClusterIdentifier=self.name)
        return answer["DBClusters"][0]

    @property
    def target(self) -> dict[str, str]:
        """What every call of the Data API names."""
        described = self.described
        return {
            "resourceArn": described["DBClusterArn"],
            "secretArn": described["MasterUserSecret"]["SecretArn"],
        }

    @property
    def master(self) -> Credential:
        secrets = self.cloud.client("secretsmanager")
        value = secrets.get_secret_value(SecretId=self.target["secretArn"])["SecretString"]
        return Credential(**json.loads(value))

    def sql(self, sql: str, **more: Any) -> dict[str, Any]:
        """Runs a statement by the Data API."""
        return self.cloud.client("rds-data").execute_statement(**self.target | more, sql=sql)

    def connect(self, user: Credential, database: str | None = None, **options: Any) -> Any:
        """A MySQL client at the writer endpoint, with TLS as Aurora's users need it."""
        described = self.described
        where: dict[str, Any] = {"host": described["Endpoint"], "port": described["Port"]}
        authority = until(lambda: member(self.cloud.directory, f"mysql/{self.name}"))
        options = {"ssl_ca": authority.details["certificate_authority"]} | where | options
        return pymysql.connect(user=user.username, password=user.password, database=database, **options)


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    directory = tmp_path_factory.mktemp("cloud")
    log = directory / "emulator.log"
    with Emulator(ACCOUNT, REGION, log=log, backing=BackedBy(directory)) as emulator:
        yield Cloud(emulator, directory)


@pytest.fixture(scope="session")
def unique() -> Callable[[str], str]:
    """`unique("user")` is a name that no other test has."""
    numbers = itertools.count(1)
    return lambda prefix: f"{prefix}{next(numbers)}"


@pytest.fixture(scope="session")
def new_aurora(cloud: Cloud, unique: Callable[[str], str]) -> Callable[..., Aurora]:
    """`new_aurora(instances=1, EnableHttpEndpoint=False)` is a new cluster."""

    def create(*, instances: int = 2, **more: Any) -> Aurora:
        name, rds = unique("aurora-"), cloud.client("rds")
        asked = {
            "Engine": "aurora-mysql",
            "MasterUsername": "pinwheel_admin",
            "ManageMasterUserPassword": True,
            "EnableHttpEndpoint": True,
            "DatabaseName": "first",
            "Port": 3306,
        }
        rds.create_db_cluster(DBClusterIdentifier=name, **asked | more)
        for number in range(instances):
            rds.create_db_instance(
                DBInstanceIdentifier=f"{name}-{number}",
                DBClusterIdentifier=name,
                Engine="aurora-mysql",
                DBInstanceClass="db.r7g.large",
            )
        return Aurora(cloud, name)

    return create


@pytest.fixture(scope="session")
def aurora(new_aurora: Callable[..., Aurora]) -> Aurora:
    """A cluster that serves: the Data API waits for that."""
    created = new_aurora()
    created.sql("SELECT 1")
    return created


@dataclass
class World(Backing):
    """A backing without an emulator, which keeps what is reported."""

    said: list[str] = field(default_factory=list)

    def report(self, text: str) -> None:
        self.said.append(text)

    def new_server(self, name: str = "aurora", master: Credential = MASTER) -> DatabaseServer:
        """A cluster's server, starting."""
        servers = real.servers()
        assert servers is not None
        servers.create(name, name, master, "first")
        server = servers.of(name)
        assert server is not None
        return server


@pytest.fixture
def new_world(tmp_path: Path) -> Iterator[Callable[..., World]]:
    """`new_world(keep=True)` begins a world in the test's directory; an earlier one ends in good order."""
    worlds: list[World] = []

    def begin(*, keep: bool = False) -> World:
        end()
        worlds.append(World(tmp_path, "http://127.0.0.1:1", ACCOUNT, REGION, keep=keep))
        install(worlds[-1])
        return worlds[-1]

    def end() -> None:
        if worlds:
            worlds.pop().stop()
        real.use(None)

    yield begin
    end()


@pytest.fixture
def world(new_world: Callable[..., World]) -> World:
    return new_world()


def rows(connection: Any, sql: str) -> list[tuple[Any, ...]]:
    """What a query gives."""
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return list(cursor.fetchall())
