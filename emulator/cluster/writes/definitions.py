"""CustomResourceDefinitions: what is wrong with one, what its status says, and serving what it defines.

The rules are those of `k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/validation`.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from emulator.cluster import names
from emulator.cluster.admission import refusal
from emulator.cluster.admission.schema import KubernetesSchemas
from emulator.cluster.resources import CRD, Resources
from emulator.cluster.status import Cause
from emulator.cluster.store import Event, Object, Store, copy_of

RESOURCE: Final = "customresourcedefinitions.apiextensions.k8s.io"
CLEANUP: Final = "customresourcecleanup.apiextensions.k8s.io"
_TYPES: Final = ("array", "boolean", "integer", "number", "object", "string")
_SCOPES: Final = ("Cluster", "Namespaced")


def check_definition(schemas: KubernetesSchemas, definition: Object) -> list[Cause]:
    """What is wrong with a definition that fits the schema of definitions."""
    spec: dict[str, Any] = definition["spec"]
    found = [*_check_names(definition), *_check_versions(spec)]
    if not found:
        fault = schemas.fault_of_definition(definition)
        if fault:
            found.append(refusal.invalid("spec.versions[0].schema.openAPIV3Schema", "", fault))
    return found


def _check_names(definition: Object) -> Iterator[Cause]:
    spec: dict[str, Any] = definition["spec"]
    given: dict[str, Any] = spec["names"]
    expected = f"{given.get('plural', '')}.{spec['group']}"
    name = definition["metadata"].get("name", "")
    if name != expected:
        yield refusal.invalid("metadata.name", name, 'must be spec.names.plural+"."+spec.group')
    if not spec["group"]:
        yield refusal.required("spec.group")
    elif "." not in spec["group"]:
        yield refusal.invalid("spec.group", spec["group"], "should be a domain with at least one dot")
    if spec["scope"] not in _SCOPES:
        yield refusal.not_supported("spec.scope", spec["scope"], _SCOPES)
    for field, value in (("plural", given.get("plural")), ("singular", given.get("singular"))):
        if value and not re.fullmatch(names.SERVICE, value):
            yield refusal.invalid(f"spec.names.{field}", value, names.SERVICE_ERROR)


def _check_versions(spec: Mapping[str, Any]) -> Iterator[Cause]:
    versions: list[dict[str, Any]] = spec["versions"]
    if sum(bool(version.get("storage")) for version in versions) != 1:
        told = "must have exactly one version marked as storage version"
        yield refusal.invalid("spec.versions", versions, told)
    seen: set[str] = set()
    for place, version in enumerate(versions):
        path = f"spec.versions[{place}]"
        if version["name"] in seen:
            yield refusal.duplicate(f"{path}.name", version["name"])
        seen.add(version["name"])
        schema = (version.get("schema") or {}).get("openAPIV3Schema")
        where = f"{path}.schema.openAPIV3Schema"
        if not isinstance(schema, Mapping):
            yield refusal.required(where, "schemas are required")
        elif schema.get("type") != "object":
            if schema.get("type"):
                yield refusal.invalid(f"{where}.type", schema["type"], "must be object at the root")
            else:
                yield refusal.required(f"{where}.type", "must not be empty at the root")
        else:
            yield from _check_structural(schema, where)


def _check_structural(schema: Mapping[str, Any], path: str) -> Iterator[Cause]:
    """https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#specifying-a-structural-schema"""
    kind = schema.get("type")
    if kind and kind not in _TYPES:
        yield refusal.not_supported(f"{path}.type", kind, _TYPES)
    free = schema.get("x-kubernetes-int-or-string") or schema.get("x-kubernetes-preserve-unknown-fields")
    if not kind and not free:
        yield refusal.required(f"{path}.type", "must not be empty for specified object fields")
    if kind == "array" and not isinstance(schema.get("items"), Mapping):
        yield refusal.required(f"{path}.items", "must be specified")
    if schema.get("properties") and schema.get("additionalProperties"):
        yield refusal.forbidden(f"{path}.additionalProperties", "must not be used together with properties")
    if schema.get("x-kubernetes-list-type") == "map" and not schema.get("x-kubernetes-list-map-keys"):
        told = "must not be empty if x-kubernetes-list-type is map"
        yield refusal.required(f"{path}.x-kubernetes-list-map-keys", told)
    properties = schema.get("properties")
    for name, inner in (properties if isinstance(properties, Mapping) else {}).items():
        if isinstance(inner, Mapping):
            yield from _check_structural(inner, f"{path}.properties[{name}]")
    for name in ("items", "additionalProperties"):
        if isinstance(schema.get(name), Mapping):
            yield from _check_structural(schema[name], f"{path}.{name}")


