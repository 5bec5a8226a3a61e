"""At which port a Service listens: its own, or another where that cannot be had."""

import errno
import socket
from typing import Final

MOVED_BY: Final = 8000
_TRIES: Final = 100
_LAST_PORT: Final = 65535


def listening_port(address: str, port: int) -> int:
    """`port`; else, if it is privileged or another program has it, 8000 above it or the next that is free.

    Raises OSError when nothing can be had at the address.
    """
    candidates = (port, *range(port + MOVED_BY, min(port + MOVED_BY + _TRIES, _LAST_PORT)), 0)
    for candidate in candidates:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, candidate))
                return probe.getsockname()[1]
            except OSError as error:
                if error.errno not in {errno.EADDRINUSE, errno.EACCES}:
                    raise
    raise OSError(errno.EADDRINUSE, f"no free port at {address}")
