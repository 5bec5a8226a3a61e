"""Empties a cluster before it is destroyed, so that nothing outlives what would have deleted it.

Load balancers, volumes and Karpenter's nodes are made by controllers inside the cluster; Pulumi does not know
of them. If the cluster goes first, they stay, keep network interfaces in the subnets, and the network cannot
be deleted (pulumi-eks#194, karpenter-aws#1382, aws-load-balancer-controller#1629). So, while the controllers
still run: what asks for load balancers goes, then the workloads, then their volumes, then Karpenter's pools
with their nodes. An engine hook cannot do this: it would need `destroy --run-program` and reach only objects
that Pulumi declared.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from pinwheel.errors import ExitCode, Failure

Kubectl = Callable[[Sequence[str]], str]
"""Runs kubectl with these arguments and returns its output. Raises Failure."""

Tell = Callable[[str], None]

SYSTEM_NAMESPACES: Final = frozenset({"kube-system", "kube-public", "kube-node-lease", "karpenter"})
"""Here run the controllers that must do the cleaning."""

_TIMEOUT: Final = "15m"
"""For one kind to be gone: a load balancer takes a minute or two, a GPU node with a long drain up to ten."""

_INTERFACE_PREFIX: Final = "aws-K8S-"
"""How the VPC CNI describes the interfaces it makes."""


def drain(kubectl: Kubectl, tell: Tell) -> None:
    """Empty the cluster; returns when nodes, load balancers and volumes are gone. Raises Failure."""
    kubectl(["get", "--raw", "/readyz"])
    namespaces = [name for name in _names(kubectl, "namespaces") if name not in SYSTEM_NAMESPACES]
    for namespace in namespaces:
        tell(f"drain: load balancers of {namespace}")
        _delete(kubectl, "ingresses", namespace)
        for service in _load_balancers(kubectl, namespace):
            kubectl(["delete", "service", service, "-n", namespace, f"--timeout={_TIMEOUT}"])
    for namespace in namespaces:
        tell(f"drain: workloads and volumes of {namespace}")
        for kind in (
            "horizontalpodautoscalers",
            "cronjobs",
            "jobs",
            "deployments",
            "statefulsets",
            "daemonsets",
        ):
            _delete(kubectl, kind, namespace)
        _delete(kubectl, "persistentvolumeclaims", namespace)
    if kubectl(["api-resources", "--api-group=karpenter.sh", "-o", "name"]).strip():
        tell("drain: Karpenter's node pools and their nodes")
        kubectl(["delete", "nodepools.karpenter.sh", "--all", f"--timeout={_TIMEOUT}"])
        if _names(kubectl, "nodeclaims.karpenter.sh"):
            kubectl(["wait", "--for=delete", "nodeclaims.karpenter.sh", "--all", f"--timeout={_TIMEOUT}"])


def _delete(kubectl: Kubectl, kind: str, namespace: str) -> None:
    kubectl(["delete", kind, "--all", "-n", namespace, "--cascade=foreground", f"--timeout={_TIMEOUT}"])


def _names(kubectl: Kubectl, kind: str) -> list[str]:
    return kubectl(["get", kind, "-o", "jsonpath={.items[*].metadata.name}"]).split()


def _load_balancers(kubectl: Kubectl, namespace: str) -> list[str]:
    services = json.loads(kubectl(["get", "services", "-n", namespace, "-o", "json"]))["items"]
    return [each["metadata"]["name"] for each in services if each["spec"].get("type") == "LoadBalancer"]


@contextmanager
def kubectl_of(cluster: str, region: str) -> Generator[Kubectl]:
    """kubectl for an EKS cluster, as the caller's own AWS identity. Raises Failure when it has no way."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    for program in ("kubectl", "aws"):
        if shutil.which(program, path=path) is None:
            raise _unreachable(cluster, f"there is no {program} on the PATH")
    with tempfile.TemporaryDirectory(prefix="pinwheel-") as directory:
        variables = {**os.environ, "PATH": path, "KUBECONFIG": str(Path(directory) / "config")}

        def run(command: Sequence[str]) -> str:
            done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)  # noqa: S603
            if done.returncode:
                told = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
                raise _unreachable(cluster, f"{command[0]}: {told[-1]}")
            return done.stdout

        run(["aws", "eks", "update-kubeconfig", "--name", cluster, "--region", region])
        yield lambda arguments: run(["kubectl", *arguments])


def _unreachable(cluster: str, why: str) -> Failure:
    return Failure(
        f"cluster {cluster} cannot be drained: {why}",
        "run where its endpoint can be reached, as one of its administrators; --skip-drain goes on without, "
        "and may leave load balancers, volumes and interfaces that keep the network from being deleted",
        ExitCode.INFRASTRUCTURE,
    )


def delete_leftover_interfaces(ec2: Any, vpc: str) -> list[str]:
    """Delete the VPC CNI's interfaces that no node holds any more; returns their ids.

    A node that ends while the CNI attaches an interface leaves it behind, "available"; the subnet then
    cannot be deleted. `ec2` is a boto3 client.
    """
    pages = ec2.get_paginator("describe_network_interfaces").paginate(
        Filters=[{"Name": "vpc-id", "Values": [vpc]}, {"Name": "status", "Values": ["available"]}]
    )
    left = [
        interface["NetworkInterfaceId"]
        for page in pages
        for interface in page["NetworkInterfaces"]
        if interface.get("Description", "").startswith(_INTERFACE_PREFIX)
    ]
    for each in left:
        ec2.delete_network_interface(NetworkInterfaceId=each)
    return left
