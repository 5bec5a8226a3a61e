"""A Service has a lasting address, which leads to its ready pods and drops nothing."""

import asyncio
import contextlib
import errno
import os
import signal
import socket
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest

from emulator.cluster.proxy import ports
from emulator.cluster.proxy.ports import listening_port
from emulator.cluster.store import Object, copy_of
from emulator.processes import registered
from tests.emulator.cluster.kubelet.machine import DEADLINE_SECONDS, Machine, asynchronous, ready, script

SERVICES = Path(__file__).resolve().parents[4] / "services"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    machine = Machine(tmp_path)
    (machine.directory / "images/echo").symlink_to(SERVICES / "echo")
    return machine


def echo(version: str = "1", **variables: str) -> dict[str, Any]:
    """A container that runs the echo service."""
    env = [
        {"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        *({"name": name, "value": value} for name, value in {"VERSION": version, **variables}.items()),
    ]
    probe = {"httpGet": {"path": "/readyz", "port": 8080}, "periodSeconds": 1, "failureThreshold": 1}
    return {"name": "echo", "image": "pinwheel/echo:1", "env": env, "readinessProbe": probe}


def service(machine: Machine, name: str = "echo", port: int = 8080, **spec: Any) -> None:
    given = {"name": "http", "port": port, "targetPort": 8080, "protocol": "TCP"}
    machine.create("services", name, spec={"selector": {"tier": "echo"}, "ports": [given], **spec})


def pods(machine: Machine, *names: str, **variables: str) -> None:
    for name in names:
        machine.pod(name, echo(**variables))
        pod = copy_of(machine.get(name))
        pod["metadata"]["labels"]["tier"] = "echo"
        machine.store.update(machine.resources["pods"], pod)


def annotations(machine: Machine, name: str = "echo") -> dict[str, str]:
    service = machine.store.get(machine.resources["services"], "default", name)
    return service["metadata"].get("annotations") or {}


async def soon(condition: Callable[[], Any]) -> Any:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not (found := condition()):
            await asyncio.sleep(0.01)
        return found


@dataclass
class Client:
    """Asks a Service, each time over a new connection."""

    url: str
    session: aiohttp.ClientSession
    failed: list[str] = field(default_factory=list)
    answered: Counter[str] = field(default_factory=Counter)

    async def ask(self, path: str = "/", key: str = "pod") -> str:
        async with self.session.get(self.url + path) as response:
            return (await response.json(content_type=None))[key]

    async def until(self, wanted: Callable[[str], bool], path: str = "/", key: str = "pod") -> str:
        async with asyncio.timeout(DEADLINE_SECONDS):
            while True:
                with contextlib.suppress(aiohttp.ClientError):
                    answer = await self.ask(path, key)
                    if wanted(answer):
                        return answer
                await asyncio.sleep(0.01)

    @contextlib.asynccontextmanager
    async def asking(self, times: int = 4) -> AsyncIterator[None]:
        """Ask all the time, several requests at once; what goes wrong is noted."""
        ended = asyncio.Event()

        async def ask_on() -> None:
            while not ended.is_set():
                try:
                    self.answered[await self.ask()] += 1
                except (aiohttp.ClientError, OSError) as error:
                    self.failed.append(repr(error))

        tasks = [asyncio.create_task(ask_on()) for _ in range(times)]
        try:
            yield
        finally:
            ended.set()
            await asyncio.gather(*tasks)


@contextlib.asynccontextmanager
async def client(machine: Machine, name: str = "echo") -> AsyncIterator[Client]:
    url = await soon(lambda: annotations(machine, name).get("pinwheel.io/url"))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as session:
        yield Client(url, session)


def envoy(machine: Machine) -> int | None:
    return next(
        (each.pid for each in registered(machine.settings.registry) if each.name == "test/proxy"), None
    )


@asynchronous
async def test_a_service_balances_over_its_ready_pods(machine: Machine) -> None:
    async with machine.running(services=True):
        service(machine)
        pods(machine, "a", "b", "c", ECHO_DRILLS="1")
        async with client(machine) as asks:
            for name in ("a", "b", "c"):
                await machine.until(name, ready)
                await asks.until(name.__eq__)
            assert {await asks.ask() for _ in range(9)} == {"a", "b", "c"}
            address = machine.get("b")["status"]["podIP"]
            async with asks.session.get(f"http://{address}:8080/unready"):
                await machine.until("b", lambda pod: not ready(pod))
            await soon(lambda: all(address not in host for host in led_to(machine)))
            assert {await asks.ask() for _ in range(9)} == {"a", "c"}


def led_to(machine: Machine) -> list[str]:
    files = (machine.settings.directory / "proxy/endpoints").glob("*.json")
    return [path.read_text() for path in files]


def deployment(replicas: int, version: str) -> dict[str, Any]:
    labels = {"tier": "echo"}
    return {
        "replicas": replicas,
        "selector": {"matchLabels": labels},
        "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
        "template": {
            "metadata": {"labels": labels},
            "spec": {"nodeName": "node", "containers": [echo(version, DRAIN_SECONDS="0.1")]},
        },
    }


def is_rolled_out(machine: Machine, replicas: int, version: str) -> bool:
    """Whether there are as many ready pods as wanted, all of this version, and no other pod is left."""
    found: list[Object] = machine.store.list(machine.resources["pods"])
    versions = {
        each["value"]
        for pod in found
        for each in pod["spec"]["containers"][0]["env"]
        if each["name"] == "VERSION"
    }
    with contextlib.suppress(KeyError):
        return len(found) == replicas and versions == {version} and all(map(ready, found))
    return False


@asynchronous
async def test_scaling_and_rolling_updates_drop_no_request(machine: Machine) -> None:
    async with machine.running(services=True):
        service(machine)
        machine.create("deployments.apps", "echo", spec=deployment(1, "1"))
        async with client(machine) as asks:
            await asks.until("1".__eq__, key="version")
            async with asks.asking():
                for replicas, version in ((3, "1"), (3, "2"), (1, "2")):
                    machine.change("deployments.apps", "echo", spec=deployment(replicas, version))
                    await soon(lambda: is_rolled_out(machine, replicas, version))  # noqa: B023 - awaited here
            assert asks.failed == []
            assert len(asks.answered) == 6
            assert await asks.ask(key="version") == "2"


@asynchronous
async def test_connections_outlive_the_end_of_other_pods(machine: Machine) -> None:
    async with machine.running(services=True):
        service(machine)
        pods(machine, "a", DELAY_MS="1000", DRAIN_SECONDS="0")
        async with client(machine) as asks:
            await asks.until("a".__eq__)
            slow = asyncio.create_task(asks.ask())
            await soon(lambda: connected_to(machine.get("a")["status"]["podIP"]))
            machine.delete("a")
            await machine.gone("a")
            assert await slow == "a"


def connected_to(address: str) -> bool:
    return any(
        each.laddr.ip == address and each.status == psutil.CONN_ESTABLISHED
        for each in psutil.net_connections("tcp4")
    )


@asynchronous
async def test_a_killed_proxy_is_back_at_the_same_address(machine: Machine) -> None:
    async with machine.running(services=True):
        service(machine)
        pods(machine, "a")
        async with client(machine) as asks:
            await asks.until("a".__eq__)
            killed = envoy(machine)
            assert killed is not None
            os.kill(killed, signal.SIGKILL)
            await soon(lambda: envoy(machine) not in {None, killed})
            await asks.until("a".__eq__)


@asynchronous
async def test_nothing_listens_outside_loopback(machine: Machine) -> None:
    async with machine.running(services=True):
        service(machine)
        pods(machine, "a")
        async with client(machine) as asks:
            await asks.until("a".__eq__)
            members = registered(machine.settings.registry)
            assert {each.name for each in members} == {"test/proxy", "test/pod/default/a/echo"}
            listening = [
                each.laddr.ip
                for member in members
                for each in psutil.Process(member.pid).net_connections("inet")
                if each.status == psutil.CONN_LISTEN
            ]
            assert len(listening) == 2
            assert all(address in machine.addresses for address in listening)


@asynchronous
async def test_no_proxy_runs_without_a_ready_pod(machine: Machine) -> None:
    async with machine.running(services=True):
        service(machine)
        machine.pod("a", {"name": "app", "image": "nginx:1"})
        await machine.until("a", ready)
        await soon(lambda: annotations(machine))
        assert envoy(machine) is None
        assert annotations(machine, "kubernetes") == {}


async def refused(asks: Client) -> None:
    """Wait until nobody listens at a Service's address."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            try:
                await asks.ask()
            except aiohttp.ClientConnectorError:
                return
            except aiohttp.ClientError:  # it was about to be closed
                await asyncio.sleep(0.01)


@asynchronous
async def test_a_deleted_service_is_listened_for_no_longer(machine: Machine) -> None:
    async with machine.running(services=True):
        service(machine)
        service(machine, "other")
        pods(machine, "a")
        async with client(machine) as asks, client(machine, "other") as other:
            await asks.until("a".__eq__)
            await other.until("a".__eq__)
            machine.store.delete(machine.resources["services"], "default", "echo")
            await refused(asks)
            assert await other.ask() == "a"


@asynchronous
async def test_a_port_taken_by_another_program_is_routed_around(machine: Machine) -> None:
    with socket.create_server(("0.0.0.0", 0)) as other:  # a program that has the port at every address
        taken = other.getsockname()[1]
        async with machine.running(services=True):
            service(machine, port=taken)
            pods(machine, "a")
            async with client(machine) as asks:
                assert not asks.url.endswith(f":{taken}")
                assert await asks.until("a".__eq__) == "a"
                assert annotations(machine)["pinwheel.io/address"] == asks.url.removeprefix("http://")
                assert [text for text in machine.events("PortMoved") if f"port {taken} of" in text]
                assert machine.proxy is not None
                assert list(machine.proxy.ports("default", "echo")) == [taken]


@asynchronous
async def test_a_service_whose_address_cannot_be_had_gets_another(machine: Machine) -> None:
    async with machine.running(services=True):
        promised = machine.addresses.promise("default", "late")
        service(machine, clusterIP="172.20.0.10")
        service(machine, "late")
        service(machine, "headless", clusterIP="None")
        service(machine, "outside", type="ExternalName", externalName="example.com")
        await soon(lambda: annotations(machine) and annotations(machine, "late"))
        found = {
            each["metadata"]["name"]: each["spec"].get("clusterIP")
            for each in machine.store.list(machine.resources["services"])
        }
        assert found["echo"] in machine.addresses
        assert found["late"] == promised
        assert (found["headless"], found["outside"]) == ("None", None)
        assert "pinwheel.io/url" not in annotations(machine, "headless")
        assert annotations(machine, "outside") == {}


@asynchronous
async def test_what_a_service_tells_of_its_addresses(machine: Machine) -> None:
    several = [
        {"name": "grpc", "port": 9000},
        {"name": "https", "port": 443},
        {"name": "dns", "port": 53, "protocol": "UDP"},
    ]
    async with machine.running(services=True):
        service(machine, ports=several, type="LoadBalancer")
        await soon(lambda: annotations(machine))
        found = machine.store.get(machine.resources["services"], "default", "echo")
        address, real = found["spec"]["clusterIP"], machine.proxy.ports("default", "echo")
        assert annotations(machine) == {
            "pinwheel.io/address": f"{address}:{real[9000]},{address}:{real[443]}",
            "pinwheel.io/url": f"https://{address}" + ("" if real[443] == 443 else f":{real[443]}"),
        }
        assert found["status"]["loadBalancer"]["ingress"][0]["ip"] == address
        assert machine.events("PortNotSupported") == ["port 53/UDP: only TCP is carried here"]


@asynchronous
async def test_pods_find_a_service_that_has_moved(machine: Machine) -> None:
    with socket.create_server(("0.0.0.0", 0)) as other:
        taken = other.getsockname()[1]
        async with machine.running(services=True):
            service(machine, port=taken)
            tell = "import os, time; print(os.environ['URL'], flush=True); time.sleep(600)"
            machine.pod("a", script(tell, env=[{"name": "URL", "value": f"http://echo:{taken}/x"}]))
            await machine.until("a", ready)
            told = await anext(machine.kubelet.log("default", "a", follow=True))
            assert told.decode().strip() == annotations(machine)["pinwheel.io/url"] + "/x"


@asynchronous
async def test_a_headless_services_name_leads_to_its_pods(machine: Machine) -> None:
    """DNS would tell all their addresses; a process here is told one that stands for them, before there are any."""
    tell = "import os, time; print(os.environ['FULL'], os.environ['SHORT'], flush=True); time.sleep(600)"
    env = [
        {"name": "FULL", "value": "echo.default.svc.cluster.local"},
        {"name": "SHORT", "value": "echo"},
    ]
    async with machine.running(services=True):
        service(machine, clusterIP="None")
        machine.pod("asking", script(tell, env=env))
        await machine.until("asking", ready)
        told = await anext(machine.kubelet.log("default", "asking", follow=True))
        address, short = told.decode().split()
        pods(machine, "a", "b")

        connector = aiohttp.TCPConnector(force_close=True)
        async with aiohttp.ClientSession(connector=connector) as session:
            asks = Client(f"http://{address}:8080", session)
            for name in ("a", "b"):
                await asks.until(name.__eq__)
        assert short == "echo"
        found = machine.store.get(machine.resources["services"], "default", "echo")
        assert found["spec"]["clusterIP"] == "None"


@pytest.mark.parametrize("refused", [errno.EACCES, errno.EADDRINUSE])
def test_a_port_that_cannot_be_had_moves_by_8000(monkeypatch: pytest.MonkeyPatch, refused: int) -> None:
    class Socket(socket.socket):
        def bind(self, address: Any) -> None:
            if address[1] == 80:
                raise OSError(refused, os.strerror(refused))
            super().bind(address)

    monkeypatch.setattr(ports.socket, "socket", Socket)
    assert listening_port("127.15.77.1", 80) == 8080


def test_an_address_of_another_machine_is_an_error() -> None:
    with pytest.raises(OSError, match="assign requested address"):
        listening_port("192.0.2.1", 8080)
