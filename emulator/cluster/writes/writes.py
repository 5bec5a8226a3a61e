"""The write requests of clients: what the API server does between a request's body and the store."""

from collections.abc import Callable
from typing import Any, Final

import orjson

from emulator.cluster.admission import refusal
from emulator.cluster.admission.schema import KubernetesSchemas
from emulator.cluster.resources import Resource, Resources
from emulator.cluster.status import ApiError, bad_request, invalid
from emulator.cluster.store import Object, Store, copy_of
from emulator.cluster.writes import deletion, scale
from emulator.cluster.writes.changes import Changes, check_version, updater
from emulator.cluster.writes.definitions import RESOURCE as DEFINITIONS
from emulator.cluster.writes.definitions import Definitions
from emulator.cluster.writes.intake import (
    Request,
    agree_on_namespace,
    agree_on_place,
    read,
    read_applied,
    read_fields,
    read_patched,
)
from emulator.cluster.writes.managed_fields import managers_of, updated
from emulator.cluster.writes.options import WriteOptions
from emulator.cluster.writes.patches import APPLY_PATCH, check_content_type, patched
from emulator.cluster.writes.server_side_apply import applied, manager_of
from emulator.cluster.yaml_documents import YamlDocumentError, read_yaml

_SCALE: Final = Resource("autoscaling", "v1", "Scale", "scales")
_WITHOUT_VERSION: Final = 0


