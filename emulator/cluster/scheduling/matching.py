"""Whether a node is of the kind that a pod asks for: its labels, its name and its taints."""

from collections.abc import Mapping
from typing import Any

from emulator.cluster.scheduling.demand import Demand
from emulator.cluster.scheduling.fit import Taint, matches, tolerates
from emulator.cluster.scheduling.state import NodeState


def wants_node(demand: Demand, node: NodeState) -> bool:
    """Whether node selector and required node affinity allow a node."""
    if any(node.labels.get(key) != value for key, value in demand.node_selector.items()):
        return False
    return demand.node_terms is None or any(term_matches(each, node) for each in demand.node_terms)


def term_matches(term: Mapping[str, Any], node: NodeState) -> bool:
    """Whether a node selector term means a node; an empty one means none."""
    expressions, fields = term.get("matchExpressions") or (), term.get("matchFields") or ()
    return (
        bool(expressions or fields)
        and all(matches(each, node.labels) for each in expressions)
        and all(matches(each, {"metadata.name": node.name}) for each in fields)
    )


def untolerated(demand: Demand, node: NodeState) -> Taint | None:
    """A taint that keeps the pod away, if there is one."""
    for taint in node.taints:
        if taint.effect != "PreferNoSchedule" and not tolerated(demand, taint):
            return taint
    return None


def tolerated(demand: Demand, taint: Taint) -> bool:
    """Whether one of the pod's tolerations covers a taint."""
    return any(tolerates(each, taint) for each in demand.tolerations)
