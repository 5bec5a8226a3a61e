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
from collections.abc import Collection
from pathlib import Path
from typing import BinaryIO, Final

MARK: Final = "PINWHEEL_PROCESS"
"""The variable of the environment that tells whose child a process is."""
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
    """Read lines until the parent is gone: `+PID MARK` for a child that runs, `-PID MARK` for one that has ended."""
    children: dict[int, str] = {}
    for line in told:
        pid, mark = line[1:].decode().split()
        if line.startswith(b"+"):
            children[int(pid)] = mark
        else:
            children.pop(int(pid), None)
    for pid in children:
        end_group(pid)
    if children:
        end_marked(set(children.values()))


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # it ends with its parent, not before
    watch(sys.stdin.buffer)
