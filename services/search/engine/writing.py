"""How changes are taken over: the newest of each pin, group and vector, whatever came before or comes again."""

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np

from services.search.engine.changes import vector_of
from services.search.engine.contents import Contents
from services.search.engine.ids import Rows
from services.search.engine.tables import NONE
from services.search.engine.types import Change, GroupChanged, PinChanged, Vector, VectorChanged

_Changed = TypeVar("_Changed", PinChanged, GroupChanged, VectorChanged)


def write(contents: Contents, changes: Sequence[Change], dimension: int) -> None:
    """Take over changes that were checked. Groups come first, so that pins find theirs."""
    _write_groups(
        contents, _newest([change for change in changes if isinstance(change, GroupChanged)], _group_id)
    )
    _write_pins(contents, _newest([change for change in changes if isinstance(change, PinChanged)], _pin_id))
    vectors = _newest([change for change in changes if isinstance(change, VectorChanged)], _pin_id)
    _write_vectors(contents, vectors, dimension)


def _write_groups(contents: Contents, changes: list[GroupChanged]) -> None:
    groups = contents.groups
    rows = groups.add([change.group_id for change in changes])
    shown = False
    for change, row in zip(changes, rows.tolist(), strict=True):
        version = int(groups.data["version"][row])
        if change.version > version:
            before = groups.public(row)
            contents.group_index.put_group(change, known=version != NONE)
            groups.put(row, change)
            shown |= before != groups.public(row)
    if shown:
        contents.vectors.generation.show(groups.visible_mask(None))


def _write_pins(contents: Contents, changes: list[PinChanged]) -> None:
    pins, groups = contents.pins, contents.groups
    rows = pins.add([change.pin_id for change in changes])
    changes, rows, before = _newer(changes, rows, pins.data["version"][rows])
    for change, version in zip(changes, before.tolist(), strict=True):
        contents.pin_index.put_pin(change, known=version != NONE)
    group_rows = groups.add([change.group_id for change in changes])
    group_rows[[change.deleted for change in changes]] = NONE
    pins.data["version"][rows] = [change.version for change in changes]
    pins.data["group"][rows] = group_rows
    slots = pins.data["slot"][rows]
    there = slots != NONE
    contents.vectors.generation.place(
        slots[there], group_rows[there], groups.visible(group_rows[there], None)
    )


def _write_vectors(contents: Contents, changes: list[VectorChanged], dimension: int) -> None:
    pins, store = contents.pins, contents.vectors
    rows = pins.add([change.pin_id for change in changes])
    changes, rows, _ = _newer(changes, rows, pins.data["vector_version"][rows])
    if not changes:
        return
    vectors = [vector_of(change, dimension) for change in changes]
    empty = np.array([vector is None for vector in vectors])
    versions = np.array([change.version for change in changes], np.int64)
    slots = store.append(pins.data["id"][rows], versions, empty, _stack(vectors, dimension))
    generation = store.generation
    generation.pins[slots] = rows
    old = pins.data["slot"][rows]
    old = old[old != NONE]
    generation.place(old, np.full(len(old), NONE, np.int32), np.zeros(len(old), np.bool_))
    pins.data["vector_version"][rows] = versions
    pins.data["slot"][rows] = np.where(empty, NONE, slots)
    group_rows = pins.data["group"][rows[~empty]]
    generation.place(slots[~empty], group_rows, contents.groups.visible(group_rows, None))
    store.publish()


def _newest(changes: list[_Changed], key: Callable[[_Changed], int]) -> list[_Changed]:
    """Of each key the highest version and, of equal ones, the first."""
    newest: dict[int, _Changed] = {}
    for change in changes:
        known = newest.get(key(change))
        if known is None or change.version > known.version:
            newest[key(change)] = change
    return list(newest.values())


def _newer(changes: list[_Changed], rows: Rows, versions: Rows) -> tuple[list[_Changed], Rows, Rows]:
    """Those changes that are newer than what is there, with their rows and the versions that are there."""
    new = np.array([change.version for change in changes], np.int64) > versions
    return (
        [change for change, is_new in zip(changes, new.tolist(), strict=True) if is_new],
        rows[new],
        versions[new],
    )


def _stack(vectors: list[Vector | None], dimension: int) -> Vector:
    matrix = np.zeros((len(vectors), dimension), np.float32)
    for place, vector in enumerate(vectors):
        if vector is not None:
            matrix[place] = vector
    return matrix


def _group_id(change: GroupChanged) -> int:
    return change.group_id


def _pin_id(change: PinChanged | VectorChanged) -> int:
    return change.pin_id
