"""What each node has and what is asked of it, kept from the store's events: the scheduler's cache."""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from emulator.cluster.pods import is_terminated
from emulator.cluster.quantities import parse_quantity
from emulator.cluster.resources import Resources
from emulator.cluster.scheduling.demand import HOSTNAME, Demand, demand_of
from emulator.cluster.scheduling.fit import Taint
from emulator.cluster.status import ApiError
from emulator.cluster.store import Event, Key, Object, Store, is_terminating, key_of

_LOG = logging.getLogger(__name__)
_PRIORITY_CLASSES: Final = {"system-node-critical": 2_000_001_000, "system-cluster-critical": 2_000_000_000}
_ZERO: Final = Decimal(0)


@dataclass(frozen=True)
class Placed:
    """A pod that is on a node."""

    key: Key
    demand: Demand
    terminating: bool
    since: str
    """When it was created."""


@dataclass
class NodeState:
    """One node."""

    name: str
    object: Object | None = None
    """None while pods are said to be on a node that is not there."""
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[Taint, ...] = ()
    unschedulable: bool = False
    allocatable: Mapping[str, Decimal] = field(default_factory=dict)
    asked: dict[str, Decimal] = field(default_factory=dict)
    weight: tuple[Decimal, Decimal] = (_ZERO, _ZERO)
    """Cores and bytes asked, as nodes are compared by."""
    pods: dict[Key, Placed] = field(default_factory=dict)
    demands: Counter[tuple[Demand, bool]] = field(default_factory=Counter[tuple[Demand, bool]])
    """How many pods ask the same; those that terminate apart."""
    ports: Counter[tuple[str, str, int]] = field(default_factory=Counter[tuple[str, str, int]])

    def describe(self, node: Object) -> None:
        """Take over what a Node object says."""
        spec, status = node.get("spec") or {}, node.get("status") or {}
        self.object = node
        self.labels = {HOSTNAME: self.name, **(node["metadata"].get("labels") or {})}
        self.taints = tuple(
            Taint(each["key"], each.get("value") or "", each["effect"]) for each in spec.get("taints") or ()
        )
        self.unschedulable = bool(spec.get("unschedulable"))
        told = status.get("allocatable") or status.get("capacity") or {}
        self.allocatable = {name: parse_quantity(amount) for name, amount in told.items()}

    def add(self, pod: Placed) -> None:
        """Count a pod in."""
        self._count(pod, 1)
        self.pods[pod.key] = pod

    def remove(self, key: Key) -> None:
        """Count a pod out."""
        self._count(self.pods.pop(key), -1)

    def _count(self, pod: Placed, sign: int) -> None:
        demand = pod.demand
        for name, amount in demand.requests.items():
            self.asked[name] = self.asked.get(name, _ZERO) + sign * amount
        self.weight = (
            self.weight[0] + sign * demand.weight[0],
            self.weight[1] + sign * demand.weight[1],
        )
        self.demands[demand, pod.terminating] += sign
        if not self.demands[demand, pod.terminating]:
            del self.demands[demand, pod.terminating]
        for port in demand.ports:
            self.ports[port] += sign
            if not self.ports[port]:
                del self.ports[port]


