"""An emulated account whose MSK clusters have real brokers, and Kafka clients that say nothing."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource  # pyright: ignore[reportPrivateImportUsage]

from emulator.backing import Backing
from emulator.kafka.broker.interface import Broker
from emulator.kafka.server import RealBrokers, install
from emulator.process import CREDENTIALS, BackedBy, Emulator
from emulator.processes import Member, registered

ACCOUNT = "210987654321"
REGION = "eu-west-1"
PATIENCE_SECONDS = 30.0


@dataclass
class BackedCloud:
    """An emulator that carries data."""

    emulator: Emulator
    directory: Path

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.emulator.endpoint,
            region_name=REGION,
            config=Config(retries={"max_attempts": 0}),
            **CREDENTIALS,
        )

    def member(self, name: str) -> Member | None:
        """A process of this world, if it runs."""
        found = [member for member in registered(self.directory / "processes") if member.name == name]
        return found[0] if found else None


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BackedCloud]:
    directory = tmp_path_factory.mktemp("cloud")
    log = directory / "emulator.log"
    with Emulator(ACCOUNT, REGION, log=log, backing=BackedBy(directory)) as emulator:
        yield BackedCloud(emulator, directory)


@dataclass
class Reported(Backing):
    """A backing that keeps what is reported, for tests that need no emulator."""

    reports: list[str] = field(default_factory=list)

    def report(self, text: str) -> None:
        self.reports.append(text)


@pytest.fixture
def backing(tmp_path: Path) -> Iterator[Reported]:
    made = Reported(tmp_path, "http://127.0.0.1:1", ACCOUNT, REGION)
    yield made
    made.stop()


SERVERLESS = {"ClusterType": "SERVERLESS"}
"""Enough of a cluster for `RealBrokers`; its one listener is for IAM."""


@dataclass
class Installed:
    """Brokers behind no emulator."""

    brokers: RealBrokers

    def create(self, name: str, properties: bytes = b"") -> dict[str, Any]:
        cluster = {"ClusterArn": f"arn:{name}", "ClusterName": name, **SERVERLESS}
        self.brokers.create_cluster(cluster, REGION, properties)
        return cluster

    def broker(self, cluster: dict[str, Any]) -> Broker:
        return self.brokers.broker(cluster["ClusterArn"])

    def address(self, cluster: dict[str, Any]) -> str:
        found = self.brokers.addresses(cluster, REGION)
        return found["BootstrapBrokerStringSaslIam"][0]

    def declare(self, cluster: dict[str, Any], name: str, partitions: int) -> None:
        topic = {"TopicName": name, "PartitionCount": partitions, "ReplicationFactor": 3, "Configs": ""}
        self.brokers.declare_topic(cluster, topic)


@pytest.fixture
def installer(backing: Backing, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Installed]]:
    """`installer()` puts brokers behind MSK as the environment says."""
    from emulator.kafka import brokers

    for name in ("KAFKA_HOME", "PINWHEEL_KAFKA_BOOTSTRAP", "CALF_TANSU_BIN"):
        monkeypatch.delenv(name, raising=False)
    yield lambda: Installed(install(backing))
    backing.stop()
    brokers.set_provider(brokers.Provider())


def partitions_of(address: str) -> dict[str, int]:
    """How many partitions each topic has, as a Kafka client sees it."""
    topics = AdminClient(quiet(address)).list_topics(timeout=PATIENCE_SECONDS).topics
    return {name: len(topic.partitions) for name, topic in topics.items()}


def settings_of(address: str, topic: str) -> dict[str, str]:
    """A topic's settings, as a Kafka client sees them."""
    client = AdminClient(quiet(address))
    resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
    found = client.describe_configs([resource])[resource].result(PATIENCE_SECONDS)
    return {name: entry.value for name, entry in found.items()}


def quiet(address: str, **more: Any) -> dict[str, Any]:
    """A client's settings that write no log."""
    return {"bootstrap.servers": address, "log_level": 0, **{k.replace("_", "."): v for k, v in more.items()}}


def produced(address: str, topic: str, values: list[bytes], partition: int = -1) -> list[str]:
    """Send messages; returns the errors of those that did not arrive."""
    errors: list[str] = []
    producer = Producer(quiet(address, topic_metadata_propagation_max_ms=500))
    for value in values:
        producer.produce(
            topic,
            value,
            key=value,
            partition=partition,
            on_delivery=lambda error, _: errors.append(error.name()) if error else None,
        )
    assert producer.flush(PATIENCE_SECONDS) == 0
    return errors


def consumed(address: str, topic: str, partitions: int, count: int) -> list[Any]:
    """That many messages from the start of a topic, without a group."""
    consumer = Consumer(quiet(address, group_id="test", auto_offset_reset="earliest"))
    consumer.assign([TopicPartition(topic, number, 0) for number in range(partitions)])
    try:
        found: list[Any] = []
        while len(found) < count:
            messages = consumer.consume(count - len(found), timeout=PATIENCE_SECONDS)
            assert messages, f"{len(found)} of {count} messages came"
            found += messages
        return found
    finally:
        consumer.close()


def committed(address: str, group: str, topic: str, partitions: int) -> int:
    """The sum of a group's committed offsets of a topic."""
    consumer = Consumer(quiet(address, group_id=group))
    asked = [TopicPartition(topic, number) for number in range(partitions)]
    found = consumer.committed(asked, timeout=PATIENCE_SECONDS)
    consumer.close()
    return sum(each.offset for each in found if each.offset > 0)
