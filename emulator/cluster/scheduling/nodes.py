"""What the node controllers do: readiness, the taints that follow from it, and evictions by taints.

https://kubernetes.io/docs/reference/labels-annotations-taints/#node-kubernetes-io-not-ready and
https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/. A node has one
heartbeat, when it becomes ready: its kubelet is this process. A node that has not said whether it is ready
becomes so as soon as all else is done that its coming brings, so that its DaemonSets are the first to be there.
A Ready condition that somebody sets to False or Unknown stays, and acts as that of a node that broke.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from emulator.cluster.conditions import condition, conditions_of, with_condition
from emulator.cluster.controllers.events import record
from emulator.cluster.controllers.pod_control import delete_pod, mark_disrupted
from emulator.cluster.resources import Resources
from emulator.cluster.scheduling.fit import Taint, tolerates
from emulator.cluster.scheduling.machines import NOT_READY
from emulator.cluster.store import (
    Event,
    Key,
    Object,
    Store,
    is_terminating,
    key_of,
    micro_timestamp,
    timestamp,
)

UNSCHEDULABLE: Final = "node.kubernetes.io/unschedulable"
UNREACHABLE: Final = "node.kubernetes.io/unreachable"
_FOLLOWING: Final = (UNSCHEDULABLE, NOT_READY, UNREACHABLE)
_HEALTHY: Final = (
    ("MemoryPressure", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    ("DiskPressure", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    ("PIDPressure", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
)
_LEASE_NAMESPACE: Final = "kube-node-lease"
_LEASE_SECONDS: Final = 40
_EVICTOR: Final = "taint-eviction-controller"


class NodeLifecycle:
    """Keeps conditions and taints of nodes in step, and evicts pods that do not tolerate a taint."""

    def __init__(self, store: Store, resources: Resources) -> None:
        self._store = store
        self._resources = resources
        self._nodes = resources["nodes"]
        self._pods = resources["pods"]
        self._on_node: dict[str, dict[Key, None]] = {}
        self._joining: set[str] = set()
        """Uids of nodes that become ready when they are looked at next."""
        store.subscribe(self._note)
        for pod in store.list(self._pods):
            self._file(pod)

    def concerned(self, event: Event) -> Iterable[Key]:
        """The node itself; the node of a pod that comes to it or changes what it tolerates."""
        if event.resource.key == self._nodes.key and event.type != "DELETED":
            return (event.key,)
        if event.resource.key == self._pods.key and event.type != "DELETED":
            node = event.object["spec"].get("nodeName")
            if node and (event.before is None or event.before["spec"] != event.object["spec"]):
                return (("", node),)
        return ()

    def reconcile(self, key: Key) -> float | None:
        """Readiness first, then the taints, then the pods."""
        node = self._store.find(self._nodes, *key)
        if node is None:
            return None
        if condition(node, "Ready") is None:
            uid = node["metadata"]["uid"]
            if uid not in self._joining:
                self._joining.add(uid)
                return 0.0
            self._joining.discard(uid)
            node = self._become_ready(node)
        taints = list(_followed(node, timestamp(self._store.clock())))
        if taints != ((node.get("spec") or {}).get("taints") or []):
            spec = {**(node.get("spec") or {}), "taints": taints}
            if not taints:
                del spec["taints"]
            node = self._store.update(self._nodes, {**node, "spec": spec})
        return self._evict(node)

    def _become_ready(self, node: Object) -> Object:
        now, conditions = self._store.clock(), conditions_of(node)
        for kind, reason, message in _HEALTHY:
            if condition(node, kind) is None:
                conditions = with_condition(conditions, kind, ("False", reason, message), now)
        told = ("True", "KubeletReady", "kubelet is posting ready status")
        conditions = with_condition(conditions, "Ready", told, now)
        conditions = [{**each, "lastHeartbeatTime": timestamp(now)} for each in conditions]
        status = {**(node.get("status") or {}), "conditions": conditions}
        node = self._store.update(self._nodes, {**node, "status": status})
        self._lease(node)
        message = f"Node {node['metadata']['name']} status is now: NodeReady"
        record(self._store, self._resources, node, "Normal", "NodeReady", message, "kubelet")
        return node

    def _lease(self, node: Object) -> None:
        """The kubelet's Lease, which `kubectl describe node` shows; it goes with the node, its owner."""
        resource, name = self._resources["leases.coordination.k8s.io"], node["metadata"]["name"]
        if self._store.find(resource, _LEASE_NAMESPACE, name) is not None:
            return
        owner = {"apiVersion": "v1", "kind": "Node", "name": name, "uid": node["metadata"]["uid"]}
        self._store.create(
            resource,
            {
                "apiVersion": resource.api_version,
                "kind": resource.kind,
                "metadata": {"name": name, "namespace": _LEASE_NAMESPACE, "ownerReferences": [owner]},
                "spec": {
                    "holderIdentity": name,
                    "leaseDurationSeconds": _LEASE_SECONDS,
                    "renewTime": micro_timestamp(self._store.clock()),
                },
            },
        )

    def _evict(self, node: Object) -> float | None:
        """Delete pods whose time is up; returns the seconds until that of the next."""
        taints = [
            each for each in (node.get("spec") or {}).get("taints") or () if each["effect"] == "NoExecute"
        ]
        if not taints:
            return None
        now, soonest = self._store.clock(), None
        for key in tuple(self._on_node.get(node["metadata"]["name"], ())):
            pod = self._store.get(self._pods, *key)
            ends = _end(pod, taints, now)
            if is_terminating(pod) or ends is None:
                continue
            left = (ends - now).total_seconds()
            if left <= 0:
                self._delete(pod)
            else:
                soonest = left if soonest is None else min(soonest, left)
        return soonest

    def _delete(self, pod: Object) -> None:
        why = "Taint manager: deleting due to NoExecute taint"
        pod = mark_disrupted(self._store, self._resources, pod, "DeletionByTaintManager", why)
        message = f"Marking for deletion Pod {'/'.join(key_of(pod))}"
        record(self._store, self._resources, pod, "Normal", "TaintManagerEviction", message, _EVICTOR)
        delete_pod(self._store, self._resources, pod)

    def _note(self, event: Event) -> None:
        if event.resource.key != self._pods.key:
            return
        if event.before is not None:
            self._on_node.get(event.before["spec"].get("nodeName") or "", {}).pop(event.key, None)
        if event.type != "DELETED":
            self._file(event.object)

    def _file(self, pod: Object) -> None:
        node = pod["spec"].get("nodeName")
        if node:
            self._on_node.setdefault(node, {})[key_of(pod)] = None


