"""The environment that a command names: found, read, validated, or refused with what would be right."""

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from infra import environment_file
from infra.program import LAYERS
from pinwheel.errors import Failure

if TYPE_CHECKING:
    from infra.environment import Environment

ROOT = Path(__file__).resolve().parent.parent
"""The repository: where Pulumi.yaml stands."""


def load(name: str, directory: Path | None) -> "Environment":
    """The environment `name` of `directory` (None: environments/). Raises Failure or InvalidEnvironment."""
    directory = directory or environment_file.ENVIRONMENTS
    if not directory.is_dir():
        raise Failure(
            f"{directory}: is not a directory", "name the directory of the <environment>.yaml files"
        )
    known = environment_file.names(directory)
    if name not in known:
        raise Failure(f"there is no environment `{name}` in {directory}", _instead(name, known))
    return environment_file.load(name, directory)


def require_layers(chosen: Sequence[str]) -> None:
    """Raise Failure for a layer that does not exist."""
    for name in chosen:
        if name not in LAYERS:
            raise Failure(f"there is no layer `{name}`", _instead(name, list(LAYERS)))


def _instead(name: str, known: Sequence[str]) -> str:
    if not known:
        return f"create {name}.yaml there; environments/local.yaml shows how"
    close = difflib.get_close_matches(name, known, n=1)
    return f"use one of {', '.join(known)}" + (f"; did you mean {close[0]}?" if close else "")
