"""Glue's column types (Hive's) as Iceberg types, the way Glue converts them when it creates an Iceberg table."""

import itertools
import re
from collections.abc import Callable
from typing import Final

from pyiceberg.types import (
    BinaryType,
    BooleanType,
    DateType,
    DecimalType,
    DoubleType,
    FloatType,
    IcebergType,
    IntegerType,
    ListType,
    LongType,
    MapType,
    NestedField,
    StringType,
    StructType,
    TimestampType,
)

_PRIMITIVES: Final[dict[str, Callable[[], IcebergType]]] = {
    "boolean": BooleanType,
    "tinyint": IntegerType,
    "smallint": IntegerType,
    "int": IntegerType,
    "integer": IntegerType,
    "bigint": LongType,
    "long": LongType,
    "float": FloatType,
    "double": DoubleType,
    "string": StringType,
    "binary": BinaryType,
    "date": DateType,
    "timestamp": TimestampType,
}
_DECIMAL: Final = re.compile(r"decimal\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\)")
_TEXT: Final = re.compile(r"(?:varchar|char)\(\s*\d+\s*\)")


def iceberg_type(text: str, next_id: Callable[[], int]) -> IcebergType:
    """The Iceberg type of a Hive type such as `array<struct<id:bigint>>`.

    `next_id` numbers nested fields. Raises ValueError with the part that is not a type.
    """
    text = text.strip()
    lower = text.lower()
    if lower in _PRIMITIVES:
        return _PRIMITIVES[lower]()
    if _TEXT.fullmatch(lower):
        return StringType()
    decimal = _DECIMAL.fullmatch(lower)
    if decimal:
        return DecimalType(int(decimal[1]), int(decimal[2] or 0))
    for outer in ("array", "map", "struct"):
        if lower.startswith(f"{outer}<") and lower.endswith(">"):
            parts = _split(text[len(outer) + 1 : -1])
            return _nested(outer, parts, text, next_id)
    raise ValueError(f"{text!r} is not a column type that Iceberg has")


def _nested(outer: str, parts: list[str], text: str, next_id: Callable[[], int]) -> IcebergType:
    if outer == "array" and len(parts) == 1:
        return ListType(next_id(), iceberg_type(parts[0], next_id), element_required=False)
    if outer == "map" and len(parts) == 2:  # noqa: PLR2004 - key and value
        key_id, value_id = next_id(), next_id()
        key, value = (iceberg_type(part, next_id) for part in parts)
        return MapType(key_id, key, value_id, value, value_required=False)
    if outer == "struct":
        fields: list[NestedField] = []
        for part in parts:
            name, separator, kind = part.partition(":")
            if not separator:
                raise ValueError(f"{part!r} in {text!r} is not name:type")
            fields.append(NestedField(next_id(), name.strip(), iceberg_type(kind, next_id), required=False))
        return StructType(*fields)
    raise ValueError(f"{text!r} has {len(parts)} parts, which {outer} cannot have")


def columns_to_fields(columns: list[dict[str, str]]) -> list[NestedField]:
    """Glue's columns as optional Iceberg fields; the columns themselves are numbered first, from 1."""
    counter = itertools.count(len(columns) + 1)
    return [
        NestedField(
            number,
            column["Name"],
            iceberg_type(column.get("Type", "string"), lambda: next(counter)),
            required=False,
            doc=column.get("Comment"),
        )
        for number, column in enumerate(columns, 1)
    ]


def _split(text: str) -> list[str]:
    """Split at the commas that are inside no angle or round brackets."""
    parts, depth, start = [], 0, 0
    for index, character in enumerate(text):
        depth += (character in "<(") - (character in ">)")
        if character == "," and depth == 0:
            parts.append(text[start:index])
            start = index + 1
    return [*parts, text[start:]]
