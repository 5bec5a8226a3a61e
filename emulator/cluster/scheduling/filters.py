"""The filters of kube-scheduler, in its order and its words.

https://kubernetes.io/docs/reference/scheduling/config/#scheduling-plugins; the first that refuses a node says
why, as in `pkg/scheduler/framework/plugins` of Kubernetes 1.35.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from emulator.cluster.scheduling.demand import Demand
from emulator.cluster.scheduling.fit import Taint
from emulator.cluster.scheduling.matching import tolerated, untolerated, wants_node
from emulator.cluster.scheduling.state import ClusterState, NodeState, total
from emulator.cluster.scheduling.topology import NO_DOMAIN, NOT_NEAR, Topology
from emulator.cluster.store import Key

UNSCHEDULABLE: Final = Taint("node.kubernetes.io/unschedulable", "", "NoSchedule")
_NOT_NAMED: Final = "node(s) didn't satisfy plugin(s) [NodeAffinity]"
_ANY_ADDRESS: Final = "0.0.0.0"  # noqa: S104 - compared


@dataclass(frozen=True)
class Refusal:
    """Why a node does not take a pod."""

    reasons: tuple[str, ...]
    final: bool = False
    """No pod that leaves the node would change it."""


class Filters:
    """Judges nodes for one pod, as the pods are placed now."""

    def __init__(self, state: ClusterState, demand: Demand, key: Key) -> None:
        self._state = state
        self._demand = demand
        self._key = key
        self._named = demand.named_nodes
        self._topology = Topology(state, demand)

    def refusal(self, node: NodeState) -> Refusal | None:
        """Why a node does not take the pod; None when it does."""
        return (
            self._wrong_node(node)
            or self._taken_ports(node)
            or self._too_little(node)
            or self._wrong_neighbours(node)
        )

    def _wrong_node(self, node: NodeState) -> Refusal | None:
        if self._named is not None and node.name not in self._named:
            return Refusal((_NOT_NAMED,), final=True)
        if node.unschedulable and not tolerated(self._demand, UNSCHEDULABLE):
            return Refusal(("node(s) were unschedulable",), final=True)
        if untolerated(self._demand, node):
            return Refusal(("node(s) had untolerated taint(s)",), final=True)
        if not wants_node(self._demand, node):
            return Refusal(("node(s) didn't match Pod's node affinity/selector",), final=True)
        return None

    def _taken_ports(self, node: NodeState) -> Refusal | None:
        for address, protocol, number in self._demand.ports:
            for other in node.ports:
                if other[1:] == (protocol, number) and (
                    other[0] == address or _ANY_ADDRESS in {address, other[0]}
                ):
                    return Refusal(("node(s) didn't have free ports for the requested pod ports",))
        return None

    def _too_little(self, node: NodeState) -> Refusal | None:
        held = total(self._state.nominations(node.name, self._demand.priority, self._key))
        reasons: list[str] = []
        final = False
        for name, amount in self._demand.requests.items():
            has = node.allocatable.get(name, Decimal(0))
            if amount and amount > has - node.asked.get(name, Decimal(0)) - held.get(name, Decimal(0)):
                reasons.append("Too many pods" if name == "pods" else f"Insufficient {name}")
                final = final or amount > has
        return Refusal(tuple(reasons), final) if reasons else None

    def _wrong_neighbours(self, node: NodeState) -> Refusal | None:
        reason = self._topology.uneven(node) or self._topology.unrelated(node)
        return Refusal((reason,), final=reason in {NO_DOMAIN, NOT_NEAR}) if reason else None


def summary(nodes: int, refusals: Sequence[Refusal]) -> str:
    """The message of a FailedScheduling event: how many nodes refused the pod for which reason."""
    reasons = Counter(reason for refusal in refusals for reason in refusal.reasons)
    told = sorted(f"{number} {reason}" for reason, number in reasons.items())
    return f"0/{nodes} nodes are available: {', '.join(told)}."


def feasible(state: ClusterState, filters: Filters) -> Iterator[NodeState]:
    """The nodes that take the pod."""
    return (node for node in state.nodes if filters.refusal(node) is None)
