"""A real cluster for tests: the process that stands behind an EKS cluster, three nodes, and its clients."""

import base64
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from emulator.backing import Backing
from emulator.cluster.client import ClusterClient
from emulator.cluster.resources import Resources
from emulator.cluster.scheduling.machines import Machine, node_object
from emulator.eks.api_server import ApiServer
from emulator.instance_types import all_types
from tests.waiting import until

ROOT = Path(__file__).resolve().parents[3]
KUBECTL = Path(sys.executable).parent / "kubectl"
RESOURCES = Resources()
REGION = "eu-west-1"
VERSION = "1.35"


@dataclass
class Done:
    """What a command printed and how it ended."""

    out: str
    err: str
    code: int

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()

    @property
    def json(self) -> Any:
        return orjson.loads(self.out)


@dataclass
class Kubectl:
    """Runs the real kubectl as somebody whose home, cache and configuration are all in `home`."""

    home: Path
    kubeconfig: Path
    namespace: str = ""

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "KUBECACHEDIR": str(self.home / "cache"),
            "KUBECONFIG": str(self.kubeconfig),
        }

    def command(self, *arguments: str) -> list[str]:
        within = ("--namespace", self.namespace) if self.namespace else ()
        return [str(KUBECTL), *within, *arguments]

    def __call__(
        self, *arguments: str, manifest: object = None, check: bool = True, timeout: float = 60
    ) -> Done:
        """`manifest` goes in as standard input: a manifest or several, as text or as objects."""
        done = subprocess.run(
            self.command(*arguments),
            env=self.environment,
            input=manifest if isinstance(manifest, str) else orjson.dumps(_listed(manifest)).decode(),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert not check or done.returncode == 0, f"kubectl {' '.join(arguments)}: {done.stderr}"
        return Done(done.stdout, done.stderr, done.returncode)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """For what goes on until it is ended, such as a watch."""
        return subprocess.Popen(
            self.command(*arguments),
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


def _listed(given: object) -> object:
    if isinstance(given, list):
        return {"apiVersion": "v1", "kind": "List", "items": given}
    return given


@dataclass
class RunningCluster:
    """One cluster that runs."""

    server: ApiServer
    kubeconfig: Path
    home: Path
    nodes: list[str] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def endpoint(self) -> str:
        return self.server.endpoint

    @property
    def certificate_authority(self) -> str:
        return self.server.certificate_authority

    @property
    def token(self) -> str:
        return self.server.token

    @property
    def client(self) -> ClusterClient:
        return self.server.client

    def kubectl(self, namespace: str = "") -> Kubectl:
        return Kubectl(self.home, self.kubeconfig, namespace)

    def unique(self, prefix: str) -> str:
        """A name that no other test has."""
        return f"{prefix}-{next(self._numbers)}"

    def add_node(self, instance_type: str = "m7i.xlarge", **labels: str) -> str:
        """A node of EKS's form; returns its name when it is ready."""
        number = len(self.nodes)
        machine = Machine(
            address=f"10.0.{number}.10",
            instance_type=all_types()[instance_type],
            zone=f"{REGION}{'abc'[number % 3]}",
            region=REGION,
            kubernetes=f"{VERSION}.0",
            disk_gib=80,
            labels={"eks.amazonaws.com/nodegroup": "system", **labels},
        )
        self.client.create(RESOURCES["nodes"], node_object(machine))
        until(lambda: "Ready" in self.conditions("nodes", "", machine.name))
        self.nodes.append(machine.name)
        return machine.name

    def conditions(self, resource: str, namespace: str, name: str) -> set[str]:
        """The types of the conditions of an object that are true."""
        found = self.client.get(RESOURCES[resource], namespace, name).get("status", {}).get("conditions", ())
        return {each["type"] for each in found if each["status"] == "True"}


def start(directory: Path, name: str = "tests", images: Path | None = ROOT / "services") -> RunningCluster:
    """A cluster without nodes, all of whose state is in `directory`."""
    backing = Backing(directory / "world", "http://127.0.0.1:9", "210987654321", REGION, images=images)
    home = directory / "home"
    home.mkdir()
    server = ApiServer(backing, name, VERSION)
    kubeconfig = home / "kubeconfig"
    kubeconfig.write_text(json.dumps(_configuration(server)), encoding="utf-8")
    return RunningCluster(server, kubeconfig, home)


def _configuration(server: ApiServer) -> dict[str, Any]:
    """A kubeconfig; JSON is YAML."""
    authority = base64.b64encode(server.certificate_authority.encode()).decode()
    cluster = {"server": server.endpoint, "certificate-authority-data": authority}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "tests", "cluster": cluster}],
        "users": [{"name": "tests", "user": {"token": server.token}}],
        "contexts": [{"name": "tests", "context": {"cluster": "tests", "user": "tests"}}],
        "current-context": "tests",
    }


IMAGE = "example.com/pinwheel/echo"
"""An image of the project's: its containers run as processes."""
SLEEP = ("sleep", "600")


def container(*command: str, image: str = f"{IMAGE}:1", **fields: Any) -> dict[str, Any]:
    """A container that runs a command, or sleeps."""
    return {
        "name": "main",
        "image": image,
        "command": list(command or SLEEP),
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}},
        **fields,
    }


def pod_spec(*command: str, **fields: Any) -> dict[str, Any]:
    return {"containers": [container(*command)], "terminationGracePeriodSeconds": 2, **fields}


def pod(name: str, *command: str, **fields: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": pod_spec(*command, **fields),
    }


def deployment(name: str, *command: str, replicas: int = 1, **fields: Any) -> dict[str, Any]:
    """A Deployment with pods `app: <name>`; `fields` are the pods'."""
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod_spec(*command, **fields)},
        },
    }


def disruption_budget(name: str, **spec: Any) -> dict[str, Any]:
    """A PodDisruptionBudget for the pods `app: <name>`."""
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": name},
        "spec": {"selector": {"matchLabels": {"app": name}}, **spec},
    }


def config_map(name: str, **data: str) -> dict[str, Any]:
    found = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}
    return {**found, "data": data} if data else found
