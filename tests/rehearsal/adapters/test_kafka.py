"""MSK and MSK Connect."""

import base64
from collections.abc import Callable
from typing import Any

import pytest

from rehearsal.cloud import Created
from tests.rehearsal.conftest import Play


@pytest.fixture(scope="module")
def brokers(play: Play, subnets: list[str], security_group: str, key: str) -> Created:
    return play("aws:msk/cluster:Cluster", **cluster_inputs(subnets, security_group, key, "brokers"))


def cluster_inputs(subnets: list[str], security_group: str, key: str, name: str) -> dict[str, Any]:
    return {
        "clusterName": name,
        "kafkaVersion": "3.9.x.kraft",
        "numberOfBrokerNodes": 3,
        "brokerNodeGroupInfo": {
            "instanceType": "kafka.m7g.large",
            "clientSubnets": subnets,
            "securityGroups": [security_group],
            "storageInfo": {"ebsStorageInfo": {"volumeSize": 100}},
        },
        "clientAuthentication": {"sasl": {"iam": True, "scram": True}, "unauthenticated": False},
        "encryptionInfo": {
            "encryptionAtRestKmsKeyArn": key,
            "encryptionInTransit": {"clientBroker": "TLS", "inCluster": True},
        },
    }


def test_a_cluster_tells_its_brokers(play: Play, brokers: Created, key: str):
    found = play.ask("kafka", "DescribeCluster", ClusterArn=brokers.id)["ClusterInfo"]

    assert found["ClientAuthentication"]["Sasl"] == {"Iam": {"Enabled": True}, "Scram": {"Enabled": True}}
    assert found["EncryptionInfo"]["EncryptionAtRest"]["DataVolumeKMSKeyId"] == key
    assert brokers.outputs["bootstrapBrokersSaslIam"].count(":9098") == 3
    assert brokers.outputs["bootstrapBrokersSaslScram"].count(":9096") == 3
    assert brokers.id.endswith(brokers.outputs["clusterUuid"])
    assert brokers.unchecked == ()


def test_mistakes_in_the_depths_of_a_cluster_are_named(
    play: Play, subnets: list[str], security_group: str, key: str
):
    inputs = cluster_inputs(subnets, security_group, key, "wrong")
    inputs["encryptionInfo"]["encryptionInTransit"]["clientBroker"] = "SSL"
    inputs["brokerNodeGroupInfo"]["storageInfo"]["ebsStorageInfo"]["volumeSize"] = 99999

    problems = play.refused("aws:msk/cluster:Cluster", **inputs)

    assert {problem.property for problem in problems} == {
        "encryptionInfo.encryptionInTransit.clientBroker",
        "brokerNodeGroupInfo.storageInfo.ebsStorageInfo.volumeSize",
    }


def test_a_configuration_has_a_revision(play: Play):
    created = play(
        "aws:msk/configuration:Configuration",
        name="durable",
        kafkaVersions=["3.9.x.kraft"],
        serverProperties="auto.create.topics.enable=false\n",
    )

    found = play.ask("kafka", "DescribeConfigurationRevision", Arn=created.id, Revision=1)
    assert found["ServerProperties"] == b"auto.create.topics.enable=false\n"
    assert created.outputs["latestRevision"] == 1


def test_a_topics_settings_arrive(play: Play, brokers: Created):
    created = play(
        "aws:msk/topic:Topic",
        clusterArn=brokers.id,
        name="pins",
        partitionCount=6,
        replicationFactor=3,
        configs='{"retention.ms": "1000"}',
    )

    found = play.ask("kafka", "DescribeTopic", ClusterArn=brokers.id, TopicName="pins")
    assert created.outputs["name"] == "pins"
    assert found["PartitionCount"] == 6
    assert '"retention.ms"' in base64.b64decode(found["Configs"]).decode()


