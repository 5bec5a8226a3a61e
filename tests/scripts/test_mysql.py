"""`scripts/mysql.sh` on machines without a server. Their programs are fakes that write down how they are called."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "mysql.sh"
TOOLS = ("sh", "grep", "printf", "chmod", "id")


@dataclass
class Machine:
    programs: Path

    def has(self, name: str, does: str) -> None:
        """A program, as a line of shell."""
        program = self.programs / name
        program.unlink(missing_ok=True)
        program.write_text(f'#!/bin/sh\necho "{name} $*" >>"{self.programs}/calls"\n{does}\n')
        program.chmod(0o755)

    def run(self) -> subprocess.CompletedProcess[str]:
        found = SCRIPT.read_text().replace("PATH=$PATH:/usr/sbin", f"PATH={self.programs} #")
        assert str(self.programs) in found
        return subprocess.run(["sh", "-c", found], capture_output=True, text=True, check=False)

    @property
    def calls(self) -> list[str]:
        written = self.programs / "calls"
        return written.read_text().splitlines() if written.exists() else []


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    for name in TOOLS:
        found = shutil.which(name)
        assert found is not None
        (tmp_path / name).symlink_to(found)
    return Machine(tmp_path)


@pytest.fixture
def as_root(machine: Machine) -> Machine:
    machine.has("id", "echo 0")
    return machine


@pytest.fixture
def as_user(machine: Machine) -> Machine:
    machine.has("id", "echo 1000")
    return machine


def test_a_server_that_is_there_is_left_alone(as_root: Machine) -> None:
    as_root.has("mariadbd", "exit 1")
    as_root.has("apt-get", "exit 1")
    done = as_root.run()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert as_root.calls == []


def test_mariadb_by_its_older_name_will_do(as_root: Machine) -> None:
    as_root.has("mysqld", "echo 'mysqld  Ver 10.3.39-MariaDB for Linux'")
    assert (as_root.run().stderr, as_root.calls) == ("", ["mysqld --no-defaults --version"])


def installing(machine: Machine) -> str:
    server = machine.programs / "mariadbd"
    return f'case "$*" in *install*) printf "" >{server}; chmod +x {server};; esac'


def test_root_on_debian_gets_it_installed_and_nothing_else_removed(as_root: Machine) -> None:
    as_root.has("apt-get", installing(as_root))
    done = as_root.run()
    assert (done.returncode, done.stderr) == (0, "")
    (call,) = [call for call in as_root.calls if call.startswith("apt-get")]
    assert "--no-install-recommends --no-remove" in call
    assert call.endswith(" mariadb-server-core")


def test_package_lists_are_renewed_when_they_are_too_old(as_root: Machine) -> None:
    renewed = as_root.programs / "renewed"
    old = f'if [ "$1" = update ]; then printf "" >{renewed}; exit 0; fi\n[ -e {renewed} ] || exit 100'
    as_root.has("apt-get", f"{old}\n{installing(as_root)}")
    done = as_root.run()
    assert (done.returncode, done.stderr) == (0, "")
    calls = [call.split()[1] for call in as_root.calls if call.startswith("apt-get")]
    assert calls == ["install", "update", "install"]


@pytest.mark.parametrize("fails", ["exit 100", 'case "$*" in update*) exit 0;; esac; exit 100'])
def test_what_cannot_be_installed_is_said_and_stops_nothing(as_root: Machine, fails: str) -> None:
    as_root.has("apt-get", fails)
    done = as_root.run()
    assert done.returncode == 0
    assert done.stderr.count("\n") == 1
    assert "SQLite" in done.stderr
    assert "--no-remove mariadb-server-core" in done.stderr


def test_others_are_told_what_to_install_in_one_line(as_user: Machine) -> None:
    as_user.has("apt-get", "exit 1")
    as_user.has("mysqld", "echo 'mysqld  Ver 8.4.3 for Linux (MySQL Community Server)'")
    done = as_user.run()
    assert done.returncode == 0
    assert done.stderr.count("\n") == 1
    for words in ("SQLite", "sudo apt-get install mariadb-server-core", "brew install mariadb"):
        assert words in done.stderr
    assert not any(call.startswith("apt-get") for call in as_user.calls)


def test_the_script_is_posix_sh() -> None:
    assert subprocess.run(["sh", "-n", str(SCRIPT)], check=False).returncode == 0
