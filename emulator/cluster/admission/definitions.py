"""Definitions of an OpenAPI document, which refer to each other: those that some of them need."""

from collections.abc import Iterable, Mapping
from typing import Any


def closure(definitions: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """The definitions named, and all that they refer to."""
    needed: dict[str, Any] = {}
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed[name] = definitions[name]
            waiting += _references(needed[name])
    return needed


def _references(schema: Any) -> list[str]:
    if isinstance(schema, list):
        return [name for item in schema for name in _references(item)]
    if not isinstance(schema, dict):
        return []
    own = schema.get("$ref")
    names = [own.rpartition("/")[2]] if isinstance(own, str) else []
    return names + [name for value in schema.values() for name in _references(value)]
