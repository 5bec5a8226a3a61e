"""Delete requests: preconditions, grace periods and what becomes of the dependents.

The rules are those of `k8s.io/apiserver/pkg/registry/rest.BeforeDelete` and `registry/generic/registry/store.go`.
"""

from typing import Any, Final

from emulator.cluster.admission import refusal
from emulator.cluster.pods import is_terminated
from emulator.cluster.resources import Resource
from emulator.cluster.status import ApiError, Cause, conflict, forbidden
from emulator.cluster.store import Object, Store, copy_of

FOREGROUND: Final = "Foreground"
BACKGROUND: Final = "Background"
ORPHAN: Final = "Orphan"

_FINALIZERS: Final = {FOREGROUND: "foregroundDeletion", ORPHAN: "orphan"}
_RETURNED: Final = {
    *("pods", "services", "serviceaccounts", "persistentvolumes", "persistentvolumeclaims"),
    *("podtemplates", "resourcequotas"),
}
"""Resources whose deletion answers the object that was; the others answer a Status."""
_IMMORTAL: Final = {"default", "kube-system", "kube-public"}
"""Namespaces, as of the admission plugin NamespaceLifecycle."""


def check_options(options: dict[str, Any]) -> None:
    """Raise ApiError 422 for options that contradict themselves."""
    policy, orphan = options.get("propagationPolicy"), options.get("orphanDependents")
    causes: list[Cause] = []
    if policy is not None and orphan is not None:
        text = "orphanDependents and deletionPropagation cannot be both set"
        causes.append(refusal.invalid("propagationPolicy", policy, text))
    elif policy not in {None, FOREGROUND, BACKGROUND, ORPHAN}:
        choices = (FOREGROUND, BACKGROUND, ORPHAN, "nil")
        causes.append(refusal.not_supported("propagationPolicy", policy, choices))
    if options.get("dryRun") not in (None, [], ["All"]):
        causes.append(refusal.not_supported("dryRun", options["dryRun"], ["All"]))
    if causes:
        told = f"{causes[0].field}: {causes[0].message}"
        message = f'DeleteOptions.meta.k8s.io "" is invalid: {told}'
        raise ApiError(422, "Invalid", message, group="meta.k8s.io", kind="DeleteOptions", causes=causes)


def check_preconditions(resource: Resource, present: Object, options: dict[str, Any]) -> None:
    """Raise ApiError 409 when the object is not the one that was meant, 403 for what may not be deleted."""
    if resource.qualified == "namespaces" and present["metadata"]["name"] in _IMMORTAL:
        raise forbidden(resource, present["metadata"]["name"], "this namespace may not be deleted")
    wanted: dict[str, Any] = options.get("preconditions") or {}
    metadata = present["metadata"]
    uid, version = wanted.get("uid"), wanted.get("resourceVersion")
    if uid is not None and uid != metadata["uid"]:
        text = (
            f"the UID in the precondition ({uid}) does not match the UID in record ({metadata['uid']}). "
            "The object might have been deleted and then recreated"
        )
        raise conflict(resource, metadata["name"], text)
    if version is not None and version != metadata["resourceVersion"]:
        text = (
            f"the ResourceVersion in the precondition ({version}) does not match the ResourceVersion in record "
            f"({metadata['resourceVersion']}). The object might have been modified"
        )
        raise conflict(resource, metadata["name"], text)


def deleted(store: Store, resource: Resource, present: Object, options: dict[str, Any]) -> Object:
    """Delete `present`; returns what the server answers: the object that waits, or a Status."""
    namespace, name = present["metadata"].get("namespace") or "", present["metadata"]["name"]
    marked = copy_of(present)
    marked["metadata"]["finalizers"] = _finalizers(present, options)
    if not marked["metadata"]["finalizers"]:
        del marked["metadata"]["finalizers"]
    if resource.qualified == "namespaces":
        marked.setdefault("status", {})["phase"] = "Terminating"
    already = "deletionTimestamp" in present["metadata"]
    if marked != present:
        store.update(resource, marked)
        if already and store.find(resource, namespace, name) is None:  # that was the last finalizer
            return _success(resource, present)
    gone = store.delete(resource, namespace, name, _grace_seconds(resource, present, options))
    if store.find(resource, namespace, name) is not None or resource.qualified in _RETURNED:
        return gone
    return _success(resource, present)


def _finalizers(present: Object, options: dict[str, Any]) -> list[str]:
    given = present["metadata"].get("finalizers") or []
    policy = options.get("propagationPolicy")
    if options.get("orphanDependents") is not None:
        policy = ORPHAN if options["orphanDependents"] else BACKGROUND
    if policy is None:  # what was asked for before stays
        return list(given)
    kept = [each for each in given if each not in _FINALIZERS.values()]
    return [*kept, _FINALIZERS[policy]] if policy in _FINALIZERS else kept


def _grace_seconds(resource: Resource, present: Object, options: dict[str, Any]) -> int:
    """Only pods have any: as asked, as their spec says, none when they do not run."""
    if resource.qualified != "pods":
        return 0
    spec = present.get("spec") or {}
    asked = options.get("gracePeriodSeconds")
    seconds = int(spec.get("terminationGracePeriodSeconds") or 0) if asked is None else int(asked)
    if not spec.get("nodeName") or is_terminated(present):
        return 0
    return 1 if seconds < 0 else seconds


def _success(resource: Resource, obj: Object) -> Object:
    details = {
        "name": obj["metadata"]["name"],
        "group": resource.group,
        "kind": resource.plural,
        "uid": obj["metadata"]["uid"],
    }
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": {key: value for key, value in details.items() if value},
    }
