"""What Kafka clients find behind a cluster that MSK's API made."""

import base64
import itertools
import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.emulator.kafka.conftest import (
    REGION,
    BackedCloud,
    committed,
    consumed,
    partitions_of,
    produced,
    settings_of,
)
from tests.emulator.refusal import refused
from tests.waiting import until

pytestmark = pytest.mark.xdist_group("kafka")

SECURE = {"Sasl": {"Scram": {"Enabled": True}, "Iam": {"Enabled": True}}}


@dataclass
class RealCluster:
    """An MSK cluster and what stands behind it."""

    cloud: BackedCloud
    kafka: Any
    name: str
    arn: str

    @property
    def address(self) -> str:
        return self.kafka.get_bootstrap_brokers(ClusterArn=self.arn)["BootstrapBrokerStringSaslScram"]

    @property
    def process(self) -> Any:
        return until(lambda: self.cloud.member(f"kafka/{self.name}"))

    def topic(self, name: str, partitions: int = 1, **configs: str) -> str:
        encoded = base64.b64encode(json.dumps(configs).encode()).decode()
        self.kafka.create_topic(
            ClusterArn=self.arn,
            TopicName=name,
            PartitionCount=partitions,
            ReplicationFactor=3,
            Configs=encoded,
        )
        return name


@pytest.fixture(scope="module")
def create(cloud: BackedCloud) -> Callable[..., RealCluster]:
    ec2, kafka, numbers = cloud.client("ec2"), cloud.client("kafka"), itertools.count(1)
    vpc = ec2.create_vpc(CidrBlock="10.30.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.30.{index}.0/24", AvailabilityZone=f"{REGION}{zone}")
        for index, zone in enumerate("abc")
    ]

    def make(**more: Any) -> RealCluster:
        name = f"events-{next(numbers)}"
        given = {
            "BrokerNodeGroupInfo": {
                "InstanceType": "kafka.m7g.large",
                "ClientSubnets": [subnet["Subnet"]["SubnetId"] for subnet in subnets],
            },
            "KafkaVersion": "3.9.x.kraft",
            "NumberOfBrokerNodes": 3,
            "ClientAuthentication": SECURE,
            **more,
        }
        arn = kafka.create_cluster_v2(ClusterName=name, Provisioned=given)["ClusterArn"]
        return RealCluster(cloud, kafka, name, arn)

    return make


@pytest.fixture(scope="module")
def cluster(create: Callable[..., RealCluster]) -> RealCluster:
    return create()


def test_every_open_listener_leads_to_the_broker(cluster: RealCluster) -> None:
    found = cluster.kafka.get_bootstrap_brokers(ClusterArn=cluster.arn)
    del found["ResponseMetadata"]
    assert set(found) == {"BootstrapBrokerStringSaslScram", "BootstrapBrokerStringSaslIam"}
    assert set(found.values()) == {cluster.process.details["address"]}
    assert cluster.process.details["kind"] == "tansu"
    assert any("memory" in limit for limit in cluster.process.details["limits"])


def test_messages_come_back_with_keys_and_headers_order_and_time(cluster: RealCluster) -> None:
    topic = cluster.topic("round-trip")
    assert produced(cluster.address, topic, [b"%d" % number for number in range(1000)]) == []
    messages = consumed(cluster.address, topic, 1, 1000)
    assert [message.value() for message in messages] == [b"%d" % number for number in range(1000)]
    assert [message.offset() for message in messages] == list(range(1000))
    assert messages[7].key() == b"7"


def test_declared_topics_have_their_partitions_and_settings(cluster: RealCluster) -> None:
    cluster.topic("pins", 12, **{"retention.ms": "604800000", "cleanup.policy": "compact"})
    assert partitions_of(cluster.address)["pins"] == 12
    assert settings_of(cluster.address, "pins") == {
        "retention.ms": "604800000",
        "cleanup.policy": "compact",
    }
    changed = base64.b64encode(b"retention.ms=1000\n").decode()
    cluster.kafka.update_topic(ClusterArn=cluster.arn, TopicName="pins", Configs=changed)
    assert settings_of(cluster.address, "pins") == {"retention.ms": "1000"}
    cluster.kafka.delete_topic(ClusterArn=cluster.arn, TopicName="pins")
    assert "pins" not in partitions_of(cluster.address)


def test_partitions_are_added_to_an_empty_topic_and_refused_for_one_with_messages(
    cluster: RealCluster,
) -> None:
    topic = cluster.topic("growing", 2)
    cluster.kafka.update_topic(ClusterArn=cluster.arn, TopicName=topic, PartitionCount=4)
    assert partitions_of(cluster.address)[topic] == 4
    assert produced(cluster.address, topic, [b"one"]) == []
    with refused("BadRequestException", topic, "holds messages", "KAFKA_HOME"):
        cluster.kafka.update_topic(ClusterArn=cluster.arn, TopicName=topic, PartitionCount=8)
    declared = cluster.kafka.describe_topic(ClusterArn=cluster.arn, TopicName=topic)
    assert declared["PartitionCount"] == partitions_of(cluster.address)[topic] == 4


