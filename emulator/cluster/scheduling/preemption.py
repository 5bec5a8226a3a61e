"""Evicts pods of lower priority so that one of higher priority finds a node.

https://kubernetes.io/docs/concepts/scheduling-eviction/pod-priority-preemption/ and the plugin
`DefaultPreemption`. As there, PodDisruptionBudgets are respected only if there is a choice, and the victims
get their grace period; until they are gone the node is held free for the pod (`status.nominatedNodeName`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from emulator.cluster.controllers.events import record
from emulator.cluster.controllers.pod_control import delete_pod, mark_disrupted
from emulator.cluster.resources import Resources
from emulator.cluster.scheduling.demand import Demand
from emulator.cluster.scheduling.filters import Filters, Refusal, summary
from emulator.cluster.scheduling.state import ClusterState, NodeState, Placed
from emulator.cluster.selectors import LabelSelector
from emulator.cluster.store import Key, Object, Store, key_of

_UNHELPFUL: Final = Refusal(("Preemption is not helpful for scheduling",))
_NO_VICTIMS: Final = Refusal(("No preemption victims found for incoming pod",))


@dataclass(frozen=True)
class _Candidate:
    """A node, and whom it would cost."""

    node: NodeState
    victims: tuple[Placed, ...]
    protected: int
    """How many of them a PodDisruptionBudget protects."""

    @property
    def cost(self) -> tuple[Any, ...]:
        """What is least wins: as `pickOneNodeForPreemption` compares."""
        priorities = [victim.demand.priority for victim in self.victims]
        return self.protected, max(priorities), sum(priorities), len(priorities), self.node.name


class Preemption:
    """Makes room on a node."""

    def __init__(self, store: Store, resources: Resources, state: ClusterState) -> None:
        self._store = store
        self._resources = resources
        self._pods = resources["pods"]
        self._budgets = resources["poddisruptionbudgets.policy"]
        self._state = state

    def attempt(self, pod: Object, demand: Demand, refused: Sequence[tuple[NodeState, Refusal]]) -> str:
        """Evict whom it takes on the cheapest node; returns why it would not help, or empty when it does."""
        if not demand.preempts:
            return "not eligible due to preemptionPolicy=Never."
        key = key_of(pod)
        nominated = self._state.nominated.get(key)
        if nominated and self._waits_for_victims(nominated[0], demand):
            return "not eligible due to a terminating pod on the nominated node."
        refusals: list[Refusal] = []
        candidates: list[_Candidate] = []
        for node, refusal in refused:
            found = _UNHELPFUL if refusal.final else self._candidate(node, demand, key)
            if isinstance(found, _Candidate):
                candidates.append(found)
            else:
                refusals.append(found)
        if not candidates:
            return summary(len(refused), refusals)
        self._make_room(pod, key, demand, min(candidates, key=lambda each: each.cost))
        return ""

    def _waits_for_victims(self, node_name: str, demand: Demand) -> bool:
        node = self._state.node(node_name)
        return node is not None and any(
            placed.terminating and placed.demand.priority < demand.priority for placed in node.pods.values()
        )

    def _candidate(self, node: NodeState, demand: Demand, key: Key) -> _Candidate | Refusal:
        """Take out all lower pods, then let back those that do not matter, the most important first."""
        lower = [placed for placed in node.pods.values() if placed.demand.priority < demand.priority]
        if not lower:
            return _NO_VICTIMS
        protected = set(self._protected(lower))
        for placed in lower:
            self._state.displace(placed.key)
        try:
            refusal = Filters(self._state, demand, key).refusal(node)
            if refusal:
                return refusal
            victims: list[Placed] = []
            for placed in sorted(lower, key=lambda each: _importance(each, each.key in protected)):
                self._state.place(placed, node.name)
                if Filters(self._state, demand, key).refusal(node):
                    self._state.displace(placed.key)
                    victims.append(placed)
        finally:
            for placed in lower:
                if placed.key not in node.pods:
                    self._state.place(placed, node.name)
        return _Candidate(node, tuple(victims), sum(victim.key in protected for victim in victims))

    def _make_room(self, pod: Object, key: Key, demand: Demand, chosen: _Candidate) -> None:
        node = chosen.node.name
        self._state.nominated[key] = node, demand
        self._store.update(
            self._pods, {**pod, "status": {**(pod.get("status") or {}), "nominatedNodeName": node}}
        )
        for victim in chosen.victims:
            if not victim.terminating:
                self._evict(victim.key, pod, node)

    def _evict(self, victim: Key, pod: Object, node: str) -> None:
        evicted = self._store.get(self._pods, *victim)
        why = "default-scheduler: preempting to accommodate a higher priority pod"
        evicted = mark_disrupted(self._store, self._resources, evicted, "PreemptionByScheduler", why)
        message = f"Preempted by pod {pod['metadata']['uid']} on node {node}"
        record(self._store, self._resources, evicted, "Normal", "Preempted", message, "default-scheduler")
        delete_pod(self._store, self._resources, evicted)

    def _protected(self, pods: Sequence[Placed]) -> Iterator[Key]:
        """Those that a PodDisruptionBudget allows no more evictions of."""
        for budget in self._store.list(self._budgets):
            namespace = budget["metadata"].get("namespace") or ""
            allowed = (budget.get("status") or {}).get("disruptionsAllowed", 0)
            selector = LabelSelector.of(budget["spec"].get("selector"))
            for placed in pods:
                if placed.key[0] == namespace and selector.matches(placed.demand.labels):
                    allowed -= 1
                    if allowed < 0:
                        yield placed.key


def _importance(placed: Placed, protected: bool) -> tuple[Any, ...]:  # noqa: FBT001 - a part of the key
    """The order in which pods are let back: protected ones first, then by priority, then the oldest."""
    return not protected, -placed.demand.priority, placed.since, placed.key
