"""The API over SQLite and over a real MySQL server, in this process and in processes of its own."""

import asyncio
import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from botocore.exceptions import ClientError
from litestar.testing import TestClient
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from emulator.backing import Backing
from emulator.rds import mariadb
from emulator.rds.database_server import DatabaseServer
from emulator.rds.real import Credential
from functions.database_bootstrap.handler import SERVICE_PRIVILEGES
from services.common import http
from services.pin.api.app import create_app
from services.pin.database import Database
from services.pin.graph.feed import GraphFeed
from services.pin.migrations import migrate
from services.pin.settings import PinSettings
from services.pin.uploads import ImageStore

MASTER = Credential("pinwheel_admin", "only-for-tests-of-the-api")
_names = itertools.count(1)


class Bucket:
    """S3 as far as uploads ask it: what is signed, and what was put there."""

    def __init__(self) -> None:
        self.objects: dict[str, tuple[str, int]] = {}

    def generate_presigned_post(self, bucket: str, key: str, **_: Any) -> dict[str, Any]:
        return {"url": f"https://s3.example/{bucket}", "fields": {"key": key, "policy": "signed"}}

    def head_object(self, **asked: str) -> dict[str, Any]:
        if asked["Key"] not in self.objects:
            raise ClientError({"Error": {"Code": "404", "Message": "Not Found"}}, "HeadObject")
        content_type, length = self.objects[asked["Key"]]
        return {"ContentType": content_type, "ContentLength": length}


@dataclass
class Person:
    """Somebody with a token."""

    client: httpx.Client
    subject: str
    profile: dict[str, Any] = field(default_factory=dict[str, Any])

    def request(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        """`post("/v1/boards", {...}, if_match='"1"')`."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.request(method, path, json=body, headers={http.SUBJECT: self.subject, **named})

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self.request("GET", path, **headers)

    def post(self, path: str, body: Any, **headers: str) -> httpx.Response:
        return self.request("POST", path, body, **headers)

    def patch(self, path: str, body: Any, **headers: str) -> httpx.Response:
        return self.request("PATCH", path, body, **headers)

    def delete(self, path: str, **headers: str) -> httpx.Response:
        return self.request("DELETE", path, **headers)

    def board(self, **more: Any) -> dict[str, Any]:
        return self._made("/v1/boards", {"name": "Chairs", **more})

    def pin(self, board: dict[str, Any], **more: Any) -> dict[str, Any]:
        return self._made("/v1/pins", {"board_id": board["id"], "title": "Eames", **more})

    def section(self, board: dict[str, Any], name: str = "Wood") -> dict[str, Any]:
        return self._made(f"/v1/boards/{board['id']}/sections", {"name": name})

    def _made(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = self.post(path, body)
        assert answer.status_code == 201, answer.text
        return answer.json()


@dataclass
class Api:
    """A running API, and its database."""

    client: httpx.Client
    database: Database
    bucket: Bucket
    feed: GraphFeed
    run: Callable[..., Any]
    """Runs a coroutine function on the application's loop."""

    def stranger(self) -> Person:
        """Somebody with a token and no profile."""
        return Person(self.client, f"subject-{next(_names)}")

    def person(self, country: str | None = "DE") -> Person:
        """Somebody with a profile."""
        made = self.stranger()
        answer = made.post("/v1/users", {"username": f"person_{next(_names)}", "country": country})
        assert answer.status_code == 201, answer.text
        made.profile = answer.json()
        return made

    def rows(self, sql: str, **parameters: object) -> list[dict[str, Any]]:
        """What stands in the database."""
        found = self.run(self.database.rows, text(sql), parameters)
        return [row._asdict() for row in found]

    def change(self, sql: str, **parameters: object) -> None:
        """Change the database behind the API's back."""

        async def work(connection: AsyncConnection) -> None:
            await connection.execute(text(sql), parameters)

        self.run(self.database.write, work)

    def events(self, key: str) -> list[dict[str, Any]]:
        """The outbox's rows of a key, in their order."""
        return self.rows("SELECT * FROM outbox WHERE aggregateid = :key ORDER BY sequence", key=key)


@pytest.fixture(scope="session")
def api_backing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backing]:
    backing = Backing(tmp_path_factory.mktemp("pin-api"), "http://127.0.0.1:1", "210987654321", "eu-west-1")
    yield backing
    backing.stop()


