"""What `up` and `status` gather of a world: what people should know is told, what misleads them is not."""

import json
import os

import pytest

from emulator.processes import Member as Process
from pinwheel import overview, world
from pinwheel.world import Member, World

OUTPUTS = {"data": {"database_writer_endpoint": "db.example", "database_port": 3306}}


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(world.STATE_VARIABLE, str(tmp_path))
    (tmp_path / "processes").mkdir()
    (tmp_path / "data").mkdir()
    return tmp_path


def gathered() -> overview.Overview:
    here = World("local", "us-east-1", [Member.of("pinwheel up", os.getpid())], "http://x", OUTPUTS)
    return overview.gather(here)


def register(state, name: str, **details: object) -> None:
    told = vars(Process.of(name, os.getpid(), details))
    (state / "processes" / f"{name.replace('/', '_')}.json").write_text(json.dumps(told))


def test_a_broker_that_forgot_everything_is_told_of(state) -> None:
    register(state, "kafka/local", restarts=1, durable=False)
    assert gathered().notes == ["kafka/local was started again, without the messages and offsets it had"]


@pytest.mark.parametrize("details", [{"restarts": 0, "durable": False}, {"restarts": 1, "durable": True}])
def test_a_broker_that_has_its_messages_is_not(state, details: dict[str, object]) -> None:
    register(state, "kafka/local", **details)
    assert gathered().notes == []


def test_a_cluster_whose_name_is_like_a_part_brings_no_pods_among_the_servers(state) -> None:
    register(state, "eks/kafka-tests", restarts=0)
    register(state, "kafka-tests/pod/echo/echo-1/echo")
    assert [each.name for each in gathered().behind] == ["eks/kafka-tests"]


def test_without_a_server_no_address_of_one_is_told(state) -> None:
    assert ("MySQL writer", "db.example:3306") in gathered().resources
    (state / "data" / "mysql.json").write_text(json.dumps({"missing": "there is no mariadbd"}))
    seen = gathered()
    assert not any(what.startswith("MySQL") for what, _ in seen.resources)
    assert any("SQLite" in note for note in seen.notes)
