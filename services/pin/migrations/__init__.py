"""The database's schema, revision by revision, and the role that brings a database up to the newest.

Several pods may run it at once: one works, under a lock of the database, and the others find nothing left to do.
A revision must leave the database usable by the release before it, which still serves while this one rolls out:
it adds, and what it makes obsolete is removed by a later release's (https://martinfowler.com/bliki/ParallelChange.html).
"""

from typing import Final

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from services.common.logs import logger
from services.pin.engines import create_engine
from services.pin.settings import PinDatabaseSettings

_LOCK: Final = "CONCAT(DATABASE(), '.migrate')"
"""Its name is the server's, on which other databases may be."""
_LOCK_SECONDS: Final = 120
_log = logger(__name__)


class MigrationError(Exception):
    """The database was not brought up to date; the message says why."""


def configuration() -> Config:
    """Alembic's, without a file of its own."""
    config = Config()
    config.set_main_option("script_location", "services.pin:migrations")
    return config


def head() -> str:
    """The newest revision."""
    found = ScriptDirectory.from_config(configuration()).get_current_head()
    if found is None:
        raise MigrationError("there are no revisions in services/pin/migrations/versions")
    return found


async def migrate(settings: PinDatabaseSettings) -> None:
    """Bring the database up to the newest revision. One at a time in a process: Alembic's context is global.

    Raises MigrationError and what the driver raises.
    """
    engine = create_engine(settings, autocommit=False)
    try:
        async with engine.connect() as connection:
            await connection.run_sync(_upgrade)
    finally:
        await engine.dispose()
    _log.info("migrated", revision=head())


def _upgrade(connection: Connection) -> None:
    mysql = connection.dialect.name == "mysql"
    if mysql:  # it commits with every DDL statement, so the lock must be of the session
        # A statement may alter a large table, and waits for its metadata lock.
        connection.execute(text(f"SET SESSION {_no_limit(connection)}, lock_wait_timeout = 60"))
        if connection.execute(text(f"SELECT GET_LOCK({_LOCK}, {_LOCK_SECONDS})")).scalar() != 1:
            raise MigrationError(
                f"another migration has been at work for {_LOCK_SECONDS} s: see what it does"
            )
    try:
        config = configuration()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.commit()  # of SQLite: all revisions in the one transaction that kept others out
    finally:
        if mysql:
            connection.execute(text(f"SELECT RELEASE_LOCK({_LOCK})"))


def _no_limit(connection: Connection) -> str:
    mariadb = "MariaDB" in str(connection.execute(text("SELECT VERSION()")).scalar())
    return "max_statement_time = 0" if mariadb else "max_execution_time = 0"
