"""What an emulated cluster is told when its process starts."""

from dataclasses import dataclass, field
from pathlib import Path


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
    images: Path | None = None
    """Where the project's own images are."""
    environment: dict[str, str] = field(default_factory=dict)
    """What every container gets besides its own variables: the way to the emulated AWS."""
