"""Places pods on nodes, as kube-scheduler does: filters, then scores, then the binding.

https://kubernetes.io/docs/concepts/scheduling-eviction/kube-scheduler/. Pods are taken first come, first
served; a pod of higher priority that fits nowhere evicts others (`preemption`). Volumes play no part: they
can be had in every zone here. A pod that fits nowhere is looked at again when something changes that can help
it, or after a minute.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from emulator.cluster.conditions import condition, conditions_of, with_condition
from emulator.cluster.controllers.events import record
from emulator.cluster.pods import is_active, is_terminated
from emulator.cluster.resources import Resources
from emulator.cluster.scheduling.demand import Demand
from emulator.cluster.scheduling.filters import Filters, Refusal, summary
from emulator.cluster.scheduling.preemption import Preemption
from emulator.cluster.scheduling.scores import best
from emulator.cluster.scheduling.state import ClusterState, NodeState
from emulator.cluster.status import ApiError
from emulator.cluster.store import Event, Key, Object, Store, is_terminating, key_of

NAME: Final = "default-scheduler"
_AGAIN_SECONDS: Final = 60.0


class Scheduler:
    """The scheduler of a cluster, as one of its controllers."""

    def __init__(self, store: Store, resources: Resources) -> None:
        self._store = store
        self._resources = resources
        self._pods = resources["pods"]
        self._nodes = resources["nodes"]
        self._state = ClusterState(store, resources)
        self._state.follow()
        self._preemption = Preemption(store, resources, self._state)
        self._waiting: dict[Key, Demand | None] = {}
        """Pods that found no node, with what they ask for as far as it could be read."""
        self._refused: dict[Demand, tuple[int, str]] = {}
        """What pods that ask the same were told last, and at which version of the state."""

    def concerned(self, event: Event) -> Iterable[Key]:
        """The pod, if it wants a node; and those that wait, when the change may help them."""
        if event.resource.key == self._pods.key:
            return self._concerned_by_pod(event)
        if event.resource.key == self._nodes.key and not _is_same_node(event):
            return tuple(self._waiting)
        return ()

    def reconcile(self, key: Key) -> float | None:
        """Place a pod, or say why it cannot be."""
        pod = self._store.find(self._pods, *key)
        if pod is None or not _is_ours(pod):
            self._waiting.pop(key, None)
            return None
        if pod["spec"].get("schedulingGates"):
            self._say(pod, "SchedulingGated", "Scheduling is blocked due to non-empty scheduling gates")
            return None
        try:
            demand = self._state.demand(pod)
        except (ValueError, ApiError) as reason:
            self._refuse(pod, None, str(reason))
            return None
        told = self._refused.get(demand)
        if told and told[0] == self._state.version:
            self._refuse(pod, demand, told[1])
            return _AGAIN_SECONDS
        node, message = self._choose(pod, key, demand)
        if node:
            self._bind(pod, key, node)
            return None
        if len(self._refused) > len(self._waiting):
            self._refused.clear()
        if key not in self._state.nominated:  # others that ask the same may evict pods of their own
            self._refused[demand] = self._state.version, message
        self._refuse(pod, demand, message)
        return _AGAIN_SECONDS

    def _concerned_by_pod(self, event: Event) -> Iterator[Key]:
        pod, before = event.object, event.before
        placed = bool(pod["spec"].get("nodeName"))
        if event.type == "DELETED":
            self._waiting.pop(event.key, None)
            if placed:
                yield from tuple(self._waiting)
        elif not placed:
            if before is None or _wishes(pod) != _wishes(before):
                yield event.key
        elif before is None or not before["spec"].get("nodeName"):
            yield from [key for key, demand in self._waiting.items() if demand and demand.gains_by_pods]
        elif _weight(pod) != _weight(before):
            yield from tuple(self._waiting)

    def _choose(self, pod: Object, key: Key, demand: Demand) -> tuple[NodeState | None, str]:
        """The node for a pod; or None and why not."""
        if not self._state.nodes:
            return None, "no nodes available to schedule pods"
        filters = Filters(self._state, demand, key)
        feasible: list[NodeState] = []
        refused: list[tuple[NodeState, Refusal]] = []
        for node in self._state.nodes:
            refusal = filters.refusal(node)
            if refusal is None:
                feasible.append(node)
            else:
                refused.append((node, refusal))
        if feasible:
            return best(self._state, demand, feasible), ""
        told = summary(len(refused), [refusal for _, refusal in refused])
        unhelpful = self._preemption.attempt(pod, demand, refused)
        return None, f"{told} no new claims to deallocate, preemption: {unhelpful}" if unhelpful else told

    def _bind(self, pod: Object, key: Key, node: NodeState) -> None:
        self._waiting.pop(key, None)
        conditions = with_condition(conditions_of(pod), "PodScheduled", ("True",), self._store.clock())
        status = {**(pod.get("status") or {}), "conditions": conditions}
        status.pop("nominatedNodeName", None)
        bound = self._store.update(
            self._pods, {**pod, "spec": {**pod["spec"], "nodeName": node.name}, "status": status}
        )
        message = f"Successfully assigned {key[0]}/{key[1]} to {node.name}"
        record(self._store, self._resources, bound, "Normal", "Scheduled", message, NAME)

    def _refuse(self, pod: Object, demand: Demand | None, message: str) -> None:
        self._waiting[key_of(pod)] = demand
        if self._say(pod, "Unschedulable", message):
            record(self._store, self._resources, pod, "Warning", "FailedScheduling", message, NAME)

    def _say(self, pod: Object, reason: str, message: str) -> bool:
        """Write the condition; returns whether it is news."""
        present = condition(pod, "PodScheduled")
        if present and (present.get("reason"), present.get("message")) == (reason, message):
            return False
        pod = self._store.get(self._pods, *key_of(pod))
        told = ("False", reason, message)
        conditions = with_condition(conditions_of(pod), "PodScheduled", told, self._store.clock())
        status = {"phase": "Pending", **(pod.get("status") or {}), "conditions": conditions}
        self._store.update(self._pods, {**pod, "status": status})
        return True


def _is_ours(pod: Object) -> bool:
    spec = pod["spec"]
    return not spec.get("nodeName") and (spec.get("schedulerName") or NAME) == NAME and is_active(pod)


def _wishes(pod: Object) -> object:
    return pod["spec"], pod["metadata"].get("labels"), is_terminating(pod)


def _weight(pod: Object) -> object:
    """What others see of a placed pod: when it changes, room may have come free."""
    labels, containers = pod["metadata"].get("labels"), pod["spec"].get("containers")
    return is_terminated(pod), is_terminating(pod), labels, containers


def _is_same_node(event: Event) -> bool:
    """Whether nothing changed that decides who fits."""
    before, now = event.before, event.object
    if event.type != "MODIFIED" or before is None:
        return False
    return (
        before.get("spec") == now.get("spec")
        and before["metadata"].get("labels") == now["metadata"].get("labels")
        and (before.get("status") or {}).get("allocatable") == (now.get("status") or {}).get("allocatable")
    )
