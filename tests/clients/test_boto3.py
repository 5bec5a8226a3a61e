"""boto3, with nothing but the environment variables that `pinwheel up` printed."""

import json
import subprocess
import sys
from typing import Any

import pytest

pytestmark = pytest.mark.xdist_group("world")


@pytest.fixture
def call(world):
    """Calls in a process of its own, whose environment is all that it knows."""

    def run(service: str, operation: str, **parameters: Any) -> Any:
        program = (
            "import boto3, json, sys; service, operation, parameters = json.loads(sys.argv[1]); "
            "print(json.dumps(getattr(boto3.client(service), operation)(**parameters), default=str))"
        )
        done = subprocess.run(
            [sys.executable, "-c", program, json.dumps([service, operation, parameters])],
            env=world.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


def test_the_cluster(world, call) -> None:
    assert call("eks", "list_clusters")["clusters"] == [world.thing("EKS cluster")]


def test_the_brokers(world, call) -> None:
    brokers = call("kafka", "get_bootstrap_brokers", ClusterArn=world.thing("Kafka cluster"))
    assert brokers["BootstrapBrokerStringSaslIam"] == world.thing("Kafka brokers")


def test_the_lake_takes_objects_and_gives_them_back(world, call) -> None:
    bucket = world.thing("lake bucket")
    call("s3", "put_object", Bucket=bucket, Key="try/hello.txt", Body="hello", ServerSideEncryption="aws:kms")
    assert call("s3", "head_object", Bucket=bucket, Key="try/hello.txt")["ContentLength"] == 5


def test_the_tables(world, call) -> None:
    tables = call("glue", "get_tables", DatabaseName=world.thing("Glue database"))["TableList"]
    assert {"pins", "boards", "saves", "clicks", "embeddings"} <= {table["Name"] for table in tables}
