"""The process of one cluster: `python -m emulator.cluster SETTINGS LISTENER`. `emulator.eks` starts it.

SETTINGS is the file of `emulator.cluster.settings`, LISTENER the descriptor of a listening socket. SIGTERM
ends it in good order, SIGHUP makes it read its settings again. Its log is stderr.
"""

import asyncio
import logging
import os
import signal
import socket
import sys
from pathlib import Path

import uvloop

from emulator.cluster.cluster import Cluster
from emulator.cluster.settings import Settings

_PARENT_POLL_SECONDS = 1.0


async def serve(settings_file: Path, listener: socket.socket) -> None:
    """Serve until a signal comes, or until whoever started this is gone."""
    stopped = asyncio.Event()
    cluster = Cluster(Settings.read(settings_file))
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    loop.add_signal_handler(signal.SIGINT, stopped.set)
    loop.add_signal_handler(signal.SIGHUP, lambda: cluster.upgrade(Settings.read(settings_file)))
    parent = asyncio.create_task(_stop_with_parent(stopped))
    try:
        await cluster.run(listener, stopped)
    finally:
        parent.cancel()


async def _stop_with_parent(stopped: asyncio.Event) -> None:
    """Where the kernel does not end children with their parents, as on macOS."""
    parent = os.getppid()
    while os.getppid() == parent:
        await asyncio.sleep(_PARENT_POLL_SECONDS)
    stopped.set()


def main() -> None:
    """Run the process."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    settings_file, descriptor = sys.argv[1:]
    uvloop.run(serve(Path(settings_file), socket.socket(fileno=int(descriptor))))


if __name__ == "__main__":
    main()
