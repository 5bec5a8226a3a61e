"""One relay at a time: a lock in the database, held by the very connection that reads and deletes the rows.

Whoever loses the lock has lost the connection too and can delete nothing more: what it still had on its way is
sent again by its successor, with the same event id and version.
"""

import asyncio
import fcntl
import os
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

_WAIT_SECONDS: Final = 1
_ANSWER_SECONDS: Final = 4.0
_FILE_WAIT_SECONDS: Final = 0.2
_SESSION_SECONDS: Final = 30
"""The server ends the session of a leader that has been silent for so long: its machine is gone. A leader that
lives asks many times a second; one that ends in any other way frees the lock at once."""


@asynccontextmanager
async def leadership(engine: AsyncEngine, waits: Callable[[], None]) -> AsyncGenerator[AsyncConnection]:
    """Wait for the lock; yields the connection that holds it.

    MySQL: GET_LOCK, whose name is the server's, so it has the database's in it. SQLite: a lock on a file beside
    the database's; a database in memory has no second process.

    Args:
        engine: whose statements commit by themselves.
        waits: called when the database has answered, and then all there is to do is to wait for the lock.
    """
    async with engine.connect() as connection:
        try:
            if engine.dialect.name == "sqlite":
                await connection.execute(text("SELECT 1"))
                waits()
                async with _file_lock(engine.url.database):
                    yield connection
                return
            async with asyncio.timeout(_ANSWER_SECONDS):
                await connection.execute(text(f"SET SESSION wait_timeout = {_SESSION_SECONDS}"))
            while not await _get_lock(connection):
                waits()
            yield connection
        finally:
            # The pool must not hand out a connection that still leads, or waits for an answer.
            await connection.invalidate()


async def _get_lock(connection: AsyncConnection) -> bool:
    acquire = text("SELECT GET_LOCK(CONCAT(DATABASE(), '.outbox-relay'), :seconds)")
    async with asyncio.timeout(_ANSWER_SECONDS):
        return await connection.scalar(acquire, {"seconds": _WAIT_SECONDS}) == 1


@asynccontextmanager
async def _file_lock(database: str | None) -> AsyncGenerator[None]:
    if database in (None, "", ":memory:"):
        yield
        return
    file = os.open(Path(f"{database}.relay-lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                await asyncio.sleep(_FILE_WAIT_SECONDS)
        yield
    finally:
        os.close(file)
