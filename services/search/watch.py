"""Looks at a leaf's index every few seconds, so that neither metrics nor callers have to: counting takes a while."""

import threading
import time
from typing import Final

from prometheus_client import Gauge

from services.common import logs
from services.search.engine.types import Statistics
from services.search.index import Index
from services.search.settings import LeafSettings

DOCUMENTS: Final = Gauge("search_documents", "What is in the index, by kind.", ["kind"])
SEGMENTS: Final = Gauge("search_segments", "Segments of the text index.")
RECALL: Final = Gauge(
    "search_recall", "Of the approximate vector index against exact search, sampled; 0 to 1."
)
_KINDS: Final = ("pins", "groups", "vectors", "vectors_dead", "vectors_exact", "vectors_indexed")
_log = logs.logger(__name__)


class Watch:
    """What is in the index, as of a few seconds ago."""

    def __init__(self, settings: LeafSettings, index: Index) -> None:
        self._settings: Final = settings
        self._index: Final = index
        self._stopping: Final = threading.Event()
        self._thread: Final = threading.Thread(target=self._run, name="watch", daemon=True)
        self._sampled = time.monotonic()
        self.statistics: Statistics = index.engine.statistics()

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            try:
                self._look()
            except Exception:  # figures are missing: nothing else must be
                _log.exception("the index could not be looked at")
            if self._stopping.wait(self._settings.statistics_seconds):
                return

    def _look(self) -> None:
        if time.monotonic() - self._sampled >= self._settings.recall_seconds:
            self._sampled = time.monotonic()
            self._index.engine.sample_recall()
        found = self.statistics = self._index.engine.statistics()
        for kind in _KINDS:
            DOCUMENTS.labels(kind).set(getattr(found, kind))
        SEGMENTS.set(found.text_segments)
        if found.recall is not None:
            RECALL.set(found.recall)
