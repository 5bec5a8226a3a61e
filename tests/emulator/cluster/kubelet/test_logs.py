"""What containers wrote, as `kubectl logs` asks for it."""

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import pytest

from emulator.cluster.kubelet import logs
from emulator.cluster.status import ApiError
from tests.emulator.cluster.kubelet.machine import Machine, asynchronous, container, ready, script

LINES = "for n in range(5): print('line', n)"


async def finished(machine: Machine, *containers: dict[str, Any], **spec: Any) -> None:
    machine.pod("web", *containers, restartPolicy="Never", **spec)
    await machine.until("web", lambda pod: pod["status"]["phase"] == "Succeeded")


@asynchronous
async def test_all_the_end_or_the_beginning_of_a_log(machine: Machine) -> None:
    async with machine.running():
        await finished(machine, script(LINES))
        assert await machine.log("web") == "line 0\nline 1\nline 2\nline 3\nline 4\n"
        assert await machine.log("web", tail_lines=2) == "line 3\nline 4\n"
        assert await machine.log("web", tail_lines=0) == ""
        assert await machine.log("web", tail_lines=99) == await machine.log("web")
        assert await machine.log("web", limit_bytes=6) == "line 0"
        assert await machine.log("web", follow=True) == await machine.log("web")


@asynchronous
async def test_the_log_of_the_run_before(machine: Machine, tmp_path: Path) -> None:
    code = (
        "import os, sys, time; print('run')\n"
        f"if not os.path.exists('{tmp_path}/x'): open('{tmp_path}/x', 'w'); sys.exit(1)\n"
        "time.sleep(600)"
    )
    async with machine.running():
        machine.pod("web", script(code))
        await machine.until("web", lambda pod: container(pod)["restartCount"] == 1 and ready(pod))
        assert await machine.log("web", previous=True) == "run\n"
        machine.pod("new", script())
        await machine.until("new", ready)
        with pytest.raises(ApiError, match='previous terminated container "app" in pod "new" not found'):
            machine.kubelet.log("default", "new", previous=True)


@asynchronous
async def test_a_log_is_still_there_after_a_restart_of_the_cluster(machine: Machine) -> None:
    async with machine.running():
        await finished(machine, script(LINES))
    again = Machine(machine.directory, store=machine.store)
    async with again.running():
        assert await again.log("web", tail_lines=1) == "line 4\n"


@pytest.mark.parametrize(
    ("asked", "wrong"),
    [
        (
            {},
            "a container name must be specified for pod web, choose one of: [a b] or one of the init containers: [i]",
        ),
        ({"container": "c"}, "container c is not valid for pod web"),
        ({"container": "a", "timestamps": True}, "timestamps is not supported by the emulated cluster"),
        ({"container": "a", "since_seconds": 5}, "since is not supported by the emulated cluster"),
    ],
)
@asynchronous
async def test_requests_that_make_no_sense(machine: Machine, asked: dict[str, Any], wrong: str) -> None:
    async with machine.running():
        machine.pod("web", script(name="a"), script(name="b"), initContainers=[script("pass", name="i")])
        with pytest.raises(ApiError) as refusal:
            machine.kubelet.log("default", "web", **asked)
        assert refusal.value.code == 400
        assert wrong in refusal.value.message


@asynchronous
async def test_there_is_no_log_of_what_is_not_there(machine: Machine) -> None:
    async with machine.running():
        with pytest.raises(ApiError, match='pods "none" not found'):
            machine.kubelet.log("default", "none")
        machine.pod("unbound", script(), nodeName="")
        with pytest.raises(ApiError, match="pod unbound does not have a host assigned"):
            machine.kubelet.log("default", "unbound")


@asynchronous
async def test_a_log_that_is_too_long_is_moved_aside_while_it_is_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "MAXIMUM_BYTES", 10)
    path = tmp_path / "0.log"
    with path.open("ab", buffering=0) as process:
        process.write(b"0123456789abc\n")
        reading = logs.read(path, follow=True, tail_lines=None, limit_bytes=None, running=lambda: True)
        assert await anext(reading) == b"0123456789abc\n"
        following = asyncio.ensure_future(anext(reading))
        logs.rotate(path)
        process.write(b"new\n")
        assert await following == b"new\n"
        logs.rotate(path)
    await reading.aclose()
    assert (tmp_path / "0.log.1").read_bytes() == b"456789abc\n"
    assert path.read_bytes() == b"new\n"
    with contextlib.suppress(FileNotFoundError):
        logs.rotate(tmp_path / "none.log")