def test_a_topic_of_a_cluster_that_is_not_there_is_refused(play: Play):
    arn = "arn:aws:kafka:eu-west-1:210987654321:cluster/lost/00000000-0000-0000-0000-000000000000-1"

    (problem,) = play.refused(
        "aws:msk/topic:Topic", clusterArn=arn, name="pins", partitionCount=1, replicationFactor=1
    )

    assert problem.property == "clusterArn"


def test_a_secret_that_brokers_cannot_take_is_refused(play: Play, brokers: Created):
    secret = play("aws:secretsmanager/secret:Secret", name="pin-kafka")

    (problem,) = play.refused(
        "aws:msk/singleScramSecretAssociation:SingleScramSecretAssociation",
        clusterArn=brokers.id,
        secretArn=secret.id,
    )

    assert problem.property == "secretArn"
    assert "AmazonMSK_" in f"{problem.reason} {problem.remedy}"


def test_a_secret_that_brokers_take(play: Play, brokers: Created, key: str):
    secret = play("aws:secretsmanager/secret:Secret", name="AmazonMSK_pin", kmsKeyId=key)
    play(
        "aws:secretsmanager/secretVersion:SecretVersion",
        secretId=secret.id,
        secretString='{"username": "pin", "password": "not-a-real-one"}',
    )

    created = play(
        "aws:msk/singleScramSecretAssociation:SingleScramSecretAssociation",
        clusterArn=brokers.id,
        secretArn=secret.id,
    )

    assert created.id == f"{brokers.id},{secret.id}"


def test_a_plugin_without_its_archive_is_refused_and_with_it_is_not(play: Play):
    bucket = play("aws:s3/bucket:Bucket", bucket="plugins-of-the-test").outputs
    inputs: dict[str, Any] = {
        "name": "debezium",
        "contentType": "ZIP",
        "location": {"s3": {"bucketArn": bucket["arn"], "fileKey": "debezium.zip"}},
    }

    (problem,) = play.refused("aws:mskconnect/customPlugin:CustomPlugin", **inputs)
    assert problem.property == "location.s3.fileKey"

    play("aws:s3/bucketObjectv2:BucketObjectv2", bucket=bucket["bucket"], key="debezium.zip", content="zip")
    created = play("aws:mskconnect/customPlugin:CustomPlugin", **inputs)
    assert created.outputs["latestRevision"] == 1


def test_a_connectors_mistakes_are_named(play: Play, role: Callable[[str], str]):
    problems = play.refused(
        "aws:mskconnect/connector:Connector",
        name="cdc",
        kafkaconnectVersion="3.7.x",
        capacity={"provisionedCapacity": {"mcuCount": 3, "workerCount": 1}},
        connectorConfiguration={"connector.class": "x"},
        kafkaCluster={
            "apacheKafkaCluster": {"bootstrapServers": "b:9098", "vpc": {"subnets": [], "securityGroups": []}}
        },
        kafkaClusterClientAuthentication={"authenticationType": "SCRAM"},
        kafkaClusterEncryptionInTransit={"encryptionType": "TLS"},
        plugins=[{"customPlugin": {"arn": "arn:aws:kafkaconnect:x", "revision": 1}}],
        serviceExecutionRoleArn=role("kafkaconnect.amazonaws.com"),
    )

    assert "kafkaClusterClientAuthentication.authenticationType" in {each.property for each in problems}


def test_workers_settings_travel_in_base64(play: Play):
    created = play(
        "aws:mskconnect/workerConfiguration:WorkerConfiguration",
        name="json",
        propertiesFileContent="key.converter=org.apache.kafka.connect.json.JsonConverter\nvalue.converter=org.apache.kafka.connect.json.JsonConverter\n",
    )

    found = play.ask("kafkaconnect", "DescribeWorkerConfiguration", workerConfigurationArn=created.id)
    text = base64.b64decode(found["latestRevision"]["propertiesFileContent"]).decode()
    assert text.startswith("key.converter=")
