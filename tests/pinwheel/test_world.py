"""The state file of `pinwheel up`: claimed by one, recognised when stale, never trusted blindly."""

import errno
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import psutil
import pytest

from pinwheel import up, world
from pinwheel.errors import Failure
from pinwheel.world import Member, World


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(world.STATE_VARIABLE, str(tmp_path))
    return tmp_path


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    """A process that waits until it is ended."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as waiting:
        yield waiting
        waiting.kill()


def ours(*others: Member) -> World:
    return World("local", "us-east-1", [Member.of(world.UP, os.getpid()), *others])


def ended() -> Member:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as waiting:
        member = Member.of(world.UP, waiting.pid)
        waiting.communicate()
    return member


def test_a_claim_lasts_as_long_as_its_context(state: Path) -> None:
    with world.claimed(ours()) as notes:
        assert notes == []
        assert world.read() == ours()
    assert world.read() is None
    assert list(state.iterdir()) == []


def test_a_second_claim_is_refused_and_told_of_the_first(process: subprocess.Popen[bytes]) -> None:
    first = World("local", "us-east-1", [Member.of(world.UP, process.pid)], endpoint="http://127.0.0.1:4588")
    world.write(first)
    with (
        pytest.raises(
            Failure, match=rf"already up: local at http://127.0.0.1:4588 \(process {process.pid}\)"
        ) as refused,
        world.claimed(ours()),
    ):
        pytest.fail("claimed")
    assert "pinwheel down" in refused.value.remedy
    assert world.read() == first


def test_a_stale_file_is_removed_with_a_note() -> None:
    world.write(World("local", "us-east-1", [ended()]))
    with world.claimed(ours()) as notes:
        assert notes == ["An earlier run was cut short and left its state file; removed."]
        assert world.read() == ours()


def test_a_file_cut_short_is_removed_with_a_note(state: Path) -> None:
    (state / "world.json").write_text('{"environment": "lo')
    with world.claimed(ours()) as notes:
        assert len(notes) == 1


def test_a_process_that_outlived_its_up_is_ended(process: subprocess.Popen[bytes]) -> None:
    world.write(World("local", "us-east-1", [ended(), Member.of("emulator", process.pid)]))
    with world.claimed(ours()) as notes:
        assert f"emulator ({process.pid})" in notes[0]
        assert not psutil.pid_exists(process.pid) or process.poll() is not None


def test_a_stranger_who_got_the_process_id_is_left_alone(process: subprocess.Popen[bytes]) -> None:
    stranger = Member("emulator", process.pid, started=psutil.Process(process.pid).create_time() - 3600)
    world.write(World("local", "us-east-1", [ended(), stranger]))
    with world.claimed(ours()):
        assert process.poll() is None


def test_two_that_start_at_once_do_not_both_win(monkeypatch: pytest.MonkeyPatch) -> None:
    world.write(ours())
    monkeypatch.setattr(world, "read", lambda: None)  # the other's file appeared after the look
    with pytest.raises(Failure, match="has just started"), world.claimed(ours()):
        pytest.fail("claimed")


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_a_directory_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    def failing(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "link", failing)
    with pytest.raises(Failure, match=os.strerror(code)) as refused, world.claimed(ours()):
        pytest.fail("claimed")
    assert "PINWHEEL_STATE" in refused.value.remedy


def test_down_ends_the_world(process: subprocess.Popen[bytes], capsys: pytest.CaptureFixture[str]) -> None:
    world.write(World("local", "us-east-1", [Member.of(world.UP, process.pid)]))
    assert up.down() == 0
    assert process.wait(10) is not None
    assert world.read() is None
    assert "local is down" in capsys.readouterr().out


def test_down_ends_what_a_crash_left_of_the_processes_behind_it(
    state: Path, process: subprocess.Popen[bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    (state / "processes").mkdir()
    left = asdict(Member.of("kafka/local", process.pid))
    (state / "processes" / "kafka_local.json").write_text(json.dumps(left))
    world.write(World("local", "us-east-1", [ended()]))
    assert up.down() == 0
    assert process.wait(10) is not None
    assert f"ended what it left: kafka/local ({process.pid})" in capsys.readouterr().out


def test_down_without_a_world(capsys: pytest.CaptureFixture[str]) -> None:
    assert up.down() == 0
    assert "Nothing is up" in capsys.readouterr().out
