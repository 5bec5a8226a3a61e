"""The database goes away and comes back; passwords change; processes are killed."""

import os
import signal
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from emulator.rds.database_server import DatabaseServer
from services.pin.engines import CredentialError, read_credential
from tests.services.pin.api.conftest import MySql, Person
from tests.services.pin.api.processes import Served, role, serving
from tests.waiting import until

pytestmark = pytest.mark.xdist_group("pin-mysql")


@pytest.fixture
def mysql(new_mysql: Callable[[], MySql]) -> MySql:
    made = new_mysql()
    migrating = role("migrate", made.variables)
    assert migrating.wait(60) == 0, migrating.communicate()
    return made


@pytest.fixture
def served(mysql: MySql, tmp_path: Path) -> Iterator[Served]:
    quick = {"DATABASE_TIMEOUT_SECONDS": "3", "DATABASE_CHECK_SECONDS": "0.1"}
    with serving(tmp_path / "log", {**mysql.variables, **quick}) as running:
        yield running


@pytest.fixture
def client(served: Served) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=served.url, timeout=30) as opened:
        yield opened


@contextmanager
def stopped(server: DatabaseServer) -> Generator[None]:
    """The server answers nothing: its process is halted."""
    pid = server_pid(server)
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def server_pid(server: DatabaseServer) -> int:
    (file,) = [each / "server.pid" for each in data_directories(server) if (each / "server.pid").is_file()]
    return int(file.read_text())


def data_directories(server: DatabaseServer) -> list[Path]:
    return [
        each for each in server.certificate_authority.parents[1].iterdir() if each.name == server.identifier
    ]


def profile(client: httpx.Client, subject: str) -> Person:
    person = Person(client, subject)
    assert person.post("/v1/users", {"username": subject}).status_code == 201
    return person


def test_a_database_that_hangs_is_a_503_and_what_was_read_is_still_read(
    served: Served, client: httpx.Client, mysql: MySql
) -> None:
    person = profile(client, "reader")
    board = person.board(secret=True)
    pin, unread = person.pin(board), person.pin(board)
    for path in (f"/v1/boards/{board['id']}", f"/v1/pins/{pin['id']}"):
        assert "x-pinwheel-stale" not in person.get(path).headers

    with stopped(mysql.server):
        until(lambda: served.ready().status_code == 503)
        assert "database: the database did not answer within" in served.ready().text
        refused = person.post("/v1/boards", {"name": "Tables"}, idempotency_key="later")
        assert refused.status_code == 503
        assert refused.headers["content-type"] == "application/problem+json"
        assert int(refused.headers["retry-after"]) > 0
        stale = person.get(f"/v1/pins/{pin['id']}")
        assert (stale.status_code, stale.json()) == (200, pin)
        assert stale.headers["x-pinwheel-stale"] == "true"
        assert int(stale.headers["age"]) >= 0
        assert person.get(f"/v1/boards/{board['id']}").status_code == 200
        assert Person(client, "another").get(f"/v1/boards/{board['id']}").status_code == 404
        assert person.get(f"/v1/pins/{unread['id']}").status_code == 503
        assert person.get(f"/v1/boards/{board['id']}/pins").status_code == 503

    until(lambda: served.ready().status_code == 200)
    assert person.post("/v1/boards", {"name": "Tables"}, idempotency_key="later").status_code == 201
    assert "x-pinwheel-stale" not in person.get(f"/v1/pins/{pin['id']}").headers


def test_a_server_that_starts_anew_is_found_again(served: Served, client: httpx.Client, mysql: MySql) -> None:
    person = profile(client, "patient")
    board = person.board()
    os.kill(server_pid(mysql.server), signal.SIGKILL)
    answers: list[int] = []

    def works() -> bool:
        answers.append(person.post("/v1/pins", {"board_id": board["id"]}).status_code)
        return answers[-1] == 201

    until(works, 60)
    assert set(answers) <= {201, 503}
    until(lambda: served.ready().status_code == 200)


