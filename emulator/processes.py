"""Child processes that carry what the emulator only describes: brokers, databases, API servers, pods.

Each runs in a session of its own, writes into a log file, is told of in a registry (one JSON file a process,
which `pinwheel status` and `pinwheel down` read), and does not outlive the process that started it: on Linux
the kernel kills it then (`setpriv --pdeathsig`, of util-linux), and `emulator.undertaker` what it has forked.
"""

import contextlib
import functools
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import psutil

from emulator import undertaker

KILL_TIMEOUT_SECONDS: Final = 5.0
_starter: Final = ThreadPoolExecutor(1, thread_name_prefix="starter of processes")
"""One thread starts all children: the kernel kills a child when the thread that started it ends."""
_BACKOFF_SECONDS: Final = (0.0, 0.2, 0.5, 1.0, 2.0, 3.0)
"""Before each restart in a row. A killed process is back within 5 seconds."""
_CLOCK_TOLERANCE_SECONDS: Final = 2.0
"""A process's start time is reckoned from the boot time, which moves when the clock is set."""
_STABLE_SECONDS: Final = 10.0
"""Of running, after which earlier deaths are forgotten."""


@dataclass
class Member:
    """One process of a world. Its start time tells it from a later process with the same id."""

    name: str
    pid: int
    started: float
    """Seconds since the epoch."""
    details: dict[str, Any] = field(default_factory=dict)
    """Where it listens, how often it was restarted, ...: for people."""

    @classmethod
    def of(cls, name: str, pid: int, details: Mapping[str, Any] | None = None) -> "Member":
        """The member that runs as `pid` now."""
        return cls(name, pid, psutil.Process(pid).create_time(), dict(details or {}))

    @property
    def alive(self) -> bool:
        """Whether this very process runs."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.started) < _CLOCK_TOLERANCE_SECONDS
            return same and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False


def registered(directory: Path) -> list[Member]:
    """All processes of a registry, by name; dead ones that nobody took out are among them."""
    found: list[Member] = []
    for path in sorted(directory.glob("*.json")):
        with contextlib.suppress(OSError, ValueError, TypeError):  # just being written or taken out
            found.append(Member(**json.loads(path.read_text(encoding="utf-8"))))
    return found


class Process:
    """One child process.

    Args:
        name: what people call it; also of its file in the registry.
        command: program and arguments.
        log: file that stdout and stderr are appended to.
        registry: directory of the registry, which exists.
        environment: the whole environment; this process's by default.
        directory: where it runs.
        details: see `Member`.
        on_exit: called with the exit status (negative: the signal), in a thread, when it has ended.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log: Path,
        registry: Path,
        *,
        environment: Mapping[str, str] | None = None,
        directory: Path | None = None,
        details: Mapping[str, Any] | None = None,
        on_exit: Callable[[int], None] | None = None,
        pass_fds: Sequence[int] = (),
    ) -> None:
        self.name = name
        self._file = registry / f"{name.replace('/', '_')}.json"
        self._on_exit = on_exit
        self._mark = uuid.uuid4().hex
        log.parent.mkdir(parents=True, exist_ok=True)
        _undertaker.tell(f"+{self._mark}")
        with log.open("ab") as output:
            starting = _starter.submit(
                subprocess.Popen[bytes],  # the command is ours or the object's, as a container's is
                [*_dying_with_us(), *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**(os.environ if environment is None else environment), undertaker.MARK: self._mark},
                cwd=directory,
                pass_fds=tuple(pass_fds),
                start_new_session=True,
            )
            try:
                self._process = starting.result()
            except OSError:  # there is no such program
                _undertaker.tell(f"-{self._mark}")
                raise
        self.pid = self._process.pid
        _undertaker.tell(f"+{self._mark} {self.pid}")
        self._register(details or {})
        self._waiter = threading.Thread(target=self._wait, name=f"wait for {name}", daemon=True)
        self._waiter.start()

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._process.returncode is None

    @property
    def status(self) -> int | None:
        """Its exit status, negative for a signal; None while it runs."""
        return self._process.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal to the process itself, if it runs."""
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> None:
        """End it and all it has started, at once."""
        undertaker.end_group(self.pid)

    def join(self, timeout: float | None = None) -> bool:
        """Wait until it has ended; returns whether it has."""
        self._waiter.join(timeout)
        return not self._waiter.is_alive()

    def stop(self, grace_seconds: float, number: int = signal.SIGTERM) -> None:
        """Ask it to end, wait, and kill what is left."""
        self.send_signal(number)
        self.join(grace_seconds)
        self.kill()
        self.join(KILL_TIMEOUT_SECONDS)

    def _wait(self) -> None:
        if hasattr(os, "waitid"):  # before its id can be given to another process; macOS lacks it
            os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
            self.kill()  # what it started and left behind in its session
        status = self._process.wait()
        undertaker.end_marked({self._mark})  # what has begun a session of its own
        _undertaker.tell(f"-{self._mark}")
        self._file.unlink(missing_ok=True)
        if self._on_exit:
            self._on_exit(status)

    def _register(self, details: Mapping[str, Any]) -> None:
        try:
            member = Member.of(self.name, self.pid, details)
        except psutil.NoSuchProcess:  # ended already, as the waiter will find
            return
        partial = self._file.with_suffix(".partial")
        partial.write_text(json.dumps(asdict(member)), encoding="utf-8")
        partial.replace(self._file)


class _Undertaker:
    """The process of `emulator.undertaker` that ends what this one leaves. It is started with the first child."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lines: dict[str, str] = {}
        """What was told last of each child that is there."""
        self._process: subprocess.Popen[bytes] | None = None

    def tell(self, line: str) -> None:
        """Tell of a child, in the words of `undertaker.watch`."""
        with self._lock:
            mark = line[1:].partition(" ")[0]
            self._lines.pop(mark, None)
            if line.startswith("+"):
                self._lines[mark] = line
            try:
                self._send(line)
            except OSError:  # it was killed
                self._process = None
                self._send(line)

    def _send(self, line: str) -> None:
        lines = [line]
        if self._process is None:
            command = [sys.executable, "-I", "-S", undertaker.__file__]
            self._process = subprocess.Popen(  # noqa: S603 - our own
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={},
                start_new_session=True,
                bufsize=0,
            )
            lines = [*self._lines.values()]
        assert self._process.stdin is not None  # noqa: S101 - it is a pipe
        self._process.stdin.write("".join(f"{each}\n" for each in lines).encode())


