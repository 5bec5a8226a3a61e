"""MSK through boto3: clusters, brokers, configurations, topics and SCRAM secrets."""

import base64
from collections.abc import Callable
from typing import Any

import pytest

from tests.emulator.conftest import ACCOUNT, REGION, Clients, Network
from tests.emulator.refusal import refused

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


def test_bootstrap_brokers_of_other_authentications(client: Clients, network: Network, unique: Names) -> None:
    kafka = client("kafka")
    plain = {"EncryptionInTransit": {"ClientBroker": "TLS_PLAINTEXT", "InCluster": True}}
    cases: list[tuple[dict[str, Any], set[str]]] = [
        ({}, {"BootstrapBrokerStringTls"}),
        ({"EncryptionInfo": plain}, {"BootstrapBrokerString", "BootstrapBrokerStringTls"}),
        ({"ClientAuthentication": {"Tls": {"Enabled": True}}}, {"BootstrapBrokerStringTls"}),
        (
            {"ClientAuthentication": {"Unauthenticated": {"Enabled": True}, **SECURE}},
            {"BootstrapBrokerStringTls", "BootstrapBrokerStringSaslScram", "BootstrapBrokerStringSaslIam"},
        ),
    ]
    for more, expected in cases:
        given = provisioned(network, **more)
        arn = kafka.create_cluster_v2(ClusterName=unique("auth"), Provisioned=given)["ClusterArn"]
        assert set(kafka.get_bootstrap_brokers(ClusterArn=arn)) - {"ResponseMetadata"} == expected


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("NumberOfBrokerNodes", 4, ["multiple", "4"]),
        ("KafkaVersion", "3.9.0-rc1", ["3.9.0-rc1", "3.9.x.kraft"]),
        ("EnhancedMonitoring", "PER_HOUR", ["EnhancedMonitoring", "PER_BROKER"]),
        ("BrokerNodeGroupInfo.InstanceType", "m7g.large", ["m7g.large", "kafka."]),
        ("BrokerNodeGroupInfo.InstanceType", "express.m7g.large", ["StorageInfo"]),
        ("BrokerNodeGroupInfo.ClientSubnets", ["subnet-a", "subnet-b"], ["subnet-a"]),
        ("BrokerNodeGroupInfo.SecurityGroups", ["sg-nothing"], ["sg-nothing"]),
        ("ConfigurationInfo", {"Arn": "arn:nothing", "Revision": 1}, ["arn:nothing"]),
        ("EncryptionInfo", {"EncryptionAtRest": {"DataVolumeKMSKeyId": "arn:no-key"}}, ["arn:no-key"]),
        (
            "LoggingInfo",
            {"BrokerLogs": {"CloudWatchLogs": {"Enabled": True, "LogGroup": "/no/group"}}},
            ["/no/group"],
        ),
    ],
)
def test_what_cannot_be_a_cluster_is_refused(  # noqa: PLR0917 - fixtures
    client: Clients, network: Network, unique: Names, path: str, value: Any, words: list[str]
) -> None:
    given = provisioned(network)
    parent, _, key = path.rpartition(".")
    (given[parent] if parent else given)[key] = value
    with refused("BadRequestException", *words):
        client("kafka").create_cluster_v2(ClusterName=unique("bad"), Provisioned=given)


def test_names_are_unique_and_deletion_is_final(client: Clients, network: Network, unique: Names) -> None:
    kafka, name = client("kafka"), unique("twice")
    first = kafka.create_cluster(
        ClusterName=name,
        BrokerNodeGroupInfo=provisioned(network)["BrokerNodeGroupInfo"],
        KafkaVersion="3.9.x",
        NumberOfBrokerNodes=3,
    )["ClusterArn"]
    with refused("ConflictException", name):
        kafka.create_cluster_v2(ClusterName=name, Provisioned=provisioned(network))
    assert kafka.describe_cluster(ClusterArn=first)["ClusterInfo"]["NumberOfBrokerNodes"] == 3
    found = kafka.list_clusters_v2(ClusterNameFilter=name)["ClusterInfoList"]
    assert [cluster["ClusterArn"] for cluster in found] == [first]
    kafka.delete_cluster(ClusterArn=first)
    with refused("NotFoundException", first):
        kafka.describe_cluster_v2(ClusterArn=first)


def test_nodes_are_spread_over_the_zones(client: Clients, network: Network, msk_cluster: str) -> None:
    nodes = client("kafka").list_nodes(ClusterArn=msk_cluster)["NodeInfoList"]
    assert sorted(node["BrokerNodeInfo"]["ClientSubnet"] for node in nodes) == sorted(network.subnets)
    pages = (
        client("kafka")
        .get_paginator("list_nodes")
        .paginate(ClusterArn=msk_cluster, PaginationConfig={"PageSize": 2})
    )
    assert [len(page["NodeInfoList"]) for page in pages] == [2, 1]


