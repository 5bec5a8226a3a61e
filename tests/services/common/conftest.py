"""The example service, as a process of its own."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.waiting import until

HERE = Path(__file__).parent
ROOT = HERE.parents[2]


@dataclass
class Running:
    """A process, and what it logged."""

    process: subprocess.Popen[str]
    logs: list[dict[str, Any]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def address(self, what: str) -> str:
        """`host:port` of `http`, `grpc` or `operations`, once it listens."""
        return until(lambda: self._logged(f"{what} listens") or self._logged(f"{what} listen"))["address"]

    def url(self, what: str = "http") -> str:
        return f"http://{self.address(what)}"

    def wait_until_ready(self) -> None:
        operations = self.url("operations")
        until(lambda: httpx.get(f"{operations}/readyz").status_code == 200)

    def _logged(self, event: str) -> dict[str, Any] | None:
        assert self.process.poll() is None or any(each["event"] == event for each in self.logs), (
            self.logs + self.errors
        )
        return next((each for each in self.logs if each["event"] == event), None)

    def terminate(self) -> int:
        self.process.terminate()
        return self.process.wait(30)


Start = Callable[..., Running]


@contextmanager
def services() -> Iterator[Start]:
    """`start("http", VARIABLE="value")` starts it on free ports; all are killed at the end."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str, **variables: str) -> Running:
        ours = {"PYTHONPATH": str(ROOT), "HTTP_PORT": "0", "GRPC_PORT": "0", "OPERATIONS_PORT": "0"}
        process = subprocess.Popen(
            [sys.executable, str(HERE / "example_service.py"), *arguments],
            env={
                **os.environ,
                **ours,
                "SHUTDOWN_DRAIN_SECONDS": "0.2",
                "SERVICE_NAME": "example",
                **variables,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        running = Running(process)
        for stream, each in (
            (process.stdout, lambda line: running.logs.append(json.loads(line))),
            (process.stderr, running.errors.append),
        ):
            threading.Thread(target=_read, args=(stream, each)).start()
        return running

    try:
        yield start
    finally:
        for process in started:
            process.kill()
            process.wait()


@pytest.fixture
def service() -> Iterator[Start]:
    """Starts the example service; it is killed after the test."""
    with services() as start:
        yield start


@pytest.fixture(scope="module")
def example() -> Iterator[Running]:
    """One that answers HTTP and gRPC, for tests that do it no harm."""
    with services() as start:
        running = start("http", "grpc")
        running.wait_until_ready()
        yield running


def _read(stream: Any, each: Callable[[str], Any]) -> None:
    for line in stream:
        each(line)
