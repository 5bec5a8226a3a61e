"""What a botocore model has against a request: enums, patterns, lengths, ranges, required members, types.

botocore's client checks only types and required keys before it sends; the service checks the rest.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Final

_PYTHON_TYPES: Final[dict[str, type | tuple[type, ...]]] = {
    "structure": dict,
    "list": list,
    "map": dict,
    "string": str,
    "boolean": bool,
    "integer": int,
    "long": int,
    "float": (int, float),
    "double": (int, float),
}
_NUMBERS: Final = {"integer", "long", "float", "double"}
_UNITS: Final = {"string": "characters", "list": "items", "map": "entries"}


def problems(value: Any, shape: Any, path: str = "") -> Iterator[str]:
    """Every reason why `value` is not what `shape` (a botocore shape) describes; `path` is where it stands."""
    kind = shape.type_name
    expected = _PYTHON_TYPES.get(kind)
    if expected is None:  # blobs and timestamps: parsed, hence good
        return
    if not isinstance(value, expected) or (kind in _NUMBERS and isinstance(value, bool)):
        yield f"{path or 'the body'}: expected a {kind}, got {type(value).__name__}"
        return
    if kind == "structure":
        yield from _members(value, shape, path)
    elif kind == "list":
        for index, item in enumerate(value):
            yield from problems(item, shape.member, f"{path}[{index}]")
    elif kind == "map":
        for key, item in value.items():
            yield from problems(item, shape.value, f"{path}[{key}]")
    elif kind == "string":
        yield from _text(value, shape, path)
    if kind in _NUMBERS:
        yield from _bounds(value, shape, path)
    elif kind in _UNITS:
        yield from _bounds(len(value), shape, path)


def _members(value: dict[str, Any], shape: Any, path: str) -> Iterator[str]:
    for name in shape.required_members:
        if value.get(name) is None:
            yield f"{_joined(path, name)} is required"
    for name, item in value.items():
        if item is not None and name in shape.members:
            yield from problems(item, shape.members[name], _joined(path, name))


def _text(value: str, shape: Any, path: str) -> Iterator[str]:
    values = getattr(shape, "enum", None)
    if values and value not in values:
        yield f"{path}: {value!r} is not one of {', '.join(values)}"
    pattern = shape.metadata.get("pattern")
    compiled = _compiled(pattern) if pattern else None
    if compiled is not None and compiled.fullmatch(value) is None:
        yield f"{path}: {value!r} does not match {pattern}"


def _bounds(size: float, shape: Any, path: str) -> Iterator[str]:
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if (low is None or size >= low) and (high is None or size <= high):
        return
    unit = _UNITS.get(shape.type_name)
    bounds = f"at least {low}" if high is None else f"at most {high}" if low is None else f"{low} to {high}"
    yield f"{path}: {size} {unit} given, {bounds} allowed" if unit else f"{path}: {size} is not {bounds}"


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str] | None:
    try:
        return re.compile(pattern)
    except re.error:  # a few patterns are Java's
        return None


def _joined(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
