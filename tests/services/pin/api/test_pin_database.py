"""Transactions: repeated after a deadlock, refused when too many wait, never half done."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, ProgrammingError
from sqlalchemy.ext.asyncio import AsyncConnection

from services.pin.database import Database, DatabaseUnavailable
from services.pin.identifiers import new_identifier
from services.pin.migrations import migrate
from services.pin.settings import PinSettings
from tests.services.pin.api.conftest import Api, MySql, settings_of


@pytest.fixture
def settings(tmp_path: Path) -> PinSettings:
    made = settings_of(
        {"DATABASE_URL": f"sqlite+aiosqlite:///{tmp_path / 'pin.db'}", "IMAGES_BUCKET": "images"}
    )
    asyncio.run(migrate(made))
    return made


def add(subject: str) -> Callable[[AsyncConnection], Any]:
    """A transaction that makes a user."""
    row = {"id": new_identifier(), "who": subject}

    async def work(connection: AsyncConnection) -> None:
        await connection.execute(
            text(
                "INSERT INTO users (user_id, subject, username, country, version, deleted, created_at, updated_at)"
                " VALUES (:id, :who, :who, '', 1, 0, '2026-01-01', '2026-01-01')"
            ),
            row,
        )

    return work


@pytest.mark.xdist_group("pin-mysql")
def test_a_deadlock_is_repeated_until_both_are_done(mysql_api: Api) -> None:
    boards = [mysql_api.person().board() for _ in range(2)]
    attempts: list[int] = []

    async def both() -> None:
        met = asyncio.Barrier(2)

        async def lock(order: list[int]) -> None:
            first = True

            async def work(connection: AsyncConnection) -> None:
                nonlocal first
                attempts.append(order[0])
                for number, board in enumerate(order):
                    await connection.execute(
                        text("UPDATE boards SET version = version + 1 WHERE board_id = :id"), {"id": board}
                    )
                    if first and number == 0:
                        first = False
                        await met.wait()  # each has one row, and wants the other's

            await mysql_api.database.write(work)

        numbers = [int(board["id"]) for board in boards]
        await asyncio.gather(lock(numbers), lock(numbers[::-1]))

    mysql_api.run(both)
    assert len(attempts) == 3
    for board in boards:
        (row,) = mysql_api.rows("SELECT version FROM boards WHERE board_id = :id", id=int(board["id"]))
        assert row["version"] == 3


def test_what_raises_leaves_nothing_behind(api: Api) -> None:
    subject = api.stranger().subject

    async def fails(connection: AsyncConnection) -> None:
        await add(subject)(connection)
        raise LookupError("after the INSERT")

    with pytest.raises(LookupError):
        api.run(api.database.write, fails)
    assert api.rows("SELECT * FROM users WHERE subject = :who", who=subject) == []


def test_errors_of_the_request_and_of_the_code_are_not_the_databases(api: Api) -> None:
    subject = api.stranger().subject
    api.run(api.database.write, add(subject))
    with pytest.raises(IntegrityError):
        api.run(api.database.write, add(subject))
    if not api.database.is_sqlite:
        with pytest.raises(ProgrammingError):
            api.run(api.database.rows, text("SELECT FROM"))


def test_when_too_many_wait_the_next_is_refused_at_once(settings: PinSettings) -> None:
    async def crowd() -> None:
        database = Database(settings.model_copy(update={"database_queue": 2}))
        entered, leave = asyncio.Event(), asyncio.Event()

        async def hold(_: AsyncConnection) -> None:
            entered.set()
            await leave.wait()

        holding = [asyncio.create_task(database.write(hold)) for _ in range(2)]
        await entered.wait()
        with pytest.raises(DatabaseUnavailable, match="2 requests wait"):
            await database.rows(text("SELECT 1"))
        assert await database.check() is None
        leave.set()
        await asyncio.gather(*holding)
        assert len(await database.rows(text("SELECT 1"))) == 1
        await database.close()

    asyncio.run(crowd())


def test_a_transaction_that_takes_too_long_is_given_up(settings: PinSettings) -> None:
    async def slow() -> None:
        database = Database(settings.model_copy(update={"database_timeout_seconds": 0.2}))

        async def never(connection: AsyncConnection) -> None:
            await add("never")(connection)
            await asyncio.Event().wait()

        with pytest.raises(DatabaseUnavailable, match=r"within 0\.2 s"):
            await database.write(never)
        assert await database.rows(text("SELECT * FROM users")) == []
        await database.write(add("later"))
        await database.close()

    asyncio.run(slow())


@pytest.mark.xdist_group("pin-mysql")
def test_a_statement_that_runs_too_long_is_stopped_in_the_server(new_mysql: Callable[[], MySql]) -> None:
    made = new_mysql()

    async def look() -> None:
        database = Database(
            settings_of({**made.variables, "IMAGES_BUCKET": "images", "DATABASE_TIMEOUT_SECONDS": "7"})
        )
        (row,) = await database.rows(text("SELECT @@max_statement_time AS seconds, @@time_zone AS zone"))
        assert (float(row.seconds), row.zone) == (7.0, "+00:00")
        (status,) = await database.rows(text("SHOW STATUS LIKE 'Ssl_cipher'"))
        assert status[1].startswith("TLS_")
        await database.close()

    asyncio.run(look())
