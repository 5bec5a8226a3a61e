"""`python -m services.pin ROLE`: the pin service's processes, which share an image.

serve    the REST API
migrate  bring the database up to date, and end (an init container)
relay    the outbox to Kafka
republish
         write an event of all that is there to the outbox: for consumers that missed some
work     jobs: thumbnails and what else takes its time
dead-letters [--redrive]
         the jobs that were given up: list them, or send them back
"""

import asyncio
import sys
from collections.abc import Callable
from types import MappingProxyType
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from services.common import logs
from services.common.lifetime import EXIT_FAILED, Lifetime, run
from services.common.settings import EXIT_CONFIGURATION, load


def _serve() -> None:
    from services.pin.api.app import serve  # noqa: PLC0415 - a role loads what it needs and no more
    from services.pin.settings import PinSettings  # noqa: PLC0415

    settings = load(PinSettings)

    async def start(lifetime: Lifetime) -> None:
        await serve(lifetime, settings)

    run(settings, start)


def _migrate() -> None:
    from services.pin.migrations import MigrationError, migrate  # noqa: PLC0415
    from services.pin.settings import PinDatabaseSettings  # noqa: PLC0415

    settings = load(PinDatabaseSettings)
    logs.configure(settings)
    try:
        asyncio.run(migrate(settings))
    except (MigrationError, SQLAlchemyError, OSError) as error:
        logs.logger(__name__).error("not migrated", reason=str(error))
        sys.exit(EXIT_FAILED)


def _relay() -> None:
    from services.pin.outbox.relay import start as start_relay  # noqa: PLC0415
    from services.pin.outbox.settings import RelaySettings  # noqa: PLC0415

    settings = load(RelaySettings)

    async def start(lifetime: Lifetime) -> None:
        await start_relay(lifetime, settings)

    run(settings, start)


def _republish() -> None:
    from services.pin.database import Database, DatabaseUnavailable  # noqa: PLC0415
    from services.pin.outbox.republishing import republish  # noqa: PLC0415
    from services.pin.settings import PinDatabaseSettings  # noqa: PLC0415

    settings = load(PinDatabaseSettings)
    logs.configure(settings)

    async def all_of_it() -> int:
        database = Database(settings)
        try:
            return await republish(database)
        finally:
            await database.close()

    log = logs.logger(__name__)
    try:
        log.info("written to the outbox", events=asyncio.run(all_of_it()))
    except DatabaseUnavailable as error:
        log.error("not republished: run it again, what comes twice does no harm", reason=str(error))
        sys.exit(EXIT_FAILED)


def _work() -> None:
    from services.pin.jobs.worker import main as work  # noqa: PLC0415

    work()


def _dead_letters() -> None:
    from services.pin.jobs.dead_letters import main as list_them  # noqa: PLC0415

    list_them(sys.argv[2:])


ROLES: Final = MappingProxyType[str, Callable[[], None]](
    {
        "serve": _serve,
        "migrate": _migrate,
        "relay": _relay,
        "republish": _republish,
        "work": _work,
        "dead-letters": _dead_letters,
    }
)
_TAKES_ARGUMENTS: Final = frozenset({"dead-letters"})


def main(arguments: list[str]) -> None:
    """Be what the first argument says. Ends the process with 2 when it says nothing of use."""
    role = ROLES.get(arguments[0]) if arguments else None
    if role is None or (len(arguments) > 1 and arguments[0] not in _TAKES_ARGUMENTS):
        print(f"usage: python -m services.pin {{{','.join(ROLES)}}}", file=sys.stderr)  # noqa: T201
        sys.exit(EXIT_CONFIGURATION)
    role()


if __name__ == "__main__":
    main(sys.argv[1:])
