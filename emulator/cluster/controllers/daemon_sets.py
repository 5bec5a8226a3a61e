"""DaemonSets: one pod on each node that takes it.

Follows `pkg/controller/daemon` of Kubernetes: daemon_controller.go for who runs where, update.go for how a new
template comes to the nodes.
"""

from collections.abc import Iterable
from typing import Any, Final

from emulator.cluster.controllers.controller_revisions import REVISION_LABEL, History
from emulator.cluster.controllers.daemon_pods import new_pod, node_of, takes
from emulator.cluster.controllers.events import NORMAL, WARNING, record
from emulator.cluster.controllers.indexes import Indexes
from emulator.cluster.controllers.percentages import scaled
from emulator.cluster.controllers.pod_control import claim_pods, create_pod, delete_pod
from emulator.cluster.owners import controlled_by, controllers_named, is_orphan
from emulator.cluster.pods import is_available, is_ready, is_terminated, seconds_to_available
from emulator.cluster.resources import Resources
from emulator.cluster.store import Event, Key, Object, Store, is_terminating, key_of

_COMPONENT: Final = "daemonset-controller"


class DaemonSets:
    """The controller of DaemonSets."""

    def __init__(self, store: Store, resources: Resources, indexes: Indexes) -> None:
        self._store = store
        self._resources = resources
        self._indexes = indexes
        self._resource = resources["daemonsets.apps"]
        self._pods = resources["pods"]
        self._nodes = resources["nodes"]
        self._history = History(store, resources, indexes, self._resource, REVISION_LABEL)
        self._all: dict[Key, None] = {}

    def concerned(self, event: Event) -> Iterable[Key]:
        """The set itself, that of a pod, and all of them when a node has changed in what matters."""
        if event.resource.key == self._resource.key:
            if event.type == "DELETED":
                self._all.pop(event.key, None)
            else:
                self._all[event.key] = None
            return (event.key,)
        if event.resource.key == self._nodes.key:
            same = event.before is not None and event.type != "DELETED"
            return () if same and _shape(event.before) == _shape(event.object) else tuple(self._all)
        if event.resource.key != self._pods.key:
            return ()
        adopters = [key for key in self._all if key[0] == event.key[0]] if is_orphan(event) else []
        return [*controllers_named(event, self._resource.kind), *adopters]

    def reconcile(self, key: Key) -> float | None:
        """Make and delete pods node by node, then bring the next nodes up to date."""
        daemon_set = self._store.find(self._resource, *key)
        if daemon_set is None:
            return None
        claim_pods(self._store, self._resources, self._indexes, self._resource, daemon_set)
        revision = self._history.present(daemon_set)
        digest = self._history.digest(revision)
        if not is_terminating(daemon_set):
            self._place(daemon_set, digest)
            strategy = daemon_set["spec"].get("updateStrategy") or {}
            if strategy.get("type", "RollingUpdate") == "RollingUpdate":
                self._roll(daemon_set, strategy.get("rollingUpdate") or {}, digest)
        live = {_digest_of(pod) for pod in self._indexes.controlled(self._pods, daemon_set)} | {digest}
        revisions = self._history.revisions(daemon_set)
        kept = {each["metadata"]["name"] for each in revisions if self._history.digest(each) in live}
        self._history.forget(daemon_set, kept)
        return self._report(daemon_set, digest)

    def _by_node(self, daemon_set: Object) -> dict[str, list[Object]]:
        found: dict[str, list[Object]] = {}
        for pod in self._indexes.controlled(self._pods, daemon_set):
            found.setdefault(node_of(pod), []).append(pod)
        for pods in found.values():
            pods.sort(key=lambda pod: (pod["metadata"]["creationTimestamp"], pod["metadata"]["name"]))
        return found

    def _place(self, daemon_set: Object, digest: str) -> None:
        by_node = self._by_node(daemon_set)
        spec = daemon_set["spec"]["template"]["spec"]
        there: set[str] = set()
        for node in self._indexes.in_namespace(self._nodes, ""):
            name = node["metadata"]["name"]
            there.add(name)
            wanted, may_stay = takes(node, spec)
            pods = by_node.get(name, [])
            if wanted and not pods:
                self._create(daemon_set, name, digest)
            elif may_stay:
                self._prune(daemon_set, name, pods)
            else:
                self._delete(daemon_set, pods)
        for name, pods in by_node.items():
            if name not in there and any(not pod["spec"].get("nodeName") for pod in pods):
                self._delete(daemon_set, pods)  # meant for a node that is gone

    def _prune(self, daemon_set: Object, node: str, pods: list[Object]) -> None:
        """Delete pods that have ended, and all but the oldest of those of one revision."""
        running: dict[str, Object] = {}
        for pod in pods:
            if is_terminating(pod):
                continue
            if is_terminated(pod):
                failed = (pod.get("status") or {}).get("phase") == "Failed"
                what = "failed" if failed else "succeeded"
                name = pod["metadata"]["name"]
                record(
                    *(self._store, self._resources, daemon_set, WARNING if failed else NORMAL),
                    f"{'Failed' if failed else 'Succeeded'}DaemonPod",
                    f"Found {what} daemon pod {pod['metadata']['namespace']}/{name} on node {node}, "
                    f"will try to {'kill' if failed else 'delete'} it",
                    _COMPONENT,
                )
                self._delete(daemon_set, [pod])
            elif _digest_of(pod) in running:
                self._delete(daemon_set, [pod])
            else:
                running[_digest_of(pod)] = pod

    def _create(self, daemon_set: Object, node: str, digest: str) -> None:
        owner = controlled_by(self._resource, daemon_set)
        created = create_pod(self._store, self._resources, new_pod(daemon_set, owner, node, digest))
        self._tell(daemon_set, "SuccessfulCreate", f"Created pod: {created['metadata']['name']}")

    def _delete(self, daemon_set: Object, pods: Iterable[Object]) -> None:
        for pod in pods:
            if not is_terminating(pod):
                delete_pod(self._store, self._resources, pod)
                self._tell(daemon_set, "SuccessfulDelete", f"Deleted pod: {pod['metadata']['name']}")

    def _roll(self, daemon_set: Object, rolling: dict[str, Any], digest: str) -> None:
        """Replace old pods on as many nodes as may be without one, or with two, at a time."""
        by_node = self._by_node(daemon_set)
        desired = self._desired(daemon_set)
        surge = scaled(rolling.get("maxSurge", 0), desired, round_up=True)
        unavailable = scaled(rolling.get("maxUnavailable", 1), desired, round_up=True)
        if surge:
            self._surge(daemon_set, by_node, digest, surge)
            return
        busy = 0
        broken: list[Object] = []
        candidates: list[Object] = []
        for pods in by_node.values():
            old = [pod for pod in pods if _digest_of(pod) != digest]
            if len(pods) != 1 or is_terminating(pods[0]):
                busy += 1
            elif not old:
                busy += not self._is_available(daemon_set, pods[0])
            elif self._is_available(daemon_set, old[0]):
                candidates.append(old[0])
            else:
                broken.append(old[0])
        busy += max(0, desired - len(by_node))
        self._delete(daemon_set, [*broken, *candidates[: max(0, (unavailable or 1) - busy)]])

    def _surge(self, daemon_set: Object, by_node: dict[str, list[Object]], digest: str, surge: int) -> None:
        """Make the new pod beside the old one, and delete that when the new one is available."""
        busy = 0
        broken: list[str] = []
        candidates: list[str] = []
        for node, pods in by_node.items():
            old = [pod for pod in pods if _digest_of(pod) != digest and not is_terminating(pod)]
            new = [pod for pod in pods if _digest_of(pod) == digest]
            if not old:
                continue
            if not new:
                (candidates if self._is_available(daemon_set, old[0]) else broken).append(node)
            elif self._is_available(daemon_set, new[0]):
                self._delete(daemon_set, old)
            else:
                busy += 1
        for node in [*broken, *candidates[: max(0, surge - busy)]]:
            self._create(daemon_set, node, digest)

    def _desired(self, daemon_set: Object) -> int:
        spec = daemon_set["spec"]["template"]["spec"]
        return sum(takes(node, spec)[0] for node in self._indexes.in_namespace(self._nodes, ""))

    def _is_available(self, daemon_set: Object, pod: Object) -> bool:
        return is_available(pod, daemon_set["spec"].get("minReadySeconds", 0), self._store.clock())

    def _tell(self, daemon_set: Object, reason: str, message: str) -> None:
        record(self._store, self._resources, daemon_set, NORMAL, reason, message, _COMPONENT)

    def _report(self, daemon_set: Object, digest: str) -> float | None:
        now, spec = self._store.clock(), daemon_set["spec"]
        by_node = self._by_node(daemon_set)
        counts = dict.fromkeys(("desired", "current", "misscheduled", "ready", "available", "updated"), 0)
        waits: list[float] = []
        for node in self._indexes.in_namespace(self._nodes, ""):
            pods = by_node.get(node["metadata"]["name"], [])
            if not takes(node, spec["template"]["spec"])[0]:
                counts["misscheduled"] += bool(pods)
                continue
            counts["desired"] += 1
            if not pods:
                continue
            counts["current"] += 1
            # As the real one: the oldest that is ready stands for the node.
            pod = next((each for each in pods if is_ready(each)), pods[0])
            wait = seconds_to_available(pod, spec.get("minReadySeconds", 0), now)
            counts["ready"] += wait is not None
            counts["available"] += wait == 0
            counts["updated"] += any(_digest_of(each) == digest for each in pods)
            waits += [wait] if wait else []
        status: dict[str, Any] = {
            "currentNumberScheduled": counts["current"],
            "desiredNumberScheduled": counts["desired"],
            "numberMisscheduled": counts["misscheduled"],
            "numberReady": counts["ready"],
            "observedGeneration": daemon_set["metadata"]["generation"],
        }
        optional = {
            "updatedNumberScheduled": counts["updated"],
            "numberAvailable": counts["available"],
            "numberUnavailable": counts["desired"] - counts["available"],
        }
        status |= {name: count for name, count in optional.items() if count}
        present = self._store.find(self._resource, *key_of(daemon_set))
        if present is not None and present.get("status") != status:
            self._store.update(self._resource, {**present, "status": status})
        return min(waits, default=None)


def _digest_of(pod: Object) -> str:
    return (pod["metadata"].get("labels") or {}).get(REVISION_LABEL, "")


def _shape(node: Object | None) -> tuple[Any, ...]:
    if node is None:
        return ()
    spec = node.get("spec") or {}
    return node["metadata"].get("labels"), spec.get("taints"), spec.get("unschedulable")