def test_a_rotated_password_is_taken_up(served: Served, client: httpx.Client, mysql: MySql) -> None:
    person = profile(client, "rotated")
    mysql.rotate("the-next-password")
    mysql.hang_up()
    statuses = {person.post("/v1/boards", {"name": "Chairs"}).status_code for _ in range(20)}
    assert statuses == {201}
    assert "the-next-password" not in served.log.read_text()


def test_a_wrong_password_is_told_by_readiness_without_itself(
    served: Served, client: httpx.Client, mysql: MySql
) -> None:
    person = profile(client, "locked_out")
    mysql.password = "not-the-password"
    mysql.write_secret()
    mysql.hang_up()
    until(lambda: served.ready().status_code == 503)
    assert "error 1045" in served.ready().text
    assert person.post("/v1/boards", {"name": "Chairs"}).status_code == 503
    assert "not-the-password" not in served.log.read_text() + served.ready().text


def test_a_database_that_nobody_migrated_is_not_ready(new_mysql: Callable[[], MySql], tmp_path: Path) -> None:
    empty = new_mysql()
    with serving(tmp_path / "log", empty.variables, ready=False) as running:
        answer = until(lambda: running.ready() if "migrate" in running.ready().text else None)
        assert answer.status_code == 503
        assert "run the role `migrate`" in answer.text
        api = f"http://{running.address('http listens')}"
        assert httpx.get(f"{api}/v1/pins/1").status_code == 503
        assert role("migrate", empty.variables).wait(60) == 0
        until(lambda: running.ready().status_code == 200)


@pytest.mark.parametrize("kind", ["sqlite", "mysql"])
def test_killing_the_process_loses_no_acknowledged_write(
    kind: str, new_mysql: Callable[[], MySql], tmp_path: Path
) -> None:
    variables = (
        new_mysql().variables
        if kind == "mysql"
        else {"DATABASE_URL": f"sqlite+aiosqlite:///{tmp_path / 'pin.db'}"}
    )
    assert role("migrate", variables).wait(60) == 0
    acknowledged: list[str] = []
    board = ""
    for life in range(2):
        with (
            serving(tmp_path / f"log-{life}", variables) as running,
            httpx.Client(base_url=running.url, timeout=30) as client,
        ):
            person = Person(client, "writer")
            if not board:
                board = profile(client, "writer").board()["id"]
            _write_until_killed(running, person, board, acknowledged)
    assert len(acknowledged) >= 40
    with serving(tmp_path / "log", variables) as running, httpx.Client(base_url=running.url) as client:
        for number in acknowledged:
            assert client.get(f"/v1/pins/{number}").status_code == 200, number
        # Each exists as a whole: the row and its event.
        listed: list[str] = []
        cursor = ""
        while cursor is not None:
            page = client.get(f"/v1/boards/{board}/pins?limit=100{cursor}").json()
            listed += [each["pin"]["id"] for each in page["items"]]
            cursor = f"&cursor={page['next_cursor']}" if page["next_cursor"] else None
        assert set(acknowledged) <= set(listed)
        assert len(listed) == len(set(listed))


def _write_until_killed(running: Served, person: Person, board: str, acknowledged: list[str]) -> None:
    before = len(acknowledged)

    def write(number: int) -> None:
        try:
            answer = person.post("/v1/pins", {"board_id": board, "title": str(number)})
        except httpx.TransportError:
            return
        assert answer.status_code == 201
        acknowledged.append(answer.json()["id"])
        if len(acknowledged) == before + 20:
            running.process.kill()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(200)))
    assert running.process.wait(30) == -signal.SIGKILL


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "cannot be read"),
        ("{", "not a JSON object"),
        ("[]", "not a JSON object"),
        ('{"host": "h", "username": "u", "dbname": "d"}', "password"),
        ('{"host": "h", "username": "u", "dbname": "d", "password": 17}', "password"),
    ],
)
def test_a_secret_that_is_none_is_told_without_its_content(
    content: str | None, told: str, tmp_path: Path
) -> None:
    file = tmp_path / "database.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(CredentialError, match=told) as refusal:
        read_credential(file)
    assert str(file) in str(refusal.value)
