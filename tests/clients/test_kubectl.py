"""kubectl against the cluster that the programs created: nodes and objects of theirs, and a service of ours."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.waiting import until

pytestmark = pytest.mark.xdist_group("world")

ROOT = Path(__file__).resolve().parents[2]
BIN = ROOT / ".venv" / "bin"


@pytest.fixture
def kubectl(world, tmp_path):
    """Runs kubectl with what `pinwheel up` printed, and returns what it prints."""

    def run(*arguments: str, check: bool = True, **variables: str) -> str:
        done = subprocess.run(
            [BIN / "kubectl", *arguments],
            env={**world.environment, "HOME": str(tmp_path), **variables},
            capture_output=True,
            text=True,
            check=False,
        )
        assert not check or done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    return run


def test_the_nodes_of_the_node_group(kubectl) -> None:
    told = json.loads(kubectl("get", "nodes", "-l", "eks.amazonaws.com/nodegroup", "-o", "json"))
    assert told["items"]
    for node in told["items"]:
        assert node["metadata"]["labels"]["topology.kubernetes.io/zone"].startswith("us-east-1")
        assert node["status"]["allocatable"]["cpu"]


def test_what_the_programs_declared(kubectl) -> None:
    assert "gpu-inference" in kubectl("get", "nodepools")
    assert "dcgm-exporter" in kubectl("get", "daemonsets", "-n", "gpu-system", "-o", "wide")
    assert "gp3" in kubectl("get", "storageclasses")


def test_the_kubeconfig_of_the_aws_cli_works_too(world, kubectl, tmp_path) -> None:
    config = tmp_path / "kubeconfig"
    variables = {"KUBECONFIG": str(config), "PATH": f"{BIN}:/usr/bin:/bin"}
    subprocess.run(
        [BIN / "aws", "eks", "update-kubeconfig", "--name", world.thing("EKS cluster")],
        env={**world.environment, **variables},
        check=True,
        capture_output=True,
    )
    assert "gpu-system" in kubectl("get", "namespaces", **variables)


def test_a_service_of_ours_runs_and_answers(world, kubectl, seen) -> None:
    kubectl("apply", "-f", str(ROOT / "services" / "echo" / "kubernetes.yaml"))
    kubectl("rollout", "status", "deployment/echo", "-n", "echo", "--timeout=60s")
    (url,) = until(lambda: [url for name, url in seen()["services"] if name == "echo/echo"])
    told = subprocess.run(["curl", "-sf", url], capture_output=True, text=True, check=True).stdout
    assert json.loads(told)["pod"].startswith("echo-")
    kubectl("delete", "namespace", "echo", "--timeout=60s")
