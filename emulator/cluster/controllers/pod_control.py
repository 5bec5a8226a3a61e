"""What controllers do to pods: make one of a template, adopt it, say why it goes, delete it.

The rules are those of `pkg/controller/controller_utils.go` of Kubernetes.
"""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from emulator.cluster.conditions import condition, conditions_of, with_condition
from emulator.cluster.controllers.indexes import Indexes
from emulator.cluster.owners import controlled_by, owners_of, with_owners
from emulator.cluster.pods import is_active, is_ready, is_terminated, phase
from emulator.cluster.resources import Resource, Resources
from emulator.cluster.selectors import LabelSelector
from emulator.cluster.store import Object, Store, copy_of, is_terminating, key_of
from emulator.cluster.writes import defaults, plugins

_GRACE_SECONDS: Final = 30
_DELETION_COST: Final = "controller.kubernetes.io/pod-deletion-cost"
_PHASES: Final = {"Pending": 0, "Unknown": 1, "Running": 2}


def pod_of_template(template: Object, namespace: str, owner: dict[str, Any], **metadata: Any) -> Object:
    """A pod as a controller makes it; `metadata` is its name or generateName."""
    told = template.get("metadata") or {}
    pod_metadata: Object = {
        **metadata,
        "namespace": namespace,
        "labels": dict(told.get("labels") or {}),
        "annotations": dict(told.get("annotations") or {}),
        "finalizers": list(told.get("finalizers") or ()),
        "ownerReferences": [owner],
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {name: value for name, value in pod_metadata.items() if value},
        "spec": copy_of(template["spec"]),
        "status": {"phase": "Pending"},
    }


def create_pod(store: Store, resources: Resources, pod: Object) -> Object:
    """Store a pod as the API would: admitted, and with its defaults. Raises ApiError 403, 404 or 409."""
    resource = resources["pods"]
    plugins.check_namespace(store, resources, resource, pod)
    pod = defaults.apply(resource, pod)
    plugins.set_priority(store, resources, pod)
    return store.create(resource, pod)


def delete_pod(store: Store, resources: Resources, pod: Object, grace_seconds: int | None = None) -> None:
    """Delete a pod as the API does: with its grace period, unless it does not run (any more)."""
    told = pod["spec"].get("terminationGracePeriodSeconds") if grace_seconds is None else grace_seconds
    seconds: int = _GRACE_SECONDS if told is None else told
    runs = pod["spec"].get("nodeName") and not is_terminated(pod)
    store.delete(resources["pods"], *key_of(pod), seconds if runs else 0)


def mark_disrupted(store: Store, resources: Resources, pod: Object, reason: str, message: str) -> Object:
    """Say in a pod why somebody else than its owner ends it."""
    conditions = with_condition(
        conditions_of(pod), "DisruptionTarget", ("True", reason, message), store.clock()
    )
    status = {**(pod.get("status") or {}), "conditions": conditions}
    return store.update(resources["pods"], {**pod, "status": status})


def delete(store: Store, resources: Resources, resource: Resource, obj: Object) -> None:
    """Delete an object of any resource, pods with their grace period."""
    if resource.key == resources["pods"].key:
        delete_pod(store, resources, obj)
    else:
        store.delete(resource, *key_of(obj))


def deletion_order(pods: Iterable[Object], related: Iterable[Object]) -> list[Object]:
    """The pods, the one to delete first at the beginning.

    Those that are not scheduled, pending, not ready, cheap by their deletion cost, crowded on one node with
    `related` ones, ready only lately, restarted often, young go first (`ActivePodsWithRanks`).
    """
    crowd = Counter(pod["spec"].get("nodeName") for pod in related)

    def rank(pod: Object) -> tuple[Any, ...]:
        ready = condition(pod, "Ready") or {}
        statuses = (pod.get("status") or {}).get("containerStatuses") or ()
        return (
            bool(pod["spec"].get("nodeName")),
            _PHASES.get(phase(pod), 0),
            is_ready(pod),
            _deletion_cost(pod),
            -crowd[pod["spec"].get("nodeName")],
            -_seconds(ready.get("lastTransitionTime")),
            -max((status.get("restartCount", 0) for status in statuses), default=0),
            -_seconds(pod["metadata"]["creationTimestamp"]),
            pod["metadata"]["name"],
        )

    return sorted(pods, key=rank)


def claim_pods(
    store: Store, resources: Resources, indexes: Indexes, resource: Resource, owner: Object
) -> list[Object]:
    """The pods that `owner` controls by its `spec.selector`.

    Orphans that match are adopted, and those that no longer match are let go, as the
    PodControllerRefManager does.
    """
    pods, namespace = resources["pods"], owner["metadata"]["namespace"]
    selector = LabelSelector.of(owner["spec"].get("selector"))
    claimed: list[Object] = []
    for pod in indexes.controlled(pods, owner):
        if selector.matches(pod["metadata"].get("labels")):
            claimed.append(pod)
        elif not is_terminating(owner):
            others = [each for each in owners_of(pod) if each["uid"] != owner["metadata"]["uid"]]
            store.update(pods, with_owners(pod, others))
    if is_terminating(owner):
        return claimed
    adopted = [
        store.update(pods, with_owners(pod, [*owners_of(pod), controlled_by(resource, owner)]))
        for pod in indexes.orphans(pods, namespace)
        if is_active(pod) and selector.matches(pod["metadata"].get("labels"))
    ]
    return claimed + adopted


def _deletion_cost(pod: Object) -> int:
    told = (pod["metadata"].get("annotations") or {}).get(_DELETION_COST, "0")
    return int(told) if told.removeprefix("-").isdecimal() else 0


def _seconds(moment: str | None) -> float:
    return datetime.fromisoformat(moment).timestamp() if moment else 0.0
