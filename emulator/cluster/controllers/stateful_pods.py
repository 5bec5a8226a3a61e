"""The pods of a StatefulSet: their names, the identity that they keep, and their claims."""

import re
from typing import Any, Final

from emulator.cluster.controllers.controller_revisions import REVISION_LABEL
from emulator.cluster.controllers.pod_control import pod_of_template
from emulator.cluster.owners import controlled_by
from emulator.cluster.resources import Resource
from emulator.cluster.store import Object, copy_of

POD_NAME: Final = "statefulset.kubernetes.io/pod-name"
POD_INDEX: Final = "apps.kubernetes.io/pod-index"

_NAMED = re.compile(r"(.*)-([0-9]+)")


def ordinal_of(pod: Object) -> int:
    """The number at the end of the pod's name, -1 without."""
    found = _NAMED.fullmatch(pod["metadata"]["name"])
    return int(found[2]) if found else -1


def start_of(stateful_set: Object) -> int:
    """The first ordinal."""
    return (stateful_set["spec"].get("ordinals") or {}).get("start", 0)


def new_pod(
    resource: Resource, stateful_set: Object, template: Object, revision: str, ordinal: int
) -> Object:
    """The pod of an ordinal, of the template of a revision. `resource` is that of StatefulSets."""
    metadata, spec = stateful_set["metadata"], stateful_set["spec"]
    name = f"{metadata['name']}-{ordinal}"
    owner = controlled_by(resource, stateful_set)
    pod = pod_of_template(template, metadata["namespace"], owner, name=name)
    labels = {POD_NAME: name, POD_INDEX: str(ordinal), REVISION_LABEL: revision}
    pod["metadata"]["labels"] = {**pod["metadata"].get("labels", {}), **labels}
    pod["spec"]["hostname"] = name
    if spec.get("serviceName"):
        pod["spec"]["subdomain"] = spec["serviceName"]
    claims: list[dict[str, Any]] = [
        {"name": each["metadata"]["name"], "persistentVolumeClaim": {"claimName": claim_name(each, name)}}
        for each in spec.get("volumeClaimTemplates") or ()
    ]
    if claims:
        claimed = {each["name"] for each in claims}
        others = [each for each in pod["spec"].get("volumes") or () if each["name"] not in claimed]
        pod["spec"]["volumes"] = [*others, *claims]
    return pod


def claims_of(resource: Resource, stateful_set: Object, pod_name: str) -> list[Object]:
    """The PersistentVolumeClaims of a pod. They outlive the set unless its retention policy says otherwise."""
    found: list[Object] = []
    policy = stateful_set["spec"].get("persistentVolumeClaimRetentionPolicy") or {}
    for template in stateful_set["spec"].get("volumeClaimTemplates") or ():
        claim = copy_of(template)
        claim.pop("status", None)
        labels = (stateful_set["spec"].get("selector") or {}).get("matchLabels") or {}
        told = claim["metadata"]
        claim |= {"apiVersion": "v1", "kind": "PersistentVolumeClaim"}
        claim["metadata"] = {
            **told,
            "name": claim_name(template, pod_name),
            "namespace": stateful_set["metadata"]["namespace"],
            "labels": {**(told.get("labels") or {}), **labels},
        }
        if policy.get("whenDeleted") == "Delete":
            claim["metadata"]["ownerReferences"] = [controlled_by(resource, stateful_set)]
        found.append(claim)
    return found


def claim_name(template: Object, pod_name: str) -> str:
    """`<claim>-<pod>`."""
    return f"{template['metadata']['name']}-{pod_name}"
