"""How fast the emulated Kubernetes API is, over HTTPS as clients use it: `python -m emulator.cluster.benchmark`.

A fresh cluster in a directory of its own, without nodes: the pods stay Pending and start no processes. The
issue's bars: a list of 1,000 pods in under 100 ms, and 500 watch events a second to 20 watchers. The lag of an
event is the time from before its write was sent until a watcher has read it, this process's own share included.
"""

import argparse
import asyncio
import ssl
import statistics
import tempfile
import time
from collections.abc import Coroutine, Sequence
from pathlib import Path
from typing import Any, Final

import aiohttp
import orjson
import psutil
from rich.console import Console
from rich.table import Table

from emulator.backing import Backing
from emulator.cluster.resources import Resources
from emulator.eks.api_server import ApiServer
from emulator.processes import registered

_RESOURCES: Final = Resources()
_PODS: Final = _RESOURCES["pods"].path("default")
_CONFIG_MAPS: Final = _RESOURCES["configmaps"].path("default")
_JSON: Final = {"Content-Type": "application/json"}
_MERGE_PATCH: Final = {"Content-Type": "application/merge-patch+json"}
_FORMS: Final = {"JSON": "application/json", "Table": "application/json;as=Table;v=v1;g=meta.k8s.io"}
_WRITERS: Final = 8
_LISTS: Final = 40
_CHANGED: Final = 10
"""ConfigMaps that are changed in turn."""
_PATIENCE_SECONDS: Final = 10.0


async def create_pods(session: aiohttp.ClientSession, number: int) -> float:
    """Create pods from several connections at once; returns pods a second."""
    began = time.perf_counter()
    await _in_turns(_checked(session.post(_PODS, data=_pod(each), headers=_JSON)) for each in range(number))
    return number / (time.perf_counter() - began)


async def list_pods(session: aiohttp.ClientSession, accept: str, number: int) -> list[float]:
    """Seconds of each of some lists of `number` pods, one after the other."""
    taken: list[float] = []
    for _ in range(_LISTS):
        began = time.perf_counter()
        body = await _checked(session.get(_PODS, headers={"Accept": accept}))
        taken.append(time.perf_counter() - began)
        found = orjson.loads(body)
        assert len(found.get("items") or found["rows"]) == number  # noqa: S101 - or it measured something else
    return taken


async def watch_events(
    session: aiohttp.ClientSession, watchers: int, rate: int, seconds: float
) -> tuple[list[list[float]], int, float]:
    """Change ConfigMaps `rate` times a second while watchers look on.

    Returns the lags in seconds that each watcher saw, how many changes there were, and the seconds they took.
    """
    for each in range(_CHANGED):
        obj = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"changed-{each}"}}
        await _checked(session.post(_CONFIG_MAPS, data=orjson.dumps(obj), headers=_JSON))
    listed = orjson.loads(await _checked(session.get(_CONFIG_MAPS)))
    version = listed["metadata"]["resourceVersion"]
    changes = int(rate * seconds)
    seen: list[list[float]] = [[] for _ in range(watchers)]
    watching = [asyncio.create_task(_watch(session, version, each, changes)) for each in seen]
    await asyncio.sleep(0.5)  # all watches are open
    began = time.perf_counter()
    pending: set[asyncio.Task[bytes]] = set()
    for number in range(changes):
        await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
        patch = orjson.dumps({"data": {"sent": repr(time.perf_counter())}})
        path = f"{_CONFIG_MAPS}/changed-{number % _CHANGED}"
        task = asyncio.create_task(_checked(session.patch(path, data=patch, headers=_MERGE_PATCH)))
        pending.add(task)
        task.add_done_callback(pending.discard)
    await asyncio.gather(*pending)
    taken = time.perf_counter() - began
    _, late = await asyncio.wait(watching, timeout=_PATIENCE_SECONDS)
    for each in late:
        each.cancel()
    return seen, changes, taken


async def _watch(session: aiohttp.ClientSession, version: str, lags: list[float], changes: int) -> None:
    query = {"watch": "true", "resourceVersion": version}
    async with session.get(_CONFIG_MAPS, params=query) as response:
        async for line in response.content:
            event = orjson.loads(line)
            sent = (event["object"].get("data") or {}).get("sent")
            if sent:
                lags.append(time.perf_counter() - float(sent))
            if len(lags) == changes:
                return


