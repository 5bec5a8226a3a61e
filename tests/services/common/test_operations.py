"""Probes and metrics: what they say, and that they are answered whatever else happens."""

import http.client
import socket
from collections.abc import Iterator

import httpx
import pytest

from services.common.operations import Operations
from services.common.settings import CommonSettings


@pytest.fixture
def operations() -> Iterator[Operations]:
    started = Operations(CommonSettings(operations_port=0))
    started.start()
    yield started
    started.stop()


def get(operations: Operations, path: str) -> tuple[int, str]:
    answer = httpx.get(f"http://{operations.address}{path}")
    return answer.status_code, answer.text


def test_it_is_ready_once_it_has_started_and_every_check_finds_nothing(operations: Operations) -> None:
    assert get(operations, "/readyz") == (503, "starting: it is starting\n")
    operations.started()
    assert get(operations, "/readyz") == (200, "ok\n")
    operations.ready_when("database", lambda: "it does not answer")
    operations.ready_when("shard", lambda: "not caught up")
    assert get(operations, "/readyz") == (503, "database: it does not answer\nshard: not caught up\n")
    operations.ready_when("database", lambda: None)
    operations.ready_when("shard", lambda: None)
    assert get(operations, "/readyz") == (200, "ok\n")


def test_unready_is_not_dead(operations: Operations) -> None:
    operations.ready_when("database", lambda: "it does not answer")
    assert get(operations, "/livez") == (200, "ok\n")
    operations.alive_when("writer", lambda: "its thread has ended")
    assert get(operations, "/livez") == (503, "writer: its thread has ended\n")


def test_a_check_that_fails_is_a_finding_without_its_text(operations: Operations) -> None:
    def check() -> str | None:
        raise ConnectionError("mysql://user:password@host")

    operations.started()
    operations.ready_when("database", check)
    assert get(operations, "/readyz") == (503, "database: the check failed: ConnectionError\n")


@pytest.mark.parametrize("method", ["POST", "DELETE", "BREW"])
def test_other_methods_are_refused(operations: Operations, method: str) -> None:
    assert httpx.request(method, f"http://{operations.address}/livez").status_code == 501


def test_nonsense_and_silence_keep_nobody_from_an_answer(operations: Operations) -> None:
    host, _, port = operations.address.partition(":")
    silent = [socket.create_connection((host, int(port))) for _ in range(20)]
    with socket.create_connection((host, int(port))) as nonsense:
        nonsense.sendall(b"\x00\xff nonsense\r\n\r\n")
        assert b"400" in nonsense.recv(65536)
    assert get(operations, "/livez")[0] == 200
    for each in silent:
        each.close()


def test_a_connection_is_kept_for_the_next_probe(operations: Operations) -> None:
    connection = http.client.HTTPConnection(operations.address)
    for _ in range(3):
        connection.request("GET", "/livez?verbose=1")
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (200, b"ok\n")
    connection.close()


def test_a_port_that_is_taken_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        Operations(CommonSettings(operations_port=taken.getsockname()[1])).start()