def with_status(definition: Object, before: Object | None, now: str) -> Object:
    """The definition with the status that the API server's controllers give it: served at once."""
    definition = copy_of(definition)
    spec = definition["spec"]
    old = (before or {}).get("status") or {}
    storage = next(version["name"] for version in spec["versions"] if version.get("storage"))
    known = old.get("storedVersions") or []
    conditions = old.get("conditions") or [
        _condition("NamesAccepted", "NoConflicts", "no conflicts found", now),
        _condition("Established", "InitialNamesAccepted", "the initial names have been accepted", now),
    ]
    definition["status"] = {
        "acceptedNames": spec["names"],
        "conditions": conditions,
        "storedVersions": known if storage in known else [*known, storage],
    }
    finalizers = definition["metadata"].get("finalizers") or []
    if CLEANUP not in finalizers and (before is None or "deletionTimestamp" not in before["metadata"]):
        definition["metadata"]["finalizers"] = [*finalizers, CLEANUP]
    return definition


def _condition(kind: str, reason: str, message: str, now: str) -> dict[str, str]:
    return {
        "type": kind,
        "status": "True",
        "lastTransitionTime": now,
        "reason": reason,
        "message": message,
    }


class Definitions:
    """Serves what definitions in the store define, from when they come until they go, with their objects."""

    def __init__(self, store: Store, resources: Resources, schemas: KubernetesSchemas) -> None:
        self._store = store
        self._resources = resources
        self._schemas = schemas
        store.subscribe(self._note)

    def _note(self, event: Event) -> None:
        if event.resource.kind == CRD and event.resource.qualified == RESOURCE:
            self._follow(event)
        elif event.type == "DELETED":
            self._finish(event.resource.qualified)

    def _follow(self, event: Event) -> None:
        before, after = event.before, event.object
        if event.type == "DELETED":
            self._resources.forget(after["metadata"]["name"])
            self._schemas.remove_custom_resource_definition(after)
            return
        if before is None or before["spec"] != after["spec"]:
            if before is not None:
                self._schemas.remove_custom_resource_definition(before)
            self._resources.define(after)
            self._schemas.add_custom_resource_definition(after)

    def _finish(self, name: str) -> None:
        """Let a definition go that waits for the last of its objects."""
        resource = self._resources[RESOURCE]
        definition = self._store.find(resource, "", name)
        if definition is None or "deletionTimestamp" not in definition["metadata"]:
            return
        if not self.objects(definition):
            self.release(definition)

    def objects(self, definition: Object) -> list[Object]:
        """All objects of the kind that is defined."""
        for version in definition["spec"]["versions"]:
            found = self._resources.find(
                definition["spec"]["group"], version["name"], definition["spec"]["names"]["plural"]
            )
            if found is not None:
                return self._store.list(found)
        return []

    def release(self, definition: Object) -> None:
        """Take the clean-up off, which removes the definition."""
        freed = copy_of(definition)
        finalizers = [each for each in freed["metadata"].get("finalizers") or [] if each != CLEANUP]
        freed["metadata"]["finalizers"] = finalizers
        if not finalizers:
            del freed["metadata"]["finalizers"]
        freed["metadata"].pop("resourceVersion", None)
        self._store.update(self._resources[RESOURCE], freed)
