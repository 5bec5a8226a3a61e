"""`scripts/setup.sh` on machines that are not ready for it, and on one that is set up already."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What the set-up reads of the repository."""
    (tmp_path / "scripts").mkdir()
    for name in ("scripts/setup.sh", "requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def program(file: Path, script: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    return file


def set_up(clone: Path, python: Path | str, path: str = "/usr/bin:/bin") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", str(clone / "scripts" / "setup.sh")],
        env={"PYTHON": str(python), "PATH": path, "HOME": str(clone), "TMPDIR": str(clone)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_no_python(clone: Path) -> None:
    done = set_up(clone, "python-that-is-not-there")
    assert done.returncode == 3
    assert "error: there is no python-that-is-not-there" in done.stderr
    assert "fix: install Python 3.11 or newer" in done.stderr


def test_a_python_that_is_too_old(clone: Path) -> None:
    old = program(clone / "old", '[ "$1" = --version ] && echo "Python 3.9.2" && exit 0\nexit 1')
    done = set_up(clone, old)
    assert done.returncode == 3
    assert "is Python 3.9.2, and Pinwheel needs 3.11 or newer" in done.stderr


def test_a_python_without_venv_names_the_package(clone: Path) -> None:
    """As Debian's python3 is without python3-venv, for somebody who is not root."""
    script = 'case "$2" in *"import venv"*) exit 1;; *print*) echo python3.11-venv;; esac'
    bare = program(clone / "bare", script)
    program(clone / "bin" / "id", "echo 1000")
    done = set_up(clone, bare, f"{clone / 'bin'}:/usr/bin:/bin")
    assert done.returncode == 3
    assert "fix: sudo apt-get install python3.11-venv" in done.stderr


@pytest.mark.parametrize(
    ("trouble", "remedy"),
    [("no network", "point pip at a local index"), ("No space left on device", "free some disk space")],
)
def test_a_package_that_cannot_be_installed_leaves_it_unfinished(
    clone: Path, trouble: str, remedy: str
) -> None:
    """The next run starts over: nothing claims to be done."""
    python = "\n".join(
        [
            'case "$*" in',
            '  "-m venv --clear .venv") mkdir -p .venv/bin; cp "$0" .venv/bin/python;;',
            '  *"-m pip install"*) echo "WARNING: noise"; echo "ERROR: @" >&2; exit 1;;'.replace(
                "@", trouble
            ),
            "esac",
        ]
    )
    done = set_up(clone, program(clone / "python", python))
    assert done.returncode == 3
    assert f"ERROR: {trouble}" in done.stderr
    assert remedy in done.stderr
    assert "noise" not in done.stderr
    assert "error: the locked packages could not be installed" in done.stderr
    assert not (clone / ".venv" / ".set-up").exists()
    assert not list(clone.glob("pinwheel-setup.*"))


def test_what_is_set_up_is_skipped_until_something_changes(clone: Path) -> None:
    python = "\n".join(
        [
            f'echo "$*" >> "{clone}/log"',
            'case "$*" in',
            '  "-m venv --clear .venv") mkdir -p .venv/bin; cp "$0" .venv/bin/python;',
            '    cp "$0" .venv/bin/pinwheel; echo "$PWD/.venv" > .venv/bin/activate;;',
            "esac",
        ]
    )
    program(clone / "python", python)

    def installs() -> int:
        before = (clone / "log").read_text() if (clone / "log").exists() else ""
        assert set_up(clone, clone / "python").returncode == 0
        return (clone / "log").read_text().removeprefix(before).count("pip install")

    assert installs() == 2
    assert installs() == 0
    with (clone / "requirements.lock").open("a") as lock:
        lock.write("# changed\n")
    assert installs() == 2
    (clone / ".venv" / ".set-up").unlink()  # as when it was interrupted
    assert installs() == 2


def test_a_virtual_environment_that_was_moved_here_is_made_anew(clone: Path) -> None:
    """Its scripts would start the Python of the directory it came from."""
    program(clone / "python", f'echo "$*" >> "{clone}/log"')
    program(clone / ".venv" / "bin" / "python", "exit 0")
    (clone / ".venv" / "bin" / "activate").write_text("VIRTUAL_ENV=/elsewhere/.venv\n")
    assert set_up(clone, clone / "python").returncode == 0
    assert "-m venv --clear .venv" in (clone / "log").read_text()
