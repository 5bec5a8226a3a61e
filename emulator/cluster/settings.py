"""What an emulated cluster is told when its process starts: one JSON file, which only its user may read."""

import os
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import TypeAdapter


@dataclass(frozen=True)
class Settings:
    """One cluster."""

    name: str
    version: str
    """Minor version of Kubernetes, such as `1.35`."""
    account: str
    region: str
    directory: Path
    """Its state: the snapshot, the pods' folders and logs. It exists."""
    registry: Path
    """Of processes; see `emulator.processes`. It exists."""
    token: str
    """Bearer token of the administrator."""
    certificate: Path
    """PEM, of the server."""
    key: Path
    """PEM, of the server."""
    certificate_authority: str = ""
    """PEM, of who signed the server's certificate: what pods are given to check it by."""
    images: Path | None = None
    """Where the project's own images are."""
    environment: dict[str, str] = field(default_factory=dict)
    """What every container gets besides its own variables: the way to the emulated AWS."""
    overrides: dict[str, str] = field(default_factory=dict)
    """What takes the place of a container's own variables: where what stands in for AWS differs from it."""

    def write(self, file: Path) -> None:
        """Put the settings into `file`, in place of what is there."""
        partial = file.with_suffix(".partial")
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as opened:
            opened.write(TypeAdapter(Settings).dump_json(self))
        partial.replace(file)

    @classmethod
    def read(cls, file: Path) -> "Settings":
        """What `write` wrote."""
        return TypeAdapter(Settings).validate_json(file.read_bytes())