class ClusterState:
    """All nodes with their pods, as of the store's newest change."""

    def __init__(self, store: Store, resources: Resources) -> None:
        self.version = 0
        """Counts the changes that can matter to a pod that waits."""
        self.namespaces: dict[str, Mapping[str, str]] = {}
        """Their labels."""
        self.related: Counter[Demand] = Counter()
        """Of the pods on nodes, those that say which others should be near them, or must not."""
        self.nominated: dict[Key, tuple[str, Demand]] = {}
        """Pods for which others are being evicted, with the node they will have."""
        self._store = store
        self._nodes = resources["nodes"]
        self._pods = resources["pods"]
        self._namespaces = resources["namespaces"]
        self._priority_classes = resources["priorityclasses.scheduling.k8s.io"]
        self._by_name: dict[str, NodeState] = {}
        self._where: dict[Key, str] = {}
        self._sorted: list[NodeState] | None = None
        for resource in (self._namespaces, self._nodes, self._pods):
            for obj in store.list(resource):
                self._take(Event("ADDED", resource, obj, None, store.version))

    def follow(self) -> Callable[[], None]:
        """Keep up with the store from now on; returns how to stop it."""
        return self._store.subscribe(self._take)

    @property
    def nodes(self) -> list[NodeState]:
        """The nodes there are, by name."""
        if self._sorted is None:
            self._sorted = [
                self._by_name[name] for name in sorted(self._by_name) if self._by_name[name].object
            ]
        return self._sorted

    def node(self, name: str) -> NodeState | None:
        """One node, if it is there."""
        found = self._by_name.get(name)
        return found if found and found.object else None

    def demand(self, pod: Object) -> Demand:
        """What a pod asks for. Raises ValueError or ApiError for what makes no sense."""
        return demand_of(pod, self.priority(pod["spec"]))

    def priority(self, spec: Mapping[str, object]) -> int:
        """The priority of a pod, by its number or else its class."""
        given, name = spec.get("priority"), str(spec.get("priorityClassName") or "")
        if isinstance(given, int):
            return given
        found = self._store.find(self._priority_classes, "", name) if name else None
        return found["value"] if found else _PRIORITY_CLASSES.get(name, 0)

    def put(self, node: Object) -> NodeState:
        """Count in a node, real or supposed."""
        name = node["metadata"]["name"]
        state = self._by_name.setdefault(name, NodeState(name))
        state.describe(node)
        self._changed_nodes()
        return state

    def discard(self, name: str) -> None:
        """Count out a node that was supposed, with its pods."""
        for key in tuple(self._by_name[name].pods):
            self.displace(key)
        self._by_name.pop(name, None)
        self._changed_nodes()

    def place(self, pod: Placed, node: str) -> None:
        """Count a pod in on a node."""
        self.displace(pod.key)
        self._by_name.setdefault(node, NodeState(node)).add(pod)
        self._where[pod.key] = node
        if pod.demand.relates:
            self.related[pod.demand] += 1
        self.version += 1

    def displace(self, key: Key) -> None:
        """Count a pod out, wherever it is."""
        name = self._where.pop(key, None)
        if name is None:
            return
        node = self._by_name[name]
        demand = node.pods[key].demand
        node.remove(key)
        if demand.relates:
            self.related[demand] -= 1
            if not self.related[demand]:
                del self.related[demand]
        if not node.object and not node.pods:
            del self._by_name[name]
        self.version += 1

    def of(self, key: Key) -> Placed | None:
        """A pod that is on a node."""
        name = self._where.get(key)
        return self._by_name[name].pods[key] if name is not None else None

    def nominations(self, node: str, priority: int, but: Key) -> Iterator[Demand]:
        """What is held free on a node for others that are at least as important."""
        for key, (name, demand) in self.nominated.items():
            if name == node and key != but and demand.priority >= priority:
                yield demand

    def _take(self, event: Event) -> None:
        key = event.resource.key
        if key == self._pods.key:
            self._take_pod(event)
        elif key == self._nodes.key:
            self._take_node(event)
        elif key == self._namespaces.key:
            self.namespaces[event.key[1]] = event.object["metadata"].get("labels") or {}
            self.version += 1

    def _take_node(self, event: Event) -> None:
        if event.type != "DELETED":
            self.put(event.object)
            return
        state = self._by_name.pop(event.key[1])
        if state.pods:
            self._by_name[state.name] = NodeState(state.name)
            for pod in state.pods.values():
                self._by_name[state.name].add(pod)
        self._changed_nodes()

    def _take_pod(self, event: Event) -> None:
        pod, key = event.object, event.key
        spec, status = pod["spec"], pod.get("status") or {}
        node = spec.get("nodeName")
        gone = event.type == "DELETED"
        if gone or node or not status.get("nominatedNodeName"):
            self.nominated.pop(key, None)
        if gone or not node or is_terminated(pod):
            self.displace(key)
            return
        try:
            placed = placed_of(pod, self.demand(pod))
        except (ValueError, ApiError) as reason:
            _LOG.warning("pod %s/%s does not count on its node: %s", *key, reason)
            self.displace(key)
            return
        if self._where.get(key) != node or self.of(key) != placed:
            self.place(placed, node)

    def _changed_nodes(self) -> None:
        self._sorted = None
        self.version += 1


def placed_of(pod: Object, demand: Demand) -> Placed:
    """A pod of the store as it counts on its node."""
    return Placed(key_of(pod), demand, is_terminating(pod), pod["metadata"].get("creationTimestamp", ""))


def total(demands: Iterable[Demand]) -> dict[str, Decimal]:
    """What several pods ask together."""
    asked: dict[str, Decimal] = {}
    for demand in demands:
        for name, amount in demand.requests.items():
            asked[name] = asked.get(name, _ZERO) + amount
    return asked
