"""The seam between the emulated Aurora and what serves MySQL's protocol.

Every database address that RDS hands out comes from `address`. In a plain rehearsal that is the name that AWS
would give, behind which nothing listens; where there are real servers (`emulator.rds.server`), where they listen.
"""

from dataclasses import dataclass
from typing import Literal

from emulator.rds import real


@dataclass(frozen=True)
class Database:
    """What an address is asked for: a cluster's writer, its readers, or one instance."""

    role: Literal["writer", "reader", "instance"]
    identifier: str
    unique: str
    """A part of the name that is the cluster's own, made at its creation."""
    region: str
    port: int


def address(database: Database) -> tuple[str, int]:
    """Host and port at which a database listens."""
    servers = real.servers()
    server = servers.of(database.unique) if servers else None
    return server.address if server else _aws_address(database)


def _aws_address(database: Database) -> tuple[str, int]:
    """The name that AWS would give, and the port asked for."""
    middle = {"writer": "cluster-", "reader": "cluster-ro-", "instance": ""}[database.role]
    host = f"{database.identifier}.{middle}{database.unique}.{database.region}.rds.amazonaws.com"
    return host, database.port
