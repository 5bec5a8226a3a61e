"""The kinds of broker, and where they listen. What stands behind an emulator is in test_kafka_behind_msk.py."""

import os
import signal
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from emulator.kafka.broker import tansu
from emulator.kafka.broker.apache import cluster_id, server_properties
from emulator.kafka.broker.declared_topics import DeclaredTopic, DeclaredTopics
from emulator.kafka.broker.interface import BrokerError
from emulator.kafka.broker.tansu import Tansu, program
from emulator.operations import OperationError
from emulator.ports import bound
from emulator.processes import Member, registered
from tests.emulator.kafka.conftest import Installed, Reported, partitions_of, produced, settings_of
from tests.waiting import until

Installer = Callable[[], Installed]


def process_of(backing: Reported) -> Member:
    return until(lambda: next(iter(registered(backing.registry)), None))


def test_a_world_that_is_kept_has_its_port_again_if_it_is_free(
    installer: Installer, backing: Reported
) -> None:
    first = installer()
    port = first.address(first.create("events"))
    backing.stop()
    second = installer()
    assert second.address(second.create("events")) == port
    backing.stop()
    with socket.create_server(("127.0.0.1", int(port.rsplit(":", 1)[1]))):
        third = installer()
        cluster = third.create("events")
        assert third.address(cluster) != port
        third.declare(cluster, "pins", 2)
        assert partitions_of(third.address(cluster)) == {"pins": 2}


