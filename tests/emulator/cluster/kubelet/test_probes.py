"""Probes start, gate and restart containers as on a real node."""

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from emulator.cluster.kubelet.backoff import BackOff, told
from emulator.cluster.kubelet.probes import Target, problem
from tests.emulator.cluster.kubelet.machine import Machine, asynchronous, container, ready, script

SERVER = """
import http.server, os, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        there = os.path.exists(sys.argv[2] + self.path)
        self.send_response(200 if there else 500)
        self.end_headers()
    def log_message(self, *_): print(self.path, self.headers.get('X-Probe'), flush=True)
http.server.ThreadingHTTPServer((os.environ['POD_IP'], 8080), Handler).serve_forever()
"""


def server(folder: Path, **fields: Any) -> dict[str, Any]:
    """A container that answers 200 for paths that are files in a folder, else 500."""
    env = [{"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}]
    ports = [{"name": "http", "containerPort": 8080}]
    return script(args=[SERVER, str(folder)], env=env, ports=ports, **fields)


def get(path: str, **fields: Any) -> dict[str, Any]:
    return {"httpGet": {"path": path, "port": "http"}, "periodSeconds": 1, **fields}


@asynchronous
async def test_readiness_gates_the_pod(machine: Machine, tmp_path: Path) -> None:
    async with machine.running():
        machine.pod("web", server(tmp_path, readinessProbe=get("/ready", failureThreshold=1)))
        pod = await machine.until(
            "web",
            lambda _: (
                "Readiness probe failed: HTTP probe failed with statuscode: 500"
                in machine.events("Unhealthy")
            ),
        )
        assert not ready(pod)
        assert container(pod)["started"]
        assert pod["status"]["phase"] == "Running"
        message = next(each["message"] for each in pod["status"]["conditions"] if each["type"] == "Ready")
        assert message == "containers with unready status: [app]"
        (tmp_path / "ready").touch()
        await machine.until("web", ready)
        (tmp_path / "ready").unlink()
        pod = await machine.until("web", lambda pod: not ready(pod))
        assert container(pod)["restartCount"] == 0


@asynchronous
async def test_a_container_that_does_not_live_is_restarted(machine: Machine, tmp_path: Path) -> None:
    (tmp_path / "live").touch()
    async with machine.running():
        machine.pod(
            "web", server(tmp_path, livenessProbe=get("/live", failureThreshold=1, initialDelaySeconds=1))
        )
        await machine.until("web", ready)
        (tmp_path / "live").unlink()
        pod = await machine.until("web", lambda pod: container(pod)["restartCount"] == 1)
        assert "Container app failed liveness probe, will be restarted" in machine.events("Killing")
        assert "Liveness probe failed: HTTP probe failed with statuscode: 500" in machine.events("Unhealthy")
        assert container(pod)["lastState"]["terminated"]["exitCode"] == 143


@asynchronous
async def test_the_startup_probe_comes_before_the_others(machine: Machine, tmp_path: Path) -> None:
    async with machine.running():
        probes = {
            "startupProbe": get("/up", failureThreshold=60),
            "livenessProbe": get("/live", failureThreshold=1),
        }
        machine.pod("web", server(tmp_path, **probes))
        pod = await machine.until("web", lambda _: machine.events("Unhealthy"))
        assert not container(pod)["started"]
        (tmp_path / "live").touch()
        (tmp_path / "up").touch()
        pod = await machine.until("web", ready)
        assert container(pod)["restartCount"] == 0


@asynchronous
async def test_a_container_that_never_starts_is_restarted(machine: Machine, tmp_path: Path) -> None:
    async with machine.running():
        machine.pod("web", server(tmp_path, startupProbe=get("/up", failureThreshold=1)))
        await machine.until("web", lambda pod: container(pod)["restartCount"] == 1)
        assert "Container app failed startup probe, will be restarted" in machine.events("Killing")


@asynchronous
async def test_commands_are_probes_too(machine: Machine, tmp_path: Path) -> None:
    look = {"exec": {"command": ["python", "-c", "import os; open(os.environ['FLAG'])"]}}
    async with machine.running():
        env = [{"name": "FLAG", "value": str(tmp_path / "flag")}]
        machine.pod("web", script(env=env, readinessProbe={**look, "periodSeconds": 1, "timeoutSeconds": 20}))
        await machine.until("web", lambda _: machine.events("Unhealthy"))
        assert "No such file or directory" in machine.events("Unhealthy")[0]
        (tmp_path / "flag").touch()
        await machine.until("web", ready)


@asynchronous
async def test_grpc_probes_are_connections_and_said_to_be(machine: Machine, tmp_path: Path) -> None:
    async with machine.running():
        machine.pod("web", server(tmp_path, readinessProbe={"grpc": {"port": 8080}, "periodSeconds": 1}))
        await machine.until("web", ready)
        assert machine.events("ProbeWarning") == [
            "Readiness probe: gRPC is not emulated; that its port accepts a connection counts"
        ]


@asynchronous
async def test_probes_send_the_headers_that_they_are_told(machine: Machine, tmp_path: Path) -> None:
    (tmp_path / "ready").touch()
    action = {"path": "ready", "port": "http", "httpHeaders": [{"name": "X-Probe", "value": "yes"}]}
    async with machine.running():
        machine.pod("web", server(tmp_path, readinessProbe={"httpGet": action}))
        await machine.until("web", ready)
        async for part in machine.kubelet.log("default", "web", follow=True):
            assert part == b"/ready yes\n"
            break


async def hangs(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()


@pytest.mark.parametrize(
    ("action", "wrong"),
    [
        (
            {"httpGet": {"port": 1}},
            'Get "http://127.0.0.1:1/": dial tcp 127.0.0.1:1: connect: connection refused',
        ),
        ({"httpGet": {"port": "none"}}, "couldn't find port: none"),
        ({"tcpSocket": {"port": 1}}, "dial tcp 127.0.0.1:1: connect: connection refused"),
        ({"tcpSocket": {"port": "none"}}, "couldn't find port: none"),
        ({"httpGet": {"port": "hangs"}}, "context deadline exceeded"),
        ({"tcpSocket": {"port": "hangs"}}, None),
        ({"exec": {"command": ["x"]}}, 'command timed out: "x" timed out after 0.1s'),
        ({"sleep": {"seconds": 0}}, None),
        ({}, None),
    ],
)
@asynchronous
async def test_what_a_probe_tells(action: dict[str, Any], wrong: str | None) -> None:
    async def execute(command: tuple[str, ...], timeout_seconds: float) -> tuple[int, str]:
        raise TimeoutError

    server = await asyncio.start_server(hangs, "127.0.0.1", 0)
    async with aiohttp.ClientSession() as session, server:
        ports = {"hangs": server.sockets[0].getsockname()[1]}
        found = await problem(action, Target("127.0.0.1", ports, session, execute), 0.1)
    assert (found is None) if wrong is None else (found is not None and wrong in found)


def test_the_pause_doubles_up_to_five_minutes_and_is_forgotten_after_ten_of_running() -> None:
    back_off = BackOff(10)
    assert [back_off.after(1) for _ in range(8)] == [0, 10, 20, 40, 80, 160, 300, 300]
    assert back_off.after(601) == 0
    assert back_off.after(1) == 10


def test_times_are_told_as_go_does() -> None:
    assert [told(seconds) for seconds in (10, 80, 300, 0.05)] == ["10s", "1m20s", "5m0s", "0.05s"]
