"""The vectors' directory: which segments there are, in which order, and what was learnt of them.

`manifest.json` names what counts and is replaced as a whole; files that it does not name are left-overs of a
process that was killed. The segment that is being written to says itself how far it goes.
"""

import contextlib
import json
import os
from pathlib import Path
from typing import Any, Final

import numpy as np

from services.search.engine.ids import Ids, Rows
from services.search.engine.tables import Mask
from services.search.engine.types import EngineSettings
from services.search.engine.vectors.approximate import Approximate, Slots
from services.search.engine.vectors.generation import Generation
from services.search.engine.vectors.segment import Matrix, Segment

_MANIFEST: Final = "manifest.json"
ASSIGNED_AT_ONCE: Final = 2_000
"""Vectors whose lists are looked up in one call, which takes some 20 ms."""

_GRAPH_GROWTH: Final = 1.05


class StoreError(Exception):
    """A directory that cannot be opened as it stands; says what would help."""


class VectorStore:
    """The segments in `directory`, which is made if it is not there. One thread writes."""

    def __init__(self, directory: Path, settings: EngineSettings) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory: Final = directory
        self.settings: Final = settings
        self._next = 1
        self._index: str | None = None
        self._kept = 0
        segments, approximate = self._read()
        self.generation: Generation = Generation(segments, None)
        self._write_manifest()
        self._remove_unnamed()
        if approximate is not None:
            self._restore(approximate)

    @property
    def active(self) -> Segment:
        """The segment that is written to."""
        return self.generation.segments[-1]

    @property
    def sealed(self) -> list[Segment]:
        """Those that never change again."""
        return self.generation.segments[:-1]

    @property
    def _written(self) -> int:
        return sum(segment.count for segment in self.generation.segments)

    def append(self, pin_ids: Ids, versions: Ids, empty: Mask, vectors: Matrix) -> Rows:
        """Write vectors; their slots, which can be searched after `publish`."""
        first = self._written
        start = 0
        while start < len(pin_ids):
            part = slice(start, start + self.active.capacity - self.active.count)
            self.active.append(pin_ids[part], versions[part], empty[part], vectors[part])
            start = part.stop
            if self.active.count == self.active.capacity:
                self._seal()
        self.generation.reserve(self._written)
        return np.arange(first, self._written, dtype=np.int32)

    def publish(self) -> None:
        """Let all that was written be searched."""
        self.generation.count = self._written

    def flush(self) -> None:
        """Have what was written on the disk itself."""
        self.active.flush()

    def new_name(self, kind: str) -> str:
        """A name that no file has had here."""
        self._next += 1
        return f"{kind}-{self._next:06}"

    def replace(self, generation: Generation, index: str | None) -> None:
        """Go over to a generation whose files are complete, and forget those of the one before."""
        self._index = index
        self._kept = 0 if generation.approximate is None else generation.approximate.count
        self.generation = generation
        self._write_manifest()
        self._remove_unnamed()

    def absorb(self) -> bool:
        """Add one sealed segment to the approximate index. Whether there was one."""
        approximate = self.generation.approximate
        first = 0
        for segment in self.sealed if approximate is not None else []:
            if approximate is not None and first + segment.count > approximate.count:
                lists = self._assign(approximate, segment)
                done = approximate.count - first
                approximate.add(segment.vectors[done : segment.count], lists[done:])
                segment.release()
                return True
            first += segment.count
        return False

    def keep_index(self) -> None:
        """Write a graph anew that has grown: opening it would have to add what it lacks, at 8,000 a second."""
        approximate = self.generation.approximate
        if approximate is None or approximate.lists or approximate.count <= self._kept * _GRAPH_GROWTH:
            return
        self._index = f"{self.new_name('index')}.faiss"
        self.write_index(approximate, self._index)
        self._kept = approximate.count
        self._write_manifest()
        self._remove_unnamed()

    def write_index(self, approximate: Approximate, name: str) -> None:
        """Keep an index that the manifest does not name yet."""
        approximate.write(self.directory / name)
        _sync(self.directory / name)

    def write_lists(self, segment: Segment, index: str, lists: Slots) -> None:
        """Keep which list each vector of a segment is in, so that opening need not look again."""
        write_durably(self.directory / f"{segment.name}.{index}.lists", lists.astype("<i4").tobytes())

    def files(self) -> list[Path]:
        """All files that never change again: those of sealed segments and of the index."""
        names = [path for segment in self.sealed for path in segment.files if path.exists()]
        if self._index is not None:
            names.append(self.directory / self._index)
            lists = [self.directory / f"{segment.name}.{self._index}.lists" for segment in self.sealed]
            names.extend(path for path in lists if path.exists())
        return names

    def copy_active(self, directory: Path) -> None:
        """Copy what does change into `directory`: the segment that is written to, and the manifest."""
        for path, content in zip(self.active.files, self.active.content(), strict=True):
            (directory / path.name).write_bytes(content)
        (directory / _MANIFEST).write_text(json.dumps(self.manifest()), encoding="utf-8")

    def manifest(self) -> dict[str, Any]:
        """What the manifest says."""
        return {
            "dimension": self.settings.dimension,
            "next": self._next,
            "index": self._index,
            "kind": self._kind,
            "sealed": [[segment.name, segment.count, segment.capacity] for segment in self.sealed],
            "active": [self.active.name, self.active.capacity],
        }

    def _read(self) -> tuple[list[Segment], Approximate | None]:
        path = self.directory / _MANIFEST
        if not path.exists():
            return [self._new_segment()], None
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        dimension = self.settings.dimension
        if manifest["dimension"] != dimension:
            raise StoreError(
                f"{self.directory} holds vectors of {manifest['dimension']} dimensions, the settings say "
                f"{dimension}; rebuild the index in an empty directory"
            )
        self._next = manifest["next"]
        segments: list[Segment] = []
        for name, count, capacity in manifest["sealed"]:
            segment = Segment(self.directory, name, dimension, capacity)
            segment.count = count
            segments.append(segment)
        name, capacity = manifest["active"]
        active = Segment(self.directory, name, dimension, capacity)
        active.recover()
        segments.append(active)
        if manifest["index"] is None or manifest["kind"] != self._kind:
            return segments, None  # what was learnt with other settings is learnt anew
        self._index = manifest["index"]
        return segments, Approximate.read(self.directory / manifest["index"], self.settings)

    @property
    def _kind(self) -> list[str]:
        """Of which kind the approximate index is."""
        return [self.settings.vector_index, self.settings.vector_encoding]

    def _restore(self, approximate: Approximate) -> None:
        """Fill the index with the segments whose lists are known; the others are compared exactly until later."""
        kept: list[tuple[Segment, Slots]] = []
        for segment in self.sealed:
            lists = self._read_lists(segment)
            if lists is None:
                break
            kept.append((segment, lists))
        if kept and not approximate.count:
            approximate.reserve(np.concatenate([lists for _, lists in kept]))
            for segment, lists in kept:
                approximate.add(segment.vectors[: segment.count], lists)
                segment.release()
        self._kept = approximate.count
        self.generation.approximate = approximate

    def _assign(self, approximate: Approximate, segment: Segment) -> Slots:
        lists = self._read_lists(segment)
        if lists is None:
            vectors = segment.vectors[: segment.count]
            starts = range(0, segment.count, ASSIGNED_AT_ONCE)
            lists = np.concatenate(
                [approximate.assign(vectors[start : start + ASSIGNED_AT_ONCE]) for start in starts]
            )
            if approximate.lists and self._index is not None:
                self.write_lists(segment, self._index, lists)
        return lists

    def _read_lists(self, segment: Segment) -> Slots | None:
        path = self.directory / f"{segment.name}.{self._index}.lists"
        if not path.exists() or path.stat().st_size != segment.count * 4:
            return None
        return np.fromfile(path, "<i4").astype(np.int64)

    def _seal(self) -> None:
        self.active.flush()
        self.generation.segments.append(self._new_segment())
        self._write_manifest()

    def _new_segment(self) -> Segment:
        return Segment(
            self.directory, self.new_name("segment"), self.settings.dimension, self.settings.seal_vectors
        )

    def _write_manifest(self) -> None:
        write_durably(self.directory / _MANIFEST, json.dumps(self.manifest()).encode())

    def _remove_unnamed(self) -> None:
        named = {*self.files(), *self.active.files, self.directory / _MANIFEST}
        for path in self.directory.iterdir():
            if path not in named:
                with contextlib.suppress(FileNotFoundError):
                    path.unlink()


def write_durably(path: Path, content: bytes) -> None:
    """Replace a file as a whole, whatever happens meanwhile."""
    temporary = path.with_name(f"{path.name}.tmp")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)
    _sync(path.parent)


def _sync(path: Path) -> None:
    """Have a file, or the names in a directory, on the disk itself."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
