"""Which server is found on a machine, and what is said when there is none."""

from collections.abc import Callable
from pathlib import Path

import pytest

from emulator.rds import mariadb, real
from emulator.rds.endpoints import Database, address
from emulator.rds.mariadb import MariaDbError
from emulator.rds.server import describe
from tests.emulator.rds.conftest import World

pytestmark = pytest.mark.xdist_group("mysql")

Worlds = Callable[..., World]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Path]:
    """`machine("mysqld", "mysqld  Ver 8.4.3")` is a machine whose only server says that of itself."""
    programs = tmp_path / "sbin"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setattr(mariadb, "ALSO_IN", ())

    def install(name: str, says: str) -> Path:
        program = programs / name
        program.write_text(f"#!/bin/sh\necho '{says}'\n")
        program.chmod(0o755)
        return program

    return install


@pytest.mark.usefixtures("machine")
def test_without_a_server_one_line_says_what_to_install(new_world: Worlds, tmp_path: Path) -> None:
    world = new_world()
    (line,) = world.said
    assert line == describe(tmp_path)
    assert "no mariadbd" in line
    for words in ("SQLite", "sudo apt-get install mariadb-server-core", "brew install mariadb"):
        assert words in line
    assert "\n" not in line
    assert real.servers() is None
    name, port = address(Database("writer", "aurora", "abc", "eu-west-1", 3306))
    assert (name, port) == ("aurora.cluster-abc.eu-west-1.rds.amazonaws.com", 3306)


def test_with_a_server_there_is_nothing_to_say(world: World, tmp_path: Path) -> None:
    assert world.said == []
    assert describe(tmp_path) is None
    assert describe(tmp_path / "of-no-world") is None


def test_oracles_server_is_not_taken_for_mariadb(machine: Callable[[str, str], Path]) -> None:
    program = machine("mysqld", "mysqld  Ver 8.4.3 for Linux on x86_64 (MySQL Community Server - GPL)")
    with pytest.raises(MariaDbError) as refusal:
        mariadb.find()
    assert str(refusal.value) == f"{program} is 8.4.3, and not MariaDB"


def test_a_server_without_its_scripts_is_not_usable(machine: Callable[[str, str], Path]) -> None:
    machine("mariadbd", "mariadbd  Ver 11.8.3-MariaDB for debian-linux-gnu on x86_64")
    with pytest.raises(MariaDbError, match=r"lacks its SQL scripts.*share/mysql"):
        mariadb.find()


def test_newer_names_of_the_scripts_are_known(machine: Callable[[str, str], Path], tmp_path: Path) -> None:
    machine("mariadbd", "mariadbd  Ver 11.8.3-MariaDB for debian-linux-gnu on x86_64")
    scripts = tmp_path / "share" / "mariadb"
    scripts.mkdir(parents=True)
    (scripts / "mariadb_system_tables.sql").touch()
    found = mariadb.find()
    assert (found.version, found.scripts) == ("11.8.3-MariaDB", scripts)


def test_an_initialisation_that_fails_leaves_nothing_to_be_taken_for_data(tmp_path: Path) -> None:
    scripts = tmp_path / "share"
    scripts.mkdir()
    for name in ("system_tables", "performance_tables", "system_tables_data"):
        (scripts / f"mysql_{name}.sql").write_text("SELEC 1;\n")
    broken = mariadb.MariaDb(mariadb.find().program, "10.11", scripts)
    with pytest.raises(MariaDbError, match="could not make"):
        broken.initialise(tmp_path / "data")
    assert not (tmp_path / "data").exists()
