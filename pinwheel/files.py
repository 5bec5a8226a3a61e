"""Files that are either wholly written or not at all."""

import contextlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from pinwheel.errors import Failure, of_file


def write_json(path: Path, value: Any) -> None:
    """Write `value`; a reader finds the old content or the new, never half. Raises Failure."""
    text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    try:
        if path.exists() and not path.is_file():  # a device or a pipe: nothing to replace
            path.write_text(text, encoding="utf-8")
        else:
            _replace(path, text)
    except OSError as error:
        raise of_file(error, str(path)) from error


def _replace(path: Path, text: str) -> None:
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), 0o644)
            file.write(text)
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise


def require_writable(path: Path) -> None:
    """Raise Failure now rather than after a minute's work when `path` cannot be written."""
    if path.is_dir():
        raise Failure(f"{path}: Is a directory", "name a file, not a directory")
    if not path.parent.is_dir():
        raise Failure(f"{path}: its directory does not exist", f"create it first: mkdir -p {path.parent}")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise Failure(f"{path}: is not writable", "name a file in a directory that you may write")
