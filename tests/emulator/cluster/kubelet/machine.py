"""A machine with a kubelet, for pods that are put straight into its store."""

import asyncio
import contextlib
import functools
import json
import time
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest

from emulator.cluster.addresses import Addresses
from emulator.cluster.controllers.all import all_controllers
from emulator.cluster.controllers.bootstrap import bootstrap
from emulator.cluster.controllers.manager import Manager
from emulator.cluster.kubelet import Kubelet
from emulator.cluster.proxy import ServiceProxy
from emulator.cluster.resources import Resources
from emulator.cluster.settings import Settings
from emulator.cluster.store import Event, Object, Store, copy_of
from emulator.processes import registered

DEADLINE_SECONDS = 30
MARKER = "PINWHEEL_TEST_MARKER"

SCRIPT = '''
"""A service as small as can be: its behaviour is in its arguments, so that tests read in one place."""
import sys
exec(sys.argv[1])
'''


def asynchronous(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """A test that is a coroutine."""

    @functools.wraps(test)
    def run(*arguments: Any, **named: Any) -> None:
        asyncio.run(test(*arguments, **named))

    return run


@dataclass
class Machine:
    """A store and a kubelet that carries its pods. `images` holds one image: `script`, which runs Python code."""

    directory: Path
    backoff_seconds: float = 0.05
    store: Store = field(default_factory=Store)
    resources: Resources = field(default_factory=Resources)
    marker: str = field(default_factory=lambda: uuid.uuid4().hex)

    def __post_init__(self) -> None:
        for name in ("images/script", "state", "registry"):
            (self.directory / name).mkdir(parents=True, exist_ok=True)
        (self.directory / "images/script/main.py").write_text(SCRIPT)
        (self.directory / "images/script/image.json").write_text(
            json.dumps({"Entrypoint": ["python", "main.py"], "Cmd": ["import time; time.sleep(600)"]})
        )
        self.settings = Settings(
            name="test",
            version="1.35",
            account="123456789012",
            region="eu-west-1",
            directory=self.directory / "state",
            registry=self.directory / "registry",
            token="token",
            certificate=self.directory / "certificate",
            key=self.directory / "key",
            images=self.directory / "images",
            environment={MARKER: self.marker, "AWS_ENDPOINT_URL": "http://127.0.0.1:4588"},
        )

    @contextlib.asynccontextmanager
    async def running(self, *, services: bool = False) -> AsyncIterator["Machine"]:
        """Run the kubelet; with `services`, the proxy and the controllers too."""
        self.addresses = Addresses(self.settings.directory)
        common = (self.store, self.resources, self.settings, self.addresses)
        self.proxy = ServiceProxy(*common) if services else None
        self.kubelet = Kubelet(*common, self.proxy, backoff_seconds=self.backoff_seconds)
        parts = [self.kubelet.run()]
        if self.proxy:
            manager = Manager(self.store, all_controllers(self.store, self.resources), time.monotonic)
            parts += [manager.run(), self.proxy.run()]
        tasks = [asyncio.create_task(part) for part in parts]
        await asyncio.sleep(0)
        if self.proxy:
            bootstrap(self.store, self.resources, cluster_ip="127.0.9.1", address="127.0.0.1", port=6443)
        try:
            yield self
        finally:
            await self.kubelet.stop()
            if self.proxy:
                await self.proxy.stop()
            for task in tasks:
                if task.done():
                    task.result()  # it failed: none ends by itself
                task.cancel()
            self.addresses.close()
        assert self.processes() == []
        assert registered(self.settings.registry) == []

    def create(self, plural: str, name: str, **fields: Any) -> Object:
        resource = self.resources[plural]
        kind = {"apiVersion": resource.api_version, "kind": resource.kind}
        return self.store.create(
            resource, {**kind, "metadata": {"name": name, "namespace": "default"}, **fields}
        )

    def pod(self, name: str, *containers: dict[str, Any], annotations: Any = None, **spec: Any) -> Object:
        """Bind a pod to the node `node`."""
        pod: Object = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": name,
                "namespace": "default",
                "labels": {"app": name},
                "annotations": annotations or {},
            },
            "spec": {"nodeName": "node", "containers": list(containers), **spec},
        }
        return self.store.create(self.resources["pods"], pod)

    def delete(self, name: str, grace_seconds: int = 30) -> None:
        self.store.delete(self.resources["pods"], "default", name, grace_seconds)

    def get(self, name: str) -> Object:
        return self.store.get(self.resources["pods"], "default", name)

    def change(self, plural: str, name: str, **fields: Any) -> None:
        obj = copy_of(self.store.get(self.resources[plural], "default", name))
        self.store.update(self.resources[plural], {**obj, **fields})

    async def until(self, name: str, wanted: Callable[[Object], Any]) -> Object:
        """The pod, as soon as it is as wanted; every state that it passes is looked at, at every change."""
        loop = asyncio.get_running_loop()
        seen: asyncio.Future[Object] = loop.create_future()
        pods, key = self.resources["pods"], ("default", name)

        def look(obj: Object) -> None:
            with contextlib.suppress(KeyError, IndexError, TypeError):
                if not seen.done() and wanted(obj):
                    seen.set_result(obj)

        def note(event: Event) -> None:
            look(event.object if event.resource.key == pods.key and event.key == key else self.get(name))

        look(self.get(name))
        stop = self.store.subscribe(note)
        try:
            return await asyncio.wait_for(seen, DEADLINE_SECONDS)
        except TimeoutError:
            pytest.fail(json.dumps({"pod": self.get(name)["status"], "events": self.events()}, indent=1))
        finally:
            stop()

    async def gone(self, name: str) -> None:
        """Wait until the pod is out of the store."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            while self.store.find(self.resources["pods"], "default", name):
                await asyncio.sleep(0.01)

    async def no_processes(self) -> None:
        """Wait until no container runs."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            while self.processes():
                await asyncio.sleep(0.01)

    async def log(self, name: str, container: str | None = None, **options: Any) -> str:
        return b"".join(
            [part async for part in self.kubelet.log("default", name, container, **options)]
        ).decode()

    def events(self, reason: str = "") -> list[str]:
        events = self.store.list(self.resources["events"])
        return [each["message"] for each in events if reason in {"", each["reason"]}]

    def processes(self) -> list[psutil.Process]:
        """The living processes of containers."""
        found: list[psutil.Process] = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                ours = process.environ().get(MARKER) == self.marker
                if ours and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found


def script(code: str = "", name: str = "app", **fields: Any) -> dict[str, Any]:
    """A container that runs Python code; without any it sleeps."""
    arguments = {"args": [code]} if code else {}
    return {"name": name, "image": "registry.example/pinwheel/script:1", **arguments, **fields}


def container(pod: Object, name: str = "app") -> dict[str, Any]:
    """The status of a container."""
    statuses = [*pod["status"].get("initContainerStatuses", ()), *pod["status"]["containerStatuses"]]
    return next(each for each in statuses if each["name"] == name)


def ready(pod: Object) -> bool:
    conditions = {each["type"]: each["status"] for each in pod["status"]["conditions"]}
    return conditions["Ready"] == "True"
