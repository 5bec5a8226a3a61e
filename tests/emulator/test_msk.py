"""MSK through boto3: clusters, brokers, configurations, topics and SCRAM secrets."""

import base64
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.emulator.conftest import ACCOUNT, REGION, Clients, Network

Names = Callable[[str], str]


def provisioned(network: Network, **more: Any) -> dict[str, Any]:
    return {
        "BrokerNodeGroupInfo": {
            "ClientSubnets": network.subnets,
            "InstanceType": "kafka.m7g.large",
            "SecurityGroups": [network.security_group],
            "StorageInfo": {"EbsStorageInfo": {"VolumeSize": 100}},
        },
        "KafkaVersion": "3.9.x.kraft",
        "NumberOfBrokerNodes": 3,
        **more,
    }


SECURE = {"Sasl": {"Scram": {"Enabled": True}, "Iam": {"Enabled": True}}}


@pytest.fixture
def msk_cluster(client: Clients, network: Network, unique: Names) -> str:
    given = provisioned(network, ClientAuthentication=SECURE)
    return client("kafka").create_cluster_v2(ClusterName=unique("events"), Provisioned=given)["ClusterArn"]


def test_a_cluster_is_active_on_the_first_look_and_gives_back_what_it_was_given(
    client: Clients, network: Network, unique: Names
) -> None:
    kafka = client("kafka")
    name = unique("events")
    given = provisioned(
        network,
        ClientAuthentication=SECURE,
        EnhancedMonitoring="PER_TOPIC_PER_BROKER",
        OpenMonitoring={"Prometheus": {"JmxExporter": {"EnabledInBroker": True}}},
        StorageMode="TIERED",
    )
    created = kafka.create_cluster_v2(ClusterName=name, Provisioned=given, Tags={"team": "data"})
    assert created["State"] == "CREATING"
    assert created["ClusterArn"].startswith(f"arn:aws:kafka:{REGION}:{ACCOUNT}:cluster/{name}/")
    cluster = kafka.describe_cluster_v2(ClusterArn=created["ClusterArn"])["ClusterInfo"]
    assert cluster["State"] == "ACTIVE"
    assert cluster["Tags"] == {"team": "data"}
    found = cluster["Provisioned"]
    for key in ("ClientAuthentication", "EnhancedMonitoring", "OpenMonitoring", "StorageMode"):
        assert found[key] == given[key]
    assert found["CurrentBrokerSoftwareInfo"]["KafkaVersion"] == "3.9.x.kraft"
    assert found["EncryptionInfo"]["EncryptionInTransit"] == {"ClientBroker": "TLS", "InCluster": True}


def test_bootstrap_brokers_follow_the_authentication(client: Clients, msk_cluster: str) -> None:
    found = client("kafka").get_bootstrap_brokers(ClusterArn=msk_cluster)
    del found["ResponseMetadata"]
    assert set(found) == {"BootstrapBrokerStringSaslScram", "BootstrapBrokerStringSaslIam"}
    addresses = found["BootstrapBrokerStringSaslScram"].split(",")
    assert len(addresses) == 3
    assert addresses[0].startswith("b-1.events-")
    assert addresses[0].endswith(f".kafka.{REGION}.amazonaws.com:9096")
