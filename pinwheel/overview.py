"""What is up, gathered in one value: the emulated AWS, the processes behind it, and what runs in the cluster."""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from emulator.cluster.client import ClusterClient
from emulator.cluster.resources import Resources
from emulator.cluster.status import ApiError
from emulator.process import EmulatorError
from emulator.processes import Member
from emulator.rds.server import describe
from pinwheel import world
from pinwheel.world import World

PLACEHOLDER: Final = "pinwheel.io/placeholder"
URL: Final = "pinwheel.io/url"
ADDRESS: Final = "pinwheel.io/address"
KUBECONFIG: Final = "kubeconfig"
"""In the state directory: `emulator.eks.api_server` writes it."""
_PARTS: Final = ("kafka/", "mysql/", "eks/")
"""How the names of the processes behind managed services start; the others run in the cluster."""
_RESOURCES: Final = Resources()


@dataclass(frozen=True)
class Node:
    """A node of the cluster."""

    name: str
    state: str
    """Ready, NotReady, with SchedulingDisabled when cordoned."""
    pool: str
    """Its node group or NodePool."""
    instance_type: str
    pods: int


@dataclass(frozen=True)
class Pod:
    """A pod, as `kubectl get pods` shows it."""

    namespace: str
    name: str
    ready: str
    """Such as `1/2`."""
    state: str
    restarts: int
    node: str
    placeholder: bool
    """Whether its image is not the project's: nothing runs."""

    @property
    def settled(self) -> bool:
        """Whether nothing more is to be waited for."""
        done, _, wanted = self.ready.partition("/")
        return self.state in {"Running", "Succeeded", "Completed"} and (
            done == wanted or self.state != "Running"
        )


@dataclass(frozen=True)
class Overview:
    """A world at one moment."""

    environment: str
    region: str
    endpoint: str
    members: list[Member]
    """`pinwheel up` and the emulator."""
    resources: list[tuple[str, str]] = field(default_factory=list)
    """What the programs put out, under the names that people know."""
    behind: list[Member] = field(default_factory=list)
    """The processes behind managed services: brokers, databases, clusters."""
    nodes: list[Node] = field(default_factory=list)
    pods: list[Pod] = field(default_factory=list)
    services: list[tuple[str, str]] = field(default_factory=list)
    """`namespace/name` of each Service that can be reached, and its URL or address."""
    notes: list[str] = field(default_factory=list)
    """What a person should know: what does not answer, what is missing."""

    @property
    def settled(self) -> bool:
        """Whether all processes live, all nodes are ready and all pods run."""
        return (
            all(member.alive for member in self.behind)
            and all(node.state.startswith("Ready") for node in self.nodes)
            and all(pod.settled for pod in self.pods)
        )


def gather(here: World) -> Overview:
    """Look at everything once; what does not answer becomes a note."""
    behind = [member for member in world.backing_members() if member.name.startswith(_PARTS)]
    notes = [f"{member.name} has ended" for member in (*here.members, *behind) if not member.alive]
    notes += [
        f"{name} was started again, without the messages and offsets it had" for name in _forgetful(behind)
    ]
    sqlite = describe(world.state_directory())
    if sqlite:
        notes.append(sqlite)
    client = _client(world.state_directory() / KUBECONFIG)
    nodes: list[Node] = []
    pods: list[Pod] = []
    services: list[tuple[str, str]] = []
    if client is not None:
        try:
            found = client.list(_RESOURCES["pods"])
            pods = [_pod(each) for each in found]
            nodes = [_node(each, pods) for each in client.list(_RESOURCES["nodes"])]
            services = _services(client.list(_RESOURCES["services"]))
        except (ApiError, EmulatorError) as error:
            notes.append(f"the cluster does not answer: {error}")
    return Overview(
        *(here.environment, here.region, here.endpoint, here.members),
        *(list(_resources(here, has_mysql=sqlite is None)), behind, nodes, pods, services, notes),
    )


