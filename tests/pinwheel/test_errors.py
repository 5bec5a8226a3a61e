"""What other packages raise, as the command line tells it."""

import errno
from pathlib import Path

import pytest

from emulator.process import PortInUseError
from pinwheel import files
from pinwheel.errors import ExitCode, Failure, guarded


def raising(error: Exception):
    def command() -> int:
        raise error

    return command


def test_an_emulator_that_does_not_start(capsys: pytest.CaptureFixture[str]) -> None:
    code = guarded(raising(PortInUseError("port 4588 on 127.0.0.1 is in use", "choose another")), debug=False)
    assert code == ExitCode.INFRASTRUCTURE
    assert capsys.readouterr().err == "error: port 4588 on 127.0.0.1 is in use\n  fix: choose another\n"


def test_no_disk_space_anywhere(capsys: pytest.CaptureFixture[str]) -> None:
    code = guarded(raising(OSError(errno.ENOSPC, "No space left on device", "/var/x")), debug=False)
    assert code == ExitCode.INFRASTRUCTURE
    assert capsys.readouterr().err == (
        "error: no disk space is left (/var/x)\n  fix: free some and run again\n"
    )


def test_a_module_that_is_not_installed(capsys: pytest.CaptureFixture[str]) -> None:
    code = guarded(raising(ModuleNotFoundError("No module named 'x'", name="x")), debug=False)
    assert code == ExitCode.INFRASTRUCTURE
    assert "make setup" in capsys.readouterr().err


def test_an_unexpected_exception_is_one_line_and_the_way_to_more(capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded(raising(ValueError("first line\nsecond")), debug=False) == ExitCode.INTERNAL
    told = capsys.readouterr().err.splitlines()
    assert told[0] == "error: ValueError: first line"
    assert "--debug" in told[1]
    assert len(told) == 2


def test_debug_shows_the_trace_of_an_unexpected_exception(capsys: pytest.CaptureFixture[str]) -> None:
    guarded(raising(ValueError("wrong")), debug=True)
    assert "Traceback" in capsys.readouterr().err


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "graph.json"
    files.write_json(file, {"old": True})

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(Failure, match="No space left") as refused:
        files.write_json(file, {"new": True})
    assert refused.value.code == ExitCode.INFRASTRUCTURE
    assert file.read_text() == '{\n  "old": true\n}\n'
    assert list(tmp_path.iterdir()) == [file]


def test_a_read_only_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def read_only(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("tempfile.mkstemp", read_only)
    with pytest.raises(Failure, match="Read-only file system") as refused:
        files.write_json(tmp_path / "graph.json", {})
    assert "writable" in refused.value.remedy
