"""Which of the nodes that take a pod is best: the scores of kube-scheduler, with its default weights.

https://kubernetes.io/docs/reference/scheduling/config/#scheduling-plugins. Image locality is not considered:
nothing is pulled here. Where the real scheduler takes one of the best at random, this takes the first by name.
"""

import math
import operator
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Final

from emulator.cluster.scheduling.demand import HOSTNAME, ZONE, Demand, Term
from emulator.cluster.scheduling.matching import term_matches, tolerated, wants_node
from emulator.cluster.scheduling.state import ClusterState, NodeState
from emulator.cluster.scheduling.topology import Counts, count, meant, spread_counts

_MOST: Final = 100.0
_OWN_SPREAD: Final = ((HOSTNAME, 3), (ZONE, 5))
"""Label and maxSkew by which replicas are spread that state no constraints of their own."""
_HARD_AFFINITY: Final = 1
"""Weight of what other pods require, when it draws them to this one."""

Scores = list[float]


def best(state: ClusterState, demand: Demand, nodes: Sequence[NodeState]) -> NodeState:
    """The best of `nodes`, of which there is at least one; the first of equals."""
    if len(nodes) == 1:
        return nodes[0]
    sums = [0.0] * len(nodes)
    for weight, score in _WEIGHED:
        for place, value in enumerate(score(state, demand, nodes)):
            sums[place] += weight * value
    # Rounded, or the order of additions would decide between equals.
    return max(enumerate(nodes), key=lambda each: (round(sums[each[0]], 6), -each[0]))[1]


def _least_allocated(_: ClusterState, demand: Demand, nodes: Sequence[NodeState]) -> Scores:
    return [_MOST * (1 - sum(_used(demand, node)) / 2) for node in nodes]


def _balanced(_: ClusterState, demand: Demand, nodes: Sequence[NodeState]) -> Scores:
    used = [_used(demand, node) for node in nodes]
    return [_MOST * (1 - abs(cpu - memory) / 2) for cpu, memory in used]


def _used(demand: Demand, node: NodeState) -> tuple[float, float]:
    """The shares of the node's CPU and memory that would be asked for, at most 1 each."""

    def share(place: int, name: str) -> float:
        has = float(node.allocatable.get(name, 0))
        return min(1.0, float(node.weight[place] + demand.weight[place]) / has) if has else 1.0

    return share(0, "cpu"), share(1, "memory")


def _taints(_: ClusterState, demand: Demand, nodes: Sequence[NodeState]) -> Scores:
    unwanted = [
        sum(each.effect == "PreferNoSchedule" and not tolerated(demand, each) for each in node.taints)
        for node in nodes
    ]
    most = max(unwanted)
    return [_MOST * (1 - number / most) if most else _MOST for number in unwanted]


def _node_affinity(_: ClusterState, demand: Demand, nodes: Sequence[NodeState]) -> Scores:
    met = [
        sum(each["weight"] for each in demand.preferred_nodes if term_matches(each["preference"], node))
        for node in nodes
    ]
    most = max(met)
    return [_MOST * number / most if most else 0.0 for number in met]


def _spread(state: ClusterState, demand: Demand, nodes: Sequence[NodeState]) -> Scores:
    """Few pods of the kind in the domain make a high score; nodes outside all domains get none."""
    found = list(_counted(state, demand))
    if not found:
        return [0.0] * len(nodes)
    inside = [node for node in nodes if all(key in node.labels for key, _, _ in found)]
    sums = dict.fromkeys((node.name for node in inside), 0.0)
    for key, max_skew, counts in found:
        # A domain more of many is less uneven than one of few.
        factor = math.log(len({node.labels[key] for node in inside}) + 2)
        for node in inside:
            sums[node.name] += counts.get(node.labels[key], 0) * factor + max_skew - 1
    least, most = min(sums.values(), default=0.0), max(sums.values(), default=0.0)
    return [
        (_MOST * (most + least - sums[node.name]) / most if most else _MOST) if node.name in sums else 0.0
        for node in nodes
    ]


def _counted(state: ClusterState, demand: Demand) -> Iterator[tuple[str, int, Counts]]:
    """Label, maxSkew and pods by domain: of the pod's own constraints, or by its controller when it has none."""
    for each in demand.spread:
        if not each.required:
            eligible = [node for node in state.nodes if wants_node(demand, node)]
            yield each.topology_key, each.max_skew, spread_counts(eligible, demand, each)
    if demand.owner and not demand.spread:
        for key, max_skew in _OWN_SPREAD:
            siblings = count(state.nodes, key, lambda other: other.owner == demand.owner, terminating=False)
            yield key, max_skew, siblings


def _pod_affinity(state: ClusterState, demand: Demand, nodes: Sequence[NodeState]) -> Scores:
    """What the pod prefers of those there, and what they prefer, or require, of it."""
    sums = [0.0] * len(nodes)

    def add(weight: int, term: Term, counts: Counts) -> None:
        for place, node in enumerate(nodes):
            sums[place] += weight * counts.get(node.labels.get(term.topology_key, ""), 0)

    for weight, term in demand.preferred:
        add(weight, term, count(state.nodes, term.topology_key, meant(state, [term])))
    for other in state.related:
        for weight, term in (*other.preferred, *((_HARD_AFFINITY, term) for term in other.near)):
            if meant(state, [term])(demand):
                add(weight, term, count(state.nodes, term.topology_key, partial(operator.is_, other)))
    least, most = min(sums), max(sums)
    return [_MOST * (value - least) / (most - least) if most > least else 0.0 for value in sums]


_WEIGHED: Final[Sequence[tuple[int, Callable[[ClusterState, Demand, Sequence[NodeState]], Scores]]]] = (
    (1, _least_allocated),
    (1, _balanced),
    (3, _taints),
    (2, _node_affinity),
    (2, _spread),
    (2, _pod_affinity),
)
