"""A leaf that is killed: `python -m services.search.path_benchmark.recovery --pins 1000000`.

While events come, it is killed (SIGKILL) and started again: once with its disk, once without, from the snapshot in
S3 and the Kafka offsets that this holds. The seconds count from the start of the process until it is ready, which
it is when it has caught up with Kafka, and answers. In the end every pin is counted.
"""
# ruff: noqa: T201 - it prints a table

import argparse
import itertools
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Generator, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import boto3
import psutil
from botocore.config import Config

from services.api.events.v1.events_pb2 import PinEvent
from services.search.benchmark.corpus import Corpus
from services.search.path_benchmark.feeding import UPSERTS_A_SECOND, get, publishing
from services.search.path_benchmark.world import (
    START_SECONDS,
    broker,
    build,
    free_port,
    leaf_environment,
    pin_event,
    process,
    root_environment,
    wait_for,
)

_BUCKET: Final = "snapshots"
_WORD: Final = "newcomer"
_AGAIN: Final = 3
"""Each new pin is sent so often, twice with the same version: what is read again must change nothing."""
_BACKLOG_SECONDS: Final = 10
"""Between the snapshot and the loss of the disk: what Kafka alone has."""
_LOT: Final = 100
"""Pins that have a word of their own, and come in one answer."""
_POLL_SECONDS: Final = 0.1


def main(arguments: list[str] | None = None) -> None:
    """Kill, measure, count and print."""
    parser = argparse.ArgumentParser(prog="services.search.path_benchmark.recovery", description=__doc__)
    parser.add_argument("--pins", type=int, default=100_000)
    parser.add_argument(
        "--directory", type=Path, help="of an index that the path benchmark built; it is copied"
    )
    told = parser.parse_args(arguments)
    corpus = Corpus(told.pins)
    with ExitStack() as stack:
        working = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        built = told.directory or working / "built"
        build(corpus, built)
        index = working / "index"
        shutil.copytree(built, index)
        variables = stack.enter_context(_s3())
        kafka = stack.enter_context(broker())
        leaf = _Leaf(index, kafka, variables, stack)
        new = _Newcomers(corpus)
        leaf.start()
        with publishing(kafka, new.events(), UPSERTS_A_SECOND):
            leaf.snapshot()
            leaf.kill()
            _print("killed; its disk is there", leaf.start())
            time.sleep(_BACKLOG_SECONDS)
            leaf.kill()
            shutil.rmtree(index)
            _print("killed; its disk is lost: snapshot and offsets", leaf.start())
        leaf.caught_up(told.pins + len(new.ids))
        found = leaf.found(new.lots())
        lost, doubled = new.ids - set(found), len(found) - len(set(found))
        print(
            f"{told.pins:,} pins and {len(new.ids):,} that came meanwhile, {leaf.documents():,} in the index; "
            f"lost: {len(lost)}, doubled: {doubled}"
        )
        if lost or doubled or leaf.documents() != told.pins + len(new.ids):
            raise SystemExit("pins were lost or doubled")


def _print(what: str, seconds: float) -> None:
    print(f"{what:50} answers after {seconds:5.1f} s   target: 30 s for a million pins", flush=True)


@dataclass
class _Newcomers:
    """Pins that come while the leaf is killed."""

    corpus: Corpus
    ids: set[int] = field(default_factory=set[int])

    def events(self) -> Iterator[PinEvent]:
        """Each several times, the last version first."""
        newest = int(time.time())  # above those of an earlier run on the same index
        for pin_id in itertools.count(self.corpus.pins + 1):
            self.ids.add(pin_id)
            for again in range(_AGAIN):
                version = newest - 1 if again == 1 else newest
                yield pin_event(pin_id, version, 1, f"{_WORD} {_lot(pin_id)}")

    def lots(self) -> list[str]:
        """The words that they have."""
        return sorted({_lot(pin_id) for pin_id in self.ids})


def _lot(pin_id: int) -> str:
    """A word that a hundred pins have."""
    return f"lot{pin_id // _LOT}"


@dataclass
class _Leaf:
    """The only shard, and a root before it."""

    index: Path
    kafka: str
    variables: dict[str, str]
    stack: ExitStack
    _ports: dict[str, int] = field(init=False)
    _process: psutil.Process | None = None

    def __post_init__(self) -> None:
        names = ("leaf", "leaf operations", "root", "root operations")
        self._ports = {name: free_port() for name in names}
        ports = self._ports["leaf"], self._ports["root"], self._ports["root operations"]
        self.stack.enter_context(process("root", root_environment(*ports)))

    def start(self) -> float:
        """Seconds until it answers."""
        began = time.perf_counter()
        ports = self._ports["leaf"], self._ports["leaf operations"]
        environment = leaf_environment(self.index, self.kafka, *ports)
        snapshots = {"SNAPSHOTS_BUCKET": _BUCKET, "SNAPSHOT_INTERVAL_SECONDS": "5", "SNAPSHOTS_KEPT": "2"}
        self._process = self.stack.enter_context(
            process("leaf", {**environment, **snapshots, **self.variables})
        )
        wait_for(f"http://127.0.0.1:{ports[1]}/readyz")
        wait_for(f"http://127.0.0.1:{self._ports['root']}/v1/search/pins?q={_WORD}")
        return time.perf_counter() - began

    def kill(self) -> None:
        """As the kernel does when memory runs out."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def snapshot(self) -> None:
        """Wait until there is one."""
        client = _client(self.variables)
        while not client.list_objects_v2(Bucket=_BUCKET, Prefix="shard-000-of-001/manifests/").get(
            "Contents"
        ):
            time.sleep(_POLL_SECONDS)

    def documents(self) -> int:
        """Pins in the index, as its metrics have them."""
        url = f"http://127.0.0.1:{self._ports['leaf operations']}/metrics"
        with urllib.request.urlopen(url, timeout=10) as answer:
            found = re.search(r'search_documents{kind="pins"} (\S+)', answer.read().decode())
        return int(float(found[1])) if found else 0

    def caught_up(self, documents: int) -> None:
        """Wait until it has so many pins, or for as long as it may take."""
        deadline = time.monotonic() + START_SECONDS
        while self.documents() < documents and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)

    def found(self, words: Iterable[str]) -> list[int]:
        """The pins with any of the words, of which each is asked for by itself."""
        url = f"http://127.0.0.1:{self._ports['root']}/v1/search/pins"
        answers = [get(f"{url}?q={word}&limit={_LOT}") for word in words]
        return [int(item["pin_id"]) for answer in answers for item in answer["items"]]


def _client(variables: dict[str, str]) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=variables["AWS_ENDPOINT_URL"],
        region_name=variables["AWS_DEFAULT_REGION"],
        aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
        config=Config(retries={"total_max_attempts": 1}),
    )


@contextmanager
def _s3() -> Generator[dict[str, str]]:
    """moto's, as a process; the variables of who uses it."""
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603 - our own
    variables = {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "benchmark",
        "AWS_SECRET_ACCESS_KEY": "benchmark",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    try:
        wait_for(f"http://127.0.0.1:{port}/moto-api/")
        _client(variables).create_bucket(Bucket=_BUCKET)
        yield variables
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()
