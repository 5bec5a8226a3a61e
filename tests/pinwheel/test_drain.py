"""The drain: what goes first, what is spared, and how it says that it cannot."""

import json
import os
import stat
from collections.abc import Sequence
from pathlib import Path

import boto3
import pytest
from moto import mock_aws

from pinwheel.drain import delete_leftover_interfaces, drain, kubectl_of
from pinwheel.errors import Failure


class Cluster:
    """Answers as kubectl does, and keeps what it was told to change."""

    def __init__(self, *, karpenter: bool = True) -> None:
        self.changes: list[str] = []
        self._karpenter = karpenter

    def __call__(self, arguments: Sequence[str]) -> str:
        match list(arguments):
            case ["get", "--raw", "/readyz"]:
                return "ok"
            case ["get", "namespaces", *_]:
                return "default kube-system karpenter search"
            case ["get", "services", "-n", namespace, *_]:
                services = [("web", "LoadBalancer"), ("api", "ClusterIP")] if namespace == "search" else []
                items = [{"metadata": {"name": name}, "spec": {"type": kind}} for name, kind in services]
                return json.dumps({"items": items})
            case ["api-resources", *_]:
                return "nodepools.karpenter.sh\nnodeclaims.karpenter.sh\n" if self._karpenter else ""
            case ["get", "nodeclaims.karpenter.sh", *_]:
                return "gpu-1 gpu-2"
            case ["delete" | "wait", *_]:
                self.changes.append(" ".join(each for each in arguments if not each.startswith("--timeout")))
                return ""
            case _:
                raise AssertionError(arguments)


def test_load_balancers_go_before_workloads_before_volumes_before_nodes() -> None:
    cluster = Cluster()
    drain(cluster, lambda _: None)
    order = [
        "delete service web -n search",
        "delete deployments --all -n search --cascade=foreground",
        "delete persistentvolumeclaims --all -n search --cascade=foreground",
        "delete nodepools.karpenter.sh --all",
        "wait --for=delete nodeclaims.karpenter.sh --all",
    ]
    assert [change for change in cluster.changes if change in order] == order


def test_the_controllers_that_do_the_cleaning_are_spared() -> None:
    cluster = Cluster()
    drain(cluster, lambda _: None)
    assert not [
        change for change in cluster.changes if "-n kube-system" in change or "-n karpenter" in change
    ]


def test_services_without_a_load_balancer_are_left_to_pulumi() -> None:
    cluster = Cluster()
    drain(cluster, lambda _: None)
    assert not [change for change in cluster.changes if "service api" in change]


def test_a_cluster_without_karpenter_has_no_pools() -> None:
    cluster = Cluster(karpenter=False)
    drain(cluster, lambda _: None)
    assert not [change for change in cluster.changes if "karpenter.sh" in change]


def programs(directory: Path, **scripts: str) -> str:
    for name, script in scripts.items():
        file = directory / name
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(file.stat().st_mode | stat.S_IXUSR)
    return os.pathsep.join([str(directory), "/usr/bin", "/bin"])


@pytest.fixture
def no_own_aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The AWS CLI beside this Python would be found first."""
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))


def test_without_kubectl_it_refuses_and_says_what_skipping_costs(
    no_own_aws: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Failure, match="there is no kubectl") as refused, kubectl_of("c", "us-east-1"):
        pytest.fail("reached")
    assert "--skip-drain" in refused.value.remedy


def test_a_cluster_out_of_reach_is_refused_in_its_own_words(
    no_own_aws: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kubectl = "echo 'Unable to connect to the server: i/o timeout' >&2; exit 1"
    monkeypatch.setenv("PATH", programs(tmp_path, aws="exit 0", kubectl=kubectl))
    with kubectl_of("c", "us-east-1") as run, pytest.raises(Failure, match="i/o timeout"):
        drain(run, lambda _: None)


def test_kubectl_gets_a_configuration_of_its_own(
    no_own_aws: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    aws = 'echo "$*" > "$KUBECONFIG"'
    monkeypatch.setenv("PATH", programs(tmp_path, aws=aws, kubectl='cat "$KUBECONFIG"'))
    with kubectl_of("pinwheel-dev-cluster", "us-east-1") as run:
        told = run(["config", "view"])
    assert told == "eks update-kubeconfig --name pinwheel-dev-cluster --region us-east-1\n"


@mock_aws
def test_only_the_cnis_own_free_interfaces_are_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    ec2 = boto3.client("ec2", "us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.0.0/24")["Subnet"]["SubnetId"]

    def interface(description: str) -> str:
        made = ec2.create_network_interface(SubnetId=subnet, Description=description)
        return made["NetworkInterface"]["NetworkInterfaceId"]

    left, other = interface("aws-K8S-i-0123"), interface("somebody's")
    assert delete_leftover_interfaces(ec2, vpc) == [left]
    still = ec2.describe_network_interfaces()["NetworkInterfaces"]
    assert [each["NetworkInterfaceId"] for each in still] == [other]
