"""Makes a new state of an object and stores it: defaults, checks, what the server adds, managedFields."""

import secrets
from collections.abc import Callable
from typing import Any, Final

from emulator.cluster.admission.schema import KubernetesSchemas
from emulator.cluster.resources import Resources
from emulator.cluster.status import Cause, conflict, invalid
from emulator.cluster.store import Object, Store, copy_of, timestamp
from emulator.cluster.writes import defaults, plugins
from emulator.cluster.writes.definitions import RESOURCE as DEFINITIONS
from emulator.cluster.writes.definitions import check_definition, with_status
from emulator.cluster.writes.immutability import forbidden_changes
from emulator.cluster.writes.intake import Request
from emulator.cluster.writes.managed_fields import (
    UPDATE,
    Manager,
    Managers,
    managers_of,
    record,
    updated,
)
from emulator.cluster.writes.validation import validate

_GIVEN_BY_SERVER: Final = (
    *("uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "selfLink"),
    *("deletionTimestamp", "deletionGracePeriodSeconds"),
)
_CREATED_WITH_STATUS: Final = {"nodes"}
_NAME_LETTERS: Final = "bcdfghjklmnpqrstvwxz2456789"
_GENERATED_LENGTH: Final = 5
_LONGEST_BASE: Final = 63 - _GENERATED_LENGTH
_NAMESPACE_FINALIZER: Final = "kubernetes"


class Changes:
    """Carries out what was read; see `Writes` for the arguments."""

    def __init__(
        self,
        store: Store,
        resources: Resources,
        schemas: KubernetesSchemas,
        allocate_cluster_ip: Callable[[], str] | None,
    ) -> None:
        self._store = store
        self._resources = resources
        self._schemas = schemas
        self._allocate_cluster_ip = allocate_cluster_ip

    def create(self, request: Request, obj: Object, managers: Managers | None = None) -> Object:
        """Store a new object; `managers` are those of a server-side apply. Raises ApiError."""
        resource, metadata = request.resource, obj["metadata"]
        for name in _GIVEN_BY_SERVER:
            metadata.pop(name, None)
        if not metadata.get("name") and metadata.get("generateName"):
            letters = (secrets.choice(_NAME_LETTERS) for _ in range(_GENERATED_LENGTH))
            metadata["name"] = metadata["generateName"][:_LONGEST_BASE] + "".join(letters)
        if "status" in resource.subresources and resource.qualified not in _CREATED_WITH_STATUS:
            obj.pop("status", None)
        obj = self._defaulted(request, obj)
        plugins.check_namespace(self._store, self._resources, resource, obj)
        self._validate(request, None, obj)
        if resource.qualified == "pods":
            plugins.set_priority(self._store, self._resources, obj)
        self._allocate(request, obj)
        obj = self._completed(request, None, obj)
        made = managers or updated(request.structure, None, obj, {}, updater(request))
        record(obj, made, {}, timestamp(self._store.clock()))
        request.options.created = True
        if not request.options.dry_run:
            return self._store.create(resource, obj)
        present = self._store.find(resource, metadata.get("namespace") or "", metadata["name"])
        created = copy_of(self.trial(request, present).create(resource, obj))
        del created["metadata"]["resourceVersion"]
        return created

    def replace(self, request: Request, present: Object, obj: Object) -> Object:
        """Store `obj` in place of `present`. Raises ApiError."""
        given = obj["metadata"].pop("managedFields", None)
        before = {} if given in ([], [{}]) else managers_of(present)
        obj = self.merged(request, present, obj)
        managers = updated(request.structure, present, obj, before, updater(request))
        return self.store(request, present, obj, managers)

    def merged(self, request: Request, present: Object, obj: Object) -> Object:
        """What an update to `obj` makes of `present`, checked. Raises ApiError 409 or 422."""
        resource, metadata, own = request.resource, obj["metadata"], present["metadata"]
        check_version(request, own, metadata)
        for name in _GIVEN_BY_SERVER:
            metadata.pop(name, None)
            if name in own:
                metadata[name] = own[name]
        if request.subresource == "status":
            return self._with_status(request, present, obj)
        if "status" in resource.subresources:
            obj.pop("status", None)
            if "status" in present:
                obj["status"] = copy_of(present["status"])
        if resource.qualified == "services":
            plugins.keep_allocated(present, obj)
        if resource.qualified == "namespaces":
            _keep_finalizers(request, present, obj)
        obj = self._defaulted(request, obj)
        self._validate(request, present, obj)
        self._allocate(request, obj)
        return self._completed(request, present, obj)

    def store(self, request: Request, present: Object, obj: Object, managers: Managers) -> Object:
        """Store what was merged and checked, with its managers."""
        obj = {**obj, "metadata": dict(obj["metadata"])}
        record(obj, managers, managers_of(present), timestamp(self._store.clock()))
        obj["metadata"].pop("resourceVersion", None)
        if not request.options.dry_run:
            return self._store.update(request.resource, obj)
        would_be = copy_of(self.trial(request, present).update(request.resource, obj))
        would_be["metadata"]["resourceVersion"] = present["metadata"]["resourceVersion"]
        return would_be

    def trial(self, request: Request, present: Object | None) -> Store:
        """A store of its own to try a change of one object in: nobody hears of it."""
        trial = Store(self._store.clock)
        if present is not None:
            trial.restore(request.resource, present, self._store.version)
        return trial

    def _with_status(self, request: Request, present: Object, obj: Object) -> Object:
        """`present` with the status of `obj`."""
        status = {"status": obj["status"]} if "status" in obj else {}
        kept = copy_of({name: value for name, value in present.items() if name != "status"})
        changed = {**kept, **status, "apiVersion": request.resource.api_version}
        if request.structure.custom:  # of a built-in kind, reading has checked all there is to check
            causes = validate(self._schemas, request.resource, changed)
            causes = [cause for cause in causes if cause.field.startswith("status")]
            if causes:
                raise invalid(request.resource, present["metadata"]["name"], causes)
        return changed

    def _defaulted(self, request: Request, obj: Object) -> Object:
        if not request.structure.custom:
            return defaults.apply(request.resource, obj)
        obj = copy_of(obj)
        defaults.apply_schema_defaults(request.structure, obj)
        return obj

    def _validate(self, request: Request, before: Object | None, obj: Object) -> None:
        resource = request.resource
        causes: list[Cause] = validate(self._schemas, resource, obj)
        if resource.qualified == DEFINITIONS and not causes:
            causes = check_definition(self._schemas, obj)
        if before is not None:
            causes += forbidden_changes(resource, before, obj)
        if causes:
            raise invalid(resource, obj["metadata"].get("name", ""), causes)

    def _allocate(self, request: Request, obj: Object) -> None:
        if request.resource.qualified == "services":
            allocate = None if request.options.dry_run else self._allocate_cluster_ip
            plugins.allocate_for_service(self._store, self._resources, obj, allocate)

    def _completed(self, request: Request, before: Object | None, obj: Object) -> Object:
        """With what the server itself says in some kinds' objects."""
        if request.resource.qualified == DEFINITIONS:
            return with_status(obj, before, timestamp(self._store.clock()))
        if request.resource.qualified == "namespaces":
            # The store keeps what has finalizers of metadata; those of a namespace are in its spec.
            others = [e for e in obj["metadata"].get("finalizers") or [] if e != _NAMESPACE_FINALIZER]
            own = [_NAMESPACE_FINALIZER] if obj["spec"].get("finalizers") else []
            obj["metadata"]["finalizers"] = [*others, *own]
            if not obj["metadata"]["finalizers"]:
                del obj["metadata"]["finalizers"]
        return obj


def _keep_finalizers(request: Request, present: Object, obj: Object) -> None:
    """The finalizers of a namespace are changed by its `finalize` only."""
    given: dict[str, Any] = obj.setdefault("spec", {})
    finalizing = request.subresource == "finalize"
    given["finalizers"] = (given if finalizing else present.get("spec", {})).get("finalizers") or []


def updater(request: Request) -> Manager:
    """Who makes a write that is no server-side apply."""
    name = request.options.field_manager or "unknown"
    return Manager(name, UPDATE, request.resource.api_version, request.subresource)


def check_version(request: Request, own: dict[str, Any], given: dict[str, Any]) -> None:
    """Raise ApiError 409 when the metadata `given` are of another version or object than `own`."""
    version, uid = given.get("resourceVersion"), given.get("uid")
    if version and version != own["resourceVersion"]:
        raise conflict(request.resource, own["name"])
    if uid and uid != own["uid"]:
        text = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {own['uid']}"
        raise conflict(request.resource, own["name"], text)
