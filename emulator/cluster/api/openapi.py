"""OpenAPI v3 documents: what kubectl explains kinds with, merges lists by, and learns of server-side checks from.

One document per group and version, made of the schemas of `kubernetes-validate` or of the
CustomResourceDefinitions. Of the paths only those are described that clients look for: the patch operations.
"""

import hashlib
from functools import cache
from typing import Any, Final

import orjson

from emulator.cluster.admission.definitions import closure
from emulator.cluster.resources import Resource, Resources
from emulator.cluster.store import Object, Store
from emulator.package_data import folder, read_json

_OBJECT_META: Final = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
_PATCHES: Final = (
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
)
OPENAPI_V2: Final = b"\x0a\x032.0"
"""The document of OpenAPI v2 without definitions, in gnostic's protobuf: kubectl wants one before it sends a
List or a kind that it does not know, checks nothing for want of definitions, and leaves that to the server."""
OPENAPI_V2_TYPE: Final = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
_QUERY: Final = {
    "dryRun": "string",
    "fieldManager": "string",
    "fieldValidation": "string",
    "force": "boolean",
}


class OpenApi:
    """The documents of one server, made when they are asked for, and again when what they describe changed."""

    def __init__(self, store: Store, resources: Resources) -> None:
        self._store = store
        self._resources = resources
        self._made: dict[str, tuple[object, bytes]] = {}
        """With what each was made of, by the path."""

    def index(self, version: str) -> dict[str, Any]:
        """What /openapi/v3 answers: where the documents are. Their URLs change with their contents."""
        paths = dict.fromkeys(resource.base.removeprefix("/") for resource in self._resources)
        return {
            "paths": {
                path: {"serverRelativeURL": f"/openapi/v3/{path}?hash={self._hash(path, version)}"}
                for path in paths
            }
        }

    def document(self, path: str, version: str) -> bytes | None:
        """The document of `api/v1` or `apis/<group>/<version>`; None when nothing is served there."""
        source = self._source(path, version)
        if not source[0]:
            return None
        made, document = self._made.get(path, (None, b""))
        if made != source:
            document = orjson.dumps(self._make(path, version))
            self._made[path] = source, document
        return document

    def _hash(self, path: str, version: str) -> str:
        return hashlib.sha256(repr(self._source(path, version)).encode()).hexdigest()[:32].upper()

    def _source(self, path: str, version: str) -> tuple[tuple[Resource, ...], tuple[str, ...], str]:
        """What a document is made of: the resources, the versions of their definitions, of Kubernetes."""
        resources = tuple(each for each in self._resources if each.base == f"/{path}")
        definitions = (self._definition(each) for each in resources)
        versions = tuple(found["metadata"]["resourceVersion"] for found in definitions if found)
        return resources, versions, version

    def _definition(self, resource: Resource) -> Object | None:
        definitions = self._resources["customresourcedefinitions.apiextensions.k8s.io"]
        return self._store.find(definitions, "", f"{resource.plural}.{resource.group}")

    def _make(self, path: str, version: str) -> dict[str, Any]:
        built_in = _definitions(version)
        kinds = _kinds(version)
        paths: dict[str, Any] = {}
        schemas: dict[str, Any] = {}
        for resource in self._resources:
            if resource.base != f"/{path}":
                continue
            definition = self._definition(resource)
            name = kinds.get((resource.group, resource.version, resource.kind))
            if definition is not None:
                name = _custom_name(resource)
                schemas[name] = _custom_schema(definition, resource)
            if name:
                schemas |= closure({**built_in, **schemas}, [name, _OBJECT_META])
                paths |= _paths(resource, name)
        return {
            "openapi": "3.0.0",
            "info": {"title": "Kubernetes", "version": f"v{version}.0"},
            "paths": paths,
            "components": {"schemas": schemas},
        }


@cache
def _definitions(version: str) -> dict[str, Any]:
    """The schemas of a version of Kubernetes, as OpenAPI 3.0 writes them."""
    schemas = folder("kubernetes_validate") / "kubernetes-json-schema"
    found: dict[str, Any] = read_json(schemas / f"v{version}.0-local" / "_definitions.json")["$defs"]
    return {name: _of_json_schema(schema) for name, schema in found.items()}


@cache
def _kinds(version: str) -> dict[tuple[str, str, str], str]:
    """Names of definitions by group, version and kind."""
    return {
        (kind["group"], kind["version"], kind["kind"]): name
        for name, schema in _definitions(version).items()
        for kind in schema.get("x-kubernetes-group-version-kind", ())
    }


def _of_json_schema(schema: Any) -> Any:
    """JSON Schema lets a type be null and names values of a kind; OpenAPI 3.0 knows neither way to say so."""
    if isinstance(schema, list):
        return [_of_json_schema(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if isinstance(schema.get("$ref"), str):
        reference = {"$ref": f"#/components/schemas/{schema['$ref'].rpartition('/')[2]}"}
        others = {key: value for key, value in schema.items() if key != "$ref"}
        return {**others, "allOf": [reference]} if others else reference
    converted = {key: _of_json_schema(value) for key, value in schema.items()}
    types = converted.get("type")
    if isinstance(types, list):
        names = [name for name in types if name != "null"]
        if len(names) == 1:
            converted["type"] = names[0]
        else:
            del converted["type"]
            converted["oneOf"] = [{"type": name} for name in names]
    return converted


def _custom_name(resource: Resource) -> str:
    reverse = ".".join(reversed(resource.group.split(".")))
    return f"{reverse}.{resource.version}.{resource.kind}"


def _custom_schema(definition: Object, resource: Resource) -> dict[str, Any]:
    versions = definition["spec"]["versions"]
    own = next(each for each in versions if each["name"] == resource.version)
    schema: dict[str, Any] = (own.get("schema") or {}).get("openAPIV3Schema") or {"type": "object"}
    properties = {
        **schema.get("properties", {}),
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"allOf": [{"$ref": f"#/components/schemas/{_OBJECT_META}"}]},
    }
    return {**schema, "properties": properties, "x-kubernetes-group-version-kind": [_kind(resource)]}


def _paths(resource: Resource, name: str) -> dict[str, Any]:
    path = resource.path("{namespace}", "{name}")
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}
    operation = {
        "x-kubernetes-group-version-kind": _kind(resource),
        "responses": {"200": {"description": "OK"}},
    }
    query = [
        {"name": parameter, "in": "query", "schema": {"type": kind, "uniqueItems": True}}
        for parameter, kind in _QUERY.items()
    ]
    names = [
        {"name": each, "in": "path", "required": True, "schema": {"type": "string"}}
        for each in ("namespace", "name")
        if f"{{{each}}}" in path
    ]
    return {
        resource.path("{namespace}"): {
            "get": {**operation, "x-kubernetes-action": "list"},
            "post": {
                **operation,
                "x-kubernetes-action": "post",
                "parameters": query[:3],
                "requestBody": {"content": content, "required": True},
            },
            "parameters": names[:-1],
        },
        path: {
            "get": {
                **operation,
                "x-kubernetes-action": "get",
                "responses": {"200": {"description": "OK", "content": content}},
            },
            "patch": {
                **operation,
                "x-kubernetes-action": "patch",
                "parameters": query,
                "requestBody": {"content": {kind: {"schema": {"type": "object"}} for kind in _PATCHES}},
            },
            "parameters": names,
        },
    }


def _kind(resource: Resource) -> dict[str, str]:
    return {"group": resource.group, "version": resource.version, "kind": resource.kind}
