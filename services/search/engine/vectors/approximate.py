"""The approximate index over sealed vectors: an inverted file by default, a graph where data does not cluster.

The only module that speaks faiss. Searches run side by side; additions are short and wait for them.
"""

import math
import os
import threading
from pathlib import Path
from typing import Any, Final

import faiss as typed_faiss
import numpy as np
from numpy.typing import NDArray

from services.search.engine.types import EngineSettings, Vector
from services.search.engine.vectors.locks import ReadersWriterLock
from services.search.engine.vectors.segment import Matrix

Slots = NDArray[np.int64]
Scores = NDArray[np.float32]
Bits = NDArray[np.uint8]
"""One bit a slot, the lowest first."""

faiss: Final[Any] = typed_faiss
"""Its type stubs lack much of what is generated."""

CHUNK: Final = 250
"""Vectors that one addition holds the lock for."""
_GRAPH_CHUNK: Final = 16
_PROBES: Final = 16
"""Lists that are looked into when all vectors are wanted: recall .98 and more on clustered data."""
_LOOKED_AT: Final = 8
"""Vectors at least that are looked at for each that is wanted."""
_TRAINING_ROUNDS: Final = 8
_TRAINING_VECTORS: Final = 32
"""For each list."""
_LISTS_PER_ROOT: Final = 4
_NEIGHBOURS: Final = 16
_BUILD_WIDTH: Final = 80
_SEARCH_WIDTH: Final = 64

_thread = threading.local()


def one_thread() -> None:
    """Let faiss use this thread only: queries run side by side already. Each thread has the choice of its own."""
    if not getattr(_thread, "chosen", False):
        faiss.omp_set_num_threads(1)
        _thread.chosen = True


def all_threads() -> None:
    """Let faiss use all cores from this thread, for a load before anything is served."""
    faiss.omp_set_num_threads(os.cpu_count() or 1)
    _thread.chosen = False


def exact(vector: Vector, vectors: Matrix, k: int) -> tuple[Scores, NDArray[np.int64]]:
    """The best of some vectors: scores, best first, and places."""
    one_thread()
    scores, places = faiss.knn(vector[None], vectors, min(k, len(vectors)), faiss.METRIC_INNER_PRODUCT)
    return scores[0], places[0]


class Approximate:
    """faiss's index of slots 0 to `count`. One thread adds."""

    def __init__(self, index: Any, settings: EngineSettings) -> None:
        self._index: Final = index
        self._settings: Final = settings
        self._lock: Final = ReadersWriterLock()
        self.count: int = int(index.ntotal)
        self.lists: int = 0 if settings.vector_index == "hnsw" else int(index.nlist)

    @staticmethod
    def trained(sample: Matrix, count: int, settings: EngineSettings) -> "Approximate":
        """An empty index for about `count` vectors, trained on a sample of them."""
        dimension, metric = settings.dimension, faiss.METRIC_INNER_PRODUCT
        eight_bits = settings.vector_encoding == "sq8"
        index: Any
        if settings.vector_index == "hnsw":
            if eight_bits:
                index = faiss.IndexHNSWSQ(dimension, faiss.ScalarQuantizer.QT_8bit, _NEIGHBOURS, metric)
                index.train(sample)
            else:
                index = faiss.IndexHNSWFlat(dimension, _NEIGHBOURS, metric)
            index.hnsw.efConstruction = _BUILD_WIDTH
            return Approximate(index, settings)
        quantizer = faiss.IndexFlatIP(dimension)
        lists = lists_for(count)
        if eight_bits:
            encoding = faiss.ScalarQuantizer.QT_8bit
            index = faiss.IndexIVFScalarQuantizer(quantizer, dimension, lists, encoding, metric)
        else:
            index = faiss.IndexIVFFlat(quantizer, dimension, lists, metric)
        index.cp.niter = _TRAINING_ROUNDS
        index.cp.min_points_per_centroid = 1
        index.train(sample)
        return Approximate(index, settings)

    @staticmethod
    def sample_size(count: int) -> int:
        """How many vectors to train on, of so many."""
        return min(count, lists_for(count) * _TRAINING_VECTORS)

    @staticmethod
    def read(path: Path, settings: EngineSettings) -> "Approximate":
        """What `write` wrote."""
        return Approximate(faiss.read_index(str(path)), settings)

    def write(self, path: Path) -> None:
        """Keep the index: what it learnt and, for a graph, the vectors and edges."""
        with self._lock.reading():
            faiss.write_index(self._index, str(path))

    def assign(self, vectors: Matrix) -> Slots:
        """The list of each vector. Needs no lock: lists do not change once trained."""
        if not self.lists:
            return np.zeros(len(vectors), np.int64)
        return np.ascontiguousarray(self._index.quantizer.assign(vectors, 1).ravel(), np.int64)

    def add(self, vectors: Matrix, lists: Slots) -> None:
        """Add the vectors of the next slots, a few at a time."""
        chunk = CHUNK if self.lists else _GRAPH_CHUNK
        for start in range(0, len(vectors), chunk):
            part = np.ascontiguousarray(vectors[start : start + chunk])
            with self._lock.writing():
                if self.lists:
                    assigned = lists[start : start + chunk]
                    pointers = faiss.swig_ptr(part), None, faiss.swig_ptr(assigned), None
                    self._index.add_core(len(part), *pointers)
                else:
                    self._index.add(part)
                self.count += len(part)

    def reserve(self, lists: Slots) -> None:
        """Take room for the vectors of these lists at once, exactly, where growing would take up to twice."""
        if self.lists:
            inverted = self._index.invlists
            for number, size in enumerate(np.bincount(lists, minlength=self.lists).tolist()):
                inverted.resize(number, inverted.list_size(number) + size)
                inverted.resize(number, inverted.list_size(number) - size)

    def search(
        self, vector: Vector, k: int, bits: Bits, share: float, *, everything: bool = False
    ) -> tuple[Scores, Slots, int]:
        """The best of the slots whose bit is set, and how many slots the index had.

        `share` of them are set: the fewer, the more lists are looked into. `everything`: look into all.
        """
        one_thread()
        selector = faiss.IDSelectorBitmap(bits)
        wanted = max(share, 1e-6)
        parameters: Any
        if self.lists:
            enough = max(_PROBES, _LOOKED_AT * k * self.lists / max(self.count, 1))
            probes = self.lists if everything else min(self.lists, math.ceil(enough / wanted))
            parameters = faiss.SearchParametersIVF(nprobe=probes, sel=selector)
        else:
            width = max(_SEARCH_WIDTH, k)
            width = self.count if everything else min(self.count, math.ceil(width / wanted))
            parameters = faiss.SearchParametersHNSW(efSearch=width, sel=selector)
        with self._lock.reading():
            count = self.count
            scores, slots = self._index.search(vector[None], k, params=parameters)
        found = slots[0] >= 0
        return scores[0][found], slots[0][found], count


def lists_for(count: int) -> int:
    """Lists of an inverted index: about four times the root, to a power of two; 4096 for a million."""
    lists = 2 ** round(math.log2(_LISTS_PER_ROOT * math.sqrt(max(count, 1))))
    return max(min(lists, count // 2), 1)
