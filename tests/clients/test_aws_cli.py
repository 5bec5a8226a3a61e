"""The AWS CLI, unmodified, against the world that `pinwheel up` left running, with the values it printed."""

import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.xdist_group("world")


@pytest.fixture
def aws(world):
    executable = Path(sys.executable).parent / "aws"

    def run(*arguments: str) -> Any:
        command = [str(executable), "--endpoint-url", world.endpoint, "--output", "json", *arguments]
        done = subprocess.run(command, env=world.environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


def test_eks_describe_cluster(world, aws) -> None:
    cluster = aws("eks", "describe-cluster", "--name", world.thing("EKS cluster"))["cluster"]
    assert cluster["status"] == "ACTIVE"
    assert cluster["accessConfig"]["authenticationMode"] == "API"


def test_eks_list_addons(world, aws) -> None:
    addons = aws("eks", "list-addons", "--cluster-name", world.thing("EKS cluster"))["addons"]
    assert {"vpc-cni", "coredns", "kube-proxy", "eks-pod-identity-agent"} <= set(addons)


def test_kafka_list_clusters_v2(world, aws) -> None:
    (cluster,) = aws("kafka", "list-clusters-v2")["ClusterInfoList"]
    assert cluster["ClusterArn"] == world.thing("Kafka cluster")
    assert cluster["State"] == "ACTIVE"


def test_kafka_get_bootstrap_brokers(world, aws) -> None:
    brokers = aws("kafka", "get-bootstrap-brokers", "--cluster-arn", world.thing("Kafka cluster"))
    assert brokers["BootstrapBrokerStringSaslIam"] == world.thing("Kafka brokers")


def test_rds_describe_db_clusters(world, aws) -> None:
    (cluster,) = aws("rds", "describe-db-clusters")["DBClusters"]
    assert f"{cluster['Endpoint']}:{cluster['Port']}" == world.thing("MySQL writer")
    assert f"{cluster['ReaderEndpoint']}:{cluster['Port']}" == world.thing("MySQL reader")
    assert cluster["Status"] == "available"


def test_the_three_printed_commands_work_as_they_stand(world) -> None:
    assert len(world.commands) == 3
    bin_directory = Path(sys.executable).parent
    for command in world.commands:
        program, *arguments = shlex.split(command)
        assert program.startswith(".venv/bin/")
        done = subprocess.run(
            [str(bin_directory / Path(program).name), *arguments],
            env=world.environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip()