def test_updates_are_done_at_once_and_recorded(client: Clients, msk_cluster: str) -> None:
    kafka = client("kafka")

    def version() -> str:
        return kafka.describe_cluster_v2(ClusterArn=msk_cluster)["ClusterInfo"]["CurrentVersion"]

    first = version()
    volume = {"KafkaBrokerNodeId": "All", "VolumeSizeGB": 200}
    grown = kafka.update_broker_storage(
        ClusterArn=msk_cluster, CurrentVersion=first, TargetBrokerEBSVolumeInfo=[volume]
    )
    with refused("BadRequestException", first, version()):
        kafka.update_broker_count(ClusterArn=msk_cluster, CurrentVersion=first, TargetNumberOfBrokerNodes=6)
    kafka.update_broker_count(ClusterArn=msk_cluster, CurrentVersion=version(), TargetNumberOfBrokerNodes=6)
    kafka.update_broker_type(
        ClusterArn=msk_cluster, CurrentVersion=version(), TargetInstanceType="kafka.m7g.xlarge"
    )
    kafka.update_monitoring(ClusterArn=msk_cluster, CurrentVersion=version(), EnhancedMonitoring="PER_BROKER")
    kafka.update_cluster_kafka_version(
        ClusterArn=msk_cluster, CurrentVersion=version(), TargetKafkaVersion="4.0.x.kraft"
    )
    found = kafka.describe_cluster_v2(ClusterArn=msk_cluster)["ClusterInfo"]["Provisioned"]
    group = found["BrokerNodeGroupInfo"]
    assert group["StorageInfo"]["EbsStorageInfo"]["VolumeSize"] == 200
    assert group["InstanceType"] == "kafka.m7g.xlarge"
    assert found["NumberOfBrokerNodes"] == 6
    assert found["EnhancedMonitoring"] == "PER_BROKER"
    assert found["CurrentBrokerSoftwareInfo"]["KafkaVersion"] == "4.0.x.kraft"
    operation = grown["ClusterOperationArn"]
    info = kafka.describe_cluster_operation_v2(ClusterOperationArn=operation)["ClusterOperationInfo"]
    assert info["OperationState"] == "UPDATE_COMPLETE"
    assert info["Provisioned"]["TargetClusterInfo"]["BrokerEBSVolumeInfo"] == [volume]
    assert len(kafka.list_cluster_operations_v2(ClusterArn=msk_cluster)["ClusterOperationInfoList"]) == 5
    with refused("BadRequestException", "only be increased"):
        small = [{"KafkaBrokerNodeId": "All", "VolumeSizeGB": 1}]
        kafka.update_broker_storage(
            ClusterArn=msk_cluster, CurrentVersion=version(), TargetBrokerEBSVolumeInfo=small
        )
    with refused("BadRequestException", "3.9.x"):
        kafka.update_cluster_kafka_version(
            ClusterArn=msk_cluster, CurrentVersion=version(), TargetKafkaVersion="3.9.x"
        )


def test_configurations_have_revisions(client: Clients, network: Network, unique: Names) -> None:
    kafka, name = client("kafka"), unique("config")
    first = b"auto.create.topics.enable=false\n# a comment\nmin.insync.replicas = 2\n"
    made = kafka.create_configuration(Name=name, KafkaVersions=["3.9.x.kraft"], ServerProperties=first)
    assert made["LatestRevision"]["Revision"] == 1
    arn = made["Arn"]
    kafka.update_configuration(Arn=arn, ServerProperties=b"min.insync.replicas=3", Description="safer")
    described = kafka.describe_configuration(Arn=arn)
    assert described["State"] == "ACTIVE"
    assert described["LatestRevision"]["Revision"] == 2
    assert kafka.describe_configuration_revision(Arn=arn, Revision=1)["ServerProperties"] == first
    assert [item["Revision"] for item in kafka.list_configuration_revisions(Arn=arn)["Revisions"]] == [1, 2]
    with refused("NotFoundException", "revision 3"):
        kafka.describe_configuration_revision(Arn=arn, Revision=3)
    with refused("ConflictException", name):
        kafka.create_configuration(Name=name, ServerProperties=first)
    with refused("BadRequestException", "line 1"):
        kafka.create_configuration(Name=unique("config"), ServerProperties=b"not a property")
    given = provisioned(network, ConfigurationInfo={"Arn": arn, "Revision": 2})
    cluster = kafka.create_cluster_v2(ClusterName=unique("configured"), Provisioned=given)["ClusterArn"]
    with refused("BadRequestException", cluster):
        kafka.delete_configuration(Arn=arn)
    kafka.delete_cluster(ClusterArn=cluster)
    kafka.delete_configuration(Arn=arn)
    with refused("NotFoundException", arn):
        kafka.describe_configuration(Arn=arn)


