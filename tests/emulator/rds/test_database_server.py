"""One cluster's server: who gets in, and what it outlives."""

import os
import signal
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psutil
import pymysql
import pytest

from emulator.processes import registered
from emulator.rds import mariadb
from emulator.rds.database_server import DatabaseServer
from emulator.rds.mariadb import MariaDbError
from emulator.rds.real import Credential
from tests.emulator.rds.conftest import MASTER, World, member, rows
from tests.waiting import until

pytestmark = pytest.mark.xdist_group("mysql")

Worlds = Callable[..., World]


def code(error: pytest.ExceptionInfo[pymysql.MySQLError]) -> int:
    return error.value.args[0]


def test_the_master_user_gets_in_with_its_password_and_nobody_without(world: World) -> None:
    server = world.new_server()
    server.wait()
    with server.connect(MASTER) as connection:
        assert ("first",) in rows(connection, "SHOW DATABASES")
        assert rows(connection, "SELECT CURRENT_USER()") == [("pinwheel_admin@%",)]
    for nobody in (replace(MASTER, password="guessed"), Credential("root", ""), Credential("", "")):
        with pytest.raises(pymysql.OperationalError) as refusal:
            server.connect(nobody)
        assert code(refusal) == 1045


def test_the_master_user_may_do_what_auroras_may_and_nothing_to_the_machine(world: World) -> None:
    server = world.new_server()
    server.wait()
    with server.connect(MASTER) as connection:
        rows(connection, "CREATE USER 'pin'@'%' IDENTIFIED BY 'a-password'")
        rows(connection, "GRANT REPLICATION SLAVE, REPLICATION CLIENT, RELOAD, SELECT ON *.* TO 'pin'@'%'")
        for forbidden in ("SHUTDOWN", "SELECT 1 INTO OUTFILE '/tmp/pinwheel'", "SET GLOBAL read_only = 1"):
            with pytest.raises(pymysql.OperationalError) as refusal:
                rows(connection, forbidden)
            assert code(refusal) in {1045, 1227}


def test_a_user_that_requires_tls_does_not_get_in_without(world: World) -> None:
    server = world.new_server()
    server.wait()
    with server.connect(MASTER) as connection:
        rows(connection, "CREATE USER 'pin'@'%' IDENTIFIED BY 'a-password' REQUIRE SSL")
        rows(connection, "CREATE USER 'lax'@'%' IDENTIFIED BY 'a-password'")
    host, port = server.address
    with pytest.raises(pymysql.OperationalError) as refusal:
        pymysql.connect(host=host, port=port, user="pin", password="a-password", ssl_disabled=True)
    assert code(refusal) == 1045
    with server.connect(Credential("pin", "a-password")) as connection:
        ((_, cipher),) = rows(connection, "SHOW STATUS LIKE 'Ssl_cipher'")
        assert cipher
    pymysql.connect(host=host, port=port, user="lax", password="a-password", ssl_disabled=True).close()


def test_it_listens_on_loopback_only(world: World) -> None:
    world.new_server().wait()
    running = member(world.directory, "mysql/aurora")
    assert running is not None
    listening = [
        each.laddr
        for each in psutil.Process(running.pid).net_connections(kind="inet")
        if each.status == psutil.CONN_LISTEN
    ]
    assert [each.ip for each in listening] == ["127.0.0.1"]
    assert running.details["address"] == f"127.0.0.1:{listening[0].port}"
    assert [each for each in psutil.Process(running.pid).net_connections(kind="unix") if each.laddr] == []


def test_a_killed_server_is_back_with_its_data_on_the_same_port(world: World) -> None:
    server = world.new_server()
    server.wait()
    address = server.address
    with server.connect(MASTER, "first", autocommit=True) as connection:
        rows(connection, "CALL mysql.rds_set_configuration('binlog retention hours', 72)")
        rows(connection, "CREATE TABLE pins (id INT PRIMARY KEY)")
        rows(connection, "INSERT INTO pins VALUES (1), (2)")
    first = member(world.directory, "mysql/aurora")
    assert first is not None
    assert first.details["restarts"] == 0

    os.kill(first.pid, signal.SIGKILL)

    again = until(lambda: _another(world, first.pid))
    server.wait()
    assert server.address == address
    assert again.details == first.details | {"restarts": 1}
    with server.connect(MASTER, "first") as connection:
        assert rows(connection, "SELECT id FROM pins ORDER BY id") == [(1,), (2,)]
        assert rows(connection, "SELECT @@GLOBAL.expire_logs_days") == [(3,)]
    assert world.said[0] == "mysql/aurora ended by signal 9"


def _another(world: World, pid: int):
    found = member(world.directory, "mysql/aurora")
    return found if found and found.pid != pid else None


def test_a_port_that_another_program_took_is_routed_around(new_world: Worlds) -> None:
    world = new_world(keep=True)
    server = world.new_server()
    server.wait()
    former = server.address
    world = new_world(keep=True)  # the port is remembered
    with socket.create_server(former):
        server = world.new_server()
        server.wait()
        assert server.address != former
        server.connect(MASTER).close()


