"""`pinwheel up` and how it ends: in order at any moment, with nothing left behind."""

import os
import pty
import signal
import socket
import subprocess
import sys

import psutil
import pytest

from pinwheel.overview import gather
from pinwheel.up import DEFAULT_PORT, introduction
from pinwheel.world import World


def wait_for(stream, text: str) -> str:
    """What `stream` says up to the line with `text`."""
    told = ""
    for line in stream:
        told += line
        if text in line:
            return told
    pytest.fail(f"ended before {text!r}:\n{told}")


@pytest.mark.parametrize(
    ("command", "phase"),
    [
        (("up", "--port", "0"), "starting the emulator"),
        (("up", "--port", "0"), "data: started"),
        (("rehearse",), "network: started"),
    ],
)
def test_ctrl_c_in_any_phase_leaves_nothing(pinwheel, command: tuple[str, ...], phase: str) -> None:
    process = pinwheel.start(*command)
    wait_for(process.stderr, phase)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "stopped by Ctrl-C; nothing is left running" in told
    assert "Traceback" not in told
    assert pinwheel.processes() == []
    assert not (pinwheel.state / "world.json").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_other_signals_stop_it_in_order_too(pinwheel, number: signal.Signals) -> None:
    process = pinwheel.start("up", "--port", "0")
    wait_for(process.stderr, "starting the emulator")
    process.send_signal(number)
    _, told = process.communicate(timeout=30)
    assert process.returncode == 128 + number
    assert "Traceback" not in told
    assert pinwheel.processes() == []


def test_ctrl_c_typed_at_a_terminal_with_the_live_display(pinwheel) -> None:
    ours, theirs = pty.openpty()
    process = _in_terminal(pinwheel, theirs)
    os.close(theirs)
    shown = b""
    while b"network" not in shown:
        shown += os.read(ours, 4096)
    os.write(ours, b"\x03")
    while True:
        try:
            shown += os.read(ours, 4096)
        except OSError:  # Linux: the other end is closed
            break
    assert process.wait(30) == 130
    assert b"stopped by Ctrl-C" in shown
    assert b"\x1b[?25h" in shown  # the cursor is back
    assert b"Traceback" not in shown
    assert pinwheel.processes() == []


def test_what_would_lead_clients_elsewhere_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    here = World("local", "us-east-1", [], "http://127.0.0.1:4588")
    for name in [each for each in os.environ if each.startswith("AWS_") or each.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    assert not [line for line in introduction(here, gather(here)) if "unset" in line or "NO_PROXY" in line]
    monkeypatch.setenv("AWS_PROFILE", "work")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "https://elsewhere.example")
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example:3128")
    told = list(introduction(here, gather(here)))
    assert "  unset AWS_ENDPOINT_URL_S3 AWS_PROFILE" in told
    assert "  export NO_PROXY=127.0.0.1,localhost" in told


def test_kill_9_leaves_no_emulator_and_the_next_up_recovers(pinwheel) -> None:
    process = pinwheel.start("up", "--port", "0")
    wait_for(process.stderr, "network: started")
    children = psutil.Process(process.pid).children()
    assert children
    process.kill()
    process.communicate()
    _, alive = psutil.wait_procs(children, timeout=30)
    assert alive == []
    assert (pinwheel.state / "world.json").exists()

    again = pinwheel.start("up", "--port", "0")
    told = wait_for(again.stderr, "network: started")
    assert "An earlier run was cut short" in told
    again.send_signal(signal.SIGINT)
    again.communicate(timeout=30)
    assert again.returncode == 130


def test_a_port_in_use(pinwheel) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = pinwheel.run("up", "--port", str(port))
    assert done.returncode == 3
    assert f"error: port {port} on 127.0.0.1 is in use" in done.stderr
    assert "--port" in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert pinwheel.processes() == []
    assert not (pinwheel.state / "world.json").exists()


def test_the_default_port_in_use_is_routed_around(pinwheel) -> None:
    with socket.create_server(("127.0.0.1", DEFAULT_PORT)):
        process = pinwheel.start("up")
        told = wait_for(process.stderr, "network: started")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert f"Port {DEFAULT_PORT} is taken by another program; the AWS endpoint gets a free one." in told
    assert pinwheel.processes() == []


def test_a_broker_that_was_named_and_is_none(pinwheel) -> None:
    pinwheel.variables["KAFKA_HOME"] = "/nonsense"
    done = pinwheel.run("up", "--port", "0")
    assert done.returncode == 3
    assert "error: KAFKA_HOME is '/nonsense'" in done.stderr
    assert "unset it" in done.stderr.splitlines()[-1]
    assert pinwheel.processes() == []


def test_an_emulator_that_does_not_start(pinwheel, tmp_path) -> None:
    """A module that shadows one of the emulator's breaks it, as a damaged installation would."""
    (tmp_path / "moto").mkdir()
    (tmp_path / "moto" / "__init__.py").write_text("raise ImportError('damaged')\n")
    pinwheel.variables["PYTHONPATH"] = os.pathsep.join([str(tmp_path), pinwheel.environment["PYTHONPATH"]])
    done = pinwheel.run("up", "--port", "0")
    assert done.returncode == 3
    (reason,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert "the emulator ended" in reason
    assert "damaged" in reason
    assert "File" not in done.stderr
    assert "make setup" in done.stderr.splitlines()[-1]
    assert pinwheel.processes() == []


def test_a_second_up_is_refused_while_one_is_starting(pinwheel) -> None:
    first = pinwheel.start("up", "--port", "0")
    wait_for(first.stderr, "starting the emulator")
    second = pinwheel.run("up", "--port", "0")
    assert second.returncode == 3
    assert f"error: a world is already up: local, still starting (process {first.pid})" in second.stderr
    assert "pinwheel down" in second.stderr
    assert pinwheel.run("down").returncode == 0
    assert first.wait(30) == 143
    first.communicate()
    assert pinwheel.processes() == []


def test_an_emulator_that_dies_while_up_is_told(pinwheel) -> None:
    process = pinwheel.start("up", "--port", "0")
    wait_for(process.stdout, "Ctrl-C stops it all.")
    (emulator,) = psutil.Process(process.pid).children()
    emulator.kill()
    _, told = process.communicate(timeout=30)
    assert process.returncode == 3
    assert "error: the emulator has ended while the world was up" in told
    assert "Traceback" not in told
    assert pinwheel.processes() == []


def _in_terminal(pinwheel, terminal: int) -> subprocess.Popen[bytes]:
    """`pinwheel rehearse` with `terminal` as its controlling terminal, as a shell would start it."""
    program = (
        "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
        "os.execv(sys.executable, [sys.executable, '-m', 'pinwheel', 'rehearse'])"
    )
    return subprocess.Popen(
        [sys.executable, "-c", program],
        env={**pinwheel.environment, "TERM": "xterm"},
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        start_new_session=True,
    )
