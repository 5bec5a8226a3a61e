"""The real AWS CLI against the emulator: the commands that the README names."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from emulator.process import Emulator, client_environment
from tests.emulator.conftest import REGION, Clients, Network

AWS = Path(sys.executable).with_name("aws")

Aws = Callable[..., Any]


@pytest.fixture(scope="module")
def aws(emulator: Emulator) -> Aws:
    """`aws("eks", "list-clusters")` runs the command and returns its JSON."""

    def run(*arguments: str) -> Any:
        command = [str(AWS), "--endpoint-url", emulator.endpoint, *arguments, "--output", "json"]
        environment = {"PATH": os.environ["PATH"], "HOME": os.devnull} | client_environment(
            emulator.endpoint, REGION
        )
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


def test_eks(aws: Aws, client: Clients, cluster: str) -> None:
    client("eks").create_addon(clusterName=cluster, addonName="vpc-cni")
    described = aws("eks", "describe-cluster", "--name", cluster)["cluster"]
    assert described["status"] == "ACTIVE"
    assert described["accessConfig"]["authenticationMode"] == "API"
    assert aws("eks", "list-addons", "--cluster-name", cluster)["addons"] == ["vpc-cni"]


def test_kafka(aws: Aws, client: Clients, network: Network, unique: Callable[[str], str]) -> None:
    name = unique("cli")
    arn = client("kafka").create_cluster_v2(
        ClusterName=name,
        Provisioned={
            "BrokerNodeGroupInfo": {"ClientSubnets": network.subnets, "InstanceType": "kafka.m7g.large"},
            "KafkaVersion": "3.9.x.kraft",
            "NumberOfBrokerNodes": 3,
            "ClientAuthentication": {"Sasl": {"Iam": {"Enabled": True}}},
        },
    )["ClusterArn"]
    listed = aws("kafka", "list-clusters-v2", "--cluster-name-filter", name)["ClusterInfoList"]
    assert [(item["ClusterArn"], item["State"]) for item in listed] == [(arn, "ACTIVE")]
    brokers = aws("kafka", "get-bootstrap-brokers", "--cluster-arn", arn)["BootstrapBrokerStringSaslIam"]
    assert len(brokers.split(",")) == 3


def test_rds(aws: Aws, client: Clients, unique: Callable[[str], str]) -> None:
    name = unique("cli")
    client("rds").create_db_cluster(
        DBClusterIdentifier=name,
        Engine="aurora-mysql",
        MasterUsername="pinwheel",
        ManageMasterUserPassword=True,
    )
    found = aws("rds", "describe-db-clusters", "--db-cluster-identifier", name)["DBClusters"][0]
    assert found["Status"] == "available"
    assert found["MasterUserSecret"]["SecretArn"].startswith("arn:aws:secretsmanager:")
