"""Apache Kafka as found in `KAFKA_HOME`: one KRaft node, broker and controller in one."""

import base64
import os
import shlex
import shutil
import signal
import threading
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from emulator.backing import Backing
from emulator.kafka.broker.interface import NO_AUTHENTICATION, ONE_BROKER, Broker, BrokerError, Watcher
from emulator.ports import free_port, wait_until_listening
from emulator.processes import Process, Supervised

_START_SECONDS: Final = 90.0
_STOP_SECONDS: Final = 10.0
_PROGRAMS: Final = ("kafka-storage.sh", "kafka-server-start.sh")
_OURS: Final = (
    *("process.roles", "node.id", "broker.id", "log.dir", "log.dirs", "listeners", "advertised.listeners"),
    *("controller.", "listener.", "inter.broker.", "security.", "ssl.", "sasl.", "zookeeper.", "authorizer."),
)
"""Starts of the names of settings that say where and how the one node listens: never the cluster's."""
_ONE_COPY: Final = {
    "default.replication.factor": "1",
    "min.insync.replicas": "1",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
}


class ApacheKafka(Broker):
    """One Kafka process with its own log directory.

    Starting takes seconds: `start` returns at once, and topics are made when it serves.

    Args:
        home: an unpacked Apache Kafka, 3.3 or later.
        name: the cluster's, for people and files.
        port: preferred; 0 is any.
        watcher: see `Watcher`.
    """

    kind = "apache-kafka"
    durable = True
    copies = 1
    limits = (
        ONE_BROKER,
        NO_AUTHENTICATION,
        "a changed cluster configuration has an effect from the broker's next start on",
        "ready some seconds after the cluster says ACTIVE",
    )

    def __init__(self, home: Path, name: str, port: int, backing: Backing, watcher: Watcher) -> None:
        self.insider = f"pinwheel-{name}"
        self._home = home
        self._name = f"kafka/{name}"
        self._backing = backing
        self._watcher = watcher
        self._port = port
        self._properties: Mapping[str, str] = {}
        self._directory = backing.data("kafka") / name
        self._supervised = Supervised(self._name, self._start, backing.report)

    @property
    def address(self) -> str:
        """Where it listens, or will."""
        return f"127.0.0.1:{self._port}"

    def start(self) -> None:
        """Start it; does not wait."""
        self._supervised.start()

    def stop(self) -> None:
        """Ask it to end, which puts its logs in order."""
        self._supervised.stop(_STOP_SECONDS)

    def discard(self) -> None:
        """End it at once and delete its directory."""
        self._supervised.stop(0, signal.SIGKILL)
        shutil.rmtree(self._directory, ignore_errors=True)

    def configure(self, properties: Mapping[str, str]) -> None:
        """For the next start."""
        self._properties = properties

    def _start(self, restarts: int, on_exit: Callable[[int], None]) -> Process:
        self._port = free_port(self._port)
        self._directory.mkdir(mode=0o700, exist_ok=True)
        file = self._directory / "server.properties"
        lines = server_properties(self._port, free_port(), self._directory / "log", self._properties)
        file.write_text("".join(f"{name}={value}\n" for name, value in lines.items()), encoding="utf-8")

        def ended(status: int) -> None:
            self._watcher.went()
            on_exit(status)

        process = Process(
            self._name,
            self._command(file),
            self._backing.log(self._name),
            self._backing.registry,
            environment=os.environ | {"LOG_DIR": str(self._directory / "server-logs")},
            directory=self._directory,
            details=self.details(restarts),
            on_exit=ended,
        )
        waiter = threading.Thread(target=self._settle, args=[process, restarts], daemon=True)
        waiter.start()
        return process

    def _settle(self, process: Process, restarts: int) -> None:
        if wait_until_listening(process, self._port, _START_SECONDS):
            self._watcher.came(self.address, restarts)
        elif process.alive:
            self._backing.report(
                f"{self._name} does not listen after {_START_SECONDS:g} s: ended, to be started again"
            )
            process.kill()

    def _command(self, properties: Path) -> list[str]:
        programs = self._home / "bin"
        format_storage = [
            *(str(programs / "kafka-storage.sh"), "format", "--ignore-formatted"),
            *("--cluster-id", cluster_id(self._name), "--config", str(properties)),
        ]
        serve = [str(programs / "kafka-server-start.sh"), str(properties)]
        return ["/bin/sh", "-c", f"{shlex.join(format_storage)} && exec {shlex.join(serve)}"]


def kafka_home(given: str) -> Path:
    """The directory that `KAFKA_HOME` names. Raises `BrokerError` when there is no Kafka in it."""
    home = Path(given)
    missing = [name for name in _PROGRAMS if not os.access(home / "bin" / name, os.X_OK)]
    if missing:
        raise BrokerError(
            f"KAFKA_HOME is {given!r}, but {home / 'bin'} has no {' and no '.join(missing)}: name the directory of "
            "an unpacked Apache Kafka, or unset KAFKA_HOME"
        )
    return home


def server_properties(
    port: int, controller_port: int, logs: Path, properties: Mapping[str, str]
) -> dict[str, str]:
    """`server.properties` of the one node: the cluster's configuration, less what one node cannot have."""
    kept = {name: value for name, value in properties.items() if not name.startswith(_OURS)}
    return {
        "auto.create.topics.enable": "false",  # MSK's default
        **kept,
        **_ONE_COPY,
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@127.0.0.1:{controller_port}",
        "controller.listener.names": "CONTROLLER",
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "PLAINTEXT",
        "group.initial.rebalance.delay.ms": "0",
        "log.dirs": str(logs),
    }


def cluster_id(name: str) -> str:
    """Kafka's form of a cluster id (a UUID in 22 characters), always the same for a name: logs carry it."""
    digest = uuid.uuid5(uuid.NAMESPACE_URL, f"pinwheel/{name}").bytes
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
