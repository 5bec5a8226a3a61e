"""What is looked up rather than searched: a pin's vector, and groups for their own sake."""

import numpy as np

from services.search.engine.contents import Contents
from services.search.engine.selection import select
from services.search.engine.tables import NONE
from services.search.engine.types import GroupPredicate, Vector


def vector_of(contents: Contents, pin_id: int, viewer: int | None) -> Vector | None:
    """The vector of a pin that the viewer may see; None if there is none."""
    generation = contents.vectors.generation  # the one whose slots are looked at below, or the one before
    row = int(contents.pins.index.rows(np.array([pin_id], np.int64))[0])
    if row < 0:
        return None
    pin = contents.pins.data[row]
    slot, group = int(pin["slot"]), int(pin["group"])
    if slot == NONE or slot >= generation.count or int(generation.pins[slot]) != row:
        return None
    if not contents.groups.visible(np.array([group], np.int32), viewer)[0]:
        return None
    return generation.vectors(np.array([slot], np.int32))[0]


def groups_of(
    contents: Contents, predicate: GroupPredicate, viewer: int | None, limit: int
) -> list[tuple[int, float]]:
    """The groups that a predicate asks for and the viewer may see, by id, with their scores, best first."""
    selection = select(predicate, viewer, contents.groups, contents.group_index, limit)
    ids = contents.groups.data["id"][selection.rows]
    return list(zip(ids.tolist(), selection.scores.tolist(), strict=True))
