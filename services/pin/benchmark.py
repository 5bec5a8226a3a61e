"""How fast the API answers a realistic mix of requests: `python -m services.pin.benchmark [--rate 300] [--seconds 30]`.

It needs an empty database (DATABASE_SECRET_FILE and DATABASE_CA_FILE, or DATABASE_URL), fills it, starts the role
`serve` as a process of its own, and sends requests at random moments (Poisson) whatever has been answered (an open
loop). A latency counts from the moment the request was due, so that what waits behind a slow one is not forgotten.
"""

import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from typing import IO, Annotated, Any, Final

import aiohttp
import psutil
import typer
import uvloop
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.common.settings import load
from services.pin.database import Database
from services.pin.identifiers import new_identifier
from services.pin.migrations import migrate
from services.pin.models import Board, Pin, Save, User
from services.pin.settings import PinDatabaseSettings

USERS: Final = 500
BOARDS_OF_A_USER: Final = 4
PINS_OF_A_BOARD: Final = 20
SAVES_OF_A_BOARD: Final = 5
_PART: Final = 1000
_LOG_BYTES: Final = 65536
_POLL_SECONDS: Final = 0.05
_TIMEOUT_SECONDS: Final = 10.0
_WARM_UP_SECONDS: Final = 3.0

MIX: Final = {
    "get a pin": 36,
    "related pins": 4,
    "a board's pins": 22,
    "get a board": 10,
    "a person's boards": 5,
    "create a pin": 8,
    "save a pin": 7,
    "change a pin": 5,
    "create a board": 2,
    "delete a pin": 1,
}
"""Percent of the requests. Eight of ten read; popular pins are read most (Zipf)."""


@dataclass
class Catalogue:
    """What there is to ask for."""

    users: list[int] = field(default_factory=list[int])
    boards: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    """Board and owner."""
    pins: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    """Pin and owner."""
    saves: list[tuple[int, int, int]] = field(default_factory=list[tuple[int, int, int]])
    """Save, pin and board."""


def catalogue(rng: random.Random) -> Catalogue:
    """People with boards with pins, of their own and saved ones."""
    made = Catalogue()
    for _ in range(USERS):
        made.users.append(user := new_identifier())
        for _ in range(BOARDS_OF_A_USER):
            made.boards.append((new_identifier(), user))
            made.pins.extend((new_identifier(), user) for _ in range(PINS_OF_A_BOARD))
    for board, _ in made.boards:
        chosen = rng.sample(made.pins, SAVES_OF_A_BOARD)
        made.saves.extend((new_identifier(), pin, board) for pin, _ in chosen)
    return made


