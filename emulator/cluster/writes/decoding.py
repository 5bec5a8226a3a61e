"""Reads the JSON of a request as the API server does: types, unknown fields, nulls, quantities.

The API server decodes built-in kinds into Go structs: a value of another type is a 400 with the words of Go's
`encoding/json`, null is the same as nothing, and a field that the struct lacks is dropped. Custom resources
are pruned likewise, but keep values of a wrong type for validation to refuse (422).
"""

import base64
import binascii
import math
import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from emulator.cluster.admission.refusal import quoted
from emulator.cluster.admission.structure import Structure
from emulator.cluster.quantities import PATTERN, canonical_quantity
from emulator.problem import join

_QUANTITY: Final = "io.k8s.apimachinery.pkg.api.resource.Quantity"
_INTEGERS: Final = {"int32": 2**31, "int64": 2**63}
_OWN_FIELDS: Final = {"apiVersion", "kind", "metadata"}
_DATE: Final = "2006-01-02T15:04:05Z07:00"


class DecodingError(Exception):
    """A value that does not fit its field; the message is Go's."""


@dataclass
class Decoded:
    """An object as it was understood."""

    object: dict[str, Any]
    unknown: list[str] = field(default_factory=list)
    """Paths of the fields that were dropped."""


def decode(structure: Structure, obj: dict[str, Any]) -> Decoded:
    """Read `obj`. Raises DecodingError."""
    decoder = _Decoder()
    found = decoder.value(structure, obj, _Place("", "", structure.go_type.rpartition(".")[2]))
    return Decoded(found, decoder.unknown)


@dataclass(frozen=True)
class _Place:
    path: str
    """With indices, as strict decoding names it."""
    go_path: str
    """Names of struct fields only, as encoding/json names it."""
    struct: str
    """The innermost Go struct."""

    def of_field(self, name: str, struct: str) -> "_Place":
        return _Place(join(self.path, name), join(self.go_path, name), struct)


class _Decoder:
    def __init__(self) -> None:
        self.unknown: list[str] = []

    def value(self, structure: Structure, value: Any, place: _Place) -> Any:
        if isinstance(value, dict) and (not structure.types or "object" in structure.types):
            return self._object(structure, value, place)
        if isinstance(value, list) and (not structure.types or "array" in structure.types):
            return self._list(structure, value, place)
        return value if structure.custom else _scalar(structure, value, place)

    def _object(self, structure: Structure, value: dict[str, Any], place: _Place) -> dict[str, Any]:
        found: dict[str, Any] = {}
        embedded = bool(structure.schema.get("x-kubernetes-embedded-resource"))
        for name, inner in value.items():
            known = structure.field(name)
            if known is None:
                if structure.open or (embedded and name in _OWN_FIELDS):
                    found[name] = inner
                else:
                    self.unknown.append(join(place.path, name))
            elif inner is None:
                if known.nullable or (known.custom and "default" not in known.schema):
                    found[name] = None
            elif inner == "" and not known.custom and "enum" in known.schema:
                continue
            else:
                named = name in structure.properties
                struct = _struct_of(structure) or place.struct
                there = place.of_field(name, struct) if named else _key(place, name)
                read = self.value(known, inner, there)
                if read not in ({}, []) or not named or not _left_out_when_empty(structure, name, known):
                    found[name] = read
        return found

    def _list(self, structure: Structure, value: list[Any], place: _Place) -> list[Any]:
        inner = structure.item
        if inner is None:
            return value
        return [
            self.value(
                inner,
                {} if item is None and _is_struct(inner) else item,
                _Place(f"{place.path}[{index}]", place.go_path, place.struct),
            )
            for index, item in enumerate(value)
        ]


def _is_struct(structure: Structure) -> bool:
    """Whether null in a list of these is an empty one, as in Go."""
    return not structure.custom and "object" in structure.types


def _left_out_when_empty(structure: Structure, name: str, field: Structure) -> bool:
    """Whether Go writes nothing for an empty list or map here (`omitempty`); a struct stays."""
    if field.custom or name in structure.schema.get("required", ()) or name == "managedFields":
        return False
    return "array" in field.types or field.of_keys is not None


def _key(place: _Place, name: str) -> _Place:
    return _Place(join(place.path, name), place.go_path, place.struct)


def _struct_of(structure: Structure) -> str:
    return structure.definition.rpartition(".")[2]


def _scalar(structure: Structure, value: Any, place: _Place) -> Any:
    if structure.definition == _QUANTITY:
        return _quantity(value)
    match value:
        case bool() if "boolean" in structure.types or not structure.types:
            return value
        case str() if "string" in structure.types or not structure.types:
            return _text(structure, value)
        case int() | float() if not isinstance(value, bool):
            return _number(structure, value, place)
        case None:
            return None
        case _:
            raise _mismatch(structure, value, place)


def _number(structure: Structure, value: float, place: _Place) -> float:
    if not structure.types or ("number" in structure.types):
        return value
    if "integer" not in structure.types:
        raise _mismatch(structure, value, place)
    limit = _INTEGERS.get(str(structure.schema.get("format")), 2**63)
    if not math.isfinite(value) or value != int(value) or not -limit <= value < limit:
        raise DecodingError(_cannot(f"number {value}", structure, place))
    return int(value)


def _text(structure: Structure, value: str) -> str:
    match structure.schema.get("format"):
        case "byte":
            try:
                base64.b64decode(value.replace("\n", "").replace("\r", ""), validate=True)
            except binascii.Error:
                raise DecodingError(f"illegal base64 data at input byte {_illegal(value)}") from None
        case "date-time":
            try:
                datetime.fromisoformat(value)
            except ValueError:
                text = f"parsing time {quoted(value)} as {quoted(_DATE)}: cannot parse {quoted(value)}"
                raise DecodingError(f'{text} as "2006"') from None
        case _:
            pass
    return value


def _illegal(value: str) -> int:
    """Where base64 stops being so, as Go counts: the first byte that does not belong, or the last group's."""
    found = re.match(r"[A-Za-z0-9+/\r\n]*={0,2}", value)
    end = found.end() if found else 0
    return end if end < len(value) else len(value) // 4 * 4


def _quantity(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise DecodingError("quantities must match the regular expression '" + _QUANTITY_FORM + "'")
    if isinstance(value, str) and not re.fullmatch(PATTERN, value):
        if re.fullmatch(_QUANTITY_FORM, value):
            raise DecodingError("unable to parse quantity's suffix")
        raise DecodingError("quantities must match the regular expression '" + _QUANTITY_FORM + "'")
    try:
        return canonical_quantity(value)
    except ValueError:  # too large for any quantity
        raise DecodingError("unable to parse quantity's suffix") from None


_QUANTITY_FORM: Final = "^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$"


def _mismatch(structure: Structure, value: Any, place: _Place) -> DecodingError:
    names: dict[type, str] = {str: "string", bool: "bool", int: "number", float: "number"}
    names |= {dict: "object", list: "array"}
    return DecodingError(_cannot(names[type(value)], structure, place))


def _cannot(what: str, structure: Structure, place: _Place) -> str:
    into = f"Go struct field {place.struct}.{place.go_path}" if place.go_path else "Go value"
    return f"json: cannot unmarshal {what} into {into} of type {structure.go_type}"
