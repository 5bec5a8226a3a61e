"""The graph in memory follows the database."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, insert, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.pin.database import Database
from services.pin.graph import feed as feeding
from services.pin.graph.feed import GraphFeed, changes, load
from services.pin.graph.zen import BoardChange, PinChange, SaveChange
from services.pin.migrations import migrate
from services.pin.models import Base, Board, Pin, Save, User
from services.pin.settings import PinDatabaseSettings
from tests.waiting import until


class Catalogue:
    """A database of boards, pins and saves."""

    def __init__(self, settings: PinDatabaseSettings) -> None:
        self.settings = settings
        self.runner = asyncio.Runner()
        self.runner.run(migrate(settings))
        self.database = self.runner.run(self._open())

    async def _open(self) -> Database:
        return Database(self.settings)

    def do(self, *statements: Any) -> None:
        async def work(connection: AsyncConnection) -> None:
            for statement in statements:
                await connection.execute(statement)

        self.runner.run(self.database.write(work))

    def user(self, number: int, country: str) -> None:
        about = {"user_id": number, "subject": f"s{number}", "username": f"u{number}", "country": country}
        self.do(insert(User).values({**about, **history()}))

    def board(self, number: int, *, secret: bool = False, owner: int = 1) -> None:
        about = {"board_id": number, "owner_id": owner, "name": "b", "secret": secret}
        self.do(insert(Board).values({**about, **history()}))

    def pin(self, number: int, board: int) -> None:
        about = {"pin_id": number, "board_id": board, "owner_id": 1}
        self.do(insert(Pin).values({**about, **history()}))

    def save(self, number: int, pin: int, board: int) -> None:
        about = {"save_id": number, "pin_id": pin, "board_id": board, "user_id": 1, "version": 1}
        now = datetime.now(UTC)
        self.do(insert(Save).values({**about, "deleted": False, "saved_at": now, "updated_at": now}))

    def change(self, table: type[Base], key: Any, **values: Any) -> None:
        self.do(update(table).where(key).values({**values, "updated_at": datetime.now(UTC)}))

    def changes(self, since: datetime) -> list[Any]:
        return self.runner.run(changes(self.database, since))

    def close(self) -> None:
        self.runner.run(self.database.close())
        self.runner.close()


def history() -> dict[str, Any]:
    now = datetime.now(UTC)
    return {"version": 1, "deleted": False, "created_at": now, "updated_at": now}


@pytest.fixture
def catalogue(tmp_path: Path) -> Iterator[Catalogue]:
    made = Catalogue(PinDatabaseSettings(database_url=f"sqlite+aiosqlite:///{tmp_path / 'pin.db'}"))
    made.user(1, "DE")
    for board in (1, 2):
        made.board(board)
    made.board(3, secret=True)
    for pin in (10, 11, 12):
        made.pin(pin, 1)
    made.pin(20, 2)
    made.pin(30, 3)
    made.save(100, 20, 1)
    yield made
    made.close()


@pytest.fixture
def feed(catalogue: Catalogue) -> Iterator[GraphFeed]:
    made = GraphFeed(catalogue.settings, poll_seconds=0.02)
    made.start()
    yield made
    made.stop()


def test_what_is_there_is_read_in_pages(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeding, "_PAGE", 2)
    catalogue.change(Pin, Pin.pin_id == 12, deleted=True)
    graph = catalogue.runner.run(load(catalogue.database))
    assert graph.edges == 5
    assert sorted(graph.related(10, 10)) == [11, 20]


def test_changes_come_with_what_they_need_first(
    catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeding, "_PAGE", 2)
    since = datetime.now(UTC)
    catalogue.user(2, "FR")
    catalogue.board(4, owner=2)
    catalogue.pin(40, 4)
    catalogue.save(101, 40, 1)
    catalogue.change(Pin, Pin.pin_id == 12, deleted=True)
    catalogue.change(Save, Save.save_id == 100, deleted=True)
    assert catalogue.changes(since) == [
        BoardChange(4, hidden=False, country="FR"),
        PinChange(40, 4),
        PinChange(12, None),
        SaveChange(40, 1, deleted=False),
        SaveChange(20, 1, deleted=True),
    ]


def test_many_rows_of_one_moment_are_all_found(catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeding, "_PAGE", 3)
    moment = datetime.now(UTC) + timedelta(seconds=1)
    about = {"board_id": 1, "owner_id": 1, **history(), "updated_at": moment}
    catalogue.do(insert(Pin).values([{"pin_id": pin, **about} for pin in range(500, 511)]))
    found = catalogue.changes(moment - timedelta(microseconds=1))
    assert [each.pin_id for each in found] == list(range(500, 511))


def test_it_follows_what_is_created_changed_and_removed(catalogue: Catalogue, feed: GraphFeed) -> None:
    until(feed.loaded.is_set)
    assert sorted(feed.graph.related(10, 10)) == [11, 12, 20]
    catalogue.pin(13, 1)
    until(lambda: 13 in feed.graph.related(10, 10))
    catalogue.change(Save, Save.save_id == 100, deleted=True)
    until(lambda: 20 not in feed.graph.related(10, 10))
    catalogue.change(Save, Save.save_id == 100, deleted=False)
    until(lambda: 20 in feed.graph.related(10, 10))
    catalogue.change(Board, Board.board_id == 2, secret=True)
    until(lambda: 20 not in feed.graph.related(10, 10))
    catalogue.change(Pin, Pin.pin_id == 11, deleted=True)
    until(lambda: 11 not in feed.graph.related(10, 10))


def test_a_row_that_is_committed_late_is_found(catalogue: Catalogue, feed: GraphFeed) -> None:
    until(feed.loaded.is_set)
    about = {"pin_id": 14, "board_id": 1, "owner_id": 1, **history()}
    late = {**about, "updated_at": datetime.now(UTC) - timedelta(seconds=4)}
    catalogue.do(insert(Pin).values(late))
    until(lambda: 14 in feed.graph.related(10, 10))


def test_without_a_database_it_is_empty_and_loads_when_there_is_one(tmp_path: Path) -> None:
    settings = PinDatabaseSettings(database_url=f"sqlite+aiosqlite:///{tmp_path / 'none.db'}")
    feed = GraphFeed(settings, poll_seconds=0.02)
    feed.start()
    try:
        assert feed.graph.related(10, 10) == []
        asyncio.run(migrate(settings))
        until(feed.loaded.is_set)
    finally:
        feed.stop()


def test_an_empty_database_makes_an_empty_graph(catalogue: Catalogue) -> None:
    catalogue.do(*(delete(table) for table in (Save, Pin, Board)))
    graph = catalogue.runner.run(load(catalogue.database))
    assert (graph.edges, graph.related(1, 5), graph.more_like_board(1, 5)) == (0, [], [])
