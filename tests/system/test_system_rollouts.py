"""New pods take the place of old ones while people use the system: none of their requests fails."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.clients.support import needs_mysql
from tests.system.system import System
from tests.waiting import until

pytestmark = [pytest.mark.xdist_group("harmed"), needs_mysql]


@contextmanager
def traffic(ask: Callable[[], str | None]) -> Iterator[list[str]]:
    """`ask` is called again and again; yields what it returns, which is what went wrong."""
    failures: list[str] = []
    stopping, begun = threading.Event(), threading.Event()

    def run() -> None:
        while not stopping.is_set():
            try:
                failure = ask()
            except Exception as error:
                failure = f"{type(error).__name__}: {error}"
            if failure:
                failures.append(failure)
            begun.set()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert begun.wait(30)
        yield failures
    finally:
        stopping.set()
        thread.join()


@pytest.mark.parametrize("deployment", ["pin", "search-root", "gateway"])
def test_no_request_fails_while_pods_are_replaced(harmed: System, deployment: str) -> None:
    person = harmed.person()
    board = person.board()
    pin = person.pin(board, f"Steady {person.name}")
    until(lambda: person.found(person.name) == [pin])

    def ask() -> str | None:
        answers = (
            person.ask("GET", f"/v1/pins/{pin}"),
            person.ask("GET", "/v1/search/pins", params={"q": person.name}),
            person.ask(
                "PATCH", f"/v1/pins/{pin}", json={"description": "As it was"}, headers={"if-match": "*"}
            ),
        )
        return next(
            (
                f"{each.request.method} {each.url.path}: {each.status_code} {each.text}"
                for each in answers
                if each.is_error and each.status_code != 429
            ),
            None,
        )

    old = harmed.process(deployment).pid
    with traffic(ask) as failures:
        harmed.kubectl("rollout", "restart", f"deployment/{deployment}")
        harmed.kubectl("rollout", "status", f"deployment/{deployment}", "--timeout=120s")
        until(
            lambda: (
                [each.pid for each in harmed.processes(deployment)]
                and old not in [each.pid for each in harmed.processes(deployment)]
            ),
            90,
        )
    assert failures == []
