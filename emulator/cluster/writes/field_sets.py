"""Sets of the fields of an object, as managedFields (`fieldsV1`) writes them.

A path is a tuple of the steps of fieldsV1: `f:spec`, `k:{"name":"search"}` of a list item by its keys, `v:"x"` of
a set's value. The rules are those of sigs.k8s.io/structured-merge-diff (`typed`, `fieldpath`).
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final

from emulator.cluster.admission.structure import Structure, key_of_item

Path = tuple[str, ...]
FieldSet = frozenset[Path]

EMPTY: Final[FieldSet] = frozenset()
_MEMBER: Final = "."
_MISSING: Final = object()


def fields_of(structure: Structure | None, value: Any, path: Path = ()) -> Iterator[Path]:
    """The fields that whoever applies `value` owns: its leaves, and the items and keys it adds."""
    children = _children(structure, value)
    if children is None:
        yield path
        return
    for step, (inner, child) in children.items():
        here = (*path, step)
        named = structure is not None and step.startswith("f:") and step[2:] in structure.properties
        if child is None or child == {} or not named:
            yield here
        yield from fields_of(inner, child, here)


class Comparison:
    """What differs between two states of an object."""

    def __init__(self, structure: Structure | None, before: Any, after: Any) -> None:
        self._added: set[Path] = set()
        self._modified: set[Path] = set()
        self._removed: set[Path] = set()
        self._compare(structure, before, after, ())
        self.written: FieldSet = frozenset(self._added | self._modified)
        """Added or changed."""
        self.removed: FieldSet = frozenset(self._removed)

    def _compare(self, structure: Structure | None, before: Any, after: Any, path: Path) -> None:
        if before is _MISSING:
            self._added |= _all(structure, after, path)
            return
        if after is _MISSING:
            self._removed |= _all(structure, before, path)
            return
        old, new = _children(structure, before), _children(structure, after)
        if old is None or new is None or (not old and not new):
            if before != after:
                self._modified.add(path)
            return
        for step in old | new:
            inner, was = old.get(step, (None, _MISSING))
            inner, now = new.get(step, (inner, _MISSING))
            self._compare(inner, was, now, (*path, step))


def _all(structure: Structure | None, value: Any, path: Path) -> set[Path]:
    """A value that came or went: its leaves, and itself where it is more than a struct in Go."""
    own = {path} if structure is None or not structure.properties or path[-1][:2] != "f:" else set[Path]()
    return own | set(fields_of(structure, value, path))


def _children(structure: Structure | None, value: Any) -> dict[str, tuple[Structure | None, Any]] | None:
    """The parts that are owned one by one, by their steps; None for a leaf."""
    if isinstance(value, dict):
        if structure is not None and structure.atomic:
            return None
        return {f"f:{name}": (structure.field(name) if structure else None, v) for name, v in value.items()}
    if isinstance(value, list) and structure is not None and structure.list_type in {"map", "set"}:
        return {step_of(structure, item): (structure.item, item) for item in value}
    return None


def step_of(structure: Structure, item: Any) -> str:
    """The step to an item of a list of type `map` or `set`."""
    if structure.list_type == "map" and isinstance(item, dict):
        return "k:" + _json(dict(sorted(key_of_item(structure, item).items())))
    return "v:" + _json(item)


def closure(paths: Iterable[Path]) -> set[Path]:
    """The paths and all that lead to them."""
    return {path[:length] for path in paths for length in range(1, len(path) + 1)}


def encode(paths: Iterable[Path]) -> dict[str, Any]:
    """As fieldsV1."""
    root: dict[str, Any] = {}
    members = sorted(paths)
    for path in members:
        node = root
        for step in path:
            node = node.setdefault(step, {})
    for path in members:
        node = root
        for step in path:
            node = node[step]
        if node:
            node[_MEMBER] = {}
    return _sorted(root)


def decode(fields: Any, path: Path = ()) -> FieldSet:
    """From fieldsV1."""
    found: set[Path] = set()
    if isinstance(fields, dict):
        for step, inner in fields.items():
            if step == _MEMBER:
                found.add(path)
            elif inner:
                found |= decode(inner, (*path, step))
            else:
                found.add((*path, step))
    return frozenset(found)


def text(path: Path) -> str:
    """As in messages: `.spec.template.spec.containers[name="search"].image`."""
    return "".join(_step_text(step) for step in path)


def _step_text(step: str) -> str:
    kind, _, content = step.partition(":")
    if kind == "f":
        return f".{content}"
    if kind == "k":
        keys: dict[str, Any] = json.loads(content)
        return f"[{','.join(f'{key}={_json(value)}' for key, value in keys.items())}]"
    return f"[={content}]" if kind == "v" else f"[{content}]"


def _sorted(node: dict[str, Any]) -> dict[str, Any]:
    return {step: _sorted(node[step]) for step in sorted(node)}


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
