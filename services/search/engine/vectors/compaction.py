"""Copying the living vectors into one new segment, and learning the approximate index from them anew.

It runs beside searches and changes: what comes after its start is carried over as it is, and who died since is
found out at the end, when all go over to the new generation at once.
"""

import contextlib
from typing import Final

import numpy as np

from services.search.engine.tables import NONE, GroupTable, Mask, PinTable
from services.search.engine.types import EngineSettings
from services.search.engine.vectors.approximate import Approximate, Slots, lists_for
from services.search.engine.vectors.generation import Generation
from services.search.engine.vectors.segment import Segment
from services.search.engine.vectors.store import ASSIGNED_AT_ONCE, VectorStore

_COPIED_AT_ONCE: Final = 10_000
_GROWTH: Final = 2
"""Times the lists there are: when so many would be right, the index is learnt anew."""
_SEED: Final = 5


def alive(generation: Generation, pins: PinTable, count: int) -> Mask:
    """Which of the first slots hold the newest vector of a pin that is there, or has not come yet."""
    rows = generation.pins[:count]
    data = pins.data
    newest = data["slot"][rows] == np.arange(count)
    return newest & ((data["group"][rows] != NONE) | (data["version"][rows] == NONE)) & (rows != NONE)


def needed(generation: Generation, pins: PinTable, count: int) -> Mask:
    """Which of the first slots must be kept: the living, and what says since when a pin has no vector."""
    kept = alive(generation, pins, count)
    data = pins.data
    first = 0
    for segment in generation.segments:
        records = segment.records[: min(segment.count, max(count - first, 0))]
        empty = np.flatnonzero(records["empty"])
        rows = generation.pins[first + empty]
        newest = data["vector_version"][rows] == records["version"][empty]
        kept[first + empty] = newest & ((data["group"][rows] != NONE) | (data["version"][rows] == NONE))
        first += segment.count
    return kept


def due(generation: Generation, pins: PinTable, settings: EngineSettings) -> bool:
    """Whether there are many dead, or too many vectors for the index there is."""
    sealed = sum(segment.count for segment in generation.segments[:-1])
    if not sealed:
        return False
    living = int(np.count_nonzero(needed(generation, pins, sealed)))
    if sealed - living > settings.dead_ratio * sealed:
        return True
    if generation.approximate is None:
        return living > settings.exact_vectors
    return bool(generation.approximate.lists) and lists_for(living) >= _GROWTH * generation.approximate.lists


def rebuild(
    store: VectorStore,
    pins: PinTable,
    groups: GroupTable,
    changing: contextlib.AbstractContextManager[object],
) -> None:
    """Go over to a new generation. `changing` keeps changes away while it is held: at the start and at the end."""
    with changing:
        old = store.generation
        sealed = len(old.segments) - 1
        end = sum(segment.count for segment in old.segments[:sealed])
        kept = np.flatnonzero(needed(old, pins, end))
        name, index = store.new_name("segment"), f"{store.new_name('index')}.faiss"
    segment = _copy(store, old, kept, name)
    approximate = None
    if len(kept) > store.settings.exact_vectors:
        approximate = _learn(store, segment, index)
    with changing:
        segments = [*([segment] if len(kept) else []), *old.segments[sealed:]]
        new = Generation(segments, approximate)
        new.reserve(new.count)
        _carry_over(old, new, kept, end, pins)
        new.show(groups.visible_mask(None))
        store.replace(new, index if approximate is not None else None)


def _copy(store: VectorStore, old: Generation, kept: Slots, name: str) -> Segment:
    """The living vectors, as one segment."""
    segment = Segment(store.directory, name, store.settings.dimension, max(len(kept), 1))
    records = np.concatenate([part.records[: part.count] for part in old.segments])
    for start in range(0, len(kept), _COPIED_AT_ONCE):
        slots = kept[start : start + _COPIED_AT_ONCE]
        chosen = records[slots]
        segment.append(chosen["pin_id"], chosen["version"], chosen["empty"], old.vectors(slots))
    segment.flush()
    for part in old.segments:
        part.release()
    return segment


def _learn(store: VectorStore, segment: Segment, index: str) -> Approximate:
    """An approximate index of a segment, written down."""
    sample = np.random.default_rng(_SEED).choice(
        segment.count, Approximate.sample_size(segment.count), replace=False, shuffle=False
    )
    vectors = segment.vectors[: segment.count]
    approximate = Approximate.trained(vectors[np.sort(sample)], segment.count, store.settings)
    if approximate.lists:
        store.write_index(approximate, index)
        starts = range(0, segment.count, ASSIGNED_AT_ONCE)
        lists = np.concatenate(
            [approximate.assign(vectors[start : start + ASSIGNED_AT_ONCE]) for start in starts]
        )
        store.write_lists(segment, index, lists)
        approximate.reserve(lists)
        approximate.add(vectors, lists)
    else:
        approximate.add(vectors, np.zeros(segment.count, np.int64))
        store.write_index(approximate, index)
    segment.release()
    return approximate


def _carry_over(old: Generation, new: Generation, kept: Slots, end: int, pins: PinTable) -> None:
    """Take over whose the slots are, and tell the pins their new ones."""
    before = np.concatenate([kept, np.arange(end, end + new.count - len(kept))])
    rows = old.pins[before]
    newest = np.flatnonzero((rows != NONE) & (pins.data["slot"][rows] == before))
    new.pins[: new.count] = rows
    new.groups[newest] = old.groups[before[newest]]
    pins.data["slot"][rows[newest]] = newest
