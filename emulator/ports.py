"""Ports of real processes: one that is free, the one of last time if it can be had, and whether one listens on it."""

import contextlib
import json
import socket
import time
from pathlib import Path
from typing import Final

import psutil

from emulator.processes import Process

_POLL_SECONDS: Final = 0.005


def bound(preferred: int = 0) -> socket.socket:
    """A TCP socket bound on loopback: to the preferred port, or to another when a program has taken it."""
    for port in {preferred: None, 0: None}:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            listener.close()
            continue
        return listener
    raise OSError("no port is free on 127.0.0.1")


def free_port(preferred: int = 0) -> int:
    """A port that nobody listens on at the moment, the preferred one if possible."""
    with bound(preferred) as listener:
        return listener.getsockname()[1]


def wait_until_listening(process: Process, port: int, seconds: float) -> bool:
    """Whether the process itself, or a child of it, comes to listen on a port of this machine in time.

    A program that took the port first is not mistaken for it.
    """
    deadline = time.monotonic() + seconds
    while process.alive and time.monotonic() < deadline:
        if port in listening_ports(process.pid):
            return True
        time.sleep(_POLL_SECONDS)
    return False


def listening_ports(pid: int) -> set[int]:
    """The TCP ports on which a process and its children listen."""
    found: set[int] = set()
    with contextlib.suppress(psutil.Error):
        parent = psutil.Process(pid)
        for process in [parent, *parent.children(recursive=True)]:
            for connection in process.net_connections(kind="tcp"):
                if connection.status == psutil.CONN_LISTEN and connection.laddr:
                    found.add(connection.laddr.port)
    return found


class RememberedPorts:
    """The ports that clusters had, by the cluster's name, in a JSON file: for the world's next run."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def of(self, name: str) -> int:
        """The port it had last time; 0 if it is new."""
        return self._all().get(name, 0)

    def remember(self, name: str, port: int) -> None:
        """Write it down."""
        ports = self._all() | {name: port}
        partial = self._file.with_suffix(".partial")
        partial.write_text(json.dumps(ports), encoding="utf-8")
        partial.replace(self._file)

    def _all(self) -> dict[str, int]:
        try:
            return json.loads(self._file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
