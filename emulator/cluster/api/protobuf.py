"""Reads objects in Kubernetes' protobuf encoding, which typed clients in Go (kubectl's among them) send.

They take JSON for an answer, so that nothing needs to be written. The numbers of the fields are those of the
`generated.proto` files of `k8s.io/api` 1.37; a field keeps its number for ever. `protobuf_fields.txt` has one
message a line, each field as `number=name:type`: `*` before a name marks a field that may be set to nothing
(of others, empty ones are left out, as Go's JSON leaves them out), `+` a message whose fields belong to the
object around it; `[]` is a list, `{}` a map by strings.
https://kubernetes.io/docs/reference/using-api/api-concepts/#protobuf-encoding
"""

import base64
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Final

import orjson

from emulator.cluster.status import ApiError, bad_request
from emulator.cluster.store import Object, micro_timestamp, timestamp

PROTOBUF: Final = "application/vnd.kubernetes.protobuf"
_MAGIC: Final = b"k8s\x00"
_VARINT, _FIXED64, _BYTES = 0, 1, 2
_LONGEST_VARINT: Final = 64
_CONTINUES: Final = 0x80
_Value = int | bytes


@dataclass(frozen=True)
class _Field:
    name: str
    type: str
    optional: bool
    inline: bool


def decode(body: bytes) -> Object:
    """The object of a body. Raises ApiError 400 for a broken one, 415 for what is not known here."""
    try:
        return _object(body)
    except (ValueError, TypeError, LookupError, OverflowError, OSError):
        raise bad_request("the body is not an object in Kubernetes' protobuf encoding") from None


def _object(body: bytes) -> Object:
    if not body.startswith(_MAGIC):
        raise ValueError
    envelope = dict(_fields(body[len(_MAGIC) :]))
    kind_of = {number: _text(value) for number, value in _fields(_bytes(envelope[1]))}
    api_version, kind = kind_of.get(1, ""), kind_of.get(2, "")
    group, _, version = api_version.rpartition("/")
    name = f"{group.partition('.')[0] or 'core'}.{version}.{kind}"
    name = kind if kind == "DeleteOptions" else name
    if name not in _messages():
        raise _unknown(f"{api_version} {kind}")
    return {"apiVersion": api_version, "kind": kind, **_message(name, _bytes(envelope.get(2, b"")))}


def _message(name: str, data: bytes) -> dict[str, Any]:
    found: dict[str, Any] = {}
    known = _messages()[name]
    for number, value in _fields(data):
        field = known.get(number)
        if field is None:
            raise _unknown(f"field {number} of {name}")
        if field.inline:
            found |= _message(field.type, _bytes(value))
        elif field.type.startswith("[]"):
            found.setdefault(field.name, []).append(_value(field.type[2:], value))
        elif field.type.startswith("{}"):
            entry = dict(_fields(_bytes(value)))
            found.setdefault(field.name, {})[_text(entry.get(1, b""))] = _entry(field.type[2:], entry.get(2))
        else:
            read = _value(field.type, value)
            if read is not None and (field.optional or read not in ("", 0, {})):
                found[field.name] = read
    return found


def _entry(kind: str, value: _Value | None) -> Any:
    """The value of a map; a list is a message of its own there."""
    if kind.startswith("[]"):
        return [_value(kind[2:], item) for _, item in _fields(_bytes(value or b""))]
    return _value(kind, b"" if value is None else value)


def _value(kind: str, value: _Value) -> Any:
    read = _SCALARS.get(kind)
    return read(value) if read else _message(kind, _bytes(value))


def _fields(data: bytes) -> Iterator[tuple[int, _Value]]:
    """Numbers and values as they come. Raises ValueError and IndexError where the encoding breaks off."""
    place = 0
    while place < len(data):
        tag, place = _varint(data, place)
        if tag & 7 == _VARINT:
            value, place = _varint(data, place)
            yield tag >> 3, value
            continue
        if tag & 7 == _BYTES:
            length, place = _varint(data, place)
        elif tag & 7 == _FIXED64:
            length = 8
        else:
            raise ValueError
        if place + length > len(data):
            raise ValueError
        yield tag >> 3, data[place : place + length]
        place += length


def _varint(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while shift < _LONGEST_VARINT:
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if not byte & _CONTINUES:
            return value, place
        shift += 7
    raise ValueError


def _bytes(value: _Value) -> bytes:
    if isinstance(value, bytes):
        return value
    raise TypeError


def _integer(value: _Value) -> int:
    if isinstance(value, bytes):
        raise TypeError
    return value - (1 << 64) if value >= 1 << 63 else value


def _text(value: _Value) -> str:
    return _bytes(value).decode()


def _time(value: _Value) -> str | None:
    parts = dict(_fields(_bytes(value)))
    return None if not parts else timestamp(_moment(parts))


def _micro_time(value: _Value) -> str | None:
    parts = dict(_fields(_bytes(value)))
    return None if not parts else micro_timestamp(_moment(parts))


def _moment(parts: Mapping[int, _Value]) -> datetime:
    moment = datetime.fromtimestamp(_integer(parts.get(1, 0)), UTC)
    return moment.replace(microsecond=_integer(parts.get(2, 0)) // 1000)


def _int_or_string(value: _Value) -> int | str:
    parts = dict(_fields(_bytes(value)))
    return _text(parts.get(3, b"")) if parts.get(1) else _integer(parts.get(2, 0))


def _wrapped_text(value: _Value) -> str:
    return _text(dict(_fields(_bytes(value))).get(1, b""))


def _wrapped_json(value: _Value) -> Any:
    raw = _wrapped_text(value)
    return orjson.loads(raw) if raw else None


_SCALARS: Final[Mapping[str, Callable[[_Value], Any]]] = {
    "string": _text,
    "int": _integer,
    "bool": lambda value: bool(_integer(value)),
    "double": lambda value: struct.unpack("<d", _bytes(value))[0],
    "bytes": lambda value: base64.b64encode(_bytes(value)).decode(),
    "Time": _time,
    "MicroTime": _micro_time,
    "Quantity": _wrapped_text,
    "IntOrString": _int_or_string,
    "RawExtension": _wrapped_json,
    "FieldsV1": _wrapped_json,
}


@cache
def _messages() -> dict[str, dict[int, _Field]]:
    messages: dict[str, dict[int, _Field]] = {}
    for line in Path(__file__).with_name("protobuf_fields.txt").read_text().splitlines():
        message, *fields = line.split(" ")
        messages[message] = {}
        for field in fields:
            number, _, rest = field.partition("=")
            name, _, kind = rest.partition(":")
            messages[message][int(number)] = _Field(name.strip("*+"), kind, name[0] == "*", name == "+")
    return messages


def _unknown(what: str) -> ApiError:
    return ApiError(
        *(415, "UnsupportedMediaType"),
        f"the emulated cluster does not know {what} in protobuf; send application/json",
    )
