"""Ends what child processes leave behind: what they have forked, wherever it went.

The kernel kills a child when its parent is gone, but not what that child has forked; and who begins a session of
its own is out of its process group. So each child carries a mark in its environment, which all it starts
inherits, and each parent tells a process of this module of its children. When the parent ends, however that
happens, its pipe closes, and whatever is still there is killed.

Run as a script, it imports nothing but the standard library: it is small and starts in no time.
"""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Collection
from pathlib import Path
from typing import BinaryIO, Final

MARK: Final = "PINWHEEL_PROCESS"
"""The variable of the environment that tells whose child a process is."""
_STARTING_SECONDS: Final = 0.2
"""For a child whose parent was killed while it started, and that has its mark only now."""
_PROCESSES: Final = Path("/proc")
"""Of Linux. Elsewhere only process groups are ended."""


def end_group(pid: int) -> None:
    """Kill a process and all that has stayed in its group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def end_marked(marks: Collection[str]) -> None:
    """Kill all processes that carry one of the marks, until there are none."""
    wanted = {f"{MARK}={mark}".encode() for mark in marks}
    ended: set[int] = set()
    while new := {pid for pid, mark in _marked() if mark in wanted} - ended:
        for pid in new:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        ended |= new


def _marked() -> list[tuple[int, bytes]]:
    """The processes that carry a mark, with the variable as it stands in their environment."""
    found: list[tuple[int, bytes]] = []
    for path in _PROCESSES.glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):  # it is another user's, or has ended
            variables = path.read_bytes().split(b"\0")
            pid = int(path.parent.name)
            found += [(pid, text) for text in variables if text.startswith(f"{MARK}=".encode())]
    return found


def watch(told: BinaryIO) -> None:
    """Read lines until the parent is gone, then end what it has left.

    `+MARK` tells of a child that is about to be started, `+MARK PID` of one that runs, `-MARK` of one that has
    ended.
    """
    children: dict[str, int | None] = {}
    for line in told:
        mark, *pid = line[1:].decode().split()
        if line.startswith(b"+"):
            children[mark] = int(pid[0]) if pid else None
        else:
            children.pop(mark, None)
    for pid in children.values():
        if pid is not None:
            end_group(pid)
    if children:
        end_marked(children.keys())
        time.sleep(_STARTING_SECONDS)
        end_marked(children.keys())


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # it ends with its parent, not before
    watch(sys.stdin.buffer)