def test_topics_as_code(client: Clients, msk_cluster: str) -> None:
    kafka = client("kafka")
    configs = base64.b64encode(b"retention.ms=604800000").decode()
    kafka.create_topic(
        ClusterArn=msk_cluster, TopicName="pins.saved", PartitionCount=4, ReplicationFactor=3, Configs=configs
    )
    topic = kafka.describe_topic(ClusterArn=msk_cluster, TopicName="pins.saved")
    assert (topic["Status"], topic["PartitionCount"], topic["Configs"]) == ("ACTIVE", 4, configs)
    kafka.update_topic(ClusterArn=msk_cluster, TopicName="pins.saved", PartitionCount=6)
    partitions = kafka.describe_topic_partitions(ClusterArn=msk_cluster, TopicName="pins.saved")["Partitions"]
    assert [partition["Partition"] for partition in partitions] == list(range(6))
    assert all(len(partition["Replicas"]) == 3 for partition in partitions)
    listed = kafka.list_topics(ClusterArn=msk_cluster, TopicNameFilter="pins.")["Topics"]
    assert [item["TopicName"] for item in listed] == ["pins.saved"]
    with refused("BadRequestException", "6"):
        kafka.update_topic(ClusterArn=msk_cluster, TopicName="pins.saved", PartitionCount=2)
    with refused("TopicExistsException", "pins.saved"):
        kafka.create_topic(
            ClusterArn=msk_cluster, TopicName="pins.saved", PartitionCount=1, ReplicationFactor=1
        )
    with refused("BadRequestException", "9"):
        kafka.create_topic(ClusterArn=msk_cluster, TopicName="clicks", PartitionCount=1, ReplicationFactor=9)
    with refused("BadRequestException", "letters"):
        kafka.create_topic(
            ClusterArn=msk_cluster, TopicName="no spaces", PartitionCount=1, ReplicationFactor=1
        )
    with refused("BadRequestException", "Base64"):
        kafka.create_topic(
            ClusterArn=msk_cluster, TopicName="clicks", PartitionCount=1, ReplicationFactor=1, Configs="a=b"
        )
    kafka.delete_topic(ClusterArn=msk_cluster, TopicName="pins.saved")
    with refused("NotFoundException", "pins.saved"):
        kafka.describe_topic(ClusterArn=msk_cluster, TopicName="pins.saved")


def test_scram_secrets_are_judged_one_by_one(client: Clients, msk_cluster: str, unique: Names) -> None:
    kafka, secrets = client("kafka"), client("secretsmanager")
    key = client("kms").create_key()["KeyMetadata"]["Arn"]
    good = secrets.create_secret(Name=unique("AmazonMSK_pin"), KmsKeyId=key, SecretString="{}")["ARN"]
    misnamed = secrets.create_secret(Name=unique("pin"), KmsKeyId=key, SecretString="{}")["ARN"]
    default_key = secrets.create_secret(Name=unique("AmazonMSK_pin"), SecretString="{}")["ARN"]
    missing = f"{good[:-1]}?"
    answer = kafka.batch_associate_scram_secret(
        ClusterArn=msk_cluster, SecretArnList=[good, misnamed, default_key, missing]
    )
    why = {item["SecretArn"]: item["ErrorMessage"] for item in answer["UnprocessedScramSecrets"]}
    assert set(why) == {misnamed, default_key, missing}
    assert "AmazonMSK_" in why[misnamed]
    assert "KMS" in why[default_key]
    assert "no such secret" in why[missing]
    assert kafka.list_scram_secrets(ClusterArn=msk_cluster)["SecretArnList"] == [good]
    kafka.batch_disassociate_scram_secret(ClusterArn=msk_cluster, SecretArnList=[good])
    assert kafka.list_scram_secrets(ClusterArn=msk_cluster)["SecretArnList"] == []


def test_scram_secrets_need_scram(client: Clients, network: Network, unique: Names) -> None:
    kafka = client("kafka")
    arn = kafka.create_cluster_v2(ClusterName=unique("iam"), Provisioned=provisioned(network))["ClusterArn"]
    with refused("BadRequestException", "not enabled"):
        kafka.batch_associate_scram_secret(ClusterArn=arn, SecretArnList=["arn:any"])


def test_cluster_policies_and_tags(client: Clients, msk_cluster: str) -> None:
    kafka = client("kafka")
    with refused("NotFoundException", "no policy"):
        kafka.get_cluster_policy(ClusterArn=msk_cluster)
    version = kafka.put_cluster_policy(ClusterArn=msk_cluster, Policy="{}")["CurrentVersion"]
    assert kafka.get_cluster_policy(ClusterArn=msk_cluster)["CurrentVersion"] == version
    kafka.delete_cluster_policy(ClusterArn=msk_cluster)
    kafka.tag_resource(ResourceArn=msk_cluster, Tags={"a": "b", "c": "d"})
    kafka.untag_resource(ResourceArn=msk_cluster, TagKeys=["c"])
    assert kafka.list_tags_for_resource(ResourceArn=msk_cluster)["Tags"] == {"a": "b"}


def test_versions(client: Clients, msk_cluster: str) -> None:
    kafka = client("kafka")
    assert "3.9.x.kraft" in [version["Version"] for version in kafka.list_kafka_versions()["KafkaVersions"]]
    found = kafka.get_compatible_kafka_versions(ClusterArn=msk_cluster)["CompatibleKafkaVersions"]
    assert found == [{"SourceVersion": "3.9.x.kraft", "TargetVersions": ["4.0.x.kraft", "4.1.x.kraft"]}]