class Writes:
    """All ways to change the objects of a cluster that clients have.

    `allocate_cluster_ip` gives each new Service its address; without it Services get none.
    """

    def __init__(
        self,
        store: Store,
        resources: Resources,
        schemas: KubernetesSchemas,
        allocate_cluster_ip: Callable[[], str] | None = None,
    ) -> None:
        self._store = store
        self._resources = resources
        self._schemas = schemas
        self._changes = Changes(store, resources, schemas, allocate_cluster_ip)
        self._definitions = Definitions(store, resources, schemas)

    def create(self, resource: Resource, namespace: str, obj: Object, options: WriteOptions) -> Object:
        """Store a new object and return it. Raises ApiError."""
        request = self._request(resource, options)
        obj = read(request, obj)
        agree_on_namespace(resource, namespace, obj)
        if obj["metadata"].get("resourceVersion"):
            raise ApiError(500, "", "resourceVersion should not be set on objects to be created")
        return self._changes.create(request, obj)

    def update(  # noqa: PLR0917
        self,
        resource: Resource,
        namespace: str,
        name: str,
        obj: Object,
        options: WriteOptions,
        subresource: str = "",
    ) -> Object:
        """Put `obj` in place of what is there: all but its status, its `status`, or its `scale`.

        Returns the object, or the Scale. Raises ApiError.
        """
        request = self._request(resource, options, subresource)
        if subresource == "scale":
            return self._update_scale(request, namespace, name, obj)
        obj = read(request, obj)
        agree_on_place(resource, namespace, name, obj)
        present = self._store.get(resource, _within(resource, namespace), name)
        if request.structure.custom and not obj["metadata"].get("resourceVersion"):
            text = "must be specified for an update"
            cause = refusal.invalid("metadata.resourceVersion", _WITHOUT_VERSION, text)
            raise invalid(resource, name, [cause])
        return self._changes.replace(request, present, obj)

    def patch(  # noqa: PLR0917
        self,
        resource: Resource,
        namespace: str,
        name: str,
        patch: bytes,
        content_type: str,
        options: WriteOptions,
        subresource: str = "",
    ) -> Object:
        """Apply a patch of any of the four types. A server-side apply may create; `options.created` tells.

        Nothing comes between reading and storing here, so that a patch conflicts only with the resource
        version that it names itself. Raises ApiError.
        """
        request = self._request(resource, options, subresource)
        content_type = check_content_type(content_type, custom=request.structure.custom)
        if content_type == APPLY_PATCH:
            if subresource == "scale":
                raise bad_request("a scale cannot be applied here: use a merge patch, or PUT")
            return self._apply(request, namespace, name, patch)
        present = self._store.get(resource, _within(resource, namespace), name)
        if subresource == "scale":
            now = scale.scale_of(self._store, self._resources, resource, present)
            wanted = patched(self._request(_SCALE, options).structure, now, patch, content_type)
            return self._update_scale(request, namespace, name, wanted)
        obj = patched(request.structure, {**present, "apiVersion": resource.api_version}, patch, content_type)
        obj = read_patched(request, obj, patch, content_type)
        agree_on_place(resource, namespace, name, obj)
        return self._changes.replace(request, present, obj)

    def scale(self, resource: Resource, namespace: str, name: str) -> Object:
        """The Scale of an object. Raises ApiError 404."""
        present = self._store.get(resource, _within(resource, namespace), name)
        return scale.scale_of(self._store, self._resources, resource, present)

    def delete(self, resource: Resource, namespace: str, name: str, options: dict[str, Any]) -> Object:
        """Delete, as `options` (DeleteOptions) say. Returns the object while it stays, else a Status."""
        options = self.read_fields("v1", "DeleteOptions", options)
        deletion.check_options(options)
        present = self._store.get(resource, _within(resource, namespace), name)
        deletion.check_preconditions(resource, present, options)
        if options.get("dryRun"):
            trial = self._changes.trial(self._request(resource, WriteOptions()), present)
            return deletion.deleted(trial, resource, present, options)
        answer = deletion.deleted(self._store, resource, present, options)
        if resource.qualified == DEFINITIONS:
            self._delete_defined(present)
        return answer

    def read_fields(self, api_version: str, kind: str, obj: Object) -> Object:
        """Read what is sent but not stored: a built-in kind with values of its types. Raises ApiError 400."""
        structure = self._schemas.structure(api_version, kind)
        assert structure is not None  # noqa: S101 - all versions of Kubernetes have those that are asked for
        return read_fields(structure, obj)

    def _request(self, resource: Resource, options: WriteOptions, subresource: str = "") -> Request:
        options.check()
        structure = self._schemas.structure(resource.api_version, resource.kind)
        if structure is None:
            raise bad_request(f'no kind "{resource.kind}" is registered for version "{resource.api_version}"')
        return Request(resource, structure, options, subresource)

    def _apply(self, request: Request, namespace: str, name: str, patch: bytes) -> Object:
        resource, options = request.resource, request.options
        if not options.field_manager:
            raise _manager_required()
        config = read_applied(request, _within(resource, namespace), _parsed(patch))
        config["metadata"].setdefault("name", name)
        agree_on_place(resource, namespace, name, config)
        manager = manager_of(options.field_manager, request.subresource)
        present = self._store.find(resource, _within(resource, namespace), name)
        if present is None:
            if request.subresource:
                self._store.get(resource, _within(resource, namespace), name)  # 404
            empty = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": {}}
            _, managers = applied(request.structure, empty, config, {}, manager, force=options.force)
            return self._changes.create(request, config, managers)
        check_version(request, present["metadata"], config["metadata"])
        live = {**present, "apiVersion": resource.api_version}
        obj, managers = applied(
            *(request.structure, live, config, managers_of(present), manager), force=options.force
        )
        obj = self._changes.merged(request, present, copy_of(obj))
        return self._changes.store(request, present, obj, managers)

    def _update_scale(self, request: Request, namespace: str, name: str, obj: Object) -> Object:
        resource = request.resource
        present = self._store.get(resource, _within(resource, namespace), name)
        wanted = read(self._request(_SCALE, request.options), obj)
        agree_on_place(resource, namespace, name, wanted)
        check_version(request, present["metadata"], wanted["metadata"])
        replicas = (wanted.get("spec") or {}).get("replicas", 0)
        if replicas < 0:
            text = "must be greater than or equal to 0"
            raise invalid(_SCALE, name, [refusal.invalid("spec.replicas", replicas, text)])
        changed = scale.scaled(self._store, self._resources, resource, present, replicas)
        managers = updated(request.structure, present, changed, managers_of(present), updater(request))
        stored = self._changes.store(request, present, changed, managers)
        return scale.scale_of(self._store, self._resources, resource, stored)

    def _delete_defined(self, definition: Object) -> None:
        """Delete all objects of a kind; its definition goes with the last of them."""
        for each in self._definitions.objects(definition):
            resource = self._resources.of_kind(each["apiVersion"], each["kind"])
            if resource is not None and "deletionTimestamp" not in each["metadata"]:
                self.delete(resource, each["metadata"].get("namespace") or "", each["metadata"]["name"], {})
        waiting = self._store.find(self._resources[DEFINITIONS], "", definition["metadata"]["name"])
        if waiting is not None and not self._definitions.objects(definition):
            self._definitions.release(waiting)


def _within(resource: Resource, namespace: str) -> str:
    return namespace if resource.namespaced else ""


def _parsed(patch: bytes) -> object:
    """JSON is the YAML that clients send; it is read some hundred times faster as what it is."""
    try:
        return orjson.loads(patch)
    except orjson.JSONDecodeError:
        pass
    try:
        return read_yaml(patch)
    except YamlDocumentError as wrong:
        raise bad_request(f"error decoding YAML: {wrong}") from None


def _manager_required() -> ApiError:
    cause = refusal.required("fieldManager", "is required for apply patch")
    return ApiError(
        *(422, "Invalid", f'PatchOptions.meta.k8s.io "" is invalid: fieldManager: {cause.message}'),
        group="meta.k8s.io",
        kind="PatchOptions",
        causes=[cause],
    )
