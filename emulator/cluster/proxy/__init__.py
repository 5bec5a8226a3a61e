"""The lasting addresses of Services; see docs/decisions/0011-pods-are-processes.md."""

from emulator.cluster.proxy.proxy import ServiceProxy

__all__ = ["ServiceProxy"]
