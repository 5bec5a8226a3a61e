"""The one way in which a command fails: a one-line reason, a one-line remedy, an exit code."""

import errno
import os
import sys
import traceback
from collections.abc import Callable
from enum import IntEnum

from emulator.process import EmulatorError


class ExitCode(IntEnum):
    """What the command's end says to a script. A signal's is 128 + its number (Ctrl-C: 130)."""

    PASSED = 0
    REFUSED = 1
    """The rehearsal ran, and something in the environment or the programs does not pass."""
    USAGE = 2
    """The command, or a file it was given, is wrong."""
    INFRASTRUCTURE = 3
    """The machine, the emulator or a needed program does not play along."""
    INTERNAL = 70
    """A mistake of Pinwheel itself (EX_SOFTWARE)."""
    BROKEN_PIPE = 141
    """The reader of our output has gone (128 + SIGPIPE), as in `pinwheel status | head -1`."""


class Failure(Exception):  # noqa: N818 - not every one is an error of the program
    """An expected failure. `reason`: what was wrong and where; `remedy`: what to do about it."""

    def __init__(self, reason: str, remedy: str, code: ExitCode = ExitCode.USAGE) -> None:
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy
        self.code = code


_NO_SPACE = {errno.ENOSPC, errno.EDQUOT}
_NO_WRITING = {errno.EACCES, errno.EPERM, errno.EROFS}


def of_file(error: OSError, what: str) -> Failure:
    """The failure of reading or writing the file or directory `what`."""
    reason = f"{what}: {error.strerror or error}"
    if error.errno in _NO_SPACE:
        return Failure(
            reason, "free some space on that disk, or name a file on another", ExitCode.INFRASTRUCTURE
        )
    if error.errno in _NO_WRITING:
        return Failure(reason, "make it writable for you, or name another place", ExitCode.INFRASTRUCTURE)
    if error.errno in {errno.ENOENT, errno.ENOTDIR}:
        return Failure(reason, f"create the directory first: mkdir -p {os.path.dirname(what) or '.'}")  # noqa: PTH120
    if error.errno == errno.EISDIR:
        return Failure(reason, "name a file, not a directory")
    return Failure(reason, "name another place", ExitCode.INFRASTRUCTURE)


def explained(error: BaseException) -> Failure | None:
    """The failure behind an exception that other packages raise; None when it is not an expected one."""
    from infra.environment_file import InvalidEnvironment  # noqa: PLC0415 - `--help` needs no pydantic

    match error:
        case Failure():
            return error
        case InvalidEnvironment():
            return Failure("\n".join(error.faults), "correct it and run the same command again")
        case EmulatorError():
            first, *more = error.message.splitlines()  # more: the last lines of the child's stderr
            reason = f"{first} {more[-1].strip()}" if more else first
            return Failure(reason, error.remedy, ExitCode.INFRASTRUCTURE)
        case OSError() if error.errno in _NO_SPACE:
            where = f" ({error.filename})" if error.filename else ""
            return Failure(
                f"no disk space is left{where}", "free some and run again", ExitCode.INFRASTRUCTURE
            )
        case ModuleNotFoundError():
            return Failure(
                f"the Python module {error.name} is not installed in {sys.prefix}",
                "run `make setup`, and use .venv/bin/pinwheel",
                ExitCode.INFRASTRUCTURE,
            )
        case _:
            return None


def guarded(command: Callable[[], int], *, debug: bool) -> int:
    """Run `command` and return its exit code, or that of its failure after telling it on stderr."""
    try:
        code = command()
        sys.stdout.flush()
    except BrokenPipeError:
        _leave_pipe()
        return ExitCode.BROKEN_PIPE
    except Exception as error:
        if debug:
            traceback.print_exc()
        failure = explained(error)
        if failure is None:
            last = str(error).strip().splitlines()
            tell(f"{type(error).__name__}: {last[0]}" if last else type(error).__name__)
            tell_remedy("a mistake of Pinwheel itself: run again with --debug and report what it shows")
            return ExitCode.INTERNAL
        for line in failure.reason.splitlines():
            tell(line)
        tell_remedy(failure.remedy)
        return failure.code
    return code


def tell(reason: str) -> None:
    """One reason on stderr."""
    print(f"error: {reason}", file=sys.stderr)  # noqa: T201 - the command line


def tell_remedy(remedy: str) -> None:
    """The remedy below it."""
    print(f"  fix: {remedy}", file=sys.stderr)  # noqa: T201


def _leave_pipe() -> None:
    """Point stdout at nothing, so that the interpreter's last flush does not complain again."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