def test_a_port_taken_before_the_broker_has_it_is_routed_around(
    installer: Installer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, bound() as free:
        ports = [taken.getsockname()[1], free.getsockname()[1]]
        free.close()
        monkeypatch.setattr(tansu, "free_port", lambda: ports.pop(0))
        installed = installer()
        cluster = installed.create("events")
        assert ports == []
        installed.declare(cluster, "pins", 2)
        assert partitions_of(installed.address(cluster)) == {"pins": 2}


def test_a_broker_that_does_not_start_is_an_error_of_the_api(
    installer: Installer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CALF_TANSU_BIN", str(script(tmp_path / "tansu", "echo no room; exit 3")))
    with pytest.raises(OperationError, match=r"did not start.*events\.log") as raised:
        installer().create("events")
    assert raised.value.code == "InternalServerErrorException"
    assert "no room" in (tmp_path / "logs" / "kafka" / "events.log").read_text()
    monkeypatch.setenv("CALF_TANSU_BIN", str(tmp_path / "nothing"))
    with pytest.raises(BrokerError, match="CALF_TANSU_BIN"):
        program()


def test_a_topic_declared_while_the_broker_is_down_is_made_when_it_is_back(installer: Installer) -> None:
    installed = installer()
    address = installed.address(installed.create("events"))
    topics = DeclaredTopics("insider", copies=1)
    topics.declare(DeclaredTopic("pins", 2, 3, {"retention.ms": "1000", "min.insync.replicas": "2"}))
    topics.declare(DeclaredTopic("dropped", 1, 3, {}))
    topics.drop("dropped")
    assert topics.connect(address) == []
    assert partitions_of(address) == {"pins": 2}
    assert settings_of(address, "pins") == {"retention.ms": "1000", "min.insync.replicas": "1"}
    topics.disconnect()
    topics.declare(DeclaredTopic("pins", 1, 3, {}))
    (problem,) = topics.connect(address)
    assert "pins has 2 partitions in the broker already" in problem


def test_topics_declared_around_the_death_of_a_broker_are_there_afterwards(
    installer: Installer, backing: Reported
) -> None:
    installed = installer()
    cluster = installed.create("events")
    installed.declare(cluster, "before", 1)
    broker = installed.broker(cluster)
    assert isinstance(broker, Tansu)
    os.kill(broker.pid, signal.SIGKILL)

    def declared() -> bool:
        try:
            installed.declare(cluster, "after", 3)
        except OperationError as error:
            assert error.code == "InternalServerErrorException"  # noqa: PT017 - clients try again
            return False
        return True

    assert until(declared)
    assert partitions_of(installed.address(cluster)) == {"before": 1, "after": 3}
    assert until(lambda: "kafka/events runs again" in backing.reports)
    assert any("all messages and committed offsets are lost" in report for report in backing.reports)


def test_cluster_names_are_no_paths(installer: Installer, backing: Reported) -> None:
    installer().create("../../events")
    assert process_of(backing).name == "kafka/__.._events"
    assert [path.name for path in (backing.directory / "logs" / "kafka").iterdir()] == ["__.._events.log"]


# Apache Kafka


def script(path: Path, body: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, installer: Installer) -> Path:
    """A KAFKA_HOME whose start script starts tansu at the address that server.properties says."""
    home = tmp_path / "kafka"
    script(home / "bin" / "kafka-storage.sh", f'echo "$@" >> {home}/formatted')
    listens = "$(sed -n 's/^advertised.listeners=PLAINTEXT/tcp/p' \"$1\")"
    script(
        home / "bin" / "kafka-server-start.sh",
        f"address={listens}\n"
        f'exec {program()} broker --listener-url "$address" --advertised-listener-url "$address"',
    )
    monkeypatch.setenv("KAFKA_HOME", str(home))
    return home


def test_an_apache_kafka_is_formatted_started_and_given_the_topics(
    installer: Installer, home: Path, backing: Reported
) -> None:
    installed = installer()
    cluster = installed.create("events", b"num.partitions=6\nlisteners=PLAINTEXT://0.0.0.0:9092\n")
    installed.declare(cluster, "pins", 3)
    address = installed.address(cluster)
    assert until(lambda: partitions_of(address)) == {"pins": 3}
    data = backing.data("kafka") / "events"
    lines = (data / "server.properties").read_text().splitlines()
    assert f"advertised.listeners=PLAINTEXT://{address}" in lines
    assert "num.partitions=6" in lines
    assert f"log.dirs={data / 'log'}" in lines
    assert "0.0.0.0" not in "".join(lines)
    expected = f"format --ignore-formatted --cluster-id {cluster_id('kafka/events')} --config {data}/server.properties"
    assert (home / "formatted").read_text().splitlines() == [expected]
    first = process_of(backing)
    assert first.details["kind"] == "apache-kafka"

    os.kill(first.pid, signal.SIGKILL)
    again = until(lambda: found if (found := process_of(backing)).pid != first.pid else None)
    assert again.details["restarts"] == 1
    assert until(lambda: partitions_of(installed.address(cluster))) == {"pins": 3}

    installed.brokers.delete_cluster(cluster)
    assert not again.alive
    assert not data.exists()


def test_one_node_has_one_copy_of_everything_and_listens_on_loopback() -> None:
    asked = {
        "default.replication.factor": "3",
        "min.insync.replicas": "2",
        "auto.create.topics.enable": "true",
        "log.retention.hours": "168",
        "listeners": "PLAINTEXT://0.0.0.0:9092",
        "ssl.keystore.location": "/etc/keys",
    }
    found = server_properties(9092, 9093, Path("/data/log"), asked)
    assert found["default.replication.factor"] == found["min.insync.replicas"] == "1"
    assert found["offsets.topic.replication.factor"] == "1"
    assert found["auto.create.topics.enable"] == "true"
    assert found["log.retention.hours"] == "168"
    assert found["listeners"] == "PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093"
    assert "ssl.keystore.location" not in found
    assert server_properties(1, 2, Path("/data"), {})["auto.create.topics.enable"] == "false"


def test_a_kafka_home_without_a_kafka_is_refused(
    installer: Installer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAFKA_HOME", str(tmp_path))
    with pytest.raises(BrokerError, match=r"KAFKA_HOME.*kafka-storage\.sh and no kafka-server-start\.sh"):
        installer()


# A given broker


def test_a_given_broker_is_used_and_left_as_it_is(
    installer: Installer, backing: Reported, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = installer()
    address = running.address(running.create("somebody-elses"))
    pid = process_of(backing).pid

    monkeypatch.setenv("PINWHEEL_KAFKA_BOOTSTRAP", address)
    installed = installer()
    cluster = installed.create("events")
    assert installed.address(cluster) == address
    installed.declare(cluster, "pins", 2)
    assert partitions_of(address) == {"pins": 2}
    assert settings_of(address, "pins") == {}
    assert produced(address, "pins", [b"kept"]) == []
    installed.brokers.delete_cluster(cluster)
    assert partitions_of(address) == {"pins": 2}
    assert process_of(backing).pid == pid

    # What is there already is brought to what is declared, but nothing is taken away.
    later = installed.create("later")
    with pytest.raises(OperationError, match="has 2 partitions in the broker already") as raised:
        installed.declare(later, "pins", 1)
    assert raised.value.code == "BadRequestException"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("localhost", "expected host:port"),
        ("127.0.0.1:9092,elsewhere", "expected host:port"),
        ("192.0.2.7:9092", "192.0.2.7, not this machine"),
        ("no-such-host.invalid:9092", "cannot be resolved"),
    ],
)
def test_a_bootstrap_address_must_be_of_this_machine(
    installer: Installer, monkeypatch: pytest.MonkeyPatch, given: str, words: str
) -> None:
    monkeypatch.setenv("PINWHEEL_KAFKA_BOOTSTRAP", given)
    with pytest.raises(BrokerError, match=words):
        installer()


def test_a_bootstrap_address_must_answer(installer: Installer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emulator.kafka.broker.given._ANSWER_SECONDS", 0.2)
    with bound() as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        monkeypatch.setenv("PINWHEEL_KAFKA_BOOTSTRAP", address)
        with pytest.raises(BrokerError, match=f"no Kafka answers at {address}"):
            installer()