async def _in_turns(calls: Any) -> None:
    """Await many calls, a few at a time."""
    free = asyncio.Semaphore(_WRITERS)

    async def one(call: Coroutine[Any, Any, bytes]) -> None:
        async with free:
            await call

    await asyncio.gather(*(one(call) for call in calls))


async def _checked(call: Any) -> bytes:
    async with call as response:
        body = await response.read()
        if response.status >= 400:  # noqa: PLR2004 - HTTP
            raise RuntimeError(f"the API server answered {response.status}: {body.decode()}")
        return body


def _pod(number: int) -> bytes:
    """A pod of a Deployment's looks."""
    probe = {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 5}
    container = {
        "name": "main",
        "image": "example.com/pinwheel/echo:1",
        "ports": [{"containerPort": 8080, "name": "http"}],
        "env": [{"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}],
        "readinessProbe": probe,
        "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}, "limits": {"memory": "64Mi"}},
    }
    return orjson.dumps(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": f"pod-{number:05}",
                "labels": {"app": "benchmark", "shard": str(number % 10)},
            },
            "spec": {"containers": [container]},
        }
    )


async def measure(
    server: ApiServer, pods: int, watchers: int, rate: int, seconds: float
) -> list[tuple[str, str]]:
    """All measurements as the rows to print."""
    context = ssl.create_default_context(cadata=server.certificate_authority)
    connector = aiohttp.TCPConnector(ssl=context, limit=0)
    headers = {"Authorization": f"Bearer {server.token}"}
    rows: list[tuple[str, str]] = []
    async with aiohttp.ClientSession(server.endpoint, connector=connector, headers=headers) as session:
        await _checked(session.get("/readyz"))
        rows.append(
            (
                f"create {pods:,} pods, {_WRITERS} at a time",
                f"{await create_pods(session, pods):,.0f} a second",
            )
        )
        for form, accept in _FORMS.items():
            taken = await list_pods(session, accept, pods)
            rows.append((f"list {pods:,} pods as {form}", _milliseconds(taken)))
        seen, changes, took = await watch_events(session, watchers, rate, seconds)
        delivered = sum(len(lags) for lags in seen)
        rows += [
            (f"{rate} changes a second to {watchers} watchers", f"{changes / took:,.0f} a second made"),
            ("events delivered", f"{delivered:,} of {changes * watchers:,}"),
            ("lag of an event", _milliseconds([lag for lags in seen for lag in lags])),
        ]
    return rows


def _milliseconds(taken: Sequence[float]) -> str:
    cuts = statistics.quantiles(taken, n=100, method="inclusive")
    return f"median {cuts[49] * 1000:.1f} ms, p99 {cuts[98] * 1000:.1f} ms"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m emulator.cluster.benchmark", description=__doc__)
    parser.add_argument("--pods", type=int, default=1000)
    parser.add_argument("--watchers", type=int, default=20)
    parser.add_argument("--rate", type=int, default=500, help="changes a second")
    parser.add_argument("--seconds", type=float, default=5.0, help="of changes")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        backing = Backing(Path(directory), "http://127.0.0.1:9", "123456789012", "us-east-1")
        began = time.perf_counter()
        server = ApiServer(backing, "benchmark", "1.35")
        try:
            server.client.request("GET", "/readyz")
            ready = time.perf_counter() - began
            (process,) = registered(backing.registry)
            empty = _mebibytes(process.pid)
            rows = asyncio.run(
                measure(server, arguments.pods, arguments.watchers, arguments.rate, arguments.seconds)
            )
            rows.insert(0, ("from start to first answer", f"{ready:.2f} s"))
            rows.append(
                ("memory, empty and in the end", f"{empty:.0f} and {_mebibytes(process.pid):.0f} MiB")
            )
        finally:
            server.stop()
    table = Table(title="The emulated Kubernetes API", title_justify="left")
    table.add_column("what")
    table.add_column("measured", justify="right")
    for row in rows:
        table.add_row(*row)
    Console().print(table)


def _mebibytes(pid: int) -> float:
    return psutil.Process(pid).memory_info().rss / 2**20


if __name__ == "__main__":
    main()
