"""Does a pod fit any node there will be? Checked before a GPU is paid for.

The filters are those of `emulator.cluster.scheduling.fit`. Other pods, topology spread, pod affinity, volumes
and `matchFields` are not considered: an empty node is the most a pool can offer.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from emulator.cluster.scheduling.fit import NodeShape, first_reason, pod_requests
from emulator.problem import Problem, join


def check_pod(
    pod_spec: Mapping[str, Any],
    shapes: Sequence[NodeShape],
    property: str,  # noqa: A002  (the name of the field of Problem)
    workload: str,
    *,
    daemon: bool = False,
) -> list[Problem]:
    """Return one problem if no node of the shapes takes the pod, with the first reason of each pool.

    `property` is the path of the pod's spec, `workload` what to call its owner. A DaemonSet's pod (`daemon`)
    tolerates the conditions of nodes; one that fits none is refused too, as nothing would ever tell.
    """
    try:
        requests = pod_requests(pod_spec)
    except ValueError as reason:
        return [Problem(property, workload, str(reason), "a quantity such as 250m, 2, 512Mi or 16Gi")]
    refusals: dict[str, tuple[str, str]] = {}
    for shape in shapes:
        reason = first_reason(pod_spec, shape, requests, daemon=daemon)
        if reason is None:
            return []
        # Of several shapes of a pool the one that came furthest says most.
        refusals[shape.pool] = max(refusals.get(shape.pool, reason), reason, key=lambda r: _ORDER.index(r[0]))
    field = max((reason[0] for reason in refusals.values()), key=_ORDER.index, default="")
    told = "; ".join(f"{pool}: {text}" for pool, (_, text) in refusals.items())
    remedy = f"{_RIGHT[field]} ({told})" if told else "declare a node group or a NodePool first"
    where = join(property, {"resources": "containers"}.get(field, field))
    return [
        Problem(where, workload, "fits no node of any pool" if shapes else "has no nodes to run on", remedy)
    ]


_ORDER = ["nodeSelector", "affinity", "tolerations", "resources"]
"""The filters in the order they are tried, named as the fields of a pod's spec."""

_RIGHT = {
    "nodeSelector": "labels that the nodes of one pool have",
    "affinity": "labels that the nodes of one pool have",
    "tolerations": "a toleration of the taint of the pool that it is meant for",
    "resources": "no more than a node of one pool has, or a pool of larger nodes",
}
