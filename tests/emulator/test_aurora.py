"""Aurora MySQL through boto3."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.emulator.conftest import REGION, Clients, Network
from tests.emulator.refusal import refused

Names = Callable[[str], str]


@pytest.fixture
def database(client: Clients, network: Network, unique: Names) -> dict[str, Any]:
    rds, name = client("rds"), unique("aurora")
    rds.create_db_subnet_group(
        DBSubnetGroupName=name, DBSubnetGroupDescription="d", SubnetIds=network.subnets
    )
    rds.create_db_cluster_parameter_group(
        DBClusterParameterGroupName=name,
        DBParameterGroupFamily="aurora-mysql8.0",
        Description="binlog for CDC",
    )
    rds.modify_db_cluster_parameter_group(
        DBClusterParameterGroupName=name,
        Parameters=[
            {"ParameterName": "binlog_format", "ParameterValue": "ROW", "ApplyMethod": "pending-reboot"}
        ],
    )
    return {
        "DBClusterIdentifier": name,
        "Engine": "aurora-mysql",
        "EngineVersion": "8.0.mysql_aurora.3.10.0",
        "DatabaseName": "pins",
        "MasterUsername": "pinwheel",
        "ManageMasterUserPassword": True,
        "MasterUserSecretKmsKeyId": client("kms").create_key()["KeyMetadata"]["Arn"],
        "DBSubnetGroupName": name,
        "DBClusterParameterGroupName": name,
        "VpcSecurityGroupIds": [network.security_group],
        "StorageEncrypted": True,
        "StorageType": "aurora-iopt1",
        "BackupRetentionPeriod": 7,
        "EnableCloudwatchLogsExports": ["error", "slowquery"],
        "ServerlessV2ScalingConfiguration": {"MinCapacity": 0.5, "MaxCapacity": 16.0},
        "EnableHttpEndpoint": True,
        "DatabaseInsightsMode": "standard",
    }


def test_a_cluster_gives_back_what_it_was_given(client: Clients, database: dict[str, Any]) -> None:
    rds, name = client("rds"), database["DBClusterIdentifier"]
    rds.create_db_cluster(**database)
    found = rds.describe_db_clusters(DBClusterIdentifier=name)["DBClusters"][0]
    same = (
        "EngineVersion",
        "DatabaseName",
        "StorageType",
        "DatabaseInsightsMode",
        "ServerlessV2ScalingConfiguration",
    )
    assert {key: found[key] for key in same} == {key: database[key] for key in same}
    assert found["Status"] == "available"
    assert found["HttpEndpointEnabled"] is True
    assert found["DBClusterParameterGroup"] == name
    assert found["EnabledCloudwatchLogsExports"] == ["error", "slowquery"]
    assert found["Endpoint"].startswith(f"{name}.cluster-")
    assert found["ReaderEndpoint"].startswith(f"{name}.cluster-ro-")
    secret = found["MasterUserSecret"]
    assert secret["KmsKeyId"] == database["MasterUserSecretKmsKeyId"]
    value = client("secretsmanager").get_secret_value(SecretId=secret["SecretArn"])["SecretString"]
    assert json.loads(value)["username"] == "pinwheel"
    assert len(json.loads(value)["password"]) >= 24
    parameters = rds.describe_db_cluster_parameters(DBClusterParameterGroupName=name)["Parameters"]
    assert ("binlog_format", "ROW") in [
        (item["ParameterName"], item["ParameterValue"]) for item in parameters
    ]


def test_instances_join_the_cluster(
    client: Clients, database: dict[str, Any], role: Callable[..., str]
) -> None:
    rds, name = client("rds"), database["DBClusterIdentifier"]
    rds.create_db_cluster(**database, DeletionProtection=True)
    instance = {
        "DBInstanceClass": "db.serverless",
        "Engine": "aurora-mysql",
        "DBClusterIdentifier": name,
        "MonitoringInterval": 30,
        "MonitoringRoleArn": role("monitoring.rds.amazonaws.com"),
        "EnablePerformanceInsights": True,
    }
    for number, zone in enumerate("ab"):
        rds.create_db_instance(
            **instance,
            DBInstanceIdentifier=f"{name}-{number}",
            AvailabilityZone=f"{REGION}{zone}",
            PromotionTier=number,
        )
    found = rds.describe_db_clusters(DBClusterIdentifier=name)["DBClusters"][0]
    members = {item["DBInstanceIdentifier"]: item["IsClusterWriter"] for item in found["DBClusterMembers"]}
    assert members == {f"{name}-0": True, f"{name}-1": False}
    assert found["MultiAZ"] is True
    writer = rds.describe_db_instances(DBInstanceIdentifier=f"{name}-0")["DBInstances"][0]
    assert writer["DBInstanceStatus"] == "available"
    assert writer["MonitoringInterval"] == 30
    assert writer["PerformanceInsightsEnabled"] is True
    assert writer["Endpoint"]["Address"].startswith(f"{name}-0.")
    with refused("InvalidParameterCombination", "protection"):
        rds.delete_db_cluster(DBClusterIdentifier=name, SkipFinalSnapshot=True)
    rds.modify_db_cluster(
        DBClusterIdentifier=name,
        DeletionProtection=False,
        ServerlessV2ScalingConfiguration={"MinCapacity": 1, "MaxCapacity": 8},
    )
    found = rds.describe_db_clusters(DBClusterIdentifier=name)["DBClusters"][0]
    assert found["ServerlessV2ScalingConfiguration"] == {"MinCapacity": 1.0, "MaxCapacity": 8.0}
    for number in range(2):
        rds.delete_db_instance(DBInstanceIdentifier=f"{name}-{number}", SkipFinalSnapshot=True)
    rds.delete_db_cluster(DBClusterIdentifier=name, SkipFinalSnapshot=True)


@pytest.mark.parametrize(
    ("change", "code", "word"),
    [
        ({"DBSubnetGroupName": "nowhere"}, "DBSubnetGroupNotFoundFault", "nowhere"),
        ({"DBClusterParameterGroupName": "nothing"}, "DBParameterGroupNotFound", "nothing"),
        ({"VpcSecurityGroupIds": ["sg-nothing"]}, "InvalidParameterValue", "sg-nothing"),
        (
            {"ServerlessV2ScalingConfiguration": {"MinCapacity": 8, "MaxCapacity": 1}},
            "InvalidParameterValue",
            "ServerlessV2ScalingConfiguration",
        ),
    ],
)
def test_what_cannot_be_a_cluster_is_refused(
    client: Clients, database: dict[str, Any], change: dict[str, Any], code: str, word: str
) -> None:
    with refused(code, word):
        client("rds").create_db_cluster(**database | change)


def test_clusters_and_instances_are_judged_together(client: Clients, database: dict[str, Any]) -> None:
    rds, name = client("rds"), database["DBClusterIdentifier"]
    del database["ServerlessV2ScalingConfiguration"]
    rds.create_db_cluster(**database)
    with refused("DBClusterAlreadyExistsFault", name):
        rds.create_db_cluster(**database)
    instance = {"DBInstanceIdentifier": f"{name}-0", "Engine": "aurora-mysql", "DBClusterIdentifier": name}
    with refused("InvalidDBClusterStateFault", "scaling configuration"):
        rds.create_db_instance(**instance, DBInstanceClass="db.serverless")
    with refused("InvalidParameterValue", "monitoring.rds.amazonaws.com"):
        rds.create_db_instance(
            **instance, DBInstanceClass="db.r7g.large", MonitoringInterval=60, MonitoringRoleArn="arn:nobody"
        )
    with refused("DBClusterNotFoundFault", "no-such-cluster"):
        rds.create_db_instance(
            **instance | {"DBClusterIdentifier": "no-such-cluster"}, DBInstanceClass="db.r7g.large"
        )
    with refused("DBClusterNotFoundFault", "no-such-cluster"):
        rds.modify_db_cluster(DBClusterIdentifier="no-such-cluster", DeletionProtection=False)
