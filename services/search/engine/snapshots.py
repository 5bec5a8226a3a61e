"""The immutable files of one commit, linked into a directory of their own.

tantivy's segments and the sealed vectors never change, so a link is a copy. What does change, tantivy's list of
segments and the segment of vectors that is being written to, is copied. The result is a directory that an engine
opens.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from services.search.engine.types import Snapshot, SnapshotFile
from services.search.engine.vectors.store import VectorStore

MANIFEST: Final = "snapshot.json"
_TRIES: Final = 20


class SnapshotError(Exception):
    """A snapshot that cannot be taken; says why."""


class Checksums:
    """SHA-256 of files that never change: each is read once."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, int], str] = {}

    def of(self, path: Path) -> str:
        """The checksum of a file, by its inode."""
        status = path.stat()
        key = status.st_ino, status.st_mtime_ns
        if key not in self._known:
            with path.open("rb") as file:
                self._known[key] = hashlib.file_digest(file, "sha256").hexdigest()
        return self._known[key]

    def snapshot(
        self, directory: Path, paths: list[Path], positions: Mapping[tuple[str, int], int]
    ) -> Snapshot:
        """Describe the files of a snapshot, and write its manifest."""
        files = [self._file(directory, path) for path in paths]
        self._known = {
            key: known for key, known in self._known.items() if known in {file.sha256 for file in files}
        }
        manifest = directory / MANIFEST
        content = {
            "positions": [[*key, offset] for key, offset in sorted(positions.items())],
            "files": [[file.path, file.size, file.sha256] for file in files],
        }
        manifest.write_text(json.dumps(content), encoding="utf-8")
        return Snapshot(directory, files, self._file(directory, manifest), dict(positions))

    def _file(self, directory: Path, path: Path) -> SnapshotFile:
        return SnapshotFile(str(path.relative_to(directory)), path.stat().st_size, self.of(path))


def take_snapshot(source: Path, target: Path, vectors: VectorStore) -> list[Path]:
    """Link and copy what `source` holds just after a commit, while nothing is changed, into an empty directory.

    Raises SnapshotError.
    """
    target.mkdir(parents=True, exist_ok=True)
    if any(target.iterdir()):
        raise SnapshotError(f"{target} is not empty; a snapshot needs a directory of its own")
    for index in ("pins", "groups"):
        _link_text(source / index, target / index)
    vectors.keep_index()
    (target / "vectors").mkdir()
    for path in vectors.files():
        os.link(path, target / "vectors" / path.name)
    vectors.copy_active(target / "vectors")
    return [path for path in sorted(target.rglob("*")) if path.is_file()]


def read_manifest(content: str) -> tuple[list[SnapshotFile], dict[tuple[str, int], int]]:
    """The files and positions of a snapshot, for whoever fetches them."""
    manifest: dict[str, Any] = json.loads(content)
    files = [SnapshotFile(path, size, sha256) for path, size, sha256 in manifest["files"]]
    return files, {(topic, partition): offset for topic, partition, offset in manifest["positions"]}


def verify(directory: Path) -> None:
    """Hold the files of a snapshot against its manifest.

    Raises SnapshotError for the first that is missing or differs.
    """
    files, _ = read_manifest((directory / MANIFEST).read_text(encoding="utf-8"))
    checksums = Checksums()
    for file in files:
        path = directory / file.path
        if not path.is_file() or checksums.of(path) != file.sha256:
            raise SnapshotError(f"{path} is not what the snapshot's manifest says; fetch it anew")


def _link_text(source: Path, target: Path) -> None:
    """tantivy may merge and remove segments meanwhile; then its newer list is read."""
    for _ in range(_TRIES):
        target.mkdir()
        meta = (source / "meta.json").read_bytes()
        names = [segment["segment_id"].replace("-", "") for segment in json.loads(meta)["segments"]]
        try:
            linked = [path for path in sorted(source.iterdir()) if path.name.split(".")[0] in names]
            for path in linked:
                os.link(path, target / path.name)
        except FileNotFoundError:
            shutil.rmtree(target)
            continue
        if {path.name.split(".")[0] for path in linked} != set(names):
            shutil.rmtree(target)
            continue
        (target / "meta.json").write_bytes(meta)
        managed = sorted([path.name for path in linked] + ["meta.json"])
        (target / ".managed.json").write_text(json.dumps(managed), encoding="utf-8")
        return
    raise SnapshotError(f"the segments of {source} changed {_TRIES} times while they were linked")
