"""Snapshots of a leaf's index in S3, from which an empty disk is filled: files by their checksum, manifests last.

    shard-000-of-002/objects/<sha256>                 immutable files; most are shared by several snapshots
    shard-000-of-002/manifests/<milliseconds>-<pod>.json   which files make up one snapshot, and their checksums

A manifest is written only when all its files are there, so that a snapshot which is seen is whole; one that turns
out damaged is passed over for the one before it.
"""

import contextlib
import hashlib
import shutil
import threading
import time
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import Any, Final

import msgspec
from botocore.exceptions import ClientError
from prometheus_client import Counter, Gauge

from services.common import aws, logs
from services.search.index import ENGINE, FORWARD, Index
from services.search.settings import LeafSettings

SNAPSHOTS: Final = Counter("search_snapshots", "Snapshots made, by outcome.", ["outcome"])
SNAPSHOT_TIME: Final = Gauge("search_snapshot_timestamp_seconds", "When the last good snapshot was made.")
_FORMAT: Final = 1
_TRANSFERS: Final = 4
_UNREFERENCED_SECONDS: Final = 86_400.0
"""A file in no manifest is kept as long: another replica may be about to write the manifest that names it."""
_CHUNK_BYTES: Final = 2**20
_DELETIONS: Final = 1_000
"""Of one DeleteObjects."""
_NOT_THERE: Final = ("NoSuchKey", "404")
_log = logs.logger(__name__)


class SnapshotError(Exception):
    """A snapshot that cannot be used; the message says why."""


class File(msgspec.Struct, frozen=True):
    """A file of a snapshot."""

    path: str
    """Relative to the index' directory."""
    size: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True):
    """What one snapshot is made of. Positions are in the indexes themselves."""

    format: int
    created_at_ms: int
    shard: int
    shards: int
    dimension: int
    model_version: str
    files: list[File]


def prefix(shard: int, shards: int) -> str:
    """Of all keys of a shard: its leaves are allowed these and no others (`infra/workloads/declared/search.py`)."""
    return f"shard-{shard:03}-of-{shards:03}"


