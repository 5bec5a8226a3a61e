"""What a client sends and what it takes: media types, their parameters, and the forms of an answer.

https://kubernetes.io/docs/reference/using-api/api-concepts/#alternate-representations-of-resources
"""

from dataclasses import dataclass
from email.message import Message
from functools import lru_cache
from typing import Any, Final, Literal

import orjson

from emulator.cluster.api import protobuf
from emulator.cluster.status import ApiError, bad_request
from emulator.cluster.store import Object
from emulator.cluster.yaml_documents import YamlDocumentError, read_yaml

JSON: Final = "application/json"
YAML_TYPE: Final = "application/yaml"
BODY_LIMIT: Final = 3 * 1024 * 1024
"""Bytes of a request's body."""

_ACCEPTED: Final = {"", JSON, YAML_TYPE, protobuf.PROTOBUF, "application/octet-stream"}
"""The last is what aiohttp calls a body whose type is not said."""

Form = Literal["object", "Table", "PartialObjectMetadata"]
_FORMS: Final[dict[str, Form]] = {
    "Table": "Table",
    "PartialObjectMetadata": "PartialObjectMetadata",
    "PartialObjectMetadataList": "PartialObjectMetadata",
}


@dataclass(frozen=True)
class MediaRange:
    """One entry of an Accept header."""

    type: str
    parameters: tuple[tuple[str, str], ...]
    quality: float

    @property
    def json(self) -> bool:
        """Whether JSON is in the range."""
        return self.type in {JSON, "application/*", "*/*"}

    def parameter(self, name: str) -> str:
        """Its value, or nothing."""
        return dict(self.parameters).get(name, "")


@lru_cache(maxsize=256)
def media_ranges(accept: str) -> tuple[MediaRange, ...]:
    """The entries of an Accept header, the preferred ones first."""
    ranges: list[MediaRange] = []
    for entry in (accept or "*/*").split(","):
        if entry.strip():
            header = Message()
            header["Content-Type"] = entry.strip()
            (media_type, _), *parameters = header.get_params(failobj=[("", "")])
            given = {name.lower(): value for name, value in parameters}
            try:
                quality = float(given.pop("q", "1"))
            except ValueError:
                quality = 0.0
            ranges.append(MediaRange(media_type.lower(), tuple(given.items()), quality))
    return tuple(sorted(ranges, key=lambda each: -each.quality))


def form_of(accept: str) -> Form:
    """In which form a client wants objects. Raises ApiError 406 when it takes no JSON."""
    for each in media_ranges(accept):
        if each.json and each.quality > 0:
            wanted = each.parameter("as")
            if not wanted:
                return "object"
            if wanted in _FORMS and (each.parameter("g"), each.parameter("v")) == ("meta.k8s.io", "v1"):
                return _FORMS[wanted]
    raise ApiError(406, "NotAcceptable", f"only the following media types are accepted: {JSON}")


def decoded(body: bytes, content_type: str) -> Object:
    """The object of a request's body. Raises ApiError 415 for its type, 400 for its contents."""
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type not in _ACCEPTED:
        raise unsupported_media_type(JSON, YAML_TYPE, protobuf.PROTOBUF)
    if media_type == protobuf.PROTOBUF:
        return protobuf.decode(body)
    language = "yaml" if "yaml" in media_type else "json"
    try:
        found: Any = read_yaml(body) if language == "yaml" else orjson.loads(body)
    except (orjson.JSONDecodeError, YamlDocumentError) as error:
        raise bad_request(f"couldn't get version/kind; {language} parse error: {error}") from None
    if not isinstance(found, dict):
        kind = "null" if found is None else type(found).__name__
        raise bad_request(
            f"couldn't get version/kind; {language} parse error: the body is {kind}, not an object"
        )
    return found


def part(obj: Object, name: str) -> dict[str, Any]:
    """An object's field that is an object too; empty when it is absent. Raises ApiError 400."""
    found = obj.get(name) or {}
    if not isinstance(found, dict):
        raise bad_request(f"{name}: Invalid value: {orjson.dumps(found).decode()}: must be an object")
    return found


def unsupported_media_type(*accepted: str) -> ApiError:
    """415: with the types that are accepted."""
    return ApiError(
        *(415, "UnsupportedMediaType"),
        "the body of the request was in an unknown format - accepted media types include: "
        + ", ".join(accepted),
    )


def too_large() -> ApiError:
    """413: a body over the limit."""
    return ApiError(413, "RequestEntityTooLarge", f"Request entity too large: limit is {BODY_LIMIT}")


def partial_metadata(obj: Object) -> Object:
    """An object's PartialObjectMetadata."""
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": obj["metadata"],
    }