async def fill(database: Database, things: Catalogue) -> None:
    """Write the catalogue's rows."""
    now = datetime.now(UTC) - timedelta(days=1)
    common: dict[str, Any] = {"version": 1, "deleted": False, "updated_at": now}
    made = {**common, "created_at": now}
    tables: list[tuple[Any, list[dict[str, Any]]]] = [
        (
            User,
            [
                {"user_id": user, "subject": str(user), "username": f"u{user}", "country": "DE", **made}
                for user in things.users
            ],
        ),
        (
            Board,
            [
                {
                    "board_id": board,
                    "owner_id": owner,
                    "name": "Chairs",
                    "description": "",
                    "secret": False,
                    **made,
                }
                for board, owner in things.boards
            ],
        ),
        (
            Pin,
            [
                {
                    "pin_id": pin,
                    "board_id": things.boards[number // PINS_OF_A_BOARD][0],
                    "owner_id": owner,
                    "title": f"A chair, number {number}",
                    "description": "Bent wood and cane, made in Vienna. " * 5,
                    "link": f"https://shop.example/{number}",
                    "image_key": f"originals/{owner}/{pin}",
                    **made,
                }
                for number, (pin, owner) in enumerate(things.pins)
            ],
        ),
        (
            Save,
            [
                {
                    "save_id": save,
                    "pin_id": pin,
                    "board_id": board,
                    "user_id": things.boards[number // SAVES_OF_A_BOARD][1],
                    "saved_at": now,
                    **common,
                }
                for number, (save, pin, board) in enumerate(things.saves)
            ],
        ),
    ]
    for table, rows in tables:
        for start in range(0, len(rows), _PART):

            async def write(
                connection: AsyncConnection, table: Any = table, part: Any = rows[start : start + _PART]
            ) -> None:
                await connection.execute(insert(table), part)

            await database.write(write)


class Load:
    """Requests of the mix against a running API, and how long each took.

    Args:
        session: keeps connections to the API open.
        things: what there is to ask for; pins that are deleted meanwhile answer 404, as in life.
        rng: decides everything.
    """

    def __init__(self, session: aiohttp.ClientSession, things: Catalogue, rng: random.Random) -> None:
        self._session = session
        self._things = things
        self._rng = rng
        self._popularity = list(accumulate(1 / rank for rank in range(1, len(things.pins) + 1)))
        self._doomed = list(range(len(things.pins)))
        rng.shuffle(self._doomed)
        self.seconds = defaultdict[str, list[float]](list)
        self.statuses = Counter[tuple[str, int]]()

    async def run(self, rate: float, seconds: float) -> None:
        """Send `rate` requests a second, each when it is due."""
        kinds, weights = list(MIX), list(MIX.values())
        begin = due = time.perf_counter()
        running: set[asyncio.Task[None]] = set()
        while due < begin + seconds:
            await asyncio.sleep(due - time.perf_counter())
            kind = self._rng.choices(kinds, weights)[0]
            task = asyncio.create_task(self._measured(kind, due))
            running.add(task)
            task.add_done_callback(running.discard)
            due += self._rng.expovariate(rate)
        await asyncio.gather(*running)

    async def _measured(self, kind: str, due: float) -> None:
        try:
            status = await self._send(kind)
        except (aiohttp.ClientError, TimeoutError):
            status = 0
        self.seconds[kind].append(time.perf_counter() - due)
        self.statuses[kind, status] += 1

    async def _send(self, kind: str) -> int:  # noqa: PLR0911 - one of each kind
        things = self._things
        pin, pin_owner = self._rng.choices(things.pins, cum_weights=self._popularity)[0]
        number = self._rng.randrange(len(things.boards))
        board, owner = things.boards[number]
        match kind:
            case "get a pin":
                return await self._request("GET", f"/v1/pins/{pin}", owner)
            case "related pins":
                return await self._request("GET", f"/v1/pins/{pin}/related", owner)
            case "a board's pins":
                return await self._request("GET", f"/v1/boards/{board}/pins", owner)
            case "get a board":
                return await self._request("GET", f"/v1/boards/{board}", owner)
            case "a person's boards":
                return await self._request("GET", f"/v1/users/{owner}/boards", owner)
            case "create a pin":
                body = {"board_id": str(board), "title": "New", "link": "https://shop.example/new"}
                return await self._request("POST", "/v1/pins", owner, body, once=True)
            case "save a pin":
                body = {"board_id": str(board)}
                return await self._request("POST", f"/v1/pins/{pin}/saves", owner, body, once=True)
            case "change a pin":
                body = {"title": f"Changed {self._rng.random()}"}
                return await self._request("PATCH", f"/v1/pins/{pin}", pin_owner, body)
            case "create a board":
                return await self._request("POST", "/v1/boards", owner, {"name": "New"}, once=True)
            case _:
                pin, pin_owner = things.pins[self._doomed.pop()]
                return await self._request("DELETE", f"/v1/pins/{pin}", pin_owner)

    async def _request(
        self, method: str, path: str, subject: int, body: dict[str, Any] | None = None, *, once: bool = False
    ) -> int:
        headers = {"x-pinwheel-subject": str(subject)}
        if method in {"PATCH", "DELETE"}:
            headers["if-match"] = "*"
        if once:
            headers["idempotency-key"] = f"{self._rng.getrandbits(128):032x}"
        async with self._session.request(method, path, json=body, headers=headers) as answer:
            await answer.read()
            return answer.status


@contextmanager
def serving() -> Generator[tuple[str, psutil.Process]]:
    """The role `serve` on free ports: its URL, and its process."""
    variables = {
        "HTTP_PORT": "0",
        "OPERATIONS_PORT": "0",
        "SHUTDOWN_DRAIN_SECONDS": "0",
        "IMAGES_BUCKET": "benchmark",
        "AWS_DEFAULT_REGION": os.environ.get("AWS_DEFAULT_REGION", "us-east-1"),
    }
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "services.pin", "serve"], env={**os.environ, **variables}, stdout=log
        )
        try:
            yield f"http://{_address(process, log)}", psutil.Process(process.pid)
        finally:
            process.terminate()
            process.wait()


