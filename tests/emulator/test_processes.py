"""Child processes are told of in the registry, are started again when they die, and never outlive their parent."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from emulator import undertaker
from emulator.processes import Process, Supervised, registered

SLEEPER = [sys.executable, "-S", "-c", "import time; time.sleep(600)"]
STUBBORN = [
    *(sys.executable, "-S", "-u", "-c"),
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready'); time.sleep(600)",
]
WAIT_SECONDS = 20


@pytest.fixture
def registry(tmp_path: Path) -> Path:
    (tmp_path / "registry").mkdir()
    return tmp_path / "registry"


def test_a_process_is_registered_while_it_runs(tmp_path: Path, registry: Path):
    process = Process("pods/web", SLEEPER, tmp_path / "log", registry, details={"address": "127.0.0.1:1"})
    (told,) = registered(registry)
    assert (told.name, told.pid) == ("pods/web", process.pid)
    assert told.details == {"address": "127.0.0.1:1"}
    process.stop(5)
    assert process.status == -signal.SIGTERM
    assert registered(registry) == []


def test_its_exit_status_is_told_and_its_output_is_in_the_log(tmp_path: Path, registry: Path):
    ended: list[int] = []
    command = [sys.executable, "-S", "-c", "print('last words'); raise SystemExit(3)"]
    process = Process("short", command, tmp_path / "logs" / "short.log", registry, on_exit=ended.append)
    assert process.join(WAIT_SECONDS)
    assert (ended, process.status) == ([3], 3)
    assert (tmp_path / "logs" / "short.log").read_text() == "last words\n"


def test_one_that_does_not_listen_is_killed_with_all_it_started(tmp_path: Path, registry: Path):
    inner = f"import subprocess, sys; subprocess.Popen({SLEEPER!r}); exec(sys.argv[1])"
    process = Process("stubborn", [*STUBBORN[:-1], inner, STUBBORN[-1]], log := tmp_path / "log", registry)
    while "ready" not in log.read_text():
        assert process.alive
    (child,) = psutil.Process(process.pid).children()
    process.stop(grace_seconds=0.1)
    assert process.status == -signal.SIGKILL
    assert is_gone(child)


def test_a_supervised_process_is_started_again_and_says_so(tmp_path: Path, registry: Path):
    said: list[str] = []
    again = threading.Event()

    def start(restarts, on_exit):
        process = Process("broker", SLEEPER, tmp_path / "log", registry, on_exit=on_exit)
        if restarts == 2:
            again.set()
        return process

    broker = Supervised("broker", start, said.append)
    broker.start()
    first = broker.process
    assert first is not None
    first.kill()
    while broker.restarts < 1 or broker.process is first:
        assert not again.is_set()
    assert broker.process is not None
    broker.process.kill()
    assert again.wait(WAIT_SECONDS)
    broker.stop(5)
    assert said[0] == "broker ended by signal 9"
    assert "broker runs again" in said
    assert registered(registry) == []


def test_a_start_that_fails_is_tried_again(tmp_path: Path, registry: Path):
    said: list[str] = []
    started = threading.Event()

    def start(restarts, on_exit):
        if restarts == 1:
            raise OSError("no port is free")
        if restarts == 2:
            started.set()
        return Process("broker", SLEEPER, tmp_path / "log", registry, on_exit=on_exit)

    broker = Supervised("broker", start, said.append)
    broker.start()
    assert broker.process is not None
    broker.process.kill()
    assert started.wait(WAIT_SECONDS)
    broker.stop(5)
    assert "broker could not be started again: no port is free" in said


def test_a_stopped_one_stays_stopped(tmp_path: Path, registry: Path):
    starts: list[int] = []

    def start(restarts, on_exit):
        starts.append(restarts)
        return Process("broker", SLEEPER, tmp_path / "log", registry, on_exit=on_exit)

    broker = Supervised("broker", start)
    broker.start()
    broker.stop(5)
    assert starts == [0]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere `pinwheel down` ends what is left")
def test_one_that_was_started_again_has_its_grace_too(tmp_path: Path, registry: Path):
    """The kernel's death signal is a thread's: the one that started it must not end before it."""
    log, again = tmp_path / "log", threading.Event()
    polite = (
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: (time.sleep(0.2), print('written'), sys.exit(0)))\n"
        "print('ready')\nsignal.pause()"
    )

    def start(restarts: int, on_exit: Callable[[int], None]) -> Process:
        command = [sys.executable, "-S", "-u", "-c", polite]
        process = Process("polite", command, log, registry, on_exit=on_exit)
        while log.read_text().count("ready") <= restarts:
            assert process.alive
        return process

    supervised = Supervised("polite", start, report=lambda text: again.set() if "again" in text else None)
    supervised.start()
    assert supervised.process is not None
    os.kill(supervised.process.pid, signal.SIGKILL)
    assert again.wait(WAIT_SECONDS)
    supervised.stop(5)
    assert supervised.process.status == 0
    assert log.read_text().endswith("written\n")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere only what stays in its process group is found")
@pytest.mark.parametrize("new_session", [False, True], ids=["in its group", "in a session of its own"])
def test_what_a_child_has_forked_goes_with_it(tmp_path: Path, registry: Path, new_session: bool):
    told = tmp_path / "forked"
    process = Process("parent", forking(told, new_session=new_session), tmp_path / "log", registry)
    forked = psutil.Process(read_number(told))
    process.stop(5)
    assert is_gone(forked)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere only what stays in its process group is found")
@pytest.mark.parametrize("new_session", [False, True], ids=["in its group", "in a session of its own"])
def test_what_a_child_has_forked_goes_with_a_parent_that_is_killed(
    tmp_path: Path, registry: Path, new_session: bool
):
    told = tmp_path / "forked"
    parent = starting(forking(told, new_session=new_session), tmp_path, registry)
    forked = psutil.Process(read_number(told))
    parent.kill()
    parent.wait()
    assert parent.stdout is not None
    parent.stdout.close()
    assert is_gone(forked)


def test_an_undertaker_that_is_killed_is_replaced(tmp_path: Path, registry: Path):
    first = Process("first", SLEEPER, tmp_path / "log", registry)
    (present,) = undertakers()
    present.kill()
    present.wait(WAIT_SECONDS)
    second = Process("second", SLEEPER, tmp_path / "log", registry)
    assert len(undertakers()) == 1
    for process in (first, second):
        process.stop(5)


def undertakers() -> list[psutil.Process]:
    """Of this process."""
    return [
        each
        for each in psutil.Process().children()
        if undertaker.__file__ in each.cmdline() and each.status() != psutil.STATUS_ZOMBIE
    ]


def forking(told: Path, *, new_session: bool) -> list[str]:
    """A command that starts another process, and puts that one's id into a file."""
    code = (
        f"import pathlib, subprocess, time; p = subprocess.Popen({SLEEPER!r}, start_new_session={new_session})\n"
        f"path = pathlib.Path({str(told)!r}); path.with_suffix('.partial').write_text(str(p.pid))\n"
        "path.with_suffix('.partial').rename(path); time.sleep(600)"
    )
    return [sys.executable, "-S", "-c", code]


def read_number(path: Path) -> int:
    """Of a file that another process writes: nothing can be awaited of it."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return int(path.read_text())


def is_gone(process: psutil.Process) -> bool:
    """Whether it ends in time. Who is not its parent cannot wait for it."""
    deadline = time.monotonic() + WAIT_SECONDS
    with contextlib.suppress(psutil.NoSuchProcess):
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.01)
    return True


def starting(command: list[str], tmp_path: Path, registry: Path) -> subprocess.Popen[bytes]:
    """A process that starts another one by `Process`, and prints its id."""
    return subprocess.Popen(
        [
            *(sys.executable, "-c"),
            "import sys, time; from pathlib import Path; from emulator.processes import Process\n"
            f"p = Process('child', {command!r}, Path({str(tmp_path)!r}) / 'log', Path({str(registry)!r}))\n"
            "print(p.pid, flush=True); time.sleep(600)",
        ],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )


def test_no_child_outlives_a_parent_that_is_killed(tmp_path: Path, registry: Path):
    parent = starting(SLEEPER, tmp_path, registry)
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert is_gone(child)
