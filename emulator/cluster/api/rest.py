"""The verbs on resources: get, list, watch, create, update, patch, delete and deletecollection.

https://kubernetes.io/docs/reference/using-api/api-concepts/
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import orjson
from aiohttp import web

from emulator.cluster.api.listing import Selection, integer, page
from emulator.cluster.api.negotiation import JSON, decoded, form_of
from emulator.cluster.api.representation import Representations, Wanted
from emulator.cluster.api.watch import Watches, error_line, flag, timeout_seconds
from emulator.cluster.resources import Resource, Resources
from emulator.cluster.status import ApiError, bad_request
from emulator.cluster.store import Object
from emulator.cluster.writes.options import WriteOptions
from emulator.cluster.writes.patches import APPLY_PATCH

if TYPE_CHECKING:
    from emulator.cluster.cluster import Cluster


@dataclass(frozen=True)
class Target:
    """What a URL names."""

    resource: Resource
    namespace: str | None
    name: str = ""
    subresource: str = ""

    @property
    def within(self) -> str:
        """The namespace as the store has it."""
        return self.namespace or ""


def no_such_resource() -> ApiError:
    """404: a group and version that are served have no such resource."""
    return ApiError(404, "NotFound", "the server could not find the requested resource")


def method_not_allowed() -> ApiError:
    """405: the resource is there, but not for this."""
    return ApiError(
        405, "MethodNotAllowed", "the server does not allow this method on the requested resource"
    )


def target_of(resources: Resources, group: str, version: str, steps: list[str]) -> Target:
    """What the rest of a path after the group and version names. Raises ApiError 404."""
    match [unquote(step) for step in steps]:
        case ["namespaces", name, ("status" | "finalize") as subresource]:
            namespace, plural, rest = None, "namespaces", [name, subresource]
        case ["namespaces", namespace, plural, *rest]:
            pass
        case [plural, *rest]:
            namespace = None
        case _:
            raise no_such_resource()
    resource = resources.find(group, version, plural)
    name, subresource, *further = [*rest, "", ""][: max(2, len(rest))]
    if resource is None or (further and subresource != "proxy"):
        raise no_such_resource()
    if (namespace is not None and not resource.namespaced) or (
        resource.namespaced and name and namespace is None
    ):
        raise no_such_resource()
    return Target(resource, namespace, name, subresource)


class Rest:
    """The verbs."""

    def __init__(self, cluster: "Cluster") -> None:
        self._store = cluster.store
        self._resources = cluster.resources
        self._writes = cluster.writes
        self._representations = Representations(cluster.store, cluster.resources)
        self.watches = Watches(cluster.store, self._representations)

    async def answer(self, request: web.Request, target: Target) -> web.StreamResponse:
        """Do what a request asks of a resource, its status or its scale."""
        if target.subresource and target.subresource not in target.resource.subresources:
            raise no_such_resource()
        named = bool(target.name)
        everywhere = target.resource.namespaced and target.namespace is None
        match request.method:
            case "GET" if named:
                verb = self._get
            case "GET":
                verb = self._watch if flag(request.query, "watch") else self._list
            case "POST" if not named and not everywhere:
                verb = self._create
            case "PUT" if named:
                verb = self._update
            case "PATCH" if named:
                verb = self._patch
            case "DELETE" if named and not target.subresource:
                verb = self._delete
            case "DELETE" if not named and not everywhere:
                verb = self._delete_collection
            case _:
                raise method_not_allowed()
        return await verb(request, target)

    async def _get(self, request: web.Request, target: Target) -> web.Response:
        if target.subresource == "scale":
            found = self._writes.scale(target.resource, target.within, target.name)
            return json_response(found)
        found = self._store.get(target.resource, target.within, target.name)
        return self._one(target, found, _wanted(request))

    async def _list(self, request: web.Request, target: Target) -> web.Response:
        wanted = _wanted(request)
        selection = Selection.of(target.resource, target.namespace, request.query)
        found = page(self._store, selection, request.query)
        body = self._representations.many(target.resource, found.objects, found.metadata, wanted)
        return web.Response(body=body, content_type=JSON)

    async def _watch(self, request: web.Request, target: Target) -> web.StreamResponse:
        wanted = _wanted(request)
        selection = Selection.of(target.resource, target.namespace, request.query)
        seconds = timeout_seconds(request.query)
        response = web.StreamResponse()
        response.content_type = JSON
        try:
            watcher = self.watches.open(selection, request.query, wanted)
        except ApiError as refusal:
            if refusal.code != HTTPStatus.GONE:
                raise
            await response.prepare(request)
            await response.write(error_line(refusal))
            return response
        try:
            await response.prepare(request)
            async for lines in watcher.batches(seconds):
                if request.transport is None:
                    break
                await response.write(lines)
            if watcher.cut_off and request.transport is not None:
                request.transport.abort()
        except ConnectionResetError:
            pass  # the client went away
        finally:
            self.watches.close(watcher)
        return response

    async def _create(self, request: web.Request, target: Target) -> web.Response:
        wanted, options = _wanted(request), write_options(request)
        obj = decoded(await request.read(), request.content_type)
        made = self._writes.create(target.resource, target.within, obj, options)
        return self._one(target, made, wanted, 201, options.warnings)

    async def _update(self, request: web.Request, target: Target) -> web.Response:
        wanted, options = _wanted(request), write_options(request)
        obj = decoded(await request.read(), request.content_type)
        made = self._writes.update(
            target.resource, target.within, target.name, obj, options, target.subresource
        )
        return self._one(target, made, wanted, 200, options.warnings)

    async def _patch(self, request: web.Request, target: Target) -> web.Response:
        wanted, options = _wanted(request), write_options(request)
        made = self._writes.patch(
            *(
                target.resource,
                target.within,
                target.name,
                await request.read(),
                request.content_type,
                options,
            ),
            target.subresource,
        )
        return self._one(target, made, wanted, 201 if options.created else 200, options.warnings)

    async def _delete(self, request: web.Request, target: Target) -> web.Response:
        options = await _delete_options(request)
        gone = self._writes.delete(target.resource, target.within, target.name, options)
        return json_response(gone)

    async def _delete_collection(self, request: web.Request, target: Target) -> web.Response:
        options = await _delete_options(request)
        selection = Selection.of(target.resource, target.namespace, request.query)
        found = page(self._store, selection, request.query)
        for obj in found.objects:
            self._writes.delete(target.resource, target.within, obj["metadata"]["name"], options)
        body = self._representations.many(target.resource, found.objects, found.metadata, Wanted())
        return web.Response(body=body, content_type=JSON)

    def _one(
        self, target: Target, obj: Object, wanted: Wanted, code: int = 200, warnings: Sequence[str] = ()
    ) -> web.Response:
        if target.subresource == "scale":
            response = json_response(obj, code)
        else:
            body = self._representations.one(target.resource, obj, wanted)
            response = web.Response(body=body, status=code, content_type=JSON)
        for warning in warnings:
            text = warning.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
            response.headers.add("Warning", f'299 - "{text}"')
        return response


def json_response(obj: Mapping[str, Any], code: int = 200) -> web.Response:
    """An answer that is one JSON document."""
    return web.Response(body=orjson.dumps(obj), status=code, content_type=JSON)


def write_options(request: web.Request) -> WriteOptions:
    """What the query says about a write. Raises ApiError 400."""
    query = request.query
    if query.get("dryRun", "All") != "All":
        raise bad_request(f'dryRun: Unsupported value: "{query["dryRun"]}": supported values: "All"')
    agent = request.headers.get("User-Agent", "").partition("/")[0] or "unknown"
    options = WriteOptions(
        field_manager=query.get("fieldManager") or ("" if request.content_type == APPLY_PATCH else agent),
        force=flag(query, "force"),
        dry_run="dryRun" in query,
        field_validation=query.get("fieldValidation") or "Warn",
    )
    options.check()
    return options


def _wanted(request: web.Request) -> Wanted:
    return Wanted.of(request.headers.get("Accept", ""), request.query.get("includeObject", ""))


async def _delete_options(request: web.Request) -> dict[str, Any]:
    """The DeleteOptions of the body, completed by the query."""
    form_of(request.headers.get("Accept", ""))
    body = await request.read()
    options = decoded(body, request.content_type) if body.strip() else {}
    for name in ("propagationPolicy", "orphanDependents", "dryRun"):
        if name in request.query and name not in options:
            value = request.query[name]
            options[name] = {"dryRun": [value], "orphanDependents": value == "true"}.get(name, value)
    grace = integer(request.query, "gracePeriodSeconds")
    if grace is not None:
        options.setdefault("gracePeriodSeconds", grace)
    return options
