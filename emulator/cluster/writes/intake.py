"""Takes in the object of a request: that it is of this kind, at this place, and can be read."""

from dataclasses import dataclass

import orjson

from emulator.cluster.admission import refusal
from emulator.cluster.admission.refusal import go_text, quoted
from emulator.cluster.admission.structure import Structure
from emulator.cluster.resources import Resource
from emulator.cluster.status import ApiError, bad_request
from emulator.cluster.store import Object, copy_of
from emulator.cluster.writes.decoding import Decoded, DecodingError, decode
from emulator.cluster.writes.options import IGNORE, STRICT, WriteOptions
from emulator.cluster.writes.patches import STRATEGIC_MERGE_PATCH


@dataclass(frozen=True)
class Request:
    """A write request, without its object."""

    resource: Resource
    structure: Structure
    options: WriteOptions
    subresource: str = ""

    @property
    def cannot(self) -> str:
        """How a refusal of its object begins."""
        kind, version = self.resource.kind, self.resource.version
        return f'{kind} in version "{version}" cannot be handled as a {kind}: '


def read(request: Request, obj: object) -> Object:
    """Read the object of a create or update. Raises ApiError 400."""
    if not isinstance(obj, dict):
        raise bad_request(f"the body of the request is no {request.resource.kind} but {type(obj).__name__}")
    identified = _identified(request.resource, obj)
    try:
        decoded = decode(request.structure, identified)
    except DecodingError as wrong:
        raise bad_request(f"{request.cannot}{wrong}") from None
    strict = _strict_error(decoded, request.options)
    if strict:
        raise bad_request(f"{request.cannot}{strict}")
    return _with_metadata(decoded.object, request.cannot)


def read_patched(request: Request, obj: Object, patch: bytes, content_type: str) -> Object:
    """Read what a patch makes of an object. Raises ApiError 400, or 422 that shows the patch."""
    identified = _identified(request.resource, obj)
    try:
        decoded = decode(request.structure, identified)
        error = _strict_error(decoded, request.options)
    except DecodingError as wrong:
        decoded, error = Decoded({}), str(wrong)
    if error:
        shown = content_type == STRATEGIC_MERGE_PATCH
        value = go_text(orjson.loads(patch)) if shown else orjson.dumps(identified).decode()
        cause = refusal.invalid("patch", value, error)
        raise ApiError(422, "Invalid", f' "" is invalid: patch: {cause.message}', causes=[cause])
    return _with_metadata(decoded.object, "")


def read_applied(request: Request, namespace: str, obj: object) -> Object:
    """Read the configuration of a server-side apply. Raises ApiError."""
    if not isinstance(obj, dict):
        raise bad_request("error decoding YAML: the body is no object")
    for field, label in (("apiVersion", "apiVersion"), ("kind", "Kind")):
        if not obj.get(field):
            raise bad_request(f"Object '{label}' is missing in {quoted(str(obj)[:200])}")
    metadata = obj.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    if metadata.get("managedFields"):
        raise bad_request("metadata.managedFields must be nil")
    resource, identified = request.resource, _identified(request.resource, obj)
    place = f"{namespace}/{metadata.get('name', '')}"
    failed = f"failed to create typed patch object ({place}; {resource.api_version}, Kind={resource.kind}): "
    try:
        decoded = decode(request.structure, identified)
    except DecodingError as wrong:
        raise bad_request(f"{failed}{wrong}") from None
    if decoded.unknown:
        told = [f".{path}: field not declared in schema" for path in decoded.unknown]
        text = told[0] if len(told) == 1 else "errors:\n" + "\n".join(f"  {each}" for each in told)
        raise ApiError(500, "", f"{failed}{text}")
    return _with_metadata(decoded.object, failed)


def read_fields(structure: Structure, obj: Object) -> Object:
    """Read what is no resource, such as DeleteOptions; other fields are left out. Raises ApiError 400."""
    try:
        return decode(structure, obj).object
    except DecodingError as wrong:
        version, kind = structure.go_type.split(".")
        raise bad_request(f'{kind} in version "{version}" cannot be handled as a {kind}: {wrong}') from None


def agree_on_place(resource: Resource, namespace: str, name: str, obj: Object) -> None:
    """Check that URL and object name the same. Raises ApiError 400."""
    metadata = obj["metadata"]
    if not metadata.get("name"):
        raise bad_request("name must be provided")
    if metadata["name"] != name:
        raise bad_request(
            f"the name of the object ({metadata['name']}) does not match the name on the URL ({name})"
        )
    agree_on_namespace(resource, namespace, obj)


def agree_on_namespace(resource: Resource, namespace: str, obj: Object) -> None:
    """Check that URL and object name the same namespace, and put it in. Raises ApiError 400."""
    metadata = obj["metadata"]
    if not resource.namespaced:
        if metadata.get("namespace"):
            raise bad_request("namespace is not allowed on this type")
        metadata.pop("namespace", None)
        return
    if metadata.get("namespace", namespace) != namespace:
        raise bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    metadata["namespace"] = namespace


def _identified(resource: Resource, obj: Object) -> Object:
    version, kind = obj.get("apiVersion") or resource.api_version, obj.get("kind") or resource.kind
    if version != resource.api_version:
        raise bad_request(
            f"the API version in the data ({version}) does not match the expected API version "
            f"({resource.api_version})"
        )
    if kind != resource.kind:
        raise bad_request(
            f'{kind} in version "{resource.version}" cannot be handled as a {resource.kind}: '
            f"the kind in the data ({kind}) does not match the expected kind ({resource.kind})"
        )
    return {**copy_of(obj), "apiVersion": version, "kind": kind}


def _strict_error(decoded: Decoded, options: WriteOptions) -> str:
    told = [f'unknown field "{path}"' for path in decoded.unknown]
    if told and options.field_validation == STRICT:
        return f"strict decoding error: {', '.join(told)}"
    if options.field_validation != IGNORE:
        options.warnings += told
    return ""


def _with_metadata(obj: Object, cannot: str) -> Object:
    metadata = obj.setdefault("metadata", {})
    if not isinstance(metadata, dict):
        raise bad_request(f"{cannot}metadata is no object")
    return obj
