"""Connections to the pin service's database, and the two ways of using them: one statement, or one transaction.

A read is one statement on a connection that commits by itself: one round trip. A write is a function that is
given a connection inside a transaction, and may be called again: after a deadlock, or when the connection turns
out to be dead before anything was committed. What the database cannot do now raises `DatabaseUnavailable`, never
the driver's error.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

from sqlalchemy import Executable, Row, text
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection

from services.common.logs import logger
from services.pin.engines import create_engine, error_code
from services.pin.settings import PinDatabaseSettings

T = TypeVar("T")
Work = Callable[[AsyncConnection], Awaitable[T]]

_ATTEMPTS: Final = 4
_FIRST_BACK_OFF_SECONDS: Final = 0.01
_DEADLOCK: Final = 1213
_CHANGED_SINCE_READ: Final = 1020
"""MariaDB's word for a lost race, under innodb_snapshot_isolation."""
_NO_SUCH_TABLE: Final = 1146

_log = logger(__name__)


class DatabaseUnavailable(Exception):  # noqa: N818 - a state of the world
    """The database cannot do this now; the message says why, without data or secrets."""


class _CommitUnknown(DatabaseUnavailable):
    """The connection was lost while committing: whether it was done only the database knows."""


class Database:
    """The pools of one process. Made and used on one event loop."""

    def __init__(self, settings: PinDatabaseSettings) -> None:
        self._settings = settings
        self._reader = create_engine(settings, autocommit=True)
        self._writer = create_engine(settings, autocommit=False)
        self._probe = create_engine(settings, autocommit=True, connections=1)
        self._running = 0
        self.unavailable: str | None = "the database has not been asked yet"
        """Why it cannot be used, as `watch` last saw; None when it can."""

    @property
    def is_sqlite(self) -> bool:
        """It is the fallback, which has one writer at a time and no row locks."""
        return self._writer.dialect.name == "sqlite"

    async def rows(
        self, statement: Executable, parameters: Mapping[str, Any] | None = None
    ) -> Sequence[Row[Any]]:
        """All rows of one statement outside of any transaction. Raises DatabaseUnavailable."""

        async def read() -> Sequence[Row[Any]]:
            async with self._reader.connect() as connection:
                return (await connection.execute(statement, parameters)).all()

        return await self._queue(read)

    async def row(
        self, statement: Executable, parameters: Mapping[str, Any] | None = None
    ) -> Row[Any] | None:
        """The first row, if any. Raises DatabaseUnavailable."""
        found = await self.rows(statement, parameters)
        return found[0] if found else None

    async def write(self, work: Work[T], *, seconds: float | None = None) -> T:
        """What `work` returns, committed. It may be called more than once, each time in a new transaction.

        What `work` raises rolls back and is passed on; an IntegrityError too. Raises DatabaseUnavailable.

        Args:
            work: reads and changes with the connection that it is given.
            seconds: it may take; by default DATABASE_TIMEOUT_SECONDS.
        """

        async def transaction() -> T:
            async with self._writer.connect() as connection:
                result = await work(connection)
                try:
                    await connection.commit()
                except (DBAPIError, OSError) as error:
                    raise _CommitUnknown(_reason(error)) from error
                return result

        return await self._queue(transaction, seconds)

    async def check(self) -> str | None:
        """Why the database cannot be used now, None when it can: it answers, and is migrated.

        It has a connection of its own: that many requests wait does not make the database unavailable.
        """

        async def ask() -> None:
            async with self._probe.connect() as connection:
                await connection.execute(text("SELECT version_num FROM alembic_version"))

        try:
            await self._attempt(ask)
        except DatabaseUnavailable as error:
            return str(error)
        except DBAPIError as error:  # it answers, but not to us: such as a user without rights
            return _reason(error)
        return None

    async def watch(self) -> None:
        """Keep `unavailable` true to what is, until cancelled."""
        while True:
            seen = await self.check()
            if seen != self.unavailable:
                _log.warning("database unavailable", reason=seen) if seen else _log.info("database available")
            self.unavailable = seen
            await asyncio.sleep(self._settings.database_check_seconds)

    async def close(self) -> None:
        """Close all connections."""
        await self._reader.dispose()
        await self._writer.dispose()
        await self._probe.dispose()

    async def _queue(self, once: Callable[[], Awaitable[T]], seconds: float | None = None) -> T:
        """What waits too long is given up by who asked for it: better to refuse at once what would."""
        if self._running >= self._settings.database_queue:
            raise DatabaseUnavailable(f"{self._running} requests wait for the database already")
        self._running += 1
        try:
            return await self._attempt(once, seconds)
        finally:
            self._running -= 1

    async def _attempt(self, once: Callable[[], Awaitable[T]], seconds: float | None = None) -> T:
        seconds = seconds or self._settings.database_timeout_seconds
        try:
            async with asyncio.timeout(seconds):
                for attempt in range(1, _ATTEMPTS):
                    try:
                        return await once()
                    except DBAPIError as error:
                        if not _passes(error):
                            raise
                        _log.info("repeating in the database", attempt=attempt, reason=_reason(error))
                    await asyncio.sleep(_FIRST_BACK_OFF_SECONDS * 2**attempt)
                return await once()
        except (PoolTimeoutError, TimeoutError):
            raise DatabaseUnavailable(f"the database did not answer within {seconds:g} s") from None
        except (OSError, EOFError) as error:
            raise DatabaseUnavailable(_reason(error)) from error
        except DBAPIError as error:
            if _is_unavailable(error):
                raise DatabaseUnavailable(_reason(error)) from error
            raise


def _passes(error: DBAPIError) -> bool:
    """Nothing was done, and the same may succeed at once: a lost race, or a connection that died in the pool."""
    return error.connection_invalidated or error_code(error) in (_DEADLOCK, _CHANGED_SINCE_READ)


def _is_unavailable(error: DBAPIError) -> bool:
    if isinstance(error, IntegrityError):
        return False
    return (
        error.connection_invalidated
        or isinstance(error, OperationalError)
        or error_code(error) == _NO_SUCH_TABLE
    )


def _reason(error: Exception) -> str:
    """What happened without what was asked: SQLAlchemy's own text holds statement and parameters."""
    if not isinstance(error, DBAPIError):
        return str(error) or type(error).__name__
    if error_code(error) == _NO_SUCH_TABLE or "no such table" in str(error.orig):
        return "the database is not migrated: run the role `migrate`"
    code = error_code(error)
    return (
        f"the database answered with error {code}"
        if code
        else f"the database cannot be reached: {error.orig}"
    )
