"""The engine: changes go in, queries are answered, and a thread keeps the vectors in order."""

import logging
import os
import sys
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from services.search.engine import changes as checking
from services.search.engine.contents import Contents
from services.search.engine.lookups import groups_of, vector_of
from services.search.engine.retrieval import Retrieval
from services.search.engine.snapshots import Checksums, take_snapshot
from services.search.engine.tables import DELETED, NONE, UNKNOWN
from services.search.engine.types import (
    Change,
    EngineSettings,
    Found,
    GroupPredicate,
    Query,
    Snapshot,
    Statistics,
    Vector,
)
from services.search.engine.vectors import compaction
from services.search.engine.vectors.approximate import all_threads, one_thread
from services.search.engine.writing import write

_CHECK_EVERY: Final = 5_000
"""Changes after which the background looks whether there is something to do."""
_NICENESS: Final = 10
"""Of the background, so that queries come first."""

logger = logging.getLogger(__name__)


class Engine:
    """An index in one directory. Any thread may search; changes, commits and snapshots take turns.

    Vectors, deletions, secrets and moves to another group count when `apply` returns, words when `commit` does.
    """

    def __init__(self, directory: Path, settings: EngineSettings) -> None:
        self.directory: Final = directory
        self.settings: Final = settings
        self._contents: Final = Contents(directory, settings)
        self._retrieval: Final = Retrieval(settings, self._contents)
        self._committed = self._contents.pin_index.positions()
        self._positions = dict(self._committed)
        self._checksums: Final = Checksums()
        self._recall: float | None = None
        self._changing: Final = threading.Lock()
        self._maintaining: Final = threading.Lock()
        self._work: Final = threading.Event()
        self._closed = False
        self._unchecked = 0
        self._thread: threading.Thread | None = None
        if settings.background:
            self._thread = threading.Thread(
                target=self._maintain_always, name="search-maintenance", daemon=True
            )
            self._work.set()
            self._thread.start()

    @staticmethod
    def open(directory: Path, settings: EngineSettings | None = None) -> "Engine":
        """The index in `directory`, as its last commit left it; an empty one if there is none.

        Raises StoreError when the directory was written with settings that do not go with these.
        """
        return Engine(directory, settings or EngineSettings())

    def apply(
        self, changes: Sequence[Change], positions: Mapping[tuple[str, int], int] | None = None
    ) -> None:
        """Take over changes, and how far their topics were read; what is older than what is there is passed over.

        Raises ChangeError before anything is touched.
        """
        checking.check_positions(positions or {})
        checking.check(changes, self.settings.dimension)
        with self._changing:
            write(self._contents, changes, self.settings.dimension)
            self._positions.update(positions or {})
            self._unchecked += len(changes)
            if self._unchecked >= _CHECK_EVERY:
                self._unchecked = 0
                self._work.set()

    def commit(self) -> None:
        """Make what was applied durable, its words searchable, and the positions those of this state."""
        with self._changing:
            self._commit()

    def positions(self) -> dict[tuple[str, int], int]:
        """Where reading goes on after a restart: what the last commit holds."""
        return dict(self._committed)

    def search(self, query: Query) -> Found:
        """The pins that fit, best first.

        Raises QueryError.
        """
        return self._retrieval.search(query)

    def vector(self, pin_id: int, viewer: int | None = None) -> Vector | None:
        """The vector of a pin that the viewer may see; None if there is none."""
        return vector_of(self._contents, pin_id, viewer)

    def groups(
        self, predicate: GroupPredicate, viewer: int | None = None, limit: int = 1000
    ) -> list[tuple[int, float]]:
        """Ids and scores of the groups that fit and the viewer may see, best first."""
        return groups_of(self._contents, predicate, viewer, limit)

    def load(
        self, batches: Iterable[Sequence[Change]], positions: Mapping[tuple[str, int], int] | None = None
    ) -> None:
        """Take over very many changes, with all cores and one commit, before anything is served.

        Raises ChangeError at the first batch that has a wrong one; those before it are kept.
        """
        for batch in batches:
            self.apply(batch)
        self.apply([], positions)
        self.commit()
        all_threads()
        self.maintain()
        one_thread()

    def maintain(self) -> None:
        """Do what the background does: move sealed vectors into the approximate index, learn it anew, compact."""
        with self._maintaining:
            contents = self._contents
            if compaction.due(contents.vectors.generation, contents.pins, self.settings):
                compaction.rebuild(contents.vectors, contents.pins, contents.groups, self._changing)
            while not self._closed and contents.vectors.absorb():
                pass

    def snapshot(self, directory: Path) -> Snapshot:
        """Commit, and link the files of that commit into `directory`, an empty one on the same file system.

        Raises SnapshotError.
        """
        with self._maintaining, self._changing:
            self._commit()
            files = take_snapshot(self.directory, directory, self._contents.vectors)
        return self._checksums.snapshot(directory, files, self._committed)

    def sample_recall(self) -> float | None:
        """Repeat the latest queries by vector exactly; the share of those hits that the approximate index found.

        Takes some 20 ms a query at a million vectors. None without queries or an approximate index.
        """
        recall = self._retrieval.sample_recall()
        self._recall = self._recall if recall is None else recall
        return recall

    def statistics(self) -> Statistics:
        """Figures for metrics. Takes some 30 ms at a million pins: ask every few seconds."""
        contents = self._contents
        with self._changing:
            generation = contents.vectors.generation
            alive = int(np.count_nonzero(compaction.alive(generation, contents.pins, generation.count)))
            pins = contents.pins.data["group"][: len(contents.pins)]
            states = contents.groups.data["state"][1 : len(contents.groups)]
            approximate = generation.approximate
            indexed = 0 if approximate is None else approximate.count
            return Statistics(
                pins=int(np.count_nonzero(pins != NONE)),
                groups=int(np.count_nonzero((states != DELETED) & (states != UNKNOWN))),
                text_segments=contents.pin_index.searcher.num_segments,
                vectors=alive,
                vectors_dead=generation.count - alive,
                vectors_exact=generation.count - indexed,
                vectors_indexed=indexed,
                vector_lists=0 if approximate is None else approximate.lists,
                recall=self._recall,
                positions=dict(self._committed),
            )

    def close(self) -> None:
        """End all threads. What was not committed is to be read again."""
        if self._closed:
            return
        self._closed = True
        self._work.set()
        if self._thread is not None:
            self._thread.join()
        with self._changing:
            self._contents.pin_index.close()
            self._contents.group_index.close()

    def _commit(self) -> None:
        contents = self._contents
        contents.vectors.flush()
        if contents.group_index.dirty:
            contents.group_index.commit()
        if self._positions != self._committed:
            contents.pin_index.put_positions(self._positions)
        if contents.pin_index.dirty:  # last: its positions speak for the others too
            contents.pin_index.commit()
            self._committed = dict(self._positions)

    def _maintain_always(self) -> None:
        if sys.platform == "linux":  # elsewhere it would be the whole process
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
        one_thread()
        while not self._closed:
            self._work.wait()
            self._work.clear()
            try:
                self.maintain()
            except (
                Exception
            ) as error:  # a full disk, a fault of faiss: queries go on, the next round tries again
                logger.error("vectors were not put in order: %s: %s", type(error).__name__, error)
