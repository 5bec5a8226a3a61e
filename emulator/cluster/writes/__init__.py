"""Everything between a write request and the store."""

from emulator.cluster.writes.options import WriteOptions
from emulator.cluster.writes.writes import Writes

__all__ = ["WriteOptions", "Writes"]
