"""What must be gone when this process ends, in whatever way it ends.

SIGINT (Ctrl-C), SIGTERM and SIGHUP (the terminal is closed) do not raise: an exception that comes out of
nowhere is lost in a destructor, in a callback of a C library or in somebody's bare `except`, and it makes an
event loop wait for work that nobody wants any more. The handler itself ends what was registered here, the
newest first, says so in one line and leaves with the customary exit code, 128 + the signal's number.

Of `kill -9` nobody is told; the emulator notices by itself, because the pipe to its parent closes.
"""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType
from typing import Final

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_CAUSES: Final = {
    signal.SIGINT: "Ctrl-C",
    signal.SIGTERM: "SIGTERM",
    signal.SIGHUP: "the end of its terminal",
}

STOP_TIMEOUT_SECONDS: Final = 5.0
"""How long a process that was asked to end may take before it is killed."""

_ECHO_SECONDS: Final = 0.5
"""A second signal this soon is the first once more: `make` passes on a SIGTERM that its group has got too."""

_ends: list[Callable[[], None]] = []
_stopping_since: float | None = None


def take_over_signals() -> None:
    """From now on the signals end this process in order. Call it once, in the main thread."""
    for number in SIGNALS:
        # `nohup` and a shell's `&` ignore a signal on purpose: leave it so.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _stop)


@contextmanager
def at_signal(end: Callable[[], None]) -> Generator[None]:
    """While the context is open, a signal calls `end`.

    `end` runs between any two instructions of the main thread: it must take no lock that is not reentrant,
    and may be called when it has nothing (or nothing more) to do.
    """
    _ends.append(end)
    try:
        yield
    finally:
        _ends.remove(end)


def _stop(number: int, _frame: FrameType | None) -> None:
    global _stopping_since  # noqa: PLW0603 - one process, one end
    now = time.monotonic()
    if _stopping_since is not None:
        if now - _stopping_since < _ECHO_SECONDS:
            return
        # The person insists.
        with contextlib.suppress(Exception):
            end_children(wait=False)
        os._exit(128 + number)
    _stopping_since = now
    for end in reversed(_ends):
        with contextlib.suppress(Exception):  # the others must still be ended
            end()
    _say(f"pinwheel: stopped by {_CAUSES[signal.Signals(number)]}; nothing is left running")
    os._exit(128 + number)


def _say(line: str) -> None:
    """One line on stderr, past buffers that may be in use this very moment; shows the cursor again."""
    with contextlib.suppress(OSError):
        terminal = os.isatty(2)
        os.write(2, f"{chr(27) + '[?25h' if terminal else ''}\n{line}\n".encode())


def end_process(pid: int, timeout: float = STOP_TIMEOUT_SECONDS) -> None:
    """Ask a process to end, kill it if it does not within `timeout` seconds, and return when it is gone."""
    import psutil  # noqa: PLC0415 - needed only now, and not by `pinwheel --help`

    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        process.terminate()
        try:
            process.wait(timeout)
        except psutil.TimeoutExpired:
            process.kill()
            process.wait(STOP_TIMEOUT_SECONDS)


def end_children(*, wait: bool) -> None:
    """Interrupt this process's children and `wait` for them as long as they take; else kill them."""
    import psutil  # noqa: PLC0415

    children = psutil.Process().children(recursive=True)
    for child in children:
        with contextlib.suppress(psutil.NoSuchProcess):
            if not wait:
                child.kill()
            elif not _shares_our_terminal(child.pid):  # else the terminal has sent it Ctrl-C already
                child.send_signal(signal.SIGINT)
    if wait:
        psutil.wait_procs(children)


def _shares_our_terminal(pid: int) -> bool:
    try:
        return os.isatty(0) and os.tcgetpgrp(0) == os.getpgid(pid)
    except OSError:
        return False
