"""`pinwheel up --keep` goes on with the data of the last time; without it, everything is thrown away."""

import json
import re
import signal
import subprocess
from pathlib import Path

import boto3
import pytest

from emulator.process import CREDENTIALS
from tests.clients.support import needs_mysql
from tests.conftest import Pinwheel, read_until

BIN = Path(__file__).resolve().parents[2] / ".venv" / "bin"
pytestmark = [pytest.mark.xdist_group("kept"), needs_mysql]


class Up:
    """One `pinwheel up`, ended in good order."""

    def __init__(self, pinwheel: Pinwheel, *options: str) -> None:
        self.pinwheel = pinwheel
        self.process = pinwheel.start("up", "--port", "0", *options)
        self.lines = read_until(self.process, "Ctrl-C stops it all.")

    def __enter__(self) -> "Up":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGINT)
        _, told = self.process.communicate(timeout=60)
        assert self.process.returncode == 130, told
        assert self.pinwheel.processes() == []

    def client(self, service: str):
        endpoint = next(found[1] for line in self.lines if (found := re.search(r"endpoint is (\S+)", line)))
        return boto3.client(service, "us-east-1", endpoint_url=endpoint, **CREDENTIALS)

    def sql(self, statement: str) -> list[list[dict[str, object]]]:
        (cluster,) = self.client("rds").describe_db_clusters()["DBClusters"]
        secret = self.client("secretsmanager").get_secret_value(SecretId="pinwheel/local/database/pin")
        answer = self.client("rds-data").execute_statement(
            resourceArn=cluster["DBClusterArn"], secretArn=secret["ARN"], database="pin", sql=statement
        )
        return answer.get("records", [])

    def kubectl(self, *arguments: str) -> str:
        done = subprocess.run(
            [BIN / "kubectl", "--kubeconfig", self.pinwheel.state / "kubeconfig", *arguments],
            env={**self.pinwheel.environment, "HOME": str(self.pinwheel.state)},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout + done.stderr


def test_what_is_kept_and_what_is_thrown_away(pinwheel: Pinwheel) -> None:
    with Up(pinwheel, "--keep") as first:
        first.sql("CREATE TABLE kept (id INT PRIMARY KEY)")
        first.sql("INSERT INTO kept VALUES (42)")
        first.kubectl("create", "configmap", "kept", "--from-literal=answer=42")
        first.client("s3").put_object(Bucket="pinwheel-local-lake-000000000000", Key="kept", Body=b"42")
        first.client("s3").get_object(Bucket="pinwheel-local-lake-000000000000", Key="kept")
    with Up(pinwheel, "--keep") as second:
        assert second.sql("SELECT id FROM kept") == [[{"longValue": 42}]]
        assert '"42"' in second.kubectl("get", "configmap", "kept", "-o", "jsonpath={.data}")
        bucket = second.client("s3")
        assert (
            bucket.get_object(Bucket="pinwheel-local-lake-000000000000", Key="kept")["Body"].read() == b"42"
        )
        pods = json.loads(second.kubectl("get", "pods", "--all-namespaces", "-o", "json"))["items"]
        names = [pod["metadata"].get("generateName", "") + pod["spec"].get("nodeName", "") for pod in pods]
        daemons = [name for name in names if name.startswith("aws-node")]
        assert len(daemons) == len(set(daemons)) >= 2  # what was rehearsed again was not made twice
    with Up(pinwheel) as third:
        with pytest.raises(third.client("rds-data").exceptions.ClientError, match="doesn't exist"):
            third.sql("SELECT id FROM kept")
        assert "not found" in third.kubectl("get", "configmap", "kept")
    assert not (pinwheel.state / "data").exists()