class Snapshots:
    """The snapshots of one shard."""

    def __init__(self, settings: LeafSettings, client: Any = None) -> None:
        self._settings: Final = settings
        self._s3: Final = client or aws.client("s3")
        self._prefix: Final = prefix(settings.shard, settings.shards)
        self._hashes: dict[tuple[int, int, int], str] = {}
        """Of the files of the last snapshot."""

    def make(self, index: Index) -> Manifest:
        """Upload what is committed now. Raises what S3 or the disk raises; nothing half-made is seen."""
        working = self._settings.index_directory / "snapshot"
        shutil.rmtree(working, ignore_errors=True)
        working.mkdir(parents=True)
        try:
            index.forward.checkpoint(working / FORWARD)
            (working / ENGINE).mkdir()
            engine = index.engine.snapshot(working / ENGINE)
            sources = [
                (f"{ENGINE}/{each.path}", engine.directory / each.path, each.sha256)
                for each in (*engine.files, engine.manifest)
            ]
            sources += [
                (f"{FORWARD}/{path.relative_to(working / FORWARD)}", path, self._hash(path))
                for path in sorted((working / FORWARD).rglob("*"))
                if path.is_file()
            ]
            self._hashes = {_identity(path): sha256 for _, path, sha256 in sources}
            files = [File(name, path.stat().st_size, sha256) for name, path, sha256 in sources]
            self._upload({sha256: path for _, path, sha256 in sources})
        finally:
            shutil.rmtree(working, ignore_errors=True)
        now_ms = int(time.time() * 1_000)
        settings = self._settings
        about = (
            settings.shard,
            settings.shards,
            settings.embedding_dimension,
            settings.embedding_model_version,
        )
        manifest = Manifest(_FORMAT, now_ms, *about, files)
        self._s3.put_object(
            Bucket=settings.snapshots_bucket,
            Key=f"{self._prefix}/manifests/{now_ms:015}-{settings.pod_name or 'leaf'}.json",
            Body=msgspec.json.encode(manifest),
            ContentType="application/json",
        )
        return manifest

    def restore(self) -> Index | None:
        """The index of the newest snapshot that is good, in the settings' directory; None when there is none.

        Raises boto3's and botocore's errors when S3 cannot be asked: that says nothing about the snapshots.
        """
        for key in reversed(list(self._keys("manifests/"))):
            began = time.monotonic()
            try:
                manifest = self._manifest(key)
                self._download(manifest)
                index = self._opened()
            except SnapshotError as error:
                _log.error("a snapshot cannot be used; trying the one before it", key=key, reason=str(error))
                Index.clear(self._settings.index_directory)
            else:
                age = round(time.time() - manifest.created_at_ms / 1_000)
                seconds = round(time.monotonic() - began, 3)
                _log.info("restored a snapshot", age_seconds=age, files=len(manifest.files), seconds=seconds)
                return index
        return None

    def prune(self) -> None:
        """Remove all but the newest snapshots, and files that none of those has."""
        manifests = list(self._keys("manifests/"))
        kept = manifests[-self._settings.snapshots_kept :]
        old = manifests[: -self._settings.snapshots_kept]
        needed: set[str] = set()
        for key in kept:
            try:
                needed |= {f"{self._prefix}/objects/{file.sha256}" for file in self._manifest(key).files}
            except SnapshotError:
                continue
        limit = time.time() - _UNREFERENCED_SECONDS
        unreferenced = [
            key for key, modified in self._objects("objects/") if key not in needed and modified < limit
        ]
        doomed = [*old, *unreferenced]
        for start in range(0, len(doomed), _DELETIONS):
            objects = [{"Key": key} for key in doomed[start : start + _DELETIONS]]
            self._s3.delete_objects(
                Bucket=self._settings.snapshots_bucket, Delete={"Objects": objects, "Quiet": True}
            )

    def _upload(self, files: dict[str, Path]) -> None:
        present = {PurePosixPath(key).name for key in self._keys("objects/")}

        def upload(item: tuple[str, Path]) -> None:
            key = f"{self._prefix}/objects/{item[0]}"
            self._s3.upload_file(str(item[1]), self._settings.snapshots_bucket, key)

        with ThreadPoolExecutor(_TRANSFERS, "snapshot") as executor:
            list(executor.map(upload, [item for item in sorted(files.items()) if item[0] not in present]))

    def _download(self, manifest: Manifest) -> None:
        settings = self._settings
        expected = (
            settings.shard,
            settings.shards,
            settings.embedding_dimension,
            settings.embedding_model_version,
        )
        found = (manifest.shard, manifest.shards, manifest.dimension, manifest.model_version)
        if manifest.format != _FORMAT or found != expected:
            raise SnapshotError(f"it is of {found}, format {manifest.format}; this leaf serves {expected}")
        Index.clear(settings.index_directory)

        def download(file: File) -> None:
            path = settings.index_directory / file.path
            if not path.resolve().is_relative_to(settings.index_directory.resolve()):
                raise SnapshotError(f"{file.path!r} is outside of the index")
            path.parent.mkdir(parents=True, exist_ok=True)
            key = f"{self._prefix}/objects/{file.sha256}"
            with _missing_is_damage(key):
                self._s3.download_file(settings.snapshots_bucket, key, str(path))
            if path.stat().st_size != file.size or _sha256(path) != file.sha256:
                raise SnapshotError(f"{file.path} is not what its checksum says")

        with ThreadPoolExecutor(_TRANSFERS, "snapshot") as executor:
            list(executor.map(download, manifest.files))

    def _opened(self) -> Index:
        try:
            return Index.open(self._settings)
        except Exception as error:  # the engines' own, of many kinds
            raise SnapshotError(f"its files cannot be opened: {type(error).__name__}: {error}") from error

    def _manifest(self, key: str) -> Manifest:
        with _missing_is_damage(key):
            body = self._s3.get_object(Bucket=self._settings.snapshots_bucket, Key=key)["Body"].read()
        try:
            return msgspec.json.decode(body, type=Manifest)
        except msgspec.DecodeError as error:
            raise SnapshotError(f"{key} is no manifest: {error}") from None

    def _keys(self, below: str) -> Iterator[str]:
        """In order of their names."""
        return (key for key, _ in self._objects(below))

    def _objects(self, below: str) -> Iterator[tuple[str, float]]:
        pages = self._s3.get_paginator("list_objects_v2").paginate(
            Bucket=self._settings.snapshots_bucket, Prefix=f"{self._prefix}/{below}"
        )
        for page in pages:
            for each in page.get("Contents", ()):
                yield each["Key"], each["LastModified"].timestamp()

    def _hash(self, path: Path) -> str:
        """Of a file that is a hard link to one that never changes, or small."""
        return self._hashes.get(_identity(path)) or _sha256(path)


class SnapshotThread:
    """Makes a snapshot at each interval in which something changed."""

    def __init__(self, settings: LeafSettings, snapshots: Snapshots, index: Index) -> None:
        self._settings: Final = settings
        self._snapshots: Final = snapshots
        self._index: Final = index
        self._stopping: Final = threading.Event()
        self._thread: Final = threading.Thread(target=self._run, name="snapshots", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the snapshot that is being made, and end."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        last: object = None
        while not self._stopping.wait(self._settings.snapshot_interval_seconds):
            began = time.monotonic()
            try:
                positions = self._index.positions()
                if positions == last or not positions:
                    continue
                manifest = self._snapshots.make(self._index)
                self._snapshots.prune()
            except Exception:  # of S3, the disk or an engine: nothing may end it but its end
                SNAPSHOTS.labels("failed").inc()
                _log.exception("no snapshot could be made; the next is tried at the next interval")
                continue
            last = positions
            SNAPSHOTS.labels("made").inc()
            SNAPSHOT_TIME.set_to_current_time()
            _log.info(
                "made a snapshot",
                files=len(manifest.files),
                bytes=sum(file.size for file in manifest.files),
                seconds=round(time.monotonic() - began, 3),
            )


def _identity(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns


@contextlib.contextmanager
def _missing_is_damage(key: str) -> Generator[None]:
    """What a snapshot needs and S3 does not have makes the snapshot unusable; other errors of S3 pass."""
    try:
        yield
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") not in _NOT_THERE:
            raise
        raise SnapshotError(f"{key} is not in the bucket") from None


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
