"""The project's own images: what their Dockerfiles build, described for running without containers.

`<images>/<name>/image.json` is a subset of an OCI image's config (Entrypoint, Cmd, Env, WorkingDir,
https://github.com/opencontainers/image-spec/blob/main/config.md); the code is the repository's, beside it.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

_PROJECT: Final = "pinwheel"
_REFERENCE: Final = re.compile(
    r"(?P<repository>[^@]+?)(?::(?P<tag>[\w][\w.-]{0,127}))?(?:@[\w+.-]+:[0-9a-fA-F]+)?"
)
_NAME: Final = re.compile(r"[a-z0-9]+(?:[._-]+[a-z0-9]+)*")
_KNOWN_FIELDS: Final = frozenset({"Entrypoint", "Cmd", "Env", "WorkingDir", "ExposedPorts", "Labels", "User"})


class ImageError(Exception):
    """An image of the project cannot be run."""


@dataclass(frozen=True)
class Image:
    """One of the project's images."""

    name: str
    identity: str
    """`sha256:` and the digest of its description."""
    entrypoint: tuple[str, ...]
    command: tuple[str, ...]
    environment: dict[str, str]
    directory: Path
    """Where it runs unless the container says otherwise."""


def project_name(reference: str) -> str | None:
    """`echo` for `123.dkr.ecr.eu-west-1.amazonaws.com/pinwheel/echo:1@sha256:...`; None if it is not the project's."""
    found = _REFERENCE.fullmatch(reference)
    parts = found["repository"].split("/") if found else []
    return parts[-1] if len(parts) > 1 and parts[-2] == _PROJECT and parts[-1] else None


def load_image(images: Path | None, name: str, reference: str) -> Image:
    """The image called `name`. Raises ImageError in the words of a registry and of containerd."""
    folder = images / name if images and _NAME.fullmatch(name) else None
    description = folder / "image.json" if folder else None
    if folder is None or description is None or not description.is_file():
        where = f"there is no {images / name / 'image.json'}" if images else "no folder of images was given"
        raise ImageError(
            f'failed to pull and unpack image "{reference}": failed to resolve reference "{reference}": '
            f"{reference}: not found ({where})"
        )
    text = description.read_bytes()
    try:
        config = json.loads(text)
        return Image(
            name,
            f"sha256:{hashlib.sha256(text).hexdigest()}",
            _words(config, "Entrypoint"),
            _words(config, "Cmd"),
            dict(_variable(text) for text in _words(config, "Env")),
            _working_directory(folder, config),
        )
    except ValueError as error:
        raise ImageError(f'failed to read image "{reference}": {description}: {error}') from error


def _words(config: Any, name: str) -> tuple[str, ...]:
    if not isinstance(config, dict):
        raise ValueError("expected an object")
    unknown = sorted(set(config) - _KNOWN_FIELDS)
    if unknown:
        raise ValueError(f"unknown field {unknown[0]}; known are {', '.join(sorted(_KNOWN_FIELDS))}")
    value = config.get(name) or []
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        raise ValueError(f"{name}: expected a list of strings")
    return tuple(value)


def _variable(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise ValueError(f"Env: {text!r} is not NAME=value")
    return name, value


def _working_directory(folder: Path, config: dict[str, Any]) -> Path:
    directory = (folder / (config.get("WorkingDir") or ".")).resolve()
    if not directory.is_dir():
        raise ValueError(f"WorkingDir: {directory} is not a directory")
    return directory