def _forgetful(behind: list[Member]) -> Iterator[str]:
    """Brokers that were started again and hold everything in memory."""
    for member in behind:
        if member.details.get("restarts") and member.details.get("durable") is False:
            yield member.name


def _resources(here: World, *, has_mysql: bool) -> Iterator[tuple[str, str]]:
    cluster, data = here.outputs.get("cluster", {}), here.outputs.get("data", {})
    port = data.get("database_port")
    writer, reader = (has_mysql and data.get(f"database_{role}_endpoint") for role in ("writer", "reader"))
    for what, value in (
        ("AWS endpoint", here.endpoint),
        ("EKS cluster", cluster.get("name")),
        ("Kubernetes API", cluster.get("endpoint")),
        ("Kafka cluster", data.get("kafka_cluster_arn")),
        ("Kafka brokers", data.get("kafka_bootstrap_brokers_iam")),
        ("MySQL writer", f"{writer}:{port}" if writer else None),
        ("MySQL reader", f"{reader}:{port}" if reader else None),
        ("lake bucket", data.get("lake_bucket")),
        ("Glue database", data.get("lake_database")),
    ):
        if value:
            yield what, value


def _client(kubeconfig: Path) -> ClusterClient | None:
    """A client of the current context's cluster; None while there is none."""
    try:
        return _connected(kubeconfig.read_text(encoding="utf-8"))
    except OSError:
        return None


@lru_cache(maxsize=1)
def _connected(kubeconfig: str) -> ClusterClient | None:
    """One client for as long as the file says the same: who watches keeps its connection."""
    try:
        told: dict[str, Any] = json.loads(kubeconfig)
        name = told["current-context"]
    except (ValueError, KeyError):
        return None
    cluster = next(each["cluster"] for each in told["clusters"] if each["name"] == name)
    user = next(each["user"] for each in told["users"] if each["name"] == name)
    authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
    return ClusterClient(cluster["server"], authority, user["token"])


def _node(node: dict[str, Any], pods: list[Pod]) -> Node:
    metadata, labels = node["metadata"], node["metadata"].get("labels") or {}
    conditions = {each["type"]: each["status"] for each in node.get("status", {}).get("conditions", ())}
    state = "Ready" if conditions.get("Ready") == "True" else "NotReady"
    if node.get("spec", {}).get("unschedulable"):
        state += ",SchedulingDisabled"
    pool = labels.get("eks.amazonaws.com/nodegroup") or labels.get("karpenter.sh/nodepool", "")
    return Node(
        metadata["name"],
        state,
        pool,
        labels.get("node.kubernetes.io/instance-type", ""),
        sum(pod.node == metadata["name"] for pod in pods),
    )


def _pod(pod: dict[str, Any]) -> Pod:
    metadata, status = pod["metadata"], pod.get("status") or {}
    containers: list[dict[str, Any]] = status.get("containerStatuses") or []
    wanted = len(pod["spec"]["containers"])
    waiting = [each["state"]["waiting"]["reason"] for each in containers if each["state"].get("waiting")]
    state = "Terminating" if "deletionTimestamp" in metadata else status.get("phase", "Pending")
    return Pod(
        metadata["namespace"],
        metadata["name"],
        f"{sum(each.get('ready', False) for each in containers)}/{wanted}",
        waiting[0] if waiting and state != "Terminating" else state,
        sum(each.get("restartCount", 0) for each in containers),
        pod["spec"].get("nodeName", ""),
        (metadata.get("annotations") or {}).get(PLACEHOLDER) == "true",
    )


def _services(services: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Those that have pods of ours behind them; the proxy annotates them with where it listens."""
    found: list[tuple[str, str]] = []
    for service in services:
        annotations = service["metadata"].get("annotations") or {}
        where = annotations.get(URL) or annotations.get(ADDRESS)
        if where:
            found.append((f"{service['metadata']['namespace']}/{service['metadata']['name']}", where))
    return found
