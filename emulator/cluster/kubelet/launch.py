"""How a container becomes a command line, an environment and a working directory; and the process made of them."""

import asyncio
import contextlib
import shutil
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from emulator.cluster.kubelet.host import Host
from emulator.cluster.kubelet.images import Image
from emulator.cluster.kubelet.translation import with_folders
from emulator.cluster.kubelet.variables import Sources, container_variables, expand
from emulator.cluster.kubelet.volumes import Volumes
from emulator.cluster.store import Object
from emulator.processes import Process

_SYSTEM_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_LAST_WORDS: Final = 10_000
"""Bytes of a command's output that are told, as in a kubelet's exec probes."""


class StartError(Exception):
    """A container's command cannot be run; the kubelet reports exit status 128."""


@dataclass(frozen=True)
class Launch:
    """What is executed."""

    command: tuple[str, ...]
    environment: dict[str, str]
    directory: Path

    def with_command(self, command: tuple[str, ...]) -> "Launch":
        """Another command in the same surroundings."""
        return Launch(command, self.environment, self.directory)


def launch(host: Host, pod: Object, container: Mapping[str, Any], image: Image, volumes: Volumes) -> Launch:
    """What runs a container whose pod has its addresses. Raises ConfigError."""
    namespace, folder = pod["metadata"]["namespace"], host.folder(pod)
    folders = volumes.folders(container)
    given = {**_base(pod, folder, folders), **host.settings.environment}
    base = {**image.environment, **given}
    own = container_variables(pod, container, Sources(host.store, host.resources, namespace), base)
    variables = {**own, **host.settings.overrides}
    given = {**given, **host.settings.overrides}

    def real(text: str) -> str:
        return host.translated(with_folders(text, folders), namespace)

    command = [expand(word, variables) for word in container.get("command") or ()] or list(image.entrypoint)
    arguments = [expand(word, variables) for word in container.get("args") or ()]
    if not arguments and not container.get("command"):
        arguments = list(image.command)
    working_directory = container.get("workingDir")
    return Launch(
        tuple(real(word) for word in (*command, *arguments)),
        {name: value if given.get(name) == value else real(value) for name, value in variables.items()},
        image.directory / with_folders(working_directory, folders) if working_directory else image.directory,
    )


def check(plan: Launch) -> None:
    """Raises StartError, in the words of a container runtime, when the command cannot be run."""
    if not plan.command:
        raise StartError("failed to create containerd container: no command specified")
    if not plan.directory.is_dir():
        raise StartError(f"failed to start: workingDir {plan.directory} is not a directory of this machine")
    program, path = plan.command[0], plan.environment.get("PATH")
    if "/" in program and not program.startswith("/"):
        program = str(plan.directory / program)
    if shutil.which(program, path=path) is None:
        where = "no such file or directory" if "/" in program else "executable file not found in $PATH"
        raise StartError(f'failed to start: exec: "{plan.command[0]}": {where}')


class Running:
    """A process whose end can be awaited in the event loop."""

    def __init__(self, name: str, plan: Launch, log: Path, registry: Path, **details: Any) -> None:
        self._loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[int] = self._loop.create_future()
        self.process = Process(
            name,
            plan.command,
            log,
            registry,
            environment=plan.environment,
            directory=plan.directory,
            details=details,
            on_exit=self._exited,
        )

    async def wait(self, timeout_seconds: float) -> bool:
        """Wait for the end; returns whether it has come."""
        await asyncio.wait((self.ended,), timeout=timeout_seconds)
        return self.ended.done()

    async def terminate(self, grace_seconds: float) -> None:
        """Ask it to end, wait, and kill what is left."""
        self.process.send_signal(signal.SIGTERM)
        if not await self.wait(grace_seconds):
            self.process.kill()
            await asyncio.shield(self.ended)

    def _exited(self, status: int) -> None:
        """In the thread of the process's waiter."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(self._end, status)

    def _end(self, status: int) -> None:
        if not self.ended.done():
            self.ended.set_result(status)


async def execute(
    name: str, plan: Launch, log: Path, registry: Path, timeout_seconds: float
) -> tuple[int, str]:
    """Run a command to its end, as `kubectl exec` would; returns its exit status and its output.

    Raises TimeoutError, and StartError.
    """
    check(plan)
    running = Running(name, plan, log, registry)
    try:
        if not await running.wait(timeout_seconds):
            raise TimeoutError
        with log.open("rb") as file:
            told = file.read(_LAST_WORDS).decode("utf-8", "replace").strip()
        return running.ended.result(), told
    finally:
        running.process.kill()
        log.unlink(missing_ok=True)


def _base(pod: Object, folder: Path, folders: Mapping[str, Path]) -> dict[str, str]:
    """What every process needs; nothing else of this process's environment reaches a container."""
    temporary = folders.get("/tmp", folder / "tmp")  # noqa: S108 - the container's
    temporary.mkdir(parents=True, exist_ok=True)
    return {
        "PATH": f"{Path(sys.executable).parent}:{_SYSTEM_PATH}",
        "HOME": str(folder),
        "HOSTNAME": pod["metadata"]["name"],
        "LANG": "C.UTF-8",
        "TMPDIR": str(temporary),
        "PYTHONUNBUFFERED": "1",
    }