_undertaker: Final = _Undertaker()


class Supervised:
    """A process that is started again whenever it ends by itself.

    `start` makes and starts the process and returns when it serves; it is called again, in a thread, after
    each death, with the number of restarts so far. What it raises is reported and tried again later.
    """

    def __init__(
        self,
        name: str,
        start: Callable[[int, Callable[[int], None]], Process],
        report: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.name = name
        self.restarts = 0
        self.process: Process | None = None
        self._start = start
        self._report = report
        self._farewell: tuple[float, int] = (0.0, signal.SIGTERM)
        self._stopping = threading.Event()
        self._died = threading.Event()
        self._keeper = threading.Thread(target=self._keep, name=f"keep {name}", daemon=True)

    def start(self) -> None:
        """Start it for the first time; what goes wrong is raised."""
        self.process = self._start(0, self._ended)
        self._keeper.start()

    def stop(self, grace_seconds: float, number: int = signal.SIGTERM) -> None:
        """End it for good."""
        # By the keeper: what it has started again dies with its thread (the kernel's death signal is a thread's),
        # and would have no grace otherwise.
        self._farewell = (grace_seconds, number)
        self._stopping.set()
        self._died.set()
        if self._keeper.is_alive():
            self._keeper.join(grace_seconds + KILL_TIMEOUT_SECONDS)
        if self.process and self.process.alive:
            self.process.stop(grace_seconds, number)

    def _ended(self, status: int) -> None:
        if not self._stopping.is_set():
            how = f"by signal {-status}" if status < 0 else f"with status {status}"
            self._report(f"{self.name} ended {how}")
        self._died.set()

    def _keep(self) -> None:
        deaths, began = 0, time.monotonic()
        while True:
            self._died.wait()
            if time.monotonic() - began > _STABLE_SECONDS:
                deaths = 0
            if self._stopping.wait(_BACKOFF_SECONDS[min(deaths, len(_BACKOFF_SECONDS) - 1)]):
                if self.process:
                    self.process.stop(*self._farewell)
                return
            self._died.clear()
            deaths += 1
            began = time.monotonic()
            self.restarts += 1
            try:
                self.process = self._start(self.restarts, self._ended)
                self._report(f"{self.name} runs again")
            except Exception as error:
                self._report(f"{self.name} could not be started again: {error}")
                self._died.set()


@functools.cache
def _dying_with_us() -> tuple[str, ...]:
    setpriv = shutil.which("setpriv")
    return (setpriv, "--pdeathsig", "KILL", "--") if setpriv else ()
