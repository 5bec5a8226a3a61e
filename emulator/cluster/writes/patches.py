"""Applies the patch types that look at nothing but the object: JSON patch, merge patch, strategic merge patch."""

import json
from typing import Any, Final

import jsonpatch
import orjson

from emulator.cluster.admission.structure import Structure
from emulator.cluster.status import ApiError, Cause, bad_request
from emulator.cluster.store import Object, copy_of
from emulator.cluster.writes.strategic_merge import strategic_merge

JSON_PATCH: Final = "application/json-patch+json"
MERGE_PATCH: Final = "application/merge-patch+json"
STRATEGIC_MERGE_PATCH: Final = "application/strategic-merge-patch+json"
APPLY_PATCH: Final = "application/apply-patch+yaml"

_MOST_OPERATIONS: Final = 10_000


def accepted(*, custom: bool) -> tuple[str, ...]:
    """The content types of patches to built-in or custom resources."""
    strategic = () if custom else (STRATEGIC_MERGE_PATCH,)
    return (JSON_PATCH, MERGE_PATCH, *strategic, APPLY_PATCH)


def check_content_type(content_type: str, *, custom: bool) -> str:
    """Return the content type without its parameters. Raises ApiError 415."""
    plain = content_type.partition(";")[0].strip().lower()
    known = accepted(custom=custom)
    if plain not in known:
        told = ", ".join(known)
        raise ApiError(
            415,
            "UnsupportedMediaType",
            f"the body of the request was in an unknown format - accepted media types include: {told}",
        )
    return plain


def patched(structure: Structure, present: Object, body: bytes, content_type: str) -> Object:
    """Return `present` with the patch applied. Raises ApiError 400 or 422."""
    try:
        patch: Any = orjson.loads(body)
    except orjson.JSONDecodeError as wrong:
        raise bad_request(f"error decoding patch: {wrong}") from None
    if content_type == JSON_PATCH:
        return _json_patched(present, patch)
    if not isinstance(patch, dict):
        what = {list: "array", str: "string", bool: "bool"}.get(type(patch), "number")
        into = "Go value of type map[string]interface {}"
        raise bad_request(f"error decoding patch: json: cannot unmarshal {what} into {into}")
    if content_type == MERGE_PATCH:
        return merge_patched(present, patch)
    return strategic_merge(structure, present, patch)


def merge_patched(target: Any, patch: Any) -> Any:
    """JSON Merge Patch, RFC 7386."""
    if not isinstance(patch, dict):
        return patch
    result: dict[str, Any] = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merge_patched(result.get(name), value)
    return result


def _json_patched(present: Object, patch: Any) -> Object:
    if not isinstance(patch, list):
        raise bad_request(
            "error decoding patch: json: cannot unmarshal object into Go value of type jsonpatch.Patch"
        )
    if len(patch) > _MOST_OPERATIONS:
        message = f"The allowed maximum operations in a JSON patch is {_MOST_OPERATIONS}, got {len(patch)}"
        raise ApiError(413, "RequestEntityTooLarge", message)
    try:
        parsed = jsonpatch.JsonPatch(patch)
    except (jsonpatch.InvalidJsonPatch, jsonpatch.JsonPointerException, TypeError, AttributeError) as wrong:
        raise bad_request(f"error decoding patch: {wrong}") from None
    try:
        result = parsed.apply(copy_of(present))
    except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException, TypeError, KeyError) as wrong:
        raise _rejected(str(wrong)) from None
    if not isinstance(result, dict):
        raise _rejected(f"the patched object is no object but {json.dumps(result)[:100]}")
    return result


def _rejected(why: str) -> ApiError:
    return ApiError(
        *(422, "Invalid", "the server rejected our request due to an error in our request"),
        causes=[Cause("", why, "UnexpectedServerResponse")],
    )
