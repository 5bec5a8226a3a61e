"""What an index is made of, and how it is put together when its directory is opened."""

from pathlib import Path
from typing import Final

import numpy as np

from services.search.engine.tables import DELETED, NONE, PUBLIC, SECRET, GroupTable, PinTable
from services.search.engine.text import GroupIndex, PinIndex
from services.search.engine.types import EngineSettings
from services.search.engine.vectors.store import VectorStore


class Contents:
    """The two indexes, the vectors, and the tables, which are filled from them: a second for a million pins."""

    def __init__(self, directory: Path, settings: EngineSettings) -> None:
        self.group_index: Final = GroupIndex(directory / "groups", settings.writer_heap_bytes // 4)
        self.pin_index: Final = PinIndex(directory / "pins", settings.writer_heap_bytes)
        self.vectors: Final = VectorStore(directory / "vectors", settings)
        self.groups: Final = GroupTable()
        self.pins: Final = PinTable()
        self._fill_groups()
        self._fill_pins()
        self._fill_vectors()

    def _fill_groups(self) -> None:
        ids, versions, owners, countries, kinds, secret, deleted = self.group_index.columns(
            "group_id", "version", "owner_id", "country", "kind", "secret", "deleted"
        )
        rows = self.groups.fill(ids)
        data = self.groups.data
        data["version"][rows] = versions
        data["owner"][rows] = owners
        data["country"][rows] = countries
        data["kind"][rows] = kinds
        data["reader"][rows] = secret
        data["state"][rows] = np.where(deleted, DELETED, np.where(secret, SECRET, PUBLIC))
        self.groups.fill_secrets()

    def _fill_pins(self) -> None:
        ids, versions, group_ids, deleted = self.pin_index.columns("pin_id", "version", "group_id", "deleted")
        rows = self.pins.fill(ids)
        unknown = np.unique(group_ids[self.groups.index.rows(group_ids) < 0])
        self.groups.add(unknown.tolist())
        data = self.pins.data
        data["version"][rows] = versions
        data["group"][rows] = np.where(deleted, NONE, self.groups.index.rows(group_ids))

    def _fill_vectors(self) -> None:
        generation = self.vectors.generation
        records = np.concatenate([segment.records[: segment.count] for segment in generation.segments])
        ids, versions = records["pin_id"].astype(np.int64), records["version"].astype(np.int64)
        rows = self.pins.index.rows(ids)
        rows[rows < 0] = self.pins.add(ids[rows < 0].tolist())
        # The highest version counts and, of equal ones, the first: that which was taken over.
        slots = np.arange(len(ids), dtype=np.int32)
        order = np.lexsort((-slots, versions, rows))
        newest = order[np.append(np.diff(rows[order]) != 0, True)] if len(order) else order
        data = self.pins.data
        data["vector_version"][rows[newest]] = versions[newest]
        data["slot"][rows[newest]] = np.where(records["empty"][newest] != 0, NONE, newest)
        generation.pins[: len(rows)] = rows
        there = newest[records["empty"][newest] == 0]
        generation.groups[there] = data["group"][rows[there]]
        generation.show(self.groups.visible_mask(None))
