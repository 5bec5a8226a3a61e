"""The model registry: a folder of S3 in which every version of a model stays, and one object names the current.

    <name>/<version>/manifest.json     with the sha256 of every file; written last, never changed
    <name>/<version>/<file>
    <name>/current                     the version, as text

Moving `current` is a release, moving it back a rollback.
"""

import hashlib
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
from botocore.exceptions import ClientError

from services.ml.manifest import MANIFEST, VERSION, Manifest, ManifestError, ModelFile

_CHUNK_BYTES: Final = 1024 * 1024
_MAX_MANIFEST_BYTES: Final = 256 * 1024
_MAX_POINTER_BYTES: Final = 256


class RegistryError(Exception):
    """The registry does not have what is wanted, or what it has is wrong; the message says what would be right."""


@dataclass(frozen=True)
class Pointer:
    """What `current` says, and which writing of it that is: the same version written again is another release."""

    version: str
    written: str


@dataclass(frozen=True)
class ModelRegistry:
    """One model's versions.

    Args:
        s3: a boto3 client.
        bucket: of the models.
        name: the model's.
    """

    s3: Any
    bucket: str
    name: str

    def current(self) -> Pointer:
        """Raises RegistryError when there is none; errors of S3 are botocore's."""
        key = f"{self.name}/current"
        try:
            found = self.s3.get_object(Bucket=self.bucket, Key=key)
        except ClientError as error:
            if _is_missing(error):
                raise RegistryError(
                    f"s3://{self.bucket}/{key} does not exist: publish a model with "
                    f"`python -m services.ml publish DIRECTORY --name {self.name} --version VERSION`"
                ) from None
            raise
        version = found["Body"].read(_MAX_POINTER_BYTES).decode("utf-8", "replace").strip()
        if not VERSION.fullmatch(version):
            raise RegistryError(f"s3://{self.bucket}/{key} holds {version!r}, which is no version")
        return Pointer(version, f"{version} {found['LastModified'].isoformat()} {found['ETag']}")

    def fetch(self, version: str, into: Path) -> tuple[Path, Manifest]:
        """Download a version into a new folder below `into`; every file is checked against the manifest.

        The caller removes the folder. Raises RegistryError or ManifestError; errors of S3 are botocore's.
        """
        manifest = self._manifest(version)
        if manifest is None:
            raise RegistryError(f"s3://{self.bucket}/{self.name}/{version}/{MANIFEST} does not exist")
        if (manifest.name, manifest.version) != (self.name, version):
            raise RegistryError(
                f"s3://{self.bucket}/{self.name}/{version}/{MANIFEST} is that of {manifest.label}: it was copied"
            )
        into.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f"{self.name}-{version}-", dir=into))
        try:
            for name, file in manifest.files.items():
                self._download(version, name, file, folder / name)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return folder, manifest

    def publish(self, directory: Path, version: str) -> Manifest:
        """Upload a directory with a manifest as a version, and make it the current one.

        Name and version of its manifest are replaced, checksums computed. A version that exists stays as it is:
        the same files again only make it current. Raises RegistryError, ManifestError or OSError.
        """
        given = Manifest.parse((directory / MANIFEST).read_bytes())
        files = {name: _described(directory / name) for name in given.files}
        manifest = msgspec.structs.replace(given, name=self.name, version=version, files=files)
        manifest = Manifest.parse(manifest.encoded())  # refuses a wrong name or version
        existing = self._manifest(version)
        if existing is None:
            for name in files:
                self.s3.upload_file(str(directory / name), self.bucket, f"{self.name}/{version}/{name}")
            key = f"{self.name}/{version}/{MANIFEST}"
            self.s3.put_object(
                Bucket=self.bucket, Key=key, Body=manifest.encoded(), ContentType="application/json"
            )
        elif existing != manifest:
            raise RegistryError(
                f"{existing.label} exists and is something else; versions never change: choose another"
            )
        self.use(version)
        return manifest

    def use(self, version: str) -> None:
        """Make a version that exists the current one. Raises RegistryError."""
        if self._manifest(version) is None:
            raise RegistryError(f"s3://{self.bucket}/{self.name}/{version}/ holds no model")
        self.s3.put_object(Bucket=self.bucket, Key=f"{self.name}/current", Body=f"{version}\n".encode())

    def _manifest(self, version: str) -> Manifest | None:
        if not VERSION.fullmatch(version):
            raise ManifestError(
                f"{version!r} is no version: 1-63 lower-case letters, digits, dots and dashes"
            )
        try:
            found = self.s3.get_object(Bucket=self.bucket, Key=f"{self.name}/{version}/{MANIFEST}")
        except ClientError as error:
            if _is_missing(error):
                return None
            raise
        return Manifest.parse(found["Body"].read(_MAX_MANIFEST_BYTES))

    def _download(self, version: str, name: str, file: ModelFile, path: Path) -> None:
        place = f"s3://{self.bucket}/{self.name}/{version}/{name}"
        try:
            body = self.s3.get_object(Bucket=self.bucket, Key=f"{self.name}/{version}/{name}")["Body"]
        except ClientError as error:
            if _is_missing(error):
                raise RegistryError(f"{place} does not exist, though the manifest lists it") from None
            raise
        digest, size = hashlib.sha256(), 0
        with path.open("wb") as out:
            for chunk in body.iter_chunks(_CHUNK_BYTES):
                size += len(chunk)
                if size > file.size:
                    raise RegistryError(f"{place} has more than the {file.size} bytes of the manifest")
                digest.update(chunk)
                out.write(chunk)
            out.flush()
            os.fsync(out.fileno())
        if (size, digest.hexdigest()) != (file.size, file.sha256):
            raise RegistryError(
                f"{place} has {size} bytes with sha256 {digest.hexdigest()}; its manifest says {file.size} bytes "
                f"with {file.sha256}"
            )


def _described(path: Path) -> ModelFile:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return ModelFile(digest, path.stat().st_size)


def _is_missing(error: ClientError) -> bool:
    return error.response.get("Error", {}).get("Code") in {"NoSuchKey", "404"}
