"""One segment of vectors: two files of fixed-size records, mapped into memory.

What is written is in the page cache at once, so that a killed process loses nothing, and each record carries a
checksum, so that a torn last one is seen. The newest segment is written to while it is searched.
"""

import mmap
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.search.engine.ids import Ids

Matrix = NDArray[np.float32]
"""Vectors, of shape (count, dimension)."""

RECORD: Final = np.dtype([("pin_id", "<i8"), ("version", "<i8"), ("empty", "<u4"), ("check", "<u4")])
"""Beside each vector. `empty`: the pin has no vector since this version. No pin_id: the end."""
_SUMMED: Final = 20
"""Bytes of the record that its checksum covers, beside the vector."""


class Segment:
    """A segment in `directory`, which is made if it is not there.

    Raises OSError when the disk is full: its whole room is taken at once, since a mapped file that cannot grow
    later ends the process.
    """

    def __init__(self, directory: Path, name: str, dimension: int, capacity: int) -> None:
        self.name: Final = name
        self.capacity: Final = capacity
        self.files: Final = (directory / f"{name}.records", directory / f"{name}.vectors")
        self._maps: Final = (
            _mapped(self.files[0], capacity * RECORD.itemsize),
            _mapped(self.files[1], capacity * dimension * 4),
        )
        self.records: Final[NDArray[np.void]] = np.frombuffer(self._maps[0], RECORD, capacity)
        self.vectors: Final[Matrix] = np.frombuffer(self._maps[1], "<f4", capacity * dimension).reshape(
            capacity, dimension
        )
        self.count: int = 0
        self._durable = 0

    def recover(self) -> None:
        """Count the whole records of a segment that was being written to, and clear what follows them."""
        unused = np.flatnonzero(self.records["pin_id"] == 0)
        written = int(unused[0]) if len(unused) else self.capacity
        wrong = np.flatnonzero(self.records["check"][:written] != self._checksums(0, written))
        self.count = int(wrong[0]) if len(wrong) else written
        self.records[self.count :] = np.zeros((), RECORD)

    def append(self, pin_ids: Ids, versions: Ids, empty: NDArray[np.bool_], vectors: Matrix) -> None:
        """Write records after the last; there must be room for them."""
        start, end = self.count, self.count + len(pin_ids)
        self.vectors[start:end] = vectors
        records = self.records[start:end]
        records["version"] = versions
        records["empty"] = empty
        records["pin_id"] = pin_ids
        records["check"] = self._checksums(start, end)
        self.count = end

    def content(self) -> tuple[bytes, bytes]:
        """What the two files hold so far."""
        return self.records[: self.count].tobytes(), self.vectors[: self.count].tobytes()

    def flush(self) -> None:
        """Have what was written on the disk itself."""
        if self.count > self._durable:
            for mapped, size in zip(self._maps, (RECORD.itemsize, self.vectors.shape[1] * 4), strict=True):
                start = self._durable * size // mmap.PAGESIZE * mmap.PAGESIZE
                mapped.flush(start, self.count * size - start)
            self._durable = self.count

    def release(self) -> None:
        """Give back the memory of pages that were read; they are read from the disk again when needed."""
        self._maps[1].madvise(mmap.MADV_DONTNEED)

    def _checksums(self, start: int, end: int) -> NDArray[np.uint32]:
        """Of each record and its vector."""
        records = memoryview(self.records[start:end].tobytes())
        vectors = memoryview(self.vectors[start:end].tobytes())
        size, width = RECORD.itemsize, self.vectors.shape[1] * 4
        sums = [
            zlib.crc32(
                vectors[place * width : (place + 1) * width],
                zlib.crc32(records[place * size : place * size + _SUMMED]),
            )
            for place in range(end - start)
        ]
        return np.array(sums, np.uint32)


def slices(segments: list[Segment], start: int, end: int) -> Iterator[tuple[int, Matrix]]:
    """The vectors from `start` to `end`, piece by piece, each with its first slot."""
    first = 0
    for segment in segments:
        low, high = max(start - first, 0), min(end - first, segment.count)
        if low < high:
            yield first + low, segment.vectors[low:high]
        first += segment.count


def _mapped(path: Path, size: int) -> mmap.mmap:
    with path.open("a+b") as file:
        if os.fstat(file.fileno()).st_size < size:
            os.posix_fallocate(file.fileno(), 0, size)
        return mmap.mmap(file.fileno(), size)
