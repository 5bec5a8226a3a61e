"""MSK Connect through boto3."""

import base64
from collections.abc import Callable
from typing import Any

import pytest

from tests.emulator.conftest import REGION, Clients, Network
from tests.emulator.refusal import refused

Names = Callable[[str], str]


@pytest.fixture
def plugin(client: Clients, unique: Names) -> str:
    bucket = unique("plugins")
    client("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    client("s3").put_object(Bucket=bucket, Key="debezium.zip", Body=b"PK")
    made = client("kafkaconnect").create_custom_plugin(
        name=unique("debezium"),
        contentType="ZIP",
        location={"s3Location": {"bucketArn": f"arn:aws:s3:::{bucket}", "fileKey": "debezium.zip"}},
    )
    return made["customPluginArn"]


@pytest.fixture
def connector(plugin: str, network: Network, role: Callable[..., str], unique: Names) -> dict[str, Any]:
    return {
        "connectorName": unique("mysql"),
        "capacity": {"provisionedCapacity": {"mcuCount": 1, "workerCount": 1}},
        "connectorConfiguration": {
            "connector.class": "io.debezium.connector.mysql.MySqlConnector",
            "tasks.max": "1",
        },
        "kafkaCluster": {
            "apacheKafkaCluster": {
                "bootstrapServers": "b-1:9098",
                "vpc": {"subnets": network.subnets, "securityGroups": [network.security_group]},
            }
        },
        "kafkaClusterClientAuthentication": {"authenticationType": "IAM"},
        "kafkaClusterEncryptionInTransit": {"encryptionType": "TLS"},
        "kafkaConnectVersion": "3.7.x",
        "plugins": [{"customPlugin": {"customPluginArn": plugin, "revision": 1}}],
        "serviceExecutionRoleArn": role("kafkaconnect.amazonaws.com"),
        "tags": {"team": "data"},
    }


def test_a_connector_from_creation_to_deletion(
    client: Clients, connector: dict[str, Any], plugin: str
) -> None:
    connect = client("kafkaconnect")
    created = connect.create_connector(**connector)
    arn = created["connectorArn"]
    found = connect.describe_connector(connectorArn=arn)
    assert found["connectorState"] == "RUNNING"
    kept = {key: value for key, value in connector.items() if key != "tags"}
    assert {key: found[key] for key in kept} == kept
    assert connect.list_tags_for_resource(resourceArn=arn)["tags"] == {"team": "data"}
    listed = connect.list_connectors(connectorNamePrefix=connector["connectorName"])["connectors"]
    assert [item["connectorArn"] for item in listed] == [arn]

    capacity = {"provisionedCapacity": {"mcuCount": 2, "workerCount": 1}}
    updated = connect.update_connector(
        connectorArn=arn, currentVersion=found["currentVersion"], capacity=capacity
    )
    operation = connect.describe_connector_operation(connectorOperationArn=updated["connectorOperationArn"])
    assert operation["connectorOperationState"] == "UPDATE_COMPLETE"
    assert connect.describe_connector(connectorArn=arn)["capacity"] == capacity
    with refused("BadRequestException", found["currentVersion"]):
        connect.update_connector(connectorArn=arn, currentVersion=found["currentVersion"], capacity=capacity)
    with refused("BadRequestException", connector["connectorName"]):
        connect.delete_custom_plugin(customPluginArn=plugin)

    connect.pause_connector(connectorArn=arn)
    assert connect.describe_connector(connectorArn=arn)["connectorState"] == "PAUSED"
    connect.resume_connector(connectorArn=arn)
    connect.delete_connector(connectorArn=arn)
    with refused("NotFoundException", arn):
        connect.describe_connector(connectorArn=arn)
    connect.delete_custom_plugin(customPluginArn=plugin)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"capacity": {}}, ["exactly one"]),
        ({"kafkaConnectVersion": "1.0"}, ["3.7.x"]),
        ({"connectorConfiguration": {"tasks.max": "1"}}, ["connector.class"]),
        ({"plugins": [{"customPlugin": {"customPluginArn": "arn:none", "revision": 1}}]}, ["arn:none"]),
        ({"serviceExecutionRoleArn": "arn:aws:iam::210987654321:role/none"}, ["role/none"]),
        (
            {"kafkaClusterClientAuthentication": {"authenticationType": "TRUST"}},
            ["authenticationType", "IAM"],
        ),
        ({"workerConfiguration": {"workerConfigurationArn": "arn:none", "revision": 1}}, ["arn:none"]),
    ],
)
def test_what_cannot_be_a_connector_is_refused(
    client: Clients, connector: dict[str, Any], change: dict[str, Any], words: list[str]
) -> None:
    with refused("BadRequestException", *words):
        client("kafkaconnect").create_connector(**connector | change)


def test_plugins_must_be_in_s3(client: Clients, plugin: str, unique: Names) -> None:
    connect = client("kafkaconnect")
    described = connect.describe_custom_plugin(customPluginArn=plugin)
    assert described["customPluginState"] == "ACTIVE"
    assert described["latestRevision"]["fileDescription"]["fileSize"] == 2
    location = {"bucketArn": "arn:aws:s3:::no-such-bucket", "fileKey": "a.zip"}
    with refused("BadRequestException", "no-such-bucket"):
        connect.create_custom_plugin(
            name=unique("plugin"), contentType="ZIP", location={"s3Location": location}
        )
    with refused("ConflictException", described["name"]):
        connect.create_custom_plugin(
            name=described["name"], contentType="ZIP", location={"s3Location": location}
        )


def test_worker_configurations(client: Clients, unique: Names) -> None:
    connect = client("kafkaconnect")
    properties = base64.b64encode(b"key.converter=a\nvalue.converter=b\n").decode()
    made = connect.create_worker_configuration(name=unique("workers"), propertiesFileContent=properties)
    arn = made["workerConfigurationArn"]
    described = connect.describe_worker_configuration(workerConfigurationArn=arn)
    assert described["latestRevision"]["propertiesFileContent"] == properties
    with refused("BadRequestException", "value.converter"):
        content = base64.b64encode(b"key.converter=a").decode()
        connect.create_worker_configuration(name=unique("workers"), propertiesFileContent=content)
    connect.delete_worker_configuration(workerConfigurationArn=arn)
    with refused("NotFoundException", arn):
        connect.describe_worker_configuration(workerConfigurationArn=arn)
