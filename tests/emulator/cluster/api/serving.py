"""The API alone, without controllers and nodes, served over TLS by a thread of the test's own process."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar

import trustme
import urllib3
from aiohttp import web

from emulator.cluster.admission.schema import KubernetesSchemas
from emulator.cluster.api.server import application, ssl_context
from emulator.cluster.resources import Resources
from emulator.cluster.settings import Settings
from emulator.cluster.status import bad_request
from emulator.cluster.store import Object, Store
from emulator.cluster.writes import Writes

TOKEN = "administrators-token"
Result = TypeVar("Result")


class FakeKubelet:
    """Pods whose log is what they were asked."""

    async def log(self, namespace: str, pod: str, container: str, **asked: Any) -> AsyncIterator[bytes]:
        if asked["previous"]:
            raise bad_request(f'previous terminated container "{container}" in pod "{pod}" not found')
        yield f"{namespace}/{pod}/{container}\n".encode()
        yield json.dumps(asked, sort_keys=True).encode() + b"\n"


@dataclass
class Answer:
    """What the server answered."""

    status: int
    headers: urllib3.HTTPHeaderDict
    data: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.data)


@dataclass
class Served:
    """A running server."""

    cluster: Any
    endpoint: str
    authority: Path
    loop: asyncio.AbstractEventLoop
    pool: urllib3.PoolManager = field(init=False)

    def __post_init__(self) -> None:
        self.pool = urllib3.PoolManager(ca_certs=str(self.authority), retries=False, timeout=20, maxsize=4)

    @property
    def store(self) -> Store:
        return self.cluster.store

    def call(self, function: Callable[[], Result]) -> Result:
        """Run a function in the server's thread, where the store may be changed."""

        async def run() -> Result:
            return function()

        return asyncio.run_coroutine_threadsafe(run(), self.loop).result(20)

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        content_type: str = "application/json",
        token: str = TOKEN,
        **headers: str,
    ) -> Answer:
        """One request; a body that is not bytes is sent as JSON."""
        sent = {"Authorization": f"Bearer {token}", **headers}
        if body is not None:
            sent["Content-Type"] = content_type
            body = body if isinstance(body, bytes) else json.dumps(body).encode()
        answered = self.pool.request(method, self.endpoint + path, body=body, headers=sent)
        return Answer(answered.status, answered.headers, answered.data)

    def get(self, path: str, **headers: str) -> Any:
        """The JSON of a path that must be there."""
        answered = self.request("GET", path, **headers)
        assert answered.status == 200, answered.data
        return answered.json

    @contextmanager
    def stream(self, path: str, **headers: str) -> Iterator[Iterator[Any]]:
        """The JSON documents of a stream, one a line."""
        answered = self.pool.request(
            "GET",
            self.endpoint + path,
            headers={"Authorization": f"Bearer {TOKEN}", **headers},
            preload_content=False,
        )
        try:
            assert answered.status == 200, answered.data
            yield _lines(answered)
        finally:
            answered.close()

    def add(self, obj: Object) -> Object:
        """Store an object as it is, past all checks."""
        resource = self.cluster.resources.of_kind(obj["apiVersion"], obj["kind"])
        return self.call(lambda: self.store.create(resource, obj))


def pod(name: str, namespace: str = "shop", labels: dict[str, str] | None = None, **spec: Any) -> Object:
    """A pod's manifest."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": labels or {}},
        "spec": {"containers": [{"name": "main", "image": "example.com/web:1"}], **spec},
    }


@contextmanager
def serve(directory: Path) -> Iterator[Served]:
    """A server with the namespaces `default` and `shop`, on a free port of loopback."""
    settings = _settings(directory)
    store, resources, schemas = Store(), Resources(), KubernetesSchemas("1.35")
    for name in ("default", "shop"):
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        store.create(resources["namespaces"], {**namespace, "status": {"phase": "Active"}})
    cluster = SimpleNamespace(
        settings=settings,
        store=store,
        resources=resources,
        schemas=schemas,
        writes=Writes(store, resources, schemas),
        kubelet=FakeKubelet(),
    )
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def start() -> tuple[web.AppRunner, int]:
        runner = web.AppRunner(
            application(cluster), access_log=None, shutdown_timeout=1, handler_cancellation=True
        )
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=ssl_context(settings))
        await site.start()
        return runner, runner.addresses[0][1]

    runner, port = asyncio.run_coroutine_threadsafe(start(), loop).result(20)
    try:
        yield Served(cluster, f"https://127.0.0.1:{port}", directory / "ca.pem", loop)
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(20)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def _settings(directory: Path) -> Settings:
    authority = trustme.CA()
    server = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(directory / "ca.pem")
    server.private_key_pem.write_to_path(directory / "server.key")
    (directory / "server.pem").write_bytes(b"".join(each.bytes() for each in server.cert_chain_pems))
    return Settings(
        name="shop",
        version="1.35",
        account="123456789012",
        region="us-east-1",
        directory=directory,
        registry=directory,
        token=TOKEN,
        certificate=directory / "server.pem",
        key=directory / "server.key",
    )


def _lines(answered: urllib3.BaseHTTPResponse) -> Iterator[Any]:
    rest = b""
    for chunk in answered.stream(65536):
        *lines, rest = (rest + chunk).split(b"\n")
        yield from (json.loads(line) for line in lines if line)