def test_a_port_that_is_taken_before_the_start_is_told_of(world: World) -> None:
    program = mariadb.find()
    server = DatabaseServer(world, program, "aurora", MASTER, None)
    former = server.port
    with socket.create_server(("127.0.0.1", former)):
        server.start()
        server.wait()
    assert server.port != former
    assert world.said == [f"port {former} is taken: MySQL of aurora moves to {server.port}"]
    server.stop(remove=True)


def test_kept_data_is_there_again_and_the_port_too_but_not_the_old_password(new_world: Worlds) -> None:
    world = new_world(keep=True)
    server = world.new_server()
    server.wait()
    address = server.address
    with server.connect(MASTER, "first", autocommit=True) as connection:
        rows(connection, "CREATE TABLE pins (id INT)")
    world = new_world(keep=True)
    renewed = replace(MASTER, password="another-password")
    server = world.new_server(master=renewed)
    server.wait()
    assert server.address == address
    with server.connect(renewed, "first") as connection:
        assert rows(connection, "SHOW TABLES") == [("pins",)]
    with pytest.raises(pymysql.OperationalError, match="Access denied"):
        server.connect(MASTER)


def test_without_keep_nothing_is_left_and_nothing_is_found(new_world: Worlds, tmp_path: Path) -> None:
    world = new_world()
    world.new_server().wait()
    assert (tmp_path / "data" / "mysql" / "aurora").is_dir()
    world.stop()
    assert not (tmp_path / "data" / "mysql" / "aurora").exists()
    assert registered(world.registry) == []
    (tmp_path / "data" / "mysql" / "aurora" / "left-by-a-crash").mkdir(parents=True)
    world = new_world()
    server = world.new_server()
    server.wait()
    with server.connect(MASTER, "first") as connection:
        assert rows(connection, "SHOW TABLES") == []


def test_a_world_that_ends_while_a_server_starts_leaves_no_process(world: World) -> None:
    world.new_server()
    world.stop()
    assert registered(world.registry) == []


def test_a_server_that_cannot_start_says_why(world: World) -> None:
    data = world.data("mysql") / "aurora"
    data.mkdir()
    (data / "ibdata1").write_text("no tablespace")
    server = world.new_server()
    with pytest.raises(MariaDbError, match=r"aurora.*does not start.*log is .*mysql-aurora") as failure:
        server.wait()
    assert "ib_logfile0 was not found" in str(failure.value)
    assert "ib_logfile0 was not found" in world.said[-1]


def test_another_master_password_holds_at_once_and_after_a_restart(world: World) -> None:
    server = world.new_server()
    renewed = replace(MASTER, password="another-password")
    server.set_master(renewed)
    server.wait()

    def gets_in() -> bool:
        try:
            server.connect(renewed).close()
        except pymysql.OperationalError:
            return False
        return True

    until(gets_in)
    running = member(world.directory, "mysql/aurora")
    assert running is not None
    os.kill(running.pid, signal.SIGKILL)
    until(lambda: _another(world, running.pid))
    server.wait()
    assert gets_in()


def test_auroras_own_procedures(world: World) -> None:
    server = world.new_server()
    server.wait()
    with server.connect(MASTER, autocommit=True) as connection:
        rows(connection, "CALL mysql.rds_set_configuration('binlog retention hours', 24)")
        ((name, value, _),) = rows(connection, "CALL mysql.rds_show_configuration()")
        assert (name, value) == ("binlog retention hours", "24")
        for wrong, words in (
            ("'binlog retention', 24", "Unknown"),
            ("'binlog retention hours', 3000", "2160"),
        ):
            with pytest.raises(pymysql.OperationalError, match=words):
                rows(connection, f"CALL mysql.rds_set_configuration({wrong})")
        with server.connect(MASTER) as other:
            rows(connection, f"CALL mysql.rds_kill({other.thread_id()})")
            with pytest.raises(pymysql.OperationalError):
                rows(other, "SELECT 1")
            other.close = lambda: None  # it is closed


def test_row_changes_are_in_the_binlog_with_a_gtid(world: World) -> None:
    server = world.new_server()
    server.wait()
    with server.connect(MASTER, "first", autocommit=True) as connection:
        assert rows(connection, "SELECT @@binlog_format, @@binlog_row_image") == [("ROW", "FULL")]
        rows(connection, "CREATE TABLE pins (id INT PRIMARY KEY)")
        rows(connection, "INSERT INTO pins VALUES (1)")
        ((file, *_),) = rows(connection, "SHOW MASTER STATUS")
        events = [(each[2], each[5]) for each in rows(connection, f"SHOW BINLOG EVENTS IN '{file}'")]
    assert any(kind == "Gtid" and "GTID 0-1-" in info for kind, info in events)
    assert any(kind.startswith("Write_rows") for kind, _ in events)
    assert not any("pinwheel_admin" in info for _, info in events)
