"""Between Pulumi's wire form (protobuf structs with markers for secrets and assets) and plain values.

The SDK's own conversion runs an event loop for each call; these two walks cost a tenth of it, which is most
of what makes a rehearsal about as fast as bare mocks.
"""

from collections.abc import Iterable, Mapping
from operator import itemgetter
from typing import Any

from google.protobuf import struct_pb2

# Markers of Pulumi's wire format: pulumi/pulumi sdk/go/common/resource/properties.go.
_SIGNATURE = "4dabf18193072939515e22adb298388d"
_SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105
_RESOURCE = "5cf8f73096256a8f31e491e813e4eb8e"

_NAME = itemgetter(0)


def plain(struct: struct_pb2.Struct) -> tuple[dict[str, Any], frozenset[str]]:
    """The properties and the names of those that are, or contain, a secret. Whole floats become ints.

    In the order of their names: protobuf's own order differs from process to process.
    """
    values: dict[str, Any] = {}
    secret: set[str] = set()
    for key, value in sorted(struct.fields.items(), key=_NAME):
        found: list[bool] = []
        values[key] = _plain(value, found)
        if found:
            secret.add(key)
    return values, frozenset(secret)


def _plain(value: struct_pb2.Value, secrets: list[bool]) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "string_value":
        return value.string_value
    if kind == "struct_value":
        return _plain_struct(value.struct_value, secrets)
    if kind == "list_value":
        return [_plain(each, secrets) for each in value.list_value.values]
    if kind == "number_value":
        number = value.number_value
        return int(number) if number.is_integer() else number
    return value.bool_value if kind == "bool_value" else None


def _plain_struct(struct: struct_pb2.Struct, secrets: list[bool]) -> Any:
    fields = struct.fields
    if _SIGNATURE not in fields:
        return {key: _plain(value, secrets) for key, value in sorted(fields.items(), key=_NAME)}
    signature = fields[_SIGNATURE].string_value
    if signature == _SECRET:
        secrets.append(True)
        return _plain(fields["value"], secrets)
    if signature == _RESOURCE:
        return fields["id"].string_value or fields["urn"].string_value
    # An asset or archive keeps its signature, so that it is one again on the way back; its hash is only noise.
    return {key: _plain(value, secrets) for key, value in sorted(fields.items(), key=_NAME) if key != "hash"}


def struct(values: Mapping[str, Any], secret: Iterable[str] = ()) -> struct_pb2.Struct:
    """The wire form of plain `values`, with the properties named in `secret` marked as secret."""
    hidden = set(secret)
    result = struct_pb2.Struct()
    result.update(
        {
            key: {_SIGNATURE: _SECRET, "value": value} if key in hidden else value
            for key, value in values.items()
            if value is not None
        }
    )
    return result