def test_settings_that_are_no_json_are_refused(cluster: RealCluster) -> None:
    with refused("BadRequestException", "JSON"):
        cluster.kafka.create_topic(
            ClusterArn=cluster.arn,
            TopicName="broken",
            PartitionCount=1,
            ReplicationFactor=1,
            Configs=base64.b64encode(b"{retention.ms").decode(),
        )
    assert "broken" not in partitions_of(cluster.address)


def test_a_misspelt_topic_is_an_error_and_not_a_topic(cluster: RealCluster) -> None:
    assert produced(cluster.address, "pinz", [b"lost"]) == ["UNKNOWN_TOPIC_OR_PART"]
    assert "pinz" not in partitions_of(cluster.address)


def test_a_configuration_may_let_clients_create_topics(create: Callable[..., RealCluster]) -> None:
    strict = create()
    properties = b"auto.create.topics.enable = true\n"
    made = strict.kafka.create_configuration(Name="lenient", ServerProperties=properties)
    info = {"Arn": made["Arn"], "Revision": 1}
    lenient = create(ConfigurationInfo=info)
    assert produced(lenient.address, "new", [b"kept"]) == []
    assert produced(strict.address, "new", [b"lost"]) == ["UNKNOWN_TOPIC_OR_PART"]
    version = strict.kafka.describe_cluster_v2(ClusterArn=strict.arn)["ClusterInfo"]["CurrentVersion"]
    strict.kafka.update_cluster_configuration(
        ClusterArn=strict.arn, CurrentVersion=version, ConfigurationInfo=info
    )
    assert produced(strict.address, "new", [b"kept"]) == []


class GroupMember:
    """A consumer in a process of its own, whose lines go to a queue."""

    def __init__(self, lines: "queue.Queue[tuple[GroupMember, dict[str, Any]]]", *arguments: str) -> None:
        script = Path(__file__).with_name("group_member.py")
        self.process = subprocess.Popen(
            [sys.executable, str(script), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.partitions: list[int] = []
        threading.Thread(target=self._read, args=[lines], daemon=True).start()

    def _read(self, lines: "queue.Queue[tuple[GroupMember, dict[str, Any]]]") -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            lines.put((self, json.loads(line)))

    def stop(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        assert self.process.wait(30) == 0


def test_two_processes_share_a_topic_in_a_consumer_group(cluster: RealCluster) -> None:
    topic = cluster.topic("shared", 6)
    lines: queue.Queue[tuple[GroupMember, dict[str, Any]]] = queue.Queue()
    members = [GroupMember(lines, cluster.address, "workers", topic) for _ in range(2)]
    while sorted(len(member.partitions) for member in members) != [3, 3]:
        member, told = lines.get(timeout=30)
        member.partitions = told["assigned"]
    assert sorted(members[0].partitions + members[1].partitions) == list(range(6))
    sent = [f"message {number}" for number in range(300)]
    assert produced(cluster.address, topic, [value.encode() for value in sent]) == []
    seen: list[str] = []
    while len(seen) < len(sent):
        member, told = lines.get(timeout=30)
        assert told["partition"] in member.partitions
        seen.append(told["value"])
    for member in members:
        member.stop()
    assert sorted(seen) == sorted(sent)
    assert committed(cluster.address, "workers", topic, 6) == len(sent)


def test_a_killed_broker_comes_back_with_its_topics(create: Callable[..., RealCluster]) -> None:
    cluster = create()
    cluster.topic("pins", 4)
    address, killed = cluster.address, cluster.process
    assert produced(address, "pins", [b"lost"]) == []
    os.kill(killed.pid, signal.SIGKILL)
    again = until(lambda: found if (found := cluster.process).pid != killed.pid else None)
    assert again.details["restarts"] == 1
    assert cluster.address == address == again.details["address"]
    assert partitions_of(address) == {"pins": 4}
    assert produced(address, "pins", [b"kept"]) == []
    assert cluster.topic("boards", 2) in partitions_of(address)
    log = (cluster.cloud.directory / "emulator.log").read_text()
    assert f"kafka/{cluster.name} ended by signal 9" in log
    assert f"kafka/{cluster.name}: all messages and committed offsets are lost" in log


def test_nothing_listens_outside_loopback(cluster: RealCluster) -> None:
    for pid in (cluster.process.pid, cluster.cloud.emulator.pid):
        listening = [
            connection.laddr
            for connection in psutil.Process(pid).net_connections(kind="inet")
            if connection.status == psutil.CONN_LISTEN
        ]
        assert listening
        assert {address.ip for address in listening} == {"127.0.0.1"}


def test_a_deleted_cluster_takes_its_broker_with_it(create: Callable[..., RealCluster]) -> None:
    cluster = create()
    process = cluster.process
    cluster.kafka.delete_cluster(ClusterArn=cluster.arn)
    assert not process.alive
    assert cluster.cloud.member(f"kafka/{cluster.name}") is None
