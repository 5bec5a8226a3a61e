"""Starting and stopping the emulator's process."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import textwrap
import urllib.error
import urllib.request
from pathlib import Path

import psutil
import pytest

import emulator.process
from emulator.process import (
    Emulator,
    EmulatorDiedError,
    EmulatorError,
    EmulatorNotReadyError,
    HostNotLoopbackError,
    PortInUseError,
    require_loopback,
)
from tests.emulator.conftest import ACCOUNT, REGION, Clients

ROOT = Path(emulator.process.__file__).parent.parent


def test_it_serves_the_account_and_region_it_was_given(client: Clients) -> None:
    assert client("sts").get_caller_identity()["Account"] == ACCOUNT
    queue = client("sqs").create_queue(QueueName="who-am-i")["QueueUrl"]
    arn = client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
    assert arn["Attributes"]["QueueArn"] == f"arn:aws:sqs:{REGION}:{ACCOUNT}:who-am-i"


def test_stop_ends_the_child_and_may_be_called_again() -> None:
    running = Emulator(ACCOUNT, REGION)
    running.stop()  # before start: nothing to do
    with running:
        pid = running.pid
        assert running.alive
        assert running.endpoint.startswith("http://127.0.0.1:")
    running.stop()
    assert not running.alive
    assert not psutil.pid_exists(pid)


def test_the_child_is_no_part_of_the_terminals_process_group(emulator: Emulator) -> None:
    assert os.getsid(emulator.pid) == emulator.pid


@pytest.mark.parametrize("host", ["0.0.0.0", "10.0.0.1", "::", "example.com", ""])
def test_only_loopback_is_listened_on(host: str) -> None:
    with pytest.raises(HostNotLoopbackError) as refusal:
        Emulator(ACCOUNT, REGION, host=host).start()
    assert "127.0.0.1" in refusal.value.remedy


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_every_loopback_is_allowed(host: str) -> None:
    require_loopback(host)


def test_the_child_refuses_by_itself_as_well() -> None:
    command = [
        sys.executable,
        "-m",
        "emulator",
        "--account",
        ACCOUNT,
        "--region",
        REGION,
        "--host",
        "0.0.0.0",
    ]
    # stdin stays open: its end would end the child.
    child = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert '"error": "HostNotLoopbackError"' in child.stdout.read()
    assert child.wait() == 1


def test_a_port_in_use_is_named_with_the_remedy() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        taken = Emulator(ACCOUNT, REGION, port=port)
        with pytest.raises(PortInUseError) as refusal, taken:
            pass
    assert str(port) in refusal.value.message
    assert "--port" in refusal.value.remedy
    assert not taken.alive


def test_a_child_that_dies_at_the_start_shows_its_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.exit('no space left on device')")
    monkeypatch.setattr(
        emulator.process,
        "_child_environment",
        lambda: {"PYTHONPATH": str(tmp_path), "PATH": os.environ["PATH"]},
    )
    broken = Emulator(ACCOUNT, REGION, log=tmp_path / "logs" / "emulator.log")
    with pytest.raises(EmulatorDiedError, match="no space left on device") as refusal, broken:
        pass
    assert "emulator.log" in refusal.value.remedy
    assert not broken.alive


def test_a_child_that_says_nothing_in_time_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.stdin.read()")
    monkeypatch.setattr(
        emulator.process,
        "_child_environment",
        lambda: {"PYTHONPATH": str(tmp_path), "PATH": os.environ["PATH"]},
    )
    silent = Emulator(ACCOUNT, REGION)
    silent.start()
    pid = silent.pid
    with pytest.raises(EmulatorNotReadyError, match="not ready after 0 seconds"):
        silent.wait_ready(timeout=0)
    assert not psutil.pid_exists(pid)


def test_nothing_is_known_before_the_start() -> None:
    idle = Emulator(ACCOUNT, REGION)
    assert not idle.alive
    with pytest.raises(EmulatorError, match="not started"):
        _ = idle.pid
    with pytest.raises(EmulatorError, match="no endpoint"):
        _ = idle.endpoint


def test_the_child_ends_when_its_parent_is_killed() -> None:
    parent_program = textwrap.dedent(f"""
        import signal
        from emulator.process import Emulator
        emulator = Emulator("{ACCOUNT}", "{REGION}")
        emulator.start()
        emulator.wait_ready()
        print(emulator.pid, flush=True)
        signal.pause()
    """)
    parent = subprocess.Popen(
        [sys.executable, "-c", parent_program], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    with contextlib.suppress(psutil.NoSuchProcess):
        child.wait(timeout=30)
    assert not child.is_running()


def test_importing_the_process_module_loads_no_server() -> None:
    program = (
        "import sys, emulator.process; print({'moto', 'flask', 'boto3', 'botocore'} & sys.modules.keys())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"


def test_no_line_is_logged_for_a_request_that_went_well(tmp_path: Path) -> None:
    log = tmp_path / "emulator.log"
    with Emulator(ACCOUNT, REGION, log=log) as running, contextlib.suppress(urllib.error.HTTPError):
        urllib.request.urlopen(running.endpoint).read()
    assert log.read_text() == ""
