"""A worker whose jobs write into a diary what happens to them: a program, run with `python -m`."""

import asyncio
import os
from pathlib import Path

from services.common.lifetime import Lifetime, run
from services.common.settings import load
from services.pin.database import Database
from services.pin.jobs.settings import WorkerSettings
from services.pin.jobs.worker import start_jobs

DIARY = Path(os.environ["TEST_DIARY"])


def write(entry: str) -> int:
    """Returns how often it had been written before."""
    before = DIARY.read_text().splitlines().count(entry) if DIARY.exists() else 0
    with DIARY.open("a") as file:
        file.write(f"{entry}\n")
    return before


async def note(text: str) -> None:
    write(text)


async def fail(text: str) -> None:
    write(text)
    raise RuntimeError("it never works")


async def fail_twice(text: str) -> None:
    if write(text) < 2:
        raise RuntimeError("not yet")


async def hang_once(text: str) -> None:
    if write(f"began {text}") == 0:
        await asyncio.Event().wait()
    write(f"done {text}")


async def start(lifetime: Lifetime) -> None:
    database = Database(settings)
    lifetime.on_stop("database", database.close)
    jobs = {"note": note, "fail": fail, "fail_twice": fail_twice, "hang_once": hang_once}
    await start_jobs(lifetime, settings, database, jobs)


settings = load(WorkerSettings)
run(settings, start)