def _address(process: subprocess.Popen[bytes], log: IO[bytes]) -> str:
    while process.poll() is None:
        for line in os.pread(log.fileno(), _LOG_BYTES, 0).splitlines(keepends=True):
            if line.endswith(b"\n") and (said := json.loads(line))["event"] == "http listens":
                return said["address"]
        time.sleep(_POLL_SECONDS)
    raise typer.Exit(process.returncode)


def table(load: Load) -> Iterator[str]:
    """Latencies in milliseconds, as Markdown."""
    yield "| request | count | p50 | p95 | p99 | max | answers |"
    yield "|---|---:|---:|---:|---:|---:|---|"
    everything = [seconds for each in load.seconds.values() for seconds in each]
    for kind, seconds in [*((kind, load.seconds[kind]) for kind in MIX), ("all", everything)]:
        ordered = sorted(seconds)
        if not ordered:
            continue
        shown = [ordered[min(len(ordered) - 1, int(share * len(ordered)))] for share in (0.5, 0.95, 0.99, 1)]
        answers = Counter[int]()
        for (asked, status), count in load.statuses.items():
            if kind in {asked, "all"}:
                answers[status] += count
        told = ", ".join(f"{count} x {status}" for status, count in sorted(answers.items()))
        latencies = " | ".join(f"{1000 * each:.1f}" for each in shown)
        yield f"| {kind} | {len(ordered)} | {latencies} | {told} |"


async def measure(rate: float, seconds: float) -> None:
    """Fill the database, run the load, and print what came of it."""
    settings = load(PinDatabaseSettings)
    rng = random.Random(1)  # noqa: S311 - a load, not a secret
    things = catalogue(rng)
    await migrate(settings)
    database = Database(settings)
    await fill(database, things)
    await database.close()
    connector, timeout = aiohttp.TCPConnector(limit=0), aiohttp.ClientTimeout(_TIMEOUT_SECONDS)
    with serving() as (url, process):
        async with aiohttp.ClientSession(url, connector=connector, timeout=timeout) as session:
            await Load(session, things, rng).run(rate, _WARM_UP_SECONDS)
            measured = Load(session, things, rng)
            before, began = sum(process.cpu_times()[:2]), time.perf_counter()
            await measured.run(rate, seconds)
            busy = (sum(process.cpu_times()[:2]) - before) / (time.perf_counter() - began)
    about = (
        f"{rate:g} requests/s for {seconds:g} s, {len(things.pins)} pins; {busy:.0%} of a core; milliseconds:"
    )
    print("\n".join([about, "", *table(measured)]))  # noqa: T201


def main(
    rate: Annotated[float, typer.Option(help="Requests a second.")] = 300.0,
    seconds: Annotated[float, typer.Option(help="How long.")] = 30.0,
) -> None:
    """Print latencies of the pin service's API under a realistic mix of requests."""
    uvloop.run(measure(rate, seconds))


if __name__ == "__main__":
    typer.run(main)
