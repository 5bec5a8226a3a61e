"""What containers wrote: one file for each run, read as `kubectl logs` asks for it.

A process writes into its file itself, so nobody knows when a line was written.
"""

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, BinaryIO, Final

from emulator.cluster.status import ApiError, bad_request
from emulator.cluster.store import Object

MAXIMUM_BYTES: Final = 10 * 1024**2
"""Of a file, as a kubelet's containerLogMaxSize; then it is moved aside, as there."""
_POLL_SECONDS: Final = 0.1
_CHUNK: Final = 64 * 1024


def rotate(path: Path) -> None:
    """Move the end of a file that is too long aside. The process goes on writing at its new beginning."""
    try:
        if path.stat().st_size > MAXIMUM_BYTES:
            with path.open("r+b") as file, path.with_suffix(".log.1").open("wb") as kept:
                file.seek(-MAXIMUM_BYTES, os.SEEK_END)
                shutil.copyfileobj(file, kept)
                file.truncate(0)
    except FileNotFoundError:  # the container has not started yet, or its pod is gone
        return


async def read(
    path: Path, *, follow: bool, tail_lines: int | None, limit_bytes: int | None, running: Callable[[], bool]
) -> AsyncIterator[bytes]:
    """The end of a log file, or all of it; `follow` goes on until `running` says that nothing more comes."""
    left = limit_bytes
    with path.open("rb") as file:  # kept open: a deleted pod's folder goes before its last words are read
        if tail_lines is not None:
            await asyncio.to_thread(_seek_tail, file, tail_lines)
        while True:
            alive = running()  # asked first: what it wrote before it ended is still read
            chunk = await asyncio.to_thread(file.read, _CHUNK)
            if chunk:
                chunk = chunk if left is None else chunk[:left]
                left = left if left is None else left - len(chunk)
                yield chunk
                if left == 0:
                    return
            elif not (follow and alive):
                return
            else:
                await asyncio.sleep(_POLL_SECONDS)
                if os.fstat(file.fileno()).st_size < file.tell():  # it was moved aside
                    file.seek(0)


def chosen_container(pod: Object, name: str | None) -> dict[str, Any]:
    """The container whose log is asked for. Raises ApiError 400 in the API server's words."""
    pod_name, spec = pod["metadata"]["name"], pod["spec"]
    main, before = spec["containers"], spec.get("initContainers") or []
    if not name:
        if len(main) == 1 and not before:
            return main[0]
        text = f"a container name must be specified for pod {pod_name}, choose one of: [{_names(main)}]"
        raise bad_request(text + (f" or one of the init containers: [{_names(before)}]" if before else ""))
    found = [container for container in (*main, *before) if container["name"] == name]
    if not found:
        raise bad_request(f"container {name} is not valid for pod {pod_name}")
    return found[0]


def not_started(container: str, pod: str, state: dict[str, Any]) -> ApiError:
    """400: there is nothing to read yet."""
    reason = (state.get("waiting") or {}).get("reason") or "ContainerCreating"
    if reason == "ErrImagePull":
        reason = "trying and failing to pull image"
    elif reason == "ImagePullBackOff":
        reason = "image can't be pulled"
    return bad_request(f'container "{container}" in pod "{pod}" is waiting to start: {reason}')


def _names(containers: list[dict[str, Any]]) -> str:
    return " ".join(container["name"] for container in containers)


def _seek_tail(file: BinaryIO, lines: int) -> None:
    """Go to where the last lines begin."""
    end = position = file.seek(0, os.SEEK_END)
    tail = b""
    while lines > 0 and position > 0 and tail.rstrip(b"\n").count(b"\n") < lines:
        step = min(_CHUNK, position)
        position -= step
        file.seek(position)
        tail = file.read(step) + tail
    kept = tail.splitlines(keepends=True)[-lines:] if lines > 0 else []
    file.seek(end - sum(map(len, kept)))
