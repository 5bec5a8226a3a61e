"""The ReplicaSets of a Deployment: one for each template it has had, numbered by revision.

`kubectl rollout history` reads them, and `kubectl rollout undo` writes the template of one of them back into
the Deployment: then that set is the new one again, with the next revision (`pkg/controller/deployment/util`).
"""

from collections.abc import Sequence
from typing import Final

from emulator.cluster.controllers.hashing import safe_hash
from emulator.cluster.controllers.rollouts import DESIRED, MAXIMUM, limits, replicas_of
from emulator.cluster.store import Object, copy_of, is_terminating

REVISION: Final = "deployment.kubernetes.io/revision"
EARLIER_REVISIONS: Final = "deployment.kubernetes.io/revision-history"
TEMPLATE_HASH: Final = "pod-template-hash"

_NOT_COPIED: Final = frozenset(
    {
        *("kubectl.kubernetes.io/last-applied-configuration", REVISION, EARLIER_REVISIONS, DESIRED, MAXIMUM),
        "deprecated.deployment.rollback.to",
    }
)


def revision_of(obj: Object) -> int:
    """The revision in an object's annotations, 0 without."""
    told = (obj["metadata"].get("annotations") or {}).get(REVISION, "")
    return int(told) if told.isdecimal() else 0


def new_set_of(deployment: Object, sets: Sequence[Object]) -> Object | None:
    """The oldest set whose template is the Deployment's."""
    wanted = _without_hash(deployment["spec"]["template"])
    same = [each for each in sets if _without_hash(each["spec"]["template"]) == wanted]
    return min(same, key=_age, default=None)


def initial_set(deployment: Object, owner: Object, revision: int, collisions: int, replicas: int) -> Object:
    """A new set for the Deployment's template; `owner` is its ownerReference."""
    spec, metadata = deployment["spec"], deployment["metadata"]
    template = copy_of(spec["template"])
    digest = safe_hash(template, collisions)
    told = template.setdefault("metadata", {})
    told["labels"] = {**(told.get("labels") or {}), TEMPLATE_HASH: digest}
    selector = copy_of(spec["selector"])
    selector["matchLabels"] = {**(selector.get("matchLabels") or {}), TEMPLATE_HASH: digest}
    maximum, _ = limits(deployment)
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{metadata['name']}-{digest}",
            "namespace": metadata["namespace"],
            "labels": dict(told["labels"]),
            "annotations": {
                **_copied(deployment),
                REVISION: str(revision),
                DESIRED: str(replicas_of(deployment)),
                MAXIMUM: str(maximum),
            },
            "ownerReferences": [owner],
        },
        "spec": {
            "replicas": replicas,
            **({"minReadySeconds": spec["minReadySeconds"]} if spec.get("minReadySeconds") else {}),
            "selector": selector,
            "template": template,
        },
        "status": {"replicas": 0},
    }


def renewed(replica_set: Object, deployment: Object, revision: int) -> Object:
    """An existing set as the Deployment's new one: its annotations, and `revision` if that is higher."""
    changed = copy_of(replica_set)
    metadata = changed["metadata"]
    annotations = metadata["annotations"] = {**(metadata.get("annotations") or {}), **_copied(deployment)}
    own = revision_of(replica_set)
    if own < revision:
        annotations[REVISION] = str(revision)
        if own:
            earlier = annotations.get(EARLIER_REVISIONS, "")
            annotations[EARLIER_REVISIONS] = f"{earlier},{own}" if earlier else str(own)
    minimum = deployment["spec"].get("minReadySeconds", 0)
    if changed["spec"].get("minReadySeconds", 0) != minimum:
        changed["spec"]["minReadySeconds"] = minimum
    return changed


def resized(replica_set: Object, deployment: Object, replicas: int) -> Object:
    """A set with another number of replicas, told of the Deployment's own."""
    changed = copy_of(replica_set)
    changed["spec"]["replicas"] = replicas
    annotations = changed["metadata"].setdefault("annotations", {})
    annotations[DESIRED] = str(replicas_of(deployment))
    annotations[MAXIMUM] = str(limits(deployment)[0])
    return changed


def superfluous(deployment: Object, old: Sequence[Object]) -> list[Object]:
    """The old sets that exceed `revisionHistoryLimit`, the oldest revisions first, as far as they are empty."""
    limit = deployment["spec"].get("revisionHistoryLimit")
    kept = [each for each in old if not is_terminating(each)]
    excess = len(kept) - (10 if limit is None else limit)
    candidates = sorted(kept, key=revision_of)[: max(0, excess)]
    return [each for each in candidates if _is_empty(each)]


def _is_empty(replica_set: Object) -> bool:
    status = replica_set.get("status") or {}
    observed = status.get("observedGeneration", 0) >= replica_set["metadata"]["generation"]
    return observed and not status.get("replicas") and not replicas_of(replica_set)


def _copied(deployment: Object) -> dict[str, str]:
    annotations = deployment["metadata"].get("annotations") or {}
    return {name: value for name, value in annotations.items() if name not in _NOT_COPIED}


def _without_hash(template: Object) -> Object:
    metadata = template.get("metadata") or {}
    labels = {k: v for k, v in (metadata.get("labels") or {}).items() if k != TEMPLATE_HASH}
    told = {k: v for k, v in {**metadata, "labels": labels}.items() if v}
    return {**template, "metadata": told}


def _age(obj: Object) -> tuple[str, str]:
    return obj["metadata"]["creationTimestamp"], obj["metadata"]["name"]
