"""Ends the nodes that Karpenter launched: empty ones, old ones, and those that somebody deletes.

https://karpenter.sh/docs/concepts/disruption/. Of consolidation it does the emptying of empty nodes only:
moving pods closer together, drift and budgets are missing. A node that is to go is tainted, drained by
evictions that PodDisruptionBudgets may delay, and gone when its last pod is; a finalizer holds it until then.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from emulator.cluster.conditions import is_true
from emulator.cluster.controllers.disruption import evict
from emulator.cluster.controllers.events import record
from emulator.cluster.owners import owners_of
from emulator.cluster.pods import is_terminated
from emulator.cluster.resources import Resources
from emulator.cluster.scheduling.fit import GPU
from emulator.cluster.scheduling.machines import gpus_of
from emulator.cluster.scheduling.pools import API, FINALIZER, INITIALIZED, POOL, Lifetime, lifetime_of
from emulator.cluster.scheduling.state import ClusterState
from emulator.cluster.status import ApiError
from emulator.cluster.store import Event, Key, Object, Store, is_terminating

DISRUPTED: Final = {"key": "karpenter.sh/disrupted", "effect": "NoSchedule"}
_COMPONENT: Final = "karpenter"
_NOMINATION_SECONDS: Final = 20.0
"""For this long a new node waits for the pods that it was launched for."""
_DRAIN_SECONDS: Final = 1.0


class Disruption:
    """Looks after Karpenter's nodes, as one of the cluster's controllers."""

    def __init__(self, store: Store, resources: Resources) -> None:
        self._store = store
        self._resources = resources
        self._nodes = resources["nodes"]
        self._pods = resources["pods"]
        self._state = ClusterState(store, resources)
        self._state.follow()
        self._empty_since: dict[str, datetime] = {}

    def concerned(self, event: Event) -> Iterable[Key]:
        """The node; the node that a pod comes to or leaves; all nodes, when a pool changes."""
        if event.resource.key == self._nodes.key:
            return [event.key]
        if event.resource.key == self._pods.key:
            node, before = event.object["spec"].get("nodeName"), event.before
            if node and (
                before is None or event.type == "DELETED" or _presence(before) != _presence(event.object)
            ):
                return [("", node)]
        elif (event.resource.api_version, event.resource.kind) == (API, "NodePool"):
            return [("", node.name) for node in self._state.nodes if POOL in node.labels]
        return []

    def reconcile(self, key: Key) -> float | None:
        """Look after one node."""
        node = self._store.find(self._nodes, *key)
        if node is None or POOL not in (node["metadata"].get("labels") or {}):
            self._empty_since.pop(key[1], None)
            return None
        if is_terminating(node):
            return self._terminate(node)
        node = self._initialize(node)
        found = self._find_pool(node)
        if found is None:
            self._end(node, "NodePool deleted")
            return None
        return self._disrupt(node, lifetime_of(found))

    def _find_pool(self, node: Object) -> Object | None:
        pools = self._resources.of_kind(API, "NodePool")
        name = node["metadata"]["labels"][POOL]
        found = self._store.find(pools, "", name) if pools else None
        return found if found and not is_terminating(found) else None

    def _initialize(self, node: Object) -> Object:
        """Label the node once it is ready and has its GPUs."""
        labels = node["metadata"]["labels"]
        has_gpus = not gpus_of(node) or node["status"].get("allocatable", {}).get(GPU, "0") != "0"
        if labels.get(INITIALIZED) == "true" or not has_gpus or not is_true(node, "Ready"):
            return node
        metadata = {**node["metadata"], "labels": {**labels, INITIALIZED: "true"}}
        return self._store.update(self._nodes, {**node, "metadata": metadata})

    def _disrupt(self, node: Object, lifetime: Lifetime) -> float | None:
        """End the node if it is too old or has been empty for long enough; returns when to look again."""
        now, name = self._store.clock(), node["metadata"]["name"]
        age = (now - datetime.fromisoformat(node["metadata"]["creationTimestamp"])).total_seconds()
        waits: list[float] = []
        if lifetime.at_most is not None:
            waits.append(lifetime.at_most - age)
            if age >= lifetime.at_most:
                self._end(node, "Expired")
                return None
        state = self._state.node(name)
        if state is None or any(not placed.demand.is_daemon for placed in state.pods.values()):
            self._empty_since.pop(name, None)
        elif lifetime.empty is not None:
            since = self._empty_since.setdefault(name, now)
            left = max(lifetime.empty - (now - since).total_seconds(), _NOMINATION_SECONDS - age)
            if left <= 0:
                self._end(node, "Empty")
                return None
            waits.append(left)
        return min(waits, default=None)

    def _end(self, node: Object, why: str) -> None:
        message = f"Disrupting Node: {why}"
        record(self._store, self._resources, node, "Normal", "DisruptionTerminating", message, _COMPONENT)
        self._store.delete(self._nodes, "", node["metadata"]["name"])

    def _terminate(self, node: Object) -> float | None:
        """Taint and drain a node that is being deleted; the finalizer goes when no pod is left."""
        metadata, name = node["metadata"], node["metadata"]["name"]
        if FINALIZER not in (metadata.get("finalizers") or ()):
            return None
        taints = node["spec"].get("taints") or []
        if all(each["key"] != DISRUPTED["key"] for each in taints):
            spec = {**node["spec"], "taints": [*taints, DISRUPTED]}
            node = self._store.update(self._nodes, {**node, "spec": spec})
        state = self._state.node(name)
        left = [each for each in (state.pods.values() if state else ()) if not each.demand.is_daemon]
        for placed in left:
            if not placed.terminating:
                self._evict(placed.key)
        if left:
            return _DRAIN_SECONDS
        self._delete_claim(node)
        finalizers = [each for each in metadata["finalizers"] if each != FINALIZER]
        self._store.update(self._nodes, {**node, "metadata": {**node["metadata"], "finalizers": finalizers}})
        return None

    def _evict(self, key: Key) -> None:
        metadata = {"name": key[1], "namespace": key[0]}
        eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": metadata}
        try:
            evict(self._store, self._resources, *key, eviction)
        except ApiError:  # a PodDisruptionBudget is in the way, for now
            return
        pod = self._store.find(self._pods, *key)
        if pod is not None:
            record(self._store, self._resources, pod, "Normal", "Evicted", "Evicted pod", _COMPONENT)

    def _delete_claim(self, node: Object) -> None:
        resource = self._resources.of_kind(API, "NodeClaim")
        for owner in owners_of(node):
            if resource and owner["kind"] == "NodeClaim" and self._store.find(resource, "", owner["name"]):
                self._store.delete(resource, "", owner["name"])


def _presence(pod: Object) -> object:
    return pod["spec"].get("nodeName"), is_terminated(pod), is_terminating(pod)
