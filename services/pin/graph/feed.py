"""Keeps the graph in memory like the database: reads everything once, then what changes.

It runs in a thread with an event loop and connections of its own, so that reading millions of rows does not keep the
API's loop from answering. Rows are found by `updated_at`; a transaction commits up to seconds after it took the time,
so each look goes back `_OVERLAP` behind the one before and applies some rows again, which changes nothing.

Saves are asked for before pins, and pins before boards, but applied in the other order: whatever a row needs was
committed before it, and so is found by a later question.
"""

import asyncio
import threading
from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np
from prometheus_client import Gauge
from sqlalchemy import Row, Select, and_, or_, select
from sqlalchemy.orm import InstrumentedAttribute

from services.common.logs import logger
from services.pin.database import Database, DatabaseUnavailable
from services.pin.graph.zen import BoardChange, BoardPinGraph, Edges, PinChange, SaveChange
from services.pin.models import Board, Pin, Save, User
from services.pin.settings import PinDatabaseSettings

_PAGE: Final = 5_000
_OVERLAP: Final = timedelta(seconds=10)
"""More than a transaction may take (DATABASE_TIMEOUT_SECONDS) and clocks of pods differ."""
_POLL_SECONDS: Final = 1.0
_RETRY_SECONDS: Final = 1.0
_STOP_SECONDS: Final = 10.0

EDGES = Gauge("graph_edges", "Pins on boards that the graph in memory knows.")
BEHIND_SECONDS = Gauge("graph_behind_seconds", "Since the graph last was as the database is.")

_log = logger(__name__)


class GraphFeed:
    """A graph that is empty at first, is replaced by the database's once that is read, and follows it.

    Args:
        settings: where the database is.
        poll_seconds: between two looks at what has changed.
    """

    def __init__(self, settings: PinDatabaseSettings, poll_seconds: float = _POLL_SECONDS) -> None:
        self.graph = BoardPinGraph()
        self.loaded = threading.Event()
        """Set when the graph is as the database is."""
        self._settings = settings
        self._poll_seconds = poll_seconds
        self._loop = asyncio.new_event_loop()
        self._task: asyncio.Task[None] | None = None
        self._thread = threading.Thread(target=self._run, name="graph", daemon=True)
        self._fresh_at = datetime.now(UTC)
        BEHIND_SECONDS.set_function(self._behind_seconds)

    def start(self) -> None:
        """Begin to read, and return at once."""
        self._task = self._loop.create_task(self._follow())
        self._thread.start()

    def stop(self) -> None:
        """End it, within `_STOP_SECONDS`. For `Lifetime.on_stop`."""
        if self._task is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._task.cancel)
            self._thread.join(_STOP_SECONDS)

    def _behind_seconds(self) -> float:
        return (datetime.now(UTC) - self._fresh_at).total_seconds()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._task or asyncio.sleep(0))
        except asyncio.CancelledError:
            pass
        finally:
            self._loop.close()

    async def _follow(self) -> None:
        database = Database(self._settings)
        try:
            since: datetime | None = None
            while True:
                began = datetime.now(UTC)
                try:
                    if since is None:
                        self.graph = await load(database)
                        self.loaded.set()
                        _log.info("graph loaded", edges=self.graph.edges)
                    else:
                        self.graph.apply(await changes(database, since))
                except DatabaseUnavailable as error:
                    _log.warning("the graph does not follow the database", reason=str(error))
                    await asyncio.sleep(_RETRY_SECONDS)
                    continue
                except Exception:  # an old graph is better than none
                    _log.exception("the graph does not follow the database")
                    await asyncio.sleep(_RETRY_SECONDS)
                    continue
                since = began - _OVERLAP
                self._fresh_at = datetime.now(UTC)
                EDGES.set(self.graph.edges)
                await asyncio.sleep(self._poll_seconds)
        finally:
            await database.close()


async def load(database: Database) -> BoardPinGraph:
    """The graph of all that is there. Raises DatabaseUnavailable."""
    saves = [
        (row.pin_id, row.board_id)
        async for rows in _pages(
            database, select(Save.save_id, Save.pin_id, Save.board_id).where(~Save.deleted), Save.save_id
        )
        for row in rows
    ]
    pins = [
        (row.pin_id, row.board_id)
        async for rows in _pages(database, select(Pin.pin_id, Pin.board_id).where(~Pin.deleted), Pin.pin_id)
        for row in rows
    ]
    boards = [
        (row.board_id, row.secret or row.deleted, row.country or "")
        async for rows in _pages(database, _boards(), Board.board_id)
        for row in rows
    ]
    columns = np.array(saves, np.int64).reshape(-1, 2), np.array(pins, np.int64).reshape(-1, 2)
    edges = Edges(
        boards=np.array([each[0] for each in boards], np.int64),
        hidden=np.array([each[1] for each in boards], np.bool_),
        countries=[each[2] for each in boards],
        pins=columns[1][:, 0],
        homes=columns[1][:, 1],
        saved_pins=columns[0][:, 0],
        saved_boards=columns[0][:, 1],
    )
    return BoardPinGraph.build(edges)


async def changes(database: Database, since: datetime) -> list[BoardChange | PinChange | SaveChange]:
    """What was changed since then, in the order in which to apply it. Raises DatabaseUnavailable."""
    saves = await _changed(
        database, select(Save.save_id, Save.pin_id, Save.board_id, Save.deleted, Save.updated_at), Save, since
    )
    pins = await _changed(database, select(Pin.pin_id, Pin.board_id, Pin.deleted, Pin.updated_at), Pin, since)
    boards = await _changed(database, _boards(), Board, since)
    return [
        *(BoardChange(row.board_id, row.secret or row.deleted, row.country or "") for row in boards),
        *(PinChange(row.pin_id, None if row.deleted else row.board_id) for row in pins),
        *(SaveChange(row.pin_id, row.board_id, row.deleted) for row in saves),
    ]


def _boards() -> Select[*tuple[Any, ...]]:
    columns = (Board.board_id, Board.secret, Board.deleted, Board.updated_at, User.country)
    return select(*columns).outerjoin(User, User.user_id == Board.owner_id)


async def _pages(
    database: Database, query: Select[*tuple[Any, ...]], key: InstrumentedAttribute[int]
) -> AsyncGenerator[Sequence[Row[Any]]]:
    """Rows in the order of their key, a page at a time: no statement runs long."""
    last = 0
    while rows := await database.rows(query.where(key > last).order_by(key).limit(_PAGE)):
        yield rows
        last = getattr(rows[-1], key.key)


async def _changed(
    database: Database, query: Select[*tuple[Any, ...]], table: type[Board | Pin | Save], since: datetime
) -> list[Row[Any]]:
    """Rows in the order of their last change."""
    key = {Board: Board.board_id, Pin: Pin.pin_id, Save: Save.save_id}[table]
    moment: datetime = since
    last = 0
    found: list[Row[Any]] = []
    while True:
        later = or_(table.updated_at > moment, and_(table.updated_at == moment, key > last))
        rows = await database.rows(query.where(later).order_by(table.updated_at, key).limit(_PAGE))
        found += rows
        if len(rows) < _PAGE:
            return found
        moment, last = rows[-1].updated_at, getattr(rows[-1], key.key)
