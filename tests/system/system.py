"""The whole system as tests see it: people who use its public API, and the processes that may be harmed."""

import contextlib
import os
import re
import signal
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from emulator.processes import Member, registered
from pinwheel import world as worlds
from pinwheel.catalogue.pictures import picture
from pinwheel.client.people import People
from tests.conftest import ROOT, Printed
from tests.waiting import until

PATIENCE_SECONDS = 90.0
"""For what is back after a fault, on a machine that has other things to do."""
_TIMEOUT_SECONDS = 15.0
_PAGE = 100


@dataclass
class Person:
    """Somebody who is signed in, with a profile, at the public address."""

    name: str
    token: str
    client: httpx.Client
    id: str = ""

    def ask(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        """One request, and whatever it is answered."""
        return self.client.request(method, path, **arguments)

    def make(self, path: str, body: object, *, key: str = "") -> Any:
        """POST until it is done: sent again with the same Idempotency-Key, it is done once."""
        headers = {"idempotency-key": key or str(uuid.uuid4())}

        def made() -> httpx.Response | None:
            with contextlib.suppress(httpx.TransportError):
                answer = self.client.post(path, json=body, headers=headers)
                if answer.status_code < 500 and answer.status_code != 429:
                    return answer
            return None

        # A Response is falsy when it is an error: the list is not.
        (answer,) = until(lambda: [found] if (found := made()) is not None else None, PATIENCE_SECONDS)
        assert answer.status_code == 201, answer.text
        return answer.json()

    def board(self, name: str = "Seen today", *, secret: bool = False) -> str:
        """The new board's identifier."""
        return self.make("/v1/boards", {"name": name, "secret": secret})["id"]

    def pin(self, board: str, title: str, *, key: str = "", **more: str) -> str:
        """The new pin's identifier."""
        return self.make("/v1/pins", {"board_id": board, "title": title, **more}, key=key)["id"]

    def uploaded(self, seed: int) -> str:
        """Put a picture into the bucket, as an app does; the upload's identifier."""
        image = picture(seed % 12, seed)
        told = self.make("/v1/uploads", {"content_type": "image/jpeg", "content_length": len(image)})
        files = {"file": ("picture.jpg", image, "image/jpeg")}
        answer = httpx.post(told["url"], data=told["fields"], files=files, trust_env=False)
        assert answer.is_success, answer.text
        return told["id"]

    def search(self, words: str, **query: str | int) -> dict[str, Any]:
        """The answer of a search for pins. Raises httpx.HTTPError."""
        answer = self.client.get("/v1/search/pins", params={"q": words, **query})
        return answer.raise_for_status().json()

    def found(self, words: str) -> list[str]:
        """The identifiers of all pins that are found, on all pages; one that is found twice is there twice."""
        return self._pages("/v1/search/pins", "pin_id", q=words)

    def pins_of(self, board: str) -> dict[str, str]:
        """Identifier -> title of what the database has on a board."""
        items = self._items(f"/v1/boards/{board}/pins")
        return {item["pin"]["id"]: item["pin"]["title"] for item in items}

    def looks_like_some(self, pin: str) -> bool:
        """Whether the pin's picture has been embedded and indexed."""
        return self.client.get(f"/v1/search/pins/{pin}/similar").status_code == 200

    def _pages(self, path: str, name: str, **query: str | int) -> list[str]:
        return [item[name] for item in self._items(path, **query)]

    def _items(self, path: str, **query: str | int) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = []
        while True:
            answer = self.client.get(path, params={"limit": _PAGE, **query})
            page = answer.raise_for_status().json()
            items += page["items"]
            if page["next_cursor"] is None:
                return items
            query["cursor"] = page["next_cursor"]


@dataclass
class System:
    """A world that is up."""

    printed: Printed
    _clients: list[httpx.Client] = field(default_factory=list)
    _people: People | None = None

    @property
    def url(self) -> str:
        """The gateway's."""
        return self.printed.thing("service pinwheel/gateway")

    def client(self, **headers: str) -> httpx.Client:
        """Somebody at the public address, who shows nothing but `headers`."""
        client = httpx.Client(base_url=self.url, headers=headers, timeout=_TIMEOUT_SECONDS, trust_env=False)
        self._clients.append(client)
        return client

    def token(self, name: str) -> str:
        """An access token of the user pool."""
        if self._people is None:
            with pytest.MonkeyPatch.context() as patch:
                patch.setenv(worlds.STATE_VARIABLE, str(self.printed.pinwheel.state))
                here = worlds.read()
            assert here is not None
            self._people = People(here)
        return self._people.token(name)

    def person(self, name: str = "") -> Person:
        """Somebody new, with a profile. Each has rate limits of their own."""
        name = name or f"p{uuid.uuid4().hex[:12]}"
        token = self.token(name)
        person = Person(name, token, self.client(authorization=f"Bearer {token}"))
        person.id = person.make("/v1/users", {"username": name, "country": "DE"})["id"]
        return person

    def kubectl(self, *arguments: str) -> str:
        """What kubectl prints; it must succeed."""
        done = subprocess.run(
            [ROOT / ".venv" / "bin" / "kubectl", "-n", "pinwheel", *arguments],
            env=self.printed.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def processes(self, name: str) -> list[Member]:
        """The living processes of a deployable (`pin`, `search-leaf-0`), or `mysql` or `kafka`."""
        pattern = rf"{name}/[^/]+" if name in {"mysql", "kafka"} else rf"[^/]+/pod/pinwheel/[^/]+/{name}"
        directory: Path = self.printed.pinwheel.state / "processes"
        return [each for each in registered(directory) if re.fullmatch(pattern, each.name) and each.alive]

    def process(self, name: str) -> Member:
        """The one of that name, once it lives."""
        return until(lambda: self.processes(name), PATIENCE_SECONDS)[0]

    def kill(self, name: str) -> Member:
        """Kill a process with -9, and wait for its successor."""
        before = self.process(name)
        os.kill(before.pid, signal.SIGKILL)
        return until(
            lambda: next((each for each in self.processes(name) if each.pid != before.pid), None),
            PATIENCE_SECONDS,
        )

    @contextlib.contextmanager
    def held(self, name: str) -> Iterator[None]:
        """While the context is open the process does nothing, as a machine does that is cut off."""
        pid = self.process(name).pid
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def operations(self, name: str, path: str) -> httpx.Response:
        """What a pod's operations port answers."""
        address = self.process(name).details["address"]
        return httpx.get(f"http://{address}:9090{path}", trust_env=False, timeout=_TIMEOUT_SECONDS)

    def close(self) -> None:
        """Close all connections."""
        for client in self._clients:
            client.close()
