"""The pods of a DaemonSet: which nodes take one, and how it is bound to its node.

Follows `NodeShouldRunDaemonPod` and `pkg/controller/daemon/util`; the scheduler places the pod by the affinity.
"""

from collections.abc import Mapping
from typing import Any, Final

from emulator.cluster.controllers.controller_revisions import REVISION_LABEL
from emulator.cluster.controllers.pod_control import pod_of_template
from emulator.cluster.scheduling.fit import NodeShape, Taint, first_reason
from emulator.cluster.store import Object

_TOLERATED: Final = (
    ("node.kubernetes.io/not-ready", "NoExecute"),
    ("node.kubernetes.io/unreachable", "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    ("node.kubernetes.io/unschedulable", "NoSchedule"),
)
_ON_HOST_NETWORK: Final = ("node.kubernetes.io/network-unavailable", "NoSchedule")


def takes(node: Object, pod_spec: Mapping[str, Any]) -> tuple[bool, bool]:
    """Whether a node should get a pod, and whether one that is there may stay.

    Resources do not matter: for want of them the pod is Pending.
    """
    node_name = pod_spec.get("nodeName")
    if node_name and node_name != node["metadata"]["name"]:
        return False, False
    taints = [
        Taint(each["key"], each.get("value") or "", each["effect"])
        for each in (node.get("spec") or {}).get("taints") or ()
    ]
    keys = [*_TOLERATED, *([_ON_HOST_NETWORK] if pod_spec.get("hostNetwork") else [])]
    own = list(pod_spec.get("tolerations") or ())
    spec = {**pod_spec, "tolerations": [*own, *map(_toleration, keys)]}

    def fits(kept: list[Taint]) -> bool:
        labels = node["metadata"].get("labels") or {}
        return first_reason(spec, NodeShape("", labels, tuple(kept), 0, 0, 0, 0), {}, daemon=False) is None

    return fits(taints), fits([taint for taint in taints if taint.effect == "NoExecute"])


def new_pod(daemon_set: Object, owner: dict[str, Any], node: str, digest: str) -> Object:
    """The pod for a node; `owner` is its ownerReference and `digest` the hash of its revision."""
    metadata, template = daemon_set["metadata"], daemon_set["spec"]["template"]
    pod = pod_of_template(template, metadata["namespace"], owner, generateName=f"{metadata['name']}-")
    pod["metadata"]["labels"] = {**pod["metadata"].get("labels", {}), REVISION_LABEL: digest}
    spec = pod["spec"]
    affinity = spec["affinity"] = dict(spec.get("affinity") or {})
    node_affinity = affinity["nodeAffinity"] = dict(affinity.get("nodeAffinity") or {})
    field = {"key": "metadata.name", "operator": "In", "values": [node]}
    node_affinity["requiredDuringSchedulingIgnoredDuringExecution"] = {
        "nodeSelectorTerms": [{"matchFields": [field]}]
    }
    keys = [*_TOLERATED, *([_ON_HOST_NETWORK] if spec.get("hostNetwork") else [])]
    tolerations: list[dict[str, Any]] = list(spec.get("tolerations") or ())
    spec["tolerations"] = tolerations + [each for each in map(_toleration, keys) if each not in tolerations]
    return pod


def node_of(pod: Object) -> str:
    """The node that a pod runs on, or is meant for."""
    if pod["spec"].get("nodeName"):
        return pod["spec"]["nodeName"]
    affinity = (pod["spec"].get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    for term in required.get("nodeSelectorTerms") or ():
        for field in term.get("matchFields") or ():
            if field["key"] == "metadata.name" and field["operator"] == "In" and len(field["values"]) == 1:
                return field["values"][0]
    return ""


def _toleration(told: tuple[str, str]) -> dict[str, str]:
    key, effect = told
    return {"key": key, "operator": "Exists", "effect": effect}
