"""`pinwheel seed`: puts the catalogue into the world that is up, through the gateway, as its people would.

What is there already is left as it is, so that a seed that was cut short is gone on with, and one that is run
again doubles nothing.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from pinwheel.catalogue.catalogue import Board, Catalogue, Person, Pin, Save
from pinwheel.client.gateway import Gateway, RefusedError, address
from pinwheel.client.people import People
from pinwheel.errors import ExitCode, Failure
from pinwheel.world import World, up_world

_AT_ONCE: Final = 16
_CONFLICT: Final = 409
_SEARCHABLE_SECONDS: Final = 60.0
_POLL_SECONDS: Final = 0.1

T = TypeVar("T")
Result = TypeVar("Result")
Step = Callable[[str, int], Callable[[], None]]
"""Begins a step of so many things; what it returns is called at each that is done."""


@dataclass(frozen=True)
class Seeded:
    """How much is there now."""

    boards: int
    pins: int
    saves: int
    search: str
    """The URL of a search that finds something."""


def seed(pins: int) -> ExitCode:
    """Put a catalogue of `pins` pins into the world that is up, and wait until its last pin is found."""
    seeded = planted(up_world(), pins, Console(stderr=True))
    Console().print(
        f"{seeded.pins} pins on {seeded.boards} boards, saved {seeded.saves} times.",
        f"Search: {seeded.search}",
        sep="\n",
        highlight=False,
        soft_wrap=True,
    )
    return ExitCode.PASSED


def planted(here: World, pins: int, log: Console) -> Seeded:
    """What `seed` does, in `here`; its progress goes to `log`. Raises Failure."""
    people, url = People(here), address(here)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=log, transient=True) as progress:

        def step(what: str, count: int) -> Callable[[], None]:
            task = progress.add_task(what, total=count)
            return lambda: progress.advance(task)

        try:
            return asyncio.run(_seeded(Catalogue(pins), people, url, step))
        except ExceptionGroup as failures:  # of several at once, one is told
            raise failures.exceptions[0] from failures


async def _seeded(catalogue: Catalogue, people: People, url: str, step: Step) -> Seeded:
    async with Gateway(url) as gateway:
        writer = _Writer(gateway, people)
        persons, boards = catalogue.people(), catalogue.boards()
        writer.persons = await _each(persons, writer.person, step("people", len(persons)))
        writer.boards = await _each(boards, writer.board, step("boards", len(boards)))
        writer.owners = [board.owner for board in boards]
        pins = list(catalogue.each_pin())
        writer.pins = await _each(pins, writer.pin, step("pins", len(pins)))
        saves = catalogue.saves()
        await _each(saves, writer.save, step("saves", len(saves)))
        await _found(gateway, pins[-1], writer.pins[-1], step("searchable", 1))
        search = f"{url}/v1/search/pins?q={pins[-1].title.split()[-1].lower()}"
        return Seeded(len(boards), len(pins), len(saves), search)


@dataclass
class _Account:
    """A person who is signed in, and what they have of an earlier seed."""

    token: str
    boards: dict[str, str] = field(default_factory=dict[str, str])
    """Identifiers by name."""
    pins: dict[str, str] = field(default_factory=dict[str, str])
    """Identifiers by link, which is another for each pin of the catalogue."""


class _Writer:
    """Writes one thing of the catalogue; `persons`, `boards`, `owners` and `pins` are by its numbers."""

    def __init__(self, gateway: Gateway, people: People) -> None:
        self._gateway = gateway
        self._people = people
        self.persons: list[_Account] = []
        self.boards: list[str] = []
        self.owners: list[int] = []
        self.pins: list[str] = []

    async def person(self, person: Person, _: int) -> _Account:
        """Sign them in, for the first time or again."""
        account = _Account(await asyncio.to_thread(self._people.token, person.username))
        try:
            profile = {"username": person.username, "country": person.country}
            await self._gateway.post("/v1/users", profile, token=account.token)
        except RefusedError as refused:
            if refused.status != _CONFLICT:
                raise
            await self._remember(account)
        return account

    async def _remember(self, account: _Account) -> None:
        me = await self._gateway.get("/v1/users/me", token=account.token)
        async for board in self._pages(f"/v1/users/{me['id']}/boards", account.token):
            account.boards[board["name"]] = board["id"]
            async for shown in self._pages(f"/v1/boards/{board['id']}/pins", account.token):
                if shown["save_id"] is None and shown["pin"]["link"]:
                    account.pins[shown["pin"]["link"]] = shown["pin"]["id"]

    async def _pages(self, path: str, token: str) -> AsyncIterator[Any]:
        cursor: dict[str, str] = {}
        while True:
            page = await self._gateway.get(path, token=token, **cursor)
            for item in page["items"]:
                yield item
            if page["next_cursor"] is None:
                return
            cursor = {"cursor": page["next_cursor"]}

    async def board(self, board: Board, _: int) -> str:
        """The board's identifier."""
        account = self.persons[board.owner]
        if board.name not in account.boards:
            told = await self._gateway.post("/v1/boards", {"name": board.name}, token=account.token)
            account.boards[board.name] = told["id"]
        return account.boards[board.name]

    async def pin(self, pin: Pin, _: int) -> str:
        """The pin's identifier."""
        account = self.persons[self.owners[pin.board]]
        if pin.link not in account.pins:
            picture = await asyncio.to_thread(pin.picture)
            upload = await self._gateway.upload(picture, token=account.token)
            told = await self._gateway.post(
                "/v1/pins",
                {
                    "board_id": self.boards[pin.board],
                    "title": pin.title,
                    "description": pin.description,
                    "link": pin.link,
                    "upload_id": upload,
                },
                token=account.token,
            )
            account.pins[pin.link] = told["id"]
        return account.pins[pin.link]

    async def save(self, save: Save, _: int) -> None:
        """Put a pin on a board, unless it is there."""
        try:
            await self._gateway.post(
                f"/v1/pins/{self.pins[save.pin]}/saves",
                {"board_id": self.boards[save.board]},
                token=self.persons[save.person].token,
            )
        except RefusedError as refused:
            if refused.status != _CONFLICT:
                raise


async def _each(
    things: Iterable[T], write: Callable[[T, int], Awaitable[Result]], done: Callable[[], None]
) -> list[Result]:
    """What `write` returns for each, in order; several at once."""
    limit = asyncio.Semaphore(_AT_ONCE)

    async def one(thing: T, number: int) -> Result:
        async with limit:
            result = await write(thing, number)
        done()
        return result

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(thing, number)) for number, thing in enumerate(things)]
    return [task.result() for task in tasks]


async def _found(gateway: Gateway, pin: Pin, identifier: str, done: Callable[[], None]) -> None:
    """Return when the pin can be found. Raises Failure when it cannot for long."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _SEARCHABLE_SECONDS
    while loop.time() < deadline:
        answer = await gateway.get("/v1/search/pins", q=pin.title, limit=50)
        if any(hit["pin_id"] == identifier for hit in answer["items"]):
            done()
            return
        await asyncio.sleep(_POLL_SECONDS)
    raise Failure(
        f"the pin {pin.title!r} ({identifier}) was made and is not found after {_SEARCHABLE_SECONDS:.0f} s",
        "see `pinwheel status`, and kubectl logs -n pinwheel deployment/pin-relay",
        ExitCode.REFUSED,
    )
