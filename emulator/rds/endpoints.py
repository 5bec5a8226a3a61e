"""The seam between the emulated Aurora and what serves MySQL's protocol.

Every database address that RDS hands out comes from `address`. In a plain rehearsal that is `aws_address`: the
names that AWS would give, behind which nothing listens. Real servers replace it by calling `set_provider` with
a function that returns where they listen: see `emulator.rds.server`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Database:
    """What an address is asked for: a cluster's writer, its readers, or one instance."""

    role: Literal["writer", "reader", "instance"]
    identifier: str
    unique: str
    """A part of the name that is the cluster's own, made at its creation."""
    region: str
    port: int


Provider = Callable[[Database], tuple[str, int]]
"""Returns host and port."""


def aws_address(database: Database) -> tuple[str, int]:
    """The name that AWS would give, and the port asked for."""
    middle = {"writer": "cluster-", "reader": "cluster-ro-", "instance": ""}[database.role]
    host = f"{database.identifier}.{middle}{database.unique}.{database.region}.rds.amazonaws.com"
    return host, database.port


_provider: list[Provider] = [aws_address]


def set_provider(provider: Provider) -> None:
    """Let another function say where databases listen."""
    _provider[0] = provider


def address(database: Database) -> tuple[str, int]:
    """Where a database listens, as the present provider says."""
    return _provider[0](database)
