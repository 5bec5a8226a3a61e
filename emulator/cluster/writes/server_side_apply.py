"""Server-side apply: what one manager wants, merged into what there is, with the conflicts told.

https://kubernetes.io/docs/reference/using-api/server-side-apply/; the steps are those of
sigs.k8s.io/structured-merge-diff `merge.Updater.Apply`.
"""

import json
from typing import Any, Final

from emulator.cluster.admission.structure import Structure
from emulator.cluster.status import ApiError, Cause
from emulator.cluster.store import Object
from emulator.cluster.writes.field_sets import (
    Comparison,
    FieldSet,
    Path,
    closure,
    fields_of,
    step_of,
    text,
)
from emulator.cluster.writes.managed_fields import APPLY, Managed, Manager, Managers, strip, without

_LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"


def applied(
    structure: Structure, live: Object, config: Object, managers: Managers, manager: Manager, *, force: bool
) -> tuple[Object, Managers]:
    """Return the object and its managers after `manager` has applied `config` to `live`.

    Raises ApiError 409 with all conflicts, unless `force`.
    """
    wanted = strip(frozenset(fields_of(structure, config)), manager.subresource)
    last = managers.get(manager)
    after = dict(managers)
    after[manager] = Managed(wanted, last.time if last else "", config["apiVersion"])
    merged: Object = _merge(structure, live, config)
    if last is not None:
        # Also what nobody manages counts here, the name for one: it is in `config` still.
        kept = closure([*fields_of(structure, config), *(p for each in after.values() for p in each.fields)])
        merged = _removed(structure, merged, (_named(closure(last.fields)) | last.fields) - kept)
    compared = Comparison(structure, live, merged)
    written = strip(compared.written, manager.subresource)
    conflicts = [
        (other, path)
        for other, managed in after.items()
        if other != manager
        for path in sorted(managed.fields & written)
    ]
    if conflicts and not force and not _was_applied_before(structure, live, manager, conflicts):
        raise _refused(conflicts)
    return merged, without(after, manager, written | compared.removed)


def _merge(structure: Structure | None, live: Any, config: Any) -> Any:
    if isinstance(live, dict) and isinstance(config, dict) and not (structure and structure.atomic):
        merged: dict[str, Any] = dict(live)
        for name, value in config.items():
            inner = structure.field(name) if structure else None
            merged[name] = _merge(inner, live[name], value) if name in live else value
        return merged
    if structure is None or structure.list_type == "atomic":
        return config
    if isinstance(live, list) and isinstance(config, list):
        return _merged_list(structure, live, config)
    return config


def _merged_list(structure: Structure, live: list[Any], config: list[Any]) -> list[Any]:
    """Items of `config` in its order; what only `live` has stays before what it stood before."""
    present = {step_of(structure, item): item for item in live}
    wanted = {step_of(structure, item): item for item in config}
    merged: list[Any] = []
    waiting = list(present)
    for step, item in wanted.items():
        while waiting and waiting[0] not in wanted:
            merged.append(present[waiting.pop(0)])
        merged.append(_merge(structure.item, present[step], item) if step in present else item)
        if step in waiting and waiting[0] == step:
            waiting.pop(0)
    return merged + [present[step] for step in waiting if step not in wanted]


def _named(paths: set[Path]) -> set[Path]:
    """Those that lead to a field; an item of a list goes only with whoever owns the item itself."""
    return {path for path in paths if path[-1].startswith("f:")}


def _removed(structure: Structure | None, value: Any, paths: set[Path]) -> Any:
    """`value` without the fields and items at `paths`."""
    by_step: dict[str, set[Path]] = {}
    for path in paths:
        by_step.setdefault(path[0], set()).add(path[1:])
    if isinstance(value, dict):
        kept: dict[str, Any] = {}
        for name, inner in value.items():
            below = by_step.get(f"f:{name}", set())
            if () not in below:
                kept[name] = _removed(structure.field(name) if structure else None, inner, below)
        return kept
    if isinstance(value, list) and structure is not None and structure.list_type in {"map", "set"}:
        steps = [(by_step.get(step_of(structure, item), set[Path]()), item) for item in value]
        return [_removed(structure.item, item, below) for below, item in steps if () not in below]
    return value


def _was_applied_before(
    structure: Structure, live: Object, manager: Manager, conflicts: list[tuple[Manager, Path]]
) -> bool:
    """Whether all conflicts are with what the same kubectl applied the old way, on the client's side."""
    annotations = live.get("metadata", {}).get("annotations") or {}
    if manager.name != "kubectl" or _LAST_APPLIED not in annotations:
        return False
    try:
        before = json.loads(annotations[_LAST_APPLIED])
    except ValueError:
        return False
    own: FieldSet = frozenset(fields_of(structure, before))
    return all(path in own for _, path in conflicts)


def _refused(conflicts: list[tuple[Manager, Path]]) -> ApiError:
    causes = [Cause(text(path), f"conflict with {who}", "FieldManagerConflict") for who, path in conflicts]
    if len(conflicts) == 1:
        ((who, path),) = conflicts
        told = f"1 conflict: conflict with {who}: {text(path)}"
    else:
        lines: list[str] = []
        for who in sorted({who for who, _ in conflicts}, key=str):
            lines += [f"conflicts with {who}:", *(f"- {text(path)}" for by, path in conflicts if by == who)]
        told = f"{len(conflicts)} conflicts: " + "\n".join(lines)
    return ApiError(409, "Conflict", f"Apply failed with {told}", causes=causes)


def manager_of(name: str, subresource: str) -> Manager:
    """Who applies."""
    return Manager(name, APPLY, "", subresource)
