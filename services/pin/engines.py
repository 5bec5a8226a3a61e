"""Pools of connections to MySQL, with the credential of the moment, or to SQLite."""

import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import asyncmy
import msgspec
from asyncmy.constants import CLIENT
from sqlalchemy import event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from services.pin.settings import PinDatabaseSettings

_READ_ONLY: Final = frozenset({1290, 1836})
"""MySQL's errors of a server that was the writer before a failover: its connections lead to the wrong one."""


class Credential(msgspec.Struct, frozen=True):
    """The database secret, as Secrets Manager has it for RDS."""

    host: str
    username: str
    password: str
    dbname: str
    port: int = 3306

    def __repr__(self) -> str:
        return f"Credential({self.username}@{self.host}:{self.port}/{self.dbname})"


class CredentialError(OSError):
    """The secret's file is missing or is not what it should be; the message does not quote it."""


def read_credential(file: Path) -> Credential:
    """The credential as it is now. Raises CredentialError."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=Credential)
    except OSError as error:
        raise CredentialError(f"DATABASE_SECRET_FILE {file} cannot be read: {error.strerror}") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise CredentialError(
            f"DATABASE_SECRET_FILE {file} is not a JSON object with host, port, dbname, username, password: "
            f"{error if isinstance(error, msgspec.ValidationError) else 'malformed'}"
        ) from error


def error_code(error: DBAPIError) -> int | None:
    """The server's number for what went wrong, if it was the server that said so."""
    arguments = getattr(error.orig, "args", ())
    return arguments[0] if arguments and isinstance(arguments[0], int) else None


def create_engine(
    settings: PinDatabaseSettings, *, autocommit: bool, connections: int | None = None
) -> AsyncEngine:
    """An engine of one pool.

    Args:
        settings: where the database is, and the pool's bounds.
        autocommit: statements stand alone; otherwise each connection is in a transaction from its first one.
        connections: at most; by default DATABASE_POOL_SIZE.
    """
    size = connections or settings.database_pool_size
    if settings.database_url is not None:
        return _sqlite_engine(settings, settings.database_url, size, autocommit=autocommit)
    return _mysql_engine(settings, size, autocommit=autocommit)


def _mysql_engine(settings: PinDatabaseSettings, size: int, *, autocommit: bool) -> AsyncEngine:
    engine = create_async_engine(
        "mysql+asyncmy://",
        hide_parameters=True,  # an error's text goes to the logs, and must not take along what people wrote
        async_creator=_connector(settings),
        # One statement of a read needs no transaction; a write reads what it locks, so it needs no snapshot.
        isolation_level="AUTOCOMMIT" if autocommit else "READ COMMITTED",
        pool_size=size,
        max_overflow=0,
        pool_timeout=settings.database_timeout_seconds,
        pool_recycle=settings.database_connection_age_seconds,
        pool_use_lifo=True,
        # A transaction that was left open is rolled back as its connection is closed, before it goes back to the
        # pool: to reset it there once more, after every commit, would be one more round trip.
        pool_reset_on_return=None,
        skip_autocommit_rollback=True,  # else each read makes a second round trip
    )
    seconds = settings.database_timeout_seconds

    @event.listens_for(engine.sync_engine, "connect")
    def limit(connection: Any, _: Any) -> None:  # pyright: ignore[reportUnusedFunction]
        cursor = connection.cursor()
        cursor.execute("SELECT VERSION()")
        version = str(cursor.fetchone()[0])
        # MariaDB stops any statement after seconds; MySQL a SELECT after milliseconds.
        timeout = (
            f"max_statement_time = {seconds}"
            if "MariaDB" in version
            else f"max_execution_time = {int(seconds * 1000)}"
        )
        cursor.execute(
            f"SET SESSION {timeout}, innodb_lock_wait_timeout = {max(1, int(seconds))}, "
            "time_zone = '+00:00', sql_mode = 'STRICT_ALL_TABLES'"
        )
        cursor.close()

    @event.listens_for(engine.sync_engine, "handle_error")
    def leave_old_writer(context: ExceptionContext) -> None:  # pyright: ignore[reportUnusedFunction]
        if isinstance(context.sqlalchemy_exception, DBAPIError):
            context.is_disconnect |= error_code(context.sqlalchemy_exception) in _READ_ONLY

    return engine


def _connector(settings: PinDatabaseSettings) -> Callable[..., Awaitable[Any]]:
    file = settings.database_secret_file
    if file is None:
        raise ValueError("DATABASE_SECRET_FILE is not set")

    trust = _Trust(settings.database_ca_file)

    async def connect(*_: Any, **__: Any) -> Any:
        credential = read_credential(file)
        return await asyncmy.connect(
            host=credential.host,
            port=credential.port,
            user=credential.username,
            password=credential.password,
            database=credential.dbname,
            charset="utf8mb4",
            ssl=trust.context(),
            connect_timeout=settings.database_connect_seconds,
            client_flag=CLIENT.FOUND_ROWS,  # as SQLAlchemy expects of rowcount
        )

    return connect


class _Trust:
    """Who may sign the server's certificate: reading that takes longer than connecting, so it is read once."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._read: tuple[int, ssl.SSLContext] | None = None

    def context(self) -> ssl.SSLContext:
        """As the file is now: certificate authorities change, too. Raises CredentialError."""
        try:
            changed = self._file.stat().st_mtime_ns if self._file else 0
            if self._read is None or self._read[0] != changed:
                self._read = changed, ssl.create_default_context(cafile=self._file)
        except OSError as error:
            raise CredentialError(
                f"DATABASE_CA_FILE {self._file} cannot be used: {error.strerror}"
            ) from error
        return self._read[1]


def _sqlite_engine(settings: PinDatabaseSettings, url: str, size: int, *, autocommit: bool) -> AsyncEngine:
    engine = create_async_engine(
        url,
        hide_parameters=True,
        # SQLite has one writer at a time: those of this process queue here, where waiting is fair.
        pool_size=size if autocommit else 1,
        max_overflow=0,
        pool_timeout=settings.database_timeout_seconds,
        pool_reset_on_return=None,
    )

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, _: Any) -> None:  # pyright: ignore[reportUnusedFunction]
        connection.isolation_level = None  # transactions begin when they are begun, below
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {int(settings.database_timeout_seconds * 1000)}")
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.close()

    if not autocommit:

        @event.listens_for(engine.sync_engine, "begin")
        def begin(connection: Any) -> None:  # pyright: ignore[reportUnusedFunction]
            # Not when it first writes: two that have read by then could only refuse each other.
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine
