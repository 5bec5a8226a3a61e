"""The echo service as a process of its own."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.waiting import until

FOLDER = Path(__file__).resolve().parents[3] / "services/echo"
DEADLINE_SECONDS = 30


class Echo:
    """A running service at an address of its own."""

    def __init__(self, **variables: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.process = subprocess.Popen(
            [sys.executable, "server.py"],
            cwd=FOLDER,
            env={"PATH": os.environ["PATH"], "PORT": str(self.port), "PYTHONUNBUFFERED": "1", **variables},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.said = self.process.stdout.readline()

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{self.port}{path}", timeout=DEADLINE_SECONDS
            ) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def until(self, path: str, status: int) -> None:
        until(lambda: self.get(path)[0] == status)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(DEADLINE_SECONDS)


@contextlib.contextmanager
def running(**variables: str) -> Iterator[Echo]:
    echo = Echo(**variables)
    try:
        yield echo
    finally:
        echo.process.kill()
        echo.process.wait()
        assert echo.process.stdout is not None
        echo.process.stdout.close()


def test_it_tells_what_it_saw_and_who_it_is() -> None:
    with running(POD_NAME="echo-1", VERSION="7") as echo:
        assert echo.said == f"echo 7 listens on http://127.0.0.1:{echo.port}\n"
        status, text = echo.get("/a/b?c=d")
        assert (status, json.loads(text)) == (
            200,
            {"pod": "echo-1", "version": "7", "method": "GET", "path": "/a/b?c=d"},
        )
        assert echo.get("/livez")[0] == echo.get("/readyz")[0] == 200


def test_it_listens_at_its_address_only() -> None:
    with running(POD_IP="127.0.0.5") as echo:
        listening = psutil.Process(echo.process.pid).net_connections("inet")
        assert [each.laddr.ip for each in listening] == ["127.0.0.5"]


def test_it_finishes_what_it_has_begun() -> None:
    with running(DELAY_MS="600", DRAIN_SECONDS="0.2") as echo:
        answers: list[Any] = []
        asking = threading.Thread(target=lambda: answers.append(echo.get("/slow")))
        asking.start()
        process = psutil.Process(echo.process.pid)
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not any(each.status == psutil.CONN_ESTABLISHED for each in process.net_connections("inet")):
            assert time.monotonic() < deadline
        assert echo.stop() == 0
        asking.join()
        assert answers[0][0] == 200


def test_it_is_not_ready_while_it_leaves() -> None:
    with running(DRAIN_SECONDS="20") as echo:
        echo.process.send_signal(signal.SIGTERM)
        echo.until("/readyz", 503)
        assert echo.get("/livez")[0] == 200
        assert echo.get("/")[0] == 200


def test_drills() -> None:
    with running(ECHO_DRILLS="1") as echo:
        echo.get("/unready")
        assert echo.get("/readyz")[0] == 503
        echo.get("/ready")
        assert echo.get("/readyz")[0] == 200
        echo.get("/hang")
        assert echo.get("/livez")[0] == 500
        with pytest.raises(OSError, match=r"closed connection|reset"):
            echo.get("/exit?status=7")
        assert echo.process.wait(DEADLINE_SECONDS) == 7


def test_drills_are_not_for_everybody() -> None:
    with running() as echo:
        assert json.loads(echo.get("/exit?status=7")[1])["path"] == "/exit?status=7"
        assert echo.stop() == 0