def _followed(node: Object, now: str) -> Iterator[dict[str, Any]]:
    """The taints of a node as they should be: those of others, and those that follow from its state."""
    present = (node.get("spec") or {}).get("taints") or ()
    wanted = set(_wanted(node))
    for taint in present:
        place = taint["key"], taint["effect"]
        if taint["key"] not in _FOLLOWING or place in wanted:
            wanted.discard(place)
            timed = taint["effect"] == "NoExecute" and "timeAdded" not in taint
            yield {**taint, "timeAdded": now} if timed else taint
    for key, effect in sorted(wanted):
        yield {"key": key, "effect": effect, "timeAdded": now}


def _wanted(node: Object) -> Iterator[tuple[str, str]]:
    if (node.get("spec") or {}).get("unschedulable"):
        yield UNSCHEDULABLE, "NoSchedule"
    ready = condition(node, "Ready")
    if ready is None:
        yield NOT_READY, "NoSchedule"
    elif ready["status"] != "True":
        key = NOT_READY if ready["status"] == "False" else UNREACHABLE
        yield from ((key, "NoSchedule"), (key, "NoExecute"))


def _end(pod: Object, taints: Iterable[Mapping[str, Any]], now: datetime) -> datetime | None:
    """When a pod has to leave a node with these NoExecute taints; None when it may stay."""
    tolerations = pod["spec"].get("tolerations") or ()
    ends: list[datetime] = []
    for taint in taints:
        asked = Taint(taint["key"], taint.get("value") or "", taint["effect"])
        used = [each for each in tolerations if tolerates(each, asked)]
        if not used:
            return now
        limits = [each["tolerationSeconds"] for each in used if each.get("tolerationSeconds") is not None]
        if limits:
            since = datetime.fromisoformat(taint.get("timeAdded") or timestamp(now))
            ends.append(since + timedelta(seconds=max(0, min(limits))))
    return min(ends, default=None)
