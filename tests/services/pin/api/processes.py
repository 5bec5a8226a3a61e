"""`python -m services.pin`, as its Deployment starts it."""

import json
import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.waiting import until

ROOT = Path(__file__).parents[4]


@dataclass
class Served:
    """A process of the role `serve`."""

    process: subprocess.Popen[bytes]
    log: Path

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]

    def address(self, event: str) -> str:
        """`host:port` that the log tells of."""

        def look() -> str | None:
            assert self.process.poll() is None, self.log.read_text()
            return next((line["address"] for line in self.lines() if line["event"] == event), None)

        return until(look)

    @property
    def url(self) -> str:
        return f"http://{self.address('http listens')}"

    def ready(self) -> httpx.Response:
        """What the readiness probe is told."""
        return httpx.get(f"http://{self.address('operations listen')}/readyz")


@contextmanager
def serving(log: Path, variables: dict[str, str], *, ready: bool = True) -> Generator[Served]:
    """An API on free ports, `ready` if it is waited for; it is killed at the end."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "services.pin", "serve"],
            env={**os.environ, **_OURS, **variables},
            cwd=ROOT,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        served = Served(process, log)
        if ready:
            until(lambda: served.ready().status_code == 200)
        yield served
    finally:
        process.kill()
        process.wait()


def role(name: str, variables: dict[str, str]) -> subprocess.Popen[str]:
    """Another role, whose output is read."""
    return subprocess.Popen(
        [sys.executable, "-m", "services.pin", name],
        env={**os.environ, **_OURS, **variables},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


_OURS = {
    "SERVICE_NAME": "pin",
    "HTTP_PORT": "0",
    "OPERATIONS_PORT": "0",
    "SHUTDOWN_DRAIN_SECONDS": "0.1",
    "IMAGES_BUCKET": "images",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_ACCESS_KEY_ID": "a-key",
    "AWS_SECRET_ACCESS_KEY": "a-secret",
}