@pytest.fixture(scope="session")
def api_mysql(api_backing: Backing) -> DatabaseServer:
    try:
        program = mariadb.find()
    except mariadb.MariaDbError as error:
        pytest.skip(f"{error}; CI installs mariadb-server-core")
    server = DatabaseServer(api_backing, program, "pin-api", MASTER, "pin")
    server.start()
    api_backing.at_stop(lambda: server.stop(remove=True))
    server.wait()
    return server


@dataclass
class MySql:
    """A database of the server, with a user of its own, as the platform makes them."""

    server: DatabaseServer
    name: str
    secret: Path
    password: str

    @property
    def variables(self) -> dict[str, str]:
        return {
            "DATABASE_SECRET_FILE": str(self.secret),
            "DATABASE_CA_FILE": str(self.server.certificate_authority),
        }

    def execute(self, sql: str) -> None:
        """With all rights."""
        with self.server.connect(MASTER, autocommit=True) as connection, connection.cursor() as cursor:
            cursor.execute(sql)

    def write_secret(self) -> None:
        host, port = self.server.address
        about = {"engine": "mysql", "host": host, "port": port, "dbname": self.name}
        self.secret.write_text(json.dumps({**about, "username": self.name, "password": self.password}))

    def hang_up(self) -> None:
        """End all connections of the service."""
        with self.server.connect(MASTER, autocommit=True) as connection, connection.cursor() as cursor:
            cursor.execute(f"SELECT id FROM information_schema.processlist WHERE user = '{self.name}'")
            for (number,) in cursor.fetchall():
                cursor.execute(f"CALL mysql.rds_kill({number})")

    def rotate(self, password: str) -> None:
        """Change the password, in the server and in the secret."""
        self.execute(f"ALTER USER '{self.name}'@'%' IDENTIFIED BY '{password}' REQUIRE SSL")
        self.password = password
        self.write_secret()


@pytest.fixture(scope="session")
def new_mysql(api_mysql: DatabaseServer, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], MySql]:
    """`new_mysql()` is an empty database."""

    def create() -> MySql:
        name = f"pin_{uuid4().hex[:8]}"
        made = MySql(api_mysql, name, tmp_path_factory.mktemp("secret") / "database.json", uuid4().hex)
        made.execute(f"CREATE DATABASE {name}")
        made.execute(f"CREATE USER '{name}'@'%' IDENTIFIED BY '{made.password}' REQUIRE SSL")
        made.execute(f"GRANT {', '.join(SERVICE_PRIVILEGES)} ON {name}.* TO '{name}'@'%'")
        made.write_secret()
        return made

    return create


def settings_of(variables: dict[str, str]) -> PinSettings:
    """As a process would read them."""
    return PinSettings.model_validate({name.lower(): value for name, value in variables.items()})


def served(variables: dict[str, str]) -> Iterator[Api]:
    """The API over a database, which it migrates."""
    settings = settings_of({**variables, "IMAGES_BUCKET": "images"})
    asyncio.run(migrate(settings))
    database, bucket = Database(settings), Bucket()
    feed = GraphFeed(settings, poll_seconds=0.05)
    feed.start()
    app = create_app(settings, database, ImageStore(bucket, settings.images_bucket), feed)
    with TestClient(app) as client, client.portal() as portal:
        assert feed.loaded.wait(30)
        yield Api(client, database, bucket, feed, portal.call)
        portal.call(database.close)
    feed.stop()


@pytest.fixture(scope="session")
def sqlite_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    file = tmp_path_factory.mktemp("sqlite") / "pin.db"
    yield from served({"DATABASE_URL": f"sqlite+aiosqlite:///{file}"})


@pytest.fixture(scope="session")
def mysql_api(new_mysql: Callable[[], MySql]) -> Iterator[Api]:
    yield from served(new_mysql().variables)


@pytest.fixture(params=["sqlite", pytest.param("mysql", marks=pytest.mark.xdist_group("pin-mysql"))])
def api(request: pytest.FixtureRequest) -> Api:
    """The API over each kind of database in turn."""
    return request.getfixturevalue(f"{request.param}_api")
