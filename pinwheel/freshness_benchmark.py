"""How soon a saved pin is searchable, in the world that is up: `python -m pinwheel.freshness_benchmark`.

Pins arrive through the gateway at a steady rate, whatever the answers take (open loop). Of some of them it is
asked, until it is found, for the one word that no other pin has; the time counts from the API's answer. All of it
runs on the same cores as the system, so that the client is a cheap one.
"""

import argparse
import asyncio
import secrets
import time
from dataclasses import dataclass, field
from typing import Final

import aiohttp
import numpy as np
from rich.console import Console
from rich.table import Table

from pinwheel.client.gateway import Gateway, address
from pinwheel.client.people import People
from pinwheel.world import up_world

_POLL_SECONDS: Final = 0.05
_CONNECTIONS: Final = 64
_FOUND_SECONDS: Final = 30.0
_EACH_PER_SECOND: Final = 4
"""Pins of one person: the gateway lets everybody do ten requests a second."""


@dataclass
class Measured:
    """Seconds."""

    answered: list[float] = field(default_factory=list[float])
    """From when the request was due to its answer."""
    searchable: list[float] = field(default_factory=list[float])
    """From the answer to the first search that finds the pin."""
    failed: int = 0
    lost: int = 0


async def measure(people: People, url: str, *, rate: int, seconds: int, sampled: int) -> Measured:
    """Create `rate` pins a second for `seconds`; look for one in `sampled`."""
    measured, run = Measured(), secrets.token_hex(3)
    connector = aiohttp.TCPConnector(limit=_CONNECTIONS)
    async with (
        Gateway(url) as gateway,
        aiohttp.ClientSession(url, connector=connector) as writer,
        aiohttp.ClientSession(url) as reader,  # with connections of its own: it must not wait for writes
    ):
        count = max(1, rate // _EACH_PER_SECOND)
        tokens = [await asyncio.to_thread(people.token, f"bench{run}{at}") for at in range(count)]
        boards: list[str] = []
        for at, token in enumerate(tokens):
            await gateway.post("/v1/users", {"username": f"bench{run}{at}", "country": "DE"}, token=token)
            boards.append((await gateway.post("/v1/boards", {"name": "Bench"}, token=token))["id"])

        async def one(number: int, due: float) -> None:
            word = f"w{run}{number:x}"
            body = {"board_id": boards[number % count], "title": f"Oak shelf with hooks {word}"}
            headers = {"authorization": f"Bearer {tokens[number % count]}", "idempotency-key": word}
            try:
                async with writer.post("/v1/pins", json=body, headers=headers) as answer:
                    answer.raise_for_status()
            except (aiohttp.ClientError, TimeoutError):
                measured.failed += 1
                return
            answered = time.perf_counter()
            measured.answered.append(answered - due)
            if number % sampled:
                return
            while time.perf_counter() - answered < _FOUND_SECONDS:
                async with reader.get("/v1/search/pins", params={"q": word, "limit": "1"}) as found:
                    seen = found.ok and (await found.json())["items"]
                if seen:
                    measured.searchable.append(time.perf_counter() - answered)
                    return
                await asyncio.sleep(_POLL_SECONDS)
            measured.lost += 1

        began = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for number in range(rate * seconds):
                due = began + number / rate
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                group.create_task(one(number, due))
    return measured


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m pinwheel.freshness_benchmark", description=__doc__)
    parser.add_argument("--rate", type=int, default=200, help="pins a second")
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--sampled", type=int, default=40, help="one in so many is looked for")
    told = parser.parse_args()
    here = up_world()
    measuring = measure(
        *(People(here), address(here)), rate=told.rate, seconds=told.seconds, sampled=told.sampled
    )
    measured = asyncio.run(measuring)
    table = Table(title=f"{told.rate} pins a second for {told.seconds} s, through the gateway")
    for column in ("", "count", "p50 ms", "p90 ms", "p99 ms", "most ms"):
        table.add_column(column, justify="right" if column else "left")
    for what, values in (("answered", measured.answered), ("searchable", measured.searchable)):
        if values:
            shown = (*np.percentile(values, [50, 90, 99]), max(values))
            table.add_row(what, str(len(values)), *(f"{1000 * value:.0f}" for value in shown))
    Console().print(table, f"failed: {measured.failed}, never found: {measured.lost}", sep="\n")


if __name__ == "__main__":
    main()
