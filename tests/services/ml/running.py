"""Roles of the ml service as real processes."""

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc

from services.api.ml.v1 import ml_pb2_grpc
from tests.waiting import until


class Role:
    """`python -m services.ml ROLE`, and what it says."""

    def __init__(self, role: str, log: Path, environment: dict[str, str]) -> None:
        self._log = log
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        ours = {"OPERATIONS_PORT": "0", "GRPC_PORT": "0", "SERVICE_NAME": role, "SHUTDOWN_DRAIN_SECONDS": "0"}
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "services.ml", role],
                env={**kept, **ours, **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._log.read_text().splitlines() if line.startswith("{")]

    @property
    def text(self) -> str:
        return self._log.read_text()

    def said(self, event: str, **values: Any) -> dict[str, Any]:
        """The first line that says this; waits for it."""

        def look() -> dict[str, Any] | None:
            assert self.process.poll() is None, self.text
            found = [line for line in self.lines if line["event"] == event and values.items() <= line.items()]
            return found[0] if found else None

        return until(look)

    @property
    def address(self) -> str:
        """Of gRPC."""
        return self.said("grpc listens")["address"]

    def operations(self, path: str) -> tuple[int, str]:
        """Status and body of /readyz, /livez or /metrics."""
        url = f"http://{self.said('operations listen')['address']}{path}"
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def ready(self) -> "Role":
        """Wait until it takes traffic."""
        until(lambda: self.operations("/readyz")[0] == 200)
        return self

    def counted(self, metric: str) -> float:
        """The sum of a metric over its labels."""
        _, text = self.operations("/metrics")
        return sum(
            float(line.rsplit(" ", 1)[1])
            for line in text.splitlines()
            if line.startswith((metric + "{", metric + " "))
        )

    def terminate(self) -> int:
        """SIGTERM; its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(30)


@contextmanager
def running(role: str, log: Path, **environment: str) -> Iterator[Role]:
    """A role that is killed at the end, if it still lives."""
    made = Role(role, log, environment)
    try:
        yield made
    finally:
        made.kill()


@contextmanager
def embedding_stub(address: str) -> Iterator[ml_pb2_grpc.EmbeddingServiceStub]:
    with grpc.insecure_channel(address) as channel:
        yield ml_pb2_grpc.EmbeddingServiceStub(channel)
