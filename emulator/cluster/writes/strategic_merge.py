"""Strategic merge patches: JSON merge patches that know which lists are merged, and by which key.

The rules are those of `k8s.io/apimachinery/pkg/util/strategicpatch`;
https://github.com/kubernetes/design-proposals-archive/blob/main/cli/preserve-order-in-strategic-merge-patch.md
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from emulator.cluster.admission.refusal import go_text
from emulator.cluster.admission.structure import Structure
from emulator.cluster.status import ApiError, bad_request

_PATCH: Final = "$patch"
_RETAIN: Final = "$retainKeys"
_ORDER: Final = "$setElementOrder/"
_DELETE: Final = "$deleteFromPrimitiveList/"

_Map = dict[str, Any]


def strategic_merge(structure: Structure | None, original: _Map, patch: _Map) -> _Map:
    """Return `original` with `patch` applied. Raises ApiError 400 for directives that make no sense."""
    match patch.get(_PATCH):
        case None:
            pass
        case "replace":
            return {name: value for name, value in patch.items() if name != _PATCH}
        case "delete":
            return {}
        case directive:
            raise bad_request(f"unknown patch type found: {directive} in map")
    merged = _retained(original, patch)
    orders = {name.removeprefix(_ORDER): order for name, order in patch.items() if name.startswith(_ORDER)}
    for name, value in patch.items():
        if name == _RETAIN or name.startswith(_ORDER):
            continue
        if name.startswith(_DELETE):
            _delete_plain(merged, name.removeprefix(_DELETE), value)
        elif value is None:
            merged.pop(name, None)
        else:
            inner = structure.field(name) if structure else None
            merged[name] = _merged(inner, merged.get(name), value)
    for name, order in orders.items():
        inner = structure.field(name) if structure else None
        if isinstance(merged.get(name), list) and isinstance(order, list):
            key = inner.merge_key if inner else ""
            live = original.get(name)
            merged[name] = _ordered(merged[name], order, live if isinstance(live, list) else [], key)
    return merged


def _retained(original: _Map, patch: _Map) -> _Map:
    kept = patch.get(_RETAIN)
    if kept is None:
        return dict(original)
    names = {name for name, value in patch.items() if value is not None and not name.startswith("$")}
    if not isinstance(kept, list) or not names <= set(kept):
        raise bad_request("invalid patch format of retainKeys")
    return {name: value for name, value in original.items() if name in kept}


def _delete_plain(merged: _Map, name: str, values: Any) -> None:
    if not isinstance(values, list):
        raise bad_request("invalid patch format of primitive list")
    if isinstance(merged.get(name), list):
        merged[name] = [item for item in merged[name] if item not in values]


def _merged(structure: Structure | None, original: Any, value: Any) -> Any:
    strategies = structure.patch_strategies if structure else ()
    if isinstance(value, dict):
        if not isinstance(original, dict) or "replace" in strategies:
            original = {}
        return strategic_merge(structure, original, value)
    if isinstance(value, list):
        if "merge" not in strategies or structure is None:
            return [_without_directives(item) for item in value]
        return _merged_list(structure, original if isinstance(original, list) else [], value)
    return value


def _merged_list(structure: Structure, original: list[Any], patch: list[Any]) -> list[Any]:
    key = structure.merge_key
    if not any(isinstance(item, dict) for item in [*original, *patch]):
        united = list(dict.fromkeys([*original, *patch]))
        return _ordered(united, patch, original, "")
    if any(isinstance(item, dict) and item.get(_PATCH) == "replace" for item in patch):
        return [item for item in patch if not (isinstance(item, dict) and item.get(_PATCH) == "replace")]
    merged, given = list(original), list[Any]()
    for item in patch:
        if not isinstance(item, dict) or key not in item:
            raise ApiError(500, "", f"map: {go_text(item)} does not contain declared merge key: {key}")
        place = next((at for at, each in enumerate(merged) if _key_of(each, key) == item[key]), None)
        match item.get(_PATCH):
            case "delete":
                merged = [each for each in merged if _key_of(each, key) != item[key]]
                continue
            case None | "merge":
                item = {name: value for name, value in item.items() if name != _PATCH}  # noqa: PLW2901
            case directive:
                raise bad_request(f"unknown patch type found: {directive} in map")
        given.append(item)
        if place is None:
            merged.append(strategic_merge(structure.item, {}, item))
        else:
            merged[place] = strategic_merge(structure.item, merged[place], item)
    return _ordered(merged, given, original, key)


def _ordered(merged: list[Any], order: list[Any], live: list[Any], key: str) -> list[Any]:
    """Items that the patch names in its order; the others between them as they stood in the live list."""
    wanted = [_key_of(item, key) for item in order]
    named = [item for item in merged if _key_of(item, key) in wanted]
    named.sort(key=lambda item: wanted.index(_key_of(item, key)))
    others = [item for item in merged if _key_of(item, key) not in wanted]
    at = [_key_of(item, key) for item in live]
    others.sort(key=lambda item: _index(at, _key_of(item, key)))
    result: list[Any] = []
    while named and others:
        other, own = _index(at, _key_of(others[0], key)), _index(at, _key_of(named[0], key))
        first = others if other < own < len(at) else named
        result.append(first.pop(0))
    return [*result, *named, *others]


def _index(keys: Sequence[Any], key: Any) -> int:
    return keys.index(key) if key in keys else len(keys)


def _key_of(item: Any, key: str) -> Any:
    return item.get(key) if key and isinstance(item, Mapping) else item


def _without_directives(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            k: _without_directives(v) for k, v in value.items() if not k.startswith(("$patch", "$retain"))
        }
    return [_without_directives(item) for item in value] if isinstance(value, list) else value
