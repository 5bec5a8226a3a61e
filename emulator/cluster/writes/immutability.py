"""Which fields an update may not change: the `Validate...Update` functions of `pkg/apis/*/validation`."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from emulator.cluster.admission import refusal
from emulator.cluster.resources import Resource
from emulator.cluster.status import Cause
from emulator.cluster.store import Object, copy_of

_IMMUTABLE: Final = "field is immutable"
_POD_RULE: Final = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)
_STATEFUL_SET_RULE: Final = (
    "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', "
    "'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
)
_STATEFUL_SET_FIELDS: Final = {
    *("replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit"),
    *("persistentVolumeClaimRetentionPolicy", "minReadySeconds"),
}
_CLAIM_RULE: Final = (
    "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound "
    "claims"
)
_FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "deployments.apps": ("spec.selector",),
    "replicasets.apps": ("spec.selector",),
    "daemonsets.apps": ("spec.selector",),
    "jobs.batch": ("spec.selector", "spec.completionMode"),
    "secrets": ("type",),
    "persistentvolumes": ("spec.volumeMode",),
    "ingressclasses.networking.k8s.io": ("spec.controller",),
    "priorityclasses.scheduling.k8s.io": ("value", "preemptionPolicy"),
    "runtimeclasses.node.k8s.io": ("handler",),
    "customresourcedefinitions.apiextensions.k8s.io": ("spec.group", "spec.scope", "spec.names.plural"),
}
_ROLE_BINDINGS: Final = {
    "rolebindings.rbac.authorization.k8s.io",
    "clusterrolebindings.rbac.authorization.k8s.io",
}


def forbidden_changes(resource: Resource, before: Object, after: Object) -> list[Cause]:
    """What an update changes that it must not."""
    fields = _FIELDS.get(resource.qualified, ())
    found = [
        refusal.invalid(path, _at(after, path), _IMMUTABLE)
        for path in fields
        if _at(before, path) != _at(after, path)
    ]
    check = _CHECKS.get(resource.qualified)
    return [*found, *(check(before, after) if check else ()), *_new_finalizers(before, after)]


def _at(obj: Object, path: str) -> Any:
    found: Any = obj
    for step in path.split("."):
        found = found.get(step) if isinstance(found, Mapping) else None
    return found


def _new_finalizers(before: Object, after: Object) -> list[Cause]:
    if "deletionTimestamp" not in before["metadata"]:
        return []
    known = before["metadata"].get("finalizers") or []
    new = [each for each in after["metadata"].get("finalizers") or [] if each not in known]
    if not new:
        return []
    told = ", ".join(refusal.quoted(each) for each in new)
    text = f"no new finalizers can be added if the object is being deleted, found new finalizers []string{{{told}}}"
    return [refusal.forbidden("metadata.finalizers", text)]


def _pod(before: Object, after: Object) -> list[Cause]:
    old, new = _spec(before), _spec(after)
    causes = _containers_count(old, new)
    if causes:
        return causes
    given, tolerations = old.pop("tolerations", None) or [], new.pop("tolerations", None) or []
    if any(toleration not in tolerations for toleration in given):
        text = "existing toleration can not be modified except its tolerationSeconds"
        if not _only_seconds_differ(given, tolerations):
            causes.append(refusal.forbidden("spec.tolerations", text))
    deadline, later = old.pop("activeDeadlineSeconds", None), new.pop("activeDeadlineSeconds", None)
    if deadline is not None and (later is None or later > deadline):
        text = "must be less than or equal to previous value"
        causes.append(refusal.invalid("spec.activeDeadlineSeconds", later, text))
    for spec in (old, new):
        for container in [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]:
            container.pop("image", None)
    if new.get("terminationGracePeriodSeconds") == 1 and old.get("terminationGracePeriodSeconds", 0) < 0:
        old["terminationGracePeriodSeconds"] = 1
    if old.get("schedulingGates"):
        gates, left = old.pop("schedulingGates"), new.pop("schedulingGates", None) or []
        if any(gate not in gates for gate in left):
            causes.append(refusal.forbidden("spec.schedulingGates", "only deletion is allowed"))
    if old != new:
        causes.append(refusal.forbidden("spec", _POD_RULE))
    return causes


def _containers_count(old: dict[str, Any], new: dict[str, Any]) -> list[Cause]:
    return [
        refusal.forbidden(f"spec.{name}", "pod updates may not add or remove containers")
        for name in ("containers", "initContainers")
        if len(old.get(name) or ()) != len(new.get(name) or ())
    ]


def _only_seconds_differ(before: list[Any], after: list[Any]) -> bool:
    def bare(toleration: Any) -> dict[str, Any]:
        return {name: value for name, value in toleration.items() if name != "tolerationSeconds"}

    return all(bare(each) in [bare(other) for other in after] for each in before)


def _stateful_set(before: Object, after: Object) -> list[Cause]:
    def fixed(obj: Object) -> dict[str, Any]:
        spec = _spec(obj)
        for claim in spec.get("volumeClaimTemplates") or ():
            claim.pop("status", None)
        return {name: value for name, value in spec.items() if name not in _STATEFUL_SET_FIELDS}

    return [] if fixed(before) == fixed(after) else [refusal.forbidden("spec", _STATEFUL_SET_RULE)]


def _job(before: Object, after: Object) -> list[Cause]:
    causes: list[Cause] = []
    old, new = _spec(before), _spec(after)
    if old.get("template") != new.get("template"):
        causes.append(refusal.invalid("spec.template", new.get("template"), _IMMUTABLE))
    if old.get("completions") != new.get("completions") and new.get("completionMode") != "Indexed":
        causes.append(refusal.invalid("spec.completions", new.get("completions"), _IMMUTABLE))
    return causes


def _service(before: Object, after: Object) -> list[Cause]:
    old, new = _spec(before), _spec(after)
    if "ExternalName" in {old.get("type"), new.get("type")}:
        return []
    if old.get("clusterIP") and old.get("clusterIP") != new.get("clusterIP"):
        text = "may not change once set"
        given = [new["clusterIP"]] if new.get("clusterIP") else []
        return [refusal.invalid("spec.clusterIPs[0]", given, text)]
    return []


def _immutable_data(before: Object, after: Object) -> list[Cause]:
    if not before.get("immutable"):
        return []
    text = "field is immutable when `immutable` is set"
    causes = [refusal.forbidden("immutable", text)] if not after.get("immutable") else []
    causes += [
        refusal.forbidden(name, text)
        for name in ("data", "binaryData")
        if (before.get(name) or {}) != (after.get(name) or {})
    ]
    return causes


def _storage_class(before: Object, after: Object) -> list[Cause]:
    causes: list[Cause] = []
    if (before.get("parameters") or {}) != (after.get("parameters") or {}):
        causes.append(refusal.forbidden("parameters", "updates to parameters are forbidden."))
    if before.get("provisioner") != after.get("provisioner"):
        causes.append(refusal.forbidden("provisioner", "updates to provisioner are forbidden."))
    if before.get("reclaimPolicy") != after.get("reclaimPolicy"):
        causes.append(refusal.forbidden("reclaimPolicy", "updates to reclaimPolicy are forbidden."))
    if before.get("volumeBindingMode") != after.get("volumeBindingMode"):
        causes.append(refusal.invalid("volumeBindingMode", after.get("volumeBindingMode"), _IMMUTABLE))
    return causes


def _claim(before: Object, after: Object) -> list[Cause]:
    def fixed(obj: Object) -> dict[str, Any]:
        spec = _spec(obj)
        spec.pop("volumeAttributesClassName", None)
        (spec.get("resources") or {}).pop("requests", None)
        return spec

    old, new = fixed(before), fixed(after)
    if not old.get("volumeName"):
        new.pop("volumeName", None)  # the binding itself
        old.pop("volumeName", None)
    return [] if old == new else [refusal.forbidden("spec", _CLAIM_RULE)]


def _role_reference(before: Object, after: Object) -> list[Cause]:
    if before.get("roleRef") == after.get("roleRef"):
        return []
    return [refusal.invalid("roleRef", after.get("roleRef"), "cannot change roleRef")]


def _spec(obj: Object) -> dict[str, Any]:
    """A copy that may be changed."""
    return copy_of(obj.get("spec") or {})


_CHECKS: Final[Mapping[str, Callable[[Object, Object], list[Cause]]]] = {
    "pods": _pod,
    "statefulsets.apps": _stateful_set,
    "jobs.batch": _job,
    "services": _service,
    "configmaps": _immutable_data,
    "secrets": _immutable_data,
    "storageclasses.storage.k8s.io": _storage_class,
    "persistentvolumeclaims": _claim,
    **dict.fromkeys(_ROLE_BINDINGS, _role_reference),
}
