"""The real servers behind the emulated clusters, if there are any.

Apart from `emulator.rds.server`, so that a plain rehearsal imports no database client.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from emulator.rds.server import Servers


@dataclass(frozen=True)
class Credential:
    """A user and its password."""

    username: str
    password: str


_present: "list[Servers]" = []


def use(found: "Servers | None") -> None:
    """Put servers, or none, behind the clusters that are created from now on."""
    _present[:] = [found] if found else []


def servers() -> "Servers | None":
    """The servers; None when clusters only describe."""
    return _present[0] if _present else None
