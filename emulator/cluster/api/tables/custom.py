"""The columns that a CustomResourceDefinition declares: `additionalPrinterColumns`.

https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#additional-printer-columns
"""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any, Final

from jsonpath_ng.exceptions import JSONPathError
from jsonpath_ng.ext.parser import parse

from emulator.cluster.api.tables.columns import AGE, NAME, Column, Columns, human_duration
from emulator.cluster.resources import Resource
from emulator.cluster.store import Object

_PART: Final = re.compile(
    r"""\.((?:\\.|[^.\[\\])+)       # .name, in which \. is a dot
      | \[(['"])(.*?)\2\]           # ['name']
      | (\[[^\]]*\])                # [0], [*], [?(@.type=="Ready")]
    """,
    re.VERBOSE,
)
_MISSING: Final = object()


def custom_columns(resource: Resource, definition: Mapping[str, Any]) -> Columns:
    """The columns of a custom resource, as the version that is asked for declares them."""
    versions: list[dict[str, Any]] = definition["spec"]["versions"]
    declared = next(
        (each.get("additionalPrinterColumns") for each in versions if each["name"] == resource.version), None
    )
    if not declared:
        return (NAME, AGE)
    return (NAME, *(_column(each) for each in declared))


def _column(declared: Mapping[str, Any]) -> Column:
    path, type_ = declared["jsonPath"], declared["type"]

    def cell(obj: Object, now: datetime) -> object:
        value = find(path, obj)
        return None if value is _MISSING else _shown(type_, value, now)

    return Column(
        declared["name"],
        cell,
        type_,
        declared.get("format") or "",
        wide=declared.get("priority", 0) > 0,
        description=declared.get("description") or "",
    )


def find(path: str, obj: Object) -> Any:
    """The first value that a path of kubectl's JSONPath leads to; `_MISSING` if there is none."""
    try:
        found = _parsed(path).find(obj)
    except (JSONPathError, TypeError):  # a path that cannot be read, or that compares what has no order
        return _MISSING
    return found[0].value if found else _MISSING


@cache
def _parsed(path: str) -> Any:
    """The path in the library's dialect: names in quotes, with a dollar before."""
    parts = ["$"]
    for name, _, quoted, bracket in _PART.findall(path):
        if bracket:
            parts.append(bracket)
        else:
            escaped = re.sub(r"\\(.)", r"\1", name or quoted).replace("'", r"\'")
            parts.append(f".'{escaped}'" if escaped != "*" else ".*")
    return parse("".join(parts))


def _shown(type_: str, value: object, now: datetime) -> object:
    match type_:
        case "integer":
            return int(value) if isinstance(value, int | float) else None
        case "number":
            return float(value) if isinstance(value, int | float) else None
        case "boolean":
            return value if isinstance(value, bool) else None
        case "date":
            return _age(value, now)
        case _:
            return _text(value)


def _age(value: object, now: datetime) -> str | None:
    if not isinstance(value, str):
        return None
    try:
        return human_duration(now - datetime.fromisoformat(value))
    except (ValueError, TypeError):
        return "<invalid>"


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value, separators=(",", ":")) if isinstance(value, dict | list) else str(value)
