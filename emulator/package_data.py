"""Data that installed packages carry, read without importing them: an import takes longer than a layer."""

import gzip
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import orjson


def folder(package: str) -> Path:
    """Where a package's files are. Raises RuntimeError when it is not installed."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise RuntimeError(
            f"{package}, whose data the rehearsal checks with, is not installed: run make setup"
        )
    return Path(spec.origin).parent


def read_json(file: Path) -> Any:
    """The content of a JSON file, packed with gzip or not."""
    content = file.read_bytes()
    return orjson.loads(gzip.decompress(content) if file.suffix == ".gz" else content)
