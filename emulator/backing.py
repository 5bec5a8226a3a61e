"""What stands behind the emulated services when they carry data, and where it keeps it.

Without a backing (a plain rehearsal) the services only describe: no process is started. `python -m emulator
--backed DIRECTORY` puts one in place before the first request.
"""

import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Backing:
    """One world's real processes."""

    directory: Path
    """Below it each part has a folder of its own."""
    endpoint: str
    """Of the emulator itself: what a process behind it asks."""
    account: str
    region: str
    keep: bool = False
    """Whether data of an earlier run in this directory is used again, and left at the end."""
    images: Path | None = None
    """Where the project's own images are; see `emulator.cluster.kubelet.images`."""
    _at_stop: list[Callable[[], None]] = field(default_factory=list)
    _report_lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        self.directory.chmod(0o700)  # data and logs hold what only this user may read
        self.registry.mkdir(exist_ok=True)

    @property
    def registry(self) -> Path:
        """Of the processes; see `emulator.processes`."""
        return self.directory / "processes"

    def data(self, part: str) -> Path:
        """The folder of one part (`kafka`, `mysql`, ...), made if need be; only this user reads it."""
        path = self.directory / "data" / part
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        return path

    def log(self, name: str) -> Path:
        """The log file of a process."""
        return self.directory / "logs" / f"{name}.log"

    def at_stop(self, action: Callable[[], None]) -> None:
        """Have `action` called when the world ends in good order, the last given first."""
        self._at_stop.append(action)

    def stop(self) -> None:
        """End everything; what goes wrong with one part is reported, and the others are ended all the same."""
        while self._at_stop:
            try:
                self._at_stop.pop()()
            except Exception as error:
                self.report(f"while stopping: {error!r}")

    def report(self, text: str) -> None:
        """Tell people of something: the emulator's stderr is its log."""
        with self._report_lock:
            print(text, file=sys.stderr, flush=True)  # noqa: T201 - the log


_present: list[Backing] = []


def use(backing: Backing) -> None:
    """Put a backing in place. Called once, before the first request."""
    _present[:] = [backing]


def present() -> Backing | None:
    """The backing, or None when the services only describe."""
    return _present[0] if _present else None
