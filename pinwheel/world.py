"""The world that `pinwheel up` leaves running, as `.pinwheel/world.json` tells other commands of it.

The file is claimed before anything is started and removed after everything has ended, so that a second `up`
is refused, and a run that was killed is recognised: its processes are gone, or left over and ended.
"""

import contextlib
import json
import os
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import psutil

from emulator.processes import Member, registered
from pinwheel import files, lifetime
from pinwheel.environments import ROOT
from pinwheel.errors import ExitCode, Failure, of_file

STATE_VARIABLE: Final = "PINWHEEL_STATE"
UP: Final = "pinwheel up"

_DOWN_TIMEOUT_SECONDS: Final = 60.0
"""A database writes before it ends, and pods have a grace period."""
_POLL_SECONDS: Final = 0.05


@dataclass
class World:
    """What is up."""

    environment: str
    region: str
    members: list[Member]
    endpoint: str = ""
    """Of the AWS emulator; empty while it starts."""
    outputs: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Layer -> its contract."""

    @property
    def owner(self) -> Member | None:
        """The `pinwheel up` process, if it lives."""
        return next((member for member in self.members if member.name == UP and member.alive), None)


def state_directory() -> Path:
    """Where the state is: `.pinwheel` beside Pulumi.yaml, or what PINWHEEL_STATE names."""
    return Path(os.environ.get(STATE_VARIABLE) or ROOT / ".pinwheel").absolute()


def backing_members() -> list[Member]:
    """The real processes behind the emulated services, as their registry tells of them."""
    return registered(state_directory() / "processes")


def _file() -> Path:
    return state_directory() / "world.json"


def up_world() -> World:
    """The world that is up. Raises Failure."""
    here = read()
    if here is None or here.owner is None:
        raise Failure("nothing is up", "run `make up` in another terminal first", ExitCode.REFUSED)
    return here


def read() -> World | None:
    """The world that the file tells of, whether it still runs or not; None without a file. Raises Failure."""
    try:
        told: dict[str, Any] = json.loads(_file().read_text(encoding="utf-8"))
        told["members"] = [Member(**member) for member in told["members"]]
        return World(**told)
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError):  # cut short or of another version: nothing can be said of it
        return World(environment="?", region="?", members=[])
    except OSError as error:
        raise _of_state(error) from error


def write(world: World) -> None:
    """Tell of `world`, in place of what stood there. Raises Failure."""
    files.write_json(_file(), asdict(world))


@contextmanager
def claimed(world: World) -> Generator[list[str]]:
    """While the context is open the file is `world`'s. Yields notes on what an earlier run left.

    Raises Failure when a world is up already, or the directory cannot be written.
    """
    with lifetime.at_signal(_release):
        notes = _claim(world)
        try:
            yield notes
        finally:
            _release()


def _claim(world: World) -> list[str]:
    directory = state_directory()
    try:
        directory.mkdir(parents=True, exist_ok=True)
        earlier = read()
        notes = [clean(earlier)] if earlier else []
        descriptor, name = tempfile.mkstemp(prefix=".claim.", dir=directory)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(asdict(world), file)
            os.link(name, _file())  # unlike a rename, it fails when another `up` was faster
        finally:
            Path(name).unlink(missing_ok=True)
    except FileExistsError:
        raise Failure(
            "another `pinwheel up` has just started",
            "wait for it, or stop it with `pinwheel down`",
            ExitCode.INFRASTRUCTURE,
        ) from None
    except OSError as error:
        raise _of_state(error) from error
    return notes


def clean(earlier: World) -> str:
    """End and remove what is left of an `earlier` world; raises Failure when it is up and well."""
    owner = earlier.owner
    if owner:
        where = f" at {earlier.endpoint}" if earlier.endpoint else ", still starting"
        raise Failure(
            f"a world is already up: {earlier.environment}{where} (process {owner.pid})",
            f"stop it with `pinwheel down`, or start another: {STATE_VARIABLE}=DIR pinwheel up --port N",
            ExitCode.INFRASTRUCTURE,
        )
    left = [member for member in (*earlier.members, *backing_members()) if member.alive]
    for member in left:
        lifetime.end_process(member.pid)
    _file().unlink(missing_ok=True)
    if left:
        ended = ", ".join(f"{member.name} ({member.pid})" for member in left)
        return f"An earlier run was cut short; ended what it left: {ended}."
    return "An earlier run was cut short and left its state file; removed."


def stop(world: World) -> None:
    """End `world`: its `pinwheel up` first, which ends the rest; then whatever did not end."""
    owner = world.owner
    if owner:
        with contextlib.suppress(psutil.NoSuchProcess):
            psutil.Process(owner.pid).terminate()
        # Not psutil's wait: a process whose parent has not noticed its end counts as there.
        deadline = time.monotonic() + _DOWN_TIMEOUT_SECONDS
        while owner.alive and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
    for member in (*world.members, *backing_members()):
        if member.alive:
            lifetime.end_process(member.pid)
    _file().unlink(missing_ok=True)


def _release() -> None:
    world = read()
    if world and any(member.pid == os.getpid() for member in world.members):
        _file().unlink(missing_ok=True)


def _of_state(error: OSError) -> Failure:
    failure = of_file(error, str(state_directory()))
    return Failure(
        failure.reason,
        f"make it a directory that you may write, with space, or name another: {STATE_VARIABLE}=DIRECTORY",
        ExitCode.INFRASTRUCTURE,
    )
