"""Pods counted by domain: what affinity to pods and topology spread ask.

`InterPodAffinity` and `PodTopologySpread` of kube-scheduler: a domain is the set of nodes that have the same
value of a label. The counts are made once for each pod that is to be placed.
"""

import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from emulator.cluster.scheduling.demand import Demand, Spread, Term
from emulator.cluster.scheduling.matching import untolerated, wants_node
from emulator.cluster.scheduling.state import ClusterState, NodeState

NOT_NEAR: Final = "node(s) didn't match pod affinity rules"
NOT_AWAY: Final = "node(s) didn't match pod anti-affinity rules"
UNWELCOME: Final = "node(s) didn't satisfy existing pods anti-affinity rules"
UNEVEN: Final = "node(s) didn't match pod topology spread constraints"
NO_DOMAIN: Final = "node(s) didn't match pod topology spread constraints (missing required label)"

Counts = Mapping[str, int]
"""Pods by the value of a topology label."""


@dataclass(frozen=True)
class _Evenness:
    """A required spread constraint with what is there."""

    constraint: Spread
    counts: Counts
    least: int
    adds: int
    """1 when the pod itself counts."""

    def allows(self, domain: str) -> bool:
        return self.counts.get(domain, 0) + self.adds - self.least <= self.constraint.max_skew


class Topology:
    """What the pods that are placed mean for one that is to be."""

    def __init__(self, state: ClusterState, demand: Demand) -> None:
        self._demand = demand
        self._near = self._counts_near(state)
        self._alone = bool(demand.near) and not any(self._near.values()) and self._is_near_itself(state)
        self._away = [
            (term.topology_key, count(state.nodes, term.topology_key, meant(state, [term])))
            for term in demand.away
        ]
        self._unwelcome = self._domains_that_avoid(state)
        self._spread = [_evenness(state, demand, each) for each in demand.spread if each.required]

    def uneven(self, node: NodeState) -> str | None:
        """Why topology spread keeps the pod from a node."""
        for each in self._spread:
            domain = node.labels.get(each.constraint.topology_key)
            if domain is None:
                return NO_DOMAIN
            if not each.allows(domain):
                return UNEVEN
        return None

    def unrelated(self, node: NodeState) -> str | None:
        """Why affinity or anti-affinity, of the pod or of those there, keeps it from a node."""
        for term in self._demand.near:
            domain = node.labels.get(term.topology_key)
            if domain is None or (not self._alone and not self._near[term].get(domain)):
                return NOT_NEAR
        if any(key in node.labels and counts.get(node.labels[key]) for key, counts in self._away):
            return NOT_AWAY
        if any(node.labels.get(key) in domains for key, domains in self._unwelcome.items()):
            return UNWELCOME
        return None

    def _counts_near(self, state: ClusterState) -> dict[Term, Counts]:
        """By term: where pods are that all terms mean."""
        near = self._demand.near
        counted = meant(state, near)
        return {term: count(state.nodes, term.topology_key, counted) for term in near}

    def _is_near_itself(self, state: ClusterState) -> bool:
        """The first of pods that want to be near each other may go anywhere."""
        return meant(state, self._demand.near)(self._demand)

    def _domains_that_avoid(self, state: ClusterState) -> dict[str, set[str]]:
        """By label: the domains of pods whose required anti-affinity means this one."""
        demand, domains = self._demand, dict[str, set[str]]()
        for other in state.related:
            for term in other.away:
                if term.matches(demand.namespace, demand.labels, state.namespaces):
                    found = count(state.nodes, term.topology_key, partial(operator.is_, other))
                    domains.setdefault(term.topology_key, set()).update(found)
        return domains


def count(
    nodes: Iterable[NodeState],
    key: str,
    counted: Callable[[Demand], bool],
    *,
    terminating: bool = True,
) -> dict[str, int]:
    """How many pods each domain has of those that are `counted`; those that terminate, too, unless told."""
    verdicts: dict[Demand, bool] = {}
    counts: dict[str, int] = {}
    for node in nodes:
        domain = node.labels.get(key)
        if domain is None:
            continue
        for (demand, ends), number in node.demands.items():
            if ends and not terminating:
                continue
            if demand not in verdicts:
                verdicts[demand] = counted(demand)
            if verdicts[demand]:
                counts[domain] = counts.get(domain, 0) + number
    return counts


def spread_counts(nodes: Iterable[NodeState], demand: Demand, constraint: Spread) -> dict[str, int]:
    """The pods that a spread constraint counts, by domain."""
    return count(
        nodes,
        constraint.topology_key,
        lambda other: other.namespace == demand.namespace and constraint.selector.matches(other.labels),
        terminating=False,
    )


def meant(state: ClusterState, terms: Iterable[Term]) -> Callable[[Demand], bool]:
    """Whether all terms mean a pod, as a function of what it asks for."""
    wanted = tuple(terms)
    return lambda other: all(term.matches(other.namespace, other.labels, state.namespaces) for term in wanted)


def _evenness(state: ClusterState, demand: Demand, constraint: Spread) -> _Evenness:
    keys = [each.topology_key for each in demand.spread if each.required]
    eligible = [
        node
        for node in state.nodes
        if all(key in node.labels for key in keys)
        if not constraint.honours_affinity or wants_node(demand, node)
        if not constraint.honours_taints or untolerated(demand, node) is None
    ]
    counts = spread_counts(eligible, demand, constraint)
    domains = {node.labels[constraint.topology_key] for node in eligible}
    least = min((counts.get(domain, 0) for domain in domains), default=0)
    return _Evenness(
        constraint=constraint,
        counts=counts,
        least=least if len(domains) >= constraint.min_domains else 0,
        adds=int(constraint.selector.matches(demand.labels)),
    )
