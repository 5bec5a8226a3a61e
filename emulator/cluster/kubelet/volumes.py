"""A pod's volumes, as folders below the pod's own; a process finds them by translated mount paths.

Files of ConfigMaps, Secrets and the downward API are replaced one by one when their objects change, each
atomically. (A real kubelet swaps the whole directory at once.)
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from emulator.cluster.kubelet.variables import ConfigError, Sources, pod_field, resource_field
from emulator.cluster.store import Object

_ALWAYS_WRITTEN: Final = ("configMap", "secret", "projected", "downwardAPI")
Translate = Callable[[str], str]


class MountError(Exception):
    """A volume cannot be set up (yet); told in a FailedMount event."""


class Volumes:
    """The volumes of one pod: `folder` is for what goes with it, `claims` for what survives it."""

    def __init__(
        self, sources: Sources, pod: Object, folder: Path, claims: Path, translate: Translate
    ) -> None:
        self._sources = sources
        self._folder = folder
        self._claims = claims
        self._translate = translate
        self._volumes: list[dict[str, Any]] = pod["spec"].get("volumes") or []

    @property
    def follow_objects(self) -> bool:
        """Whether there are files to write again when objects change."""
        return any(source in volume for volume in self._volumes for source in _ALWAYS_WRITTEN)

    def set_up(self, pod: Object) -> None:
        """Make all volumes, and write anew what comes from objects. Raises MountError."""
        for volume in self._volumes:
            try:
                self._make(volume, pod)
            except ConfigError as error:
                raise MountError(
                    f'MountVolume.SetUp failed for volume "{volume["name"]}" : {error}'
                ) from error

    def folders(self, container: Mapping[str, Any]) -> dict[str, Path]:
        """The folder, or file, that stands for each mount path of a container."""
        found: dict[str, Path] = {}
        volumes = {volume["name"]: volume for volume in self._volumes}
        for mount in container.get("volumeMounts") or ():
            volume = volumes.get(mount["name"])
            if volume is not None:
                below = (mount.get("subPath") or "").strip("/")
                whole = self._path(volume)
                path = whole / below if below else whole
                if not path.resolve().is_relative_to(whole.resolve()):
                    raise ConfigError(f"subPath {below} leaves the volume {mount['name']}")
                if below and not path.exists():
                    path.mkdir(parents=True)
                found[mount["mountPath"]] = path
        return found

    def _path(self, volume: Mapping[str, Any]) -> Path:
        claim = volume.get("persistentVolumeClaim")
        if claim:
            return self._claims / f"{self._sources.namespace}_{claim['claimName']}"
        return self._folder / volume["name"]

    def _make(self, volume: Mapping[str, Any], pod: Object) -> None:
        path = self._path(volume)
        if "configMap" in volume:
            self._write(
                path, self._config_map_files(volume["configMap"], volume["configMap"].get("name", ""))
            )
        elif "secret" in volume:
            self._write(path, self._secret_files(volume["secret"], volume["secret"].get("secretName", "")))
        elif "downwardAPI" in volume:
            self._write(path, _downward_files(volume["downwardAPI"], pod))
        elif "projected" in volume:
            self._write(path, self._projected_files(volume["projected"], pod))
        elif "persistentVolumeClaim" in volume:
            self._claim(path, volume["persistentVolumeClaim"]["claimName"])
        elif "emptyDir" in volume:
            path.mkdir(parents=True, exist_ok=True)
        else:
            kind = next((key for key in volume if key != "name"), "nothing")
            raise MountError(
                f'MountVolume.SetUp failed for volume "{volume["name"]}" : {kind} is refused, because pods here are '
                "processes of this machine; use configMap, secret, emptyDir, projected, downwardAPI or "
                "persistentVolumeClaim"
            )

    def _claim(self, path: Path, name: str) -> None:
        self._sources.require_claim(name)
        path.mkdir(parents=True, exist_ok=True, mode=0o700)

    def _projected_files(self, projected: Mapping[str, Any], pod: Object) -> dict[str, bytes]:
        files: dict[str, bytes] = {}
        for source in projected.get("sources") or ():
            if "configMap" in source:
                files |= self._config_map_files(source["configMap"], source["configMap"].get("name", ""))
            elif "secret" in source:
                files |= self._secret_files(source["secret"], source["secret"].get("name", ""))
            elif "downwardAPI" in source:
                files |= _downward_files(source["downwardAPI"], pod)
            else:
                raise ConfigError(f"{', '.join(source)} is not emulated: nobody here issues such tokens")
        return files

    def _config_map_files(self, source: Mapping[str, Any], name: str) -> dict[str, bytes]:
        values = self._sources.config_map(name, optional=bool(source.get("optional")))
        chosen = _chosen(values, source, f"configmap {name}")
        return {path: self._translated(content) for path, content in chosen.items()}

    def _secret_files(self, source: Mapping[str, Any], name: str) -> dict[str, bytes]:
        return _chosen(
            self._sources.secret(name, optional=bool(source.get("optional"))), source, f"secret {name}"
        )

    def _translated(self, content: bytes) -> bytes:
        try:
            return self._translate(content.decode()).encode()
        except UnicodeDecodeError:
            return content

    def _write(self, folder: Path, files: Mapping[str, bytes]) -> None:
        """Make a folder hold exactly these files; only this user reads them."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for path in sorted(folder.rglob("*"), reverse=True):
            if path.is_file() and str(path.relative_to(folder)) not in files:
                path.unlink()
        for name, content in files.items():
            target = folder / name
            if not target.resolve().is_relative_to(folder.resolve()):
                raise ConfigError(f"path {name} leaves the volume")
            if target.is_file() and target.read_bytes() == content:
                continue
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            partial = target.with_name(f".{target.name}.partial")
            with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(content)
            partial.replace(target)


def _chosen(values: Mapping[str, bytes] | None, source: Mapping[str, Any], called: str) -> dict[str, bytes]:
    """All keys, or the `items` of the source, by path."""
    items = source.get("items")
    if values is None:
        return {}
    if not items:
        return dict(values)
    missing = [item["key"] for item in items if item["key"] not in values]
    if missing and not source.get("optional"):
        raise ConfigError(f"{called} references non-existent config key: {missing[0]}")
    return {item["path"]: values[item["key"]] for item in items if item["key"] in values}


def _downward_files(source: Mapping[str, Any], pod: Object) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    for item in source.get("items") or ():
        if "fieldRef" in item:
            files[item["path"]] = pod_field(pod, item["fieldRef"]["fieldPath"]).encode()
        else:
            files[item["path"]] = resource_field(pod, {}, item["resourceFieldRef"]).encode()
    return files
