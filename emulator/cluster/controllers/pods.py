"""What all workload controllers ask of pods, and do to them: is it ready, make one of a template, delete it.

The rules are those of `k8s.io/kubernetes/pkg/api/v1/pod` and `pkg/controller/controller_utils.go`.
"""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from emulator.cluster.controllers.indexes import Indexes
from emulator.cluster.controllers.owners import controlled_by
from emulator.cluster.resources import Resource, Resources
from emulator.cluster.selectors import LabelSelector
from emulator.cluster.store import Object, Store, copy_of, key_of
from emulator.cluster.writes import defaults, plugins

_GRACE_SECONDS: Final = 30
_DELETION_COST: Final = "controller.kubernetes.io/pod-deletion-cost"
_PHASES: Final = {"Pending": 0, "Unknown": 1, "Running": 2}


def condition(obj: Object, type_: str) -> dict[str, Any] | None:
    """One of an object's `status.conditions`, or None."""
    for each in (obj.get("status") or {}).get("conditions") or ():
        if each["type"] == type_:
            return each
    return None


def phase(pod: Object) -> str:
    """`status.phase`, Pending as long as nobody has written one."""
    return (pod.get("status") or {}).get("phase") or "Pending"


def is_terminated(pod: Object) -> bool:
    """Whether all containers have ended for good."""
    return phase(pod) in {"Succeeded", "Failed"}


def is_terminating(obj: Object) -> bool:
    """Whether the object is being deleted."""
    return "deletionTimestamp" in obj["metadata"]


def is_active(pod: Object) -> bool:
    """Whether the pod counts as a replica: neither ended nor about to."""
    return not is_terminated(pod) and not is_terminating(pod)


def is_ready(pod: Object) -> bool:
    """Whether the Ready condition is True."""
    ready = condition(pod, "Ready")
    return ready is not None and ready["status"] == "True"


def seconds_to_available(pod: Object, min_ready_seconds: int, now: datetime) -> float | None:
    """How long until the pod has been ready for long enough: 0 when it has; None when it is not ready."""
    ready = condition(pod, "Ready")
    if ready is None or ready["status"] != "True":
        return None
    since = ready.get("lastTransitionTime")
    if not min_ready_seconds or not since:
        return 0.0
    return max(0.0, min_ready_seconds - (now - datetime.fromisoformat(since)).total_seconds())


def is_available(pod: Object, min_ready_seconds: int, now: datetime) -> bool:
    """Whether the pod has been ready for long enough."""
    return seconds_to_available(pod, min_ready_seconds, now) == 0


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
            _set_owners(store, pods, pod, [r for r in _owners(pod) if r["uid"] != owner["metadata"]["uid"]])
    if is_terminating(owner):
        return claimed
    adopted = [
        _set_owners(store, pods, pod, [*_owners(pod), controlled_by(resource, owner)])
        for pod in indexes.orphans(pods, namespace)
        if is_active(pod) and selector.matches(pod["metadata"].get("labels"))
    ]
    return claimed + adopted


def _owners(obj: Object) -> list[dict[str, Any]]:
    return obj["metadata"].get("ownerReferences") or []


def _set_owners(store: Store, resource: Resource, obj: Object, owners: list[dict[str, Any]]) -> Object:
    changed = copy_of(obj)
    changed["metadata"]["ownerReferences"] = owners
    return store.update(resource, changed)


def _deletion_cost(pod: Object) -> int:
    told = (pod["metadata"].get("annotations") or {}).get(_DELETION_COST, "0")
    return int(told) if told.removeprefix("-").isdecimal() else 0


def _seconds(moment: str | None) -> float:
    return datetime.fromisoformat(moment).timestamp() if moment else 0.0
