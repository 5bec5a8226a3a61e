"""`outbox: debezium`: a connector publishes what the relay would, and nothing else about the system changes."""

import pytest

from emulator.process import Emulator
from infra import environment_file
from infra.data.catalogue import OUTBOX_TOPICS, TOPICS
from infra.data.debezium import CHANGES, EVENTS, captures, connector_settings, worker_properties
from infra.environment import Environment
from infra.workloads import declarations
from rehearsal.cloud import Cloud
from rehearsal.record import Record
from rehearsal.rehearse import Rehearsal, rehearse


def with_debezium(name: str) -> Environment:
    environment = environment_file.load(name)
    workloads = environment.workloads.model_copy(update={"outbox": "debezium"})
    return environment.model_copy(update={"workloads": workloads})


@pytest.fixture(scope="module")
def rehearsal() -> Rehearsal:
    environment = with_debezium("local")
    with Emulator(environment.account, environment.region) as emulator:
        return rehearse(environment, Cloud(emulator.endpoint, environment.account, environment.region))


def settings() -> dict[str, str]:
    return connector_settings(EVENTS, host="writer", port=3306, secret_name="s", bootstrap_brokers="b:9098")


def test_it_passes(rehearsal: Rehearsal):
    assert [f"{each.resource}: {each.problem}" for each in rehearsal.refusals] == []
    assert rehearsal.passed


def of_type(rehearsal: Rehearsal, token: str) -> dict[str, Record]:
    found = [each for layer in rehearsal.layers for each in layer.records if each.type == token]
    return {each.name: each for each in found}


def test_the_connector_may_write_the_topics_of_the_relay(rehearsal: Rehearsal):
    (relay,) = [
        each for each in declarations.services(environment_file.load("local")) if each.name == "pin-relay"
    ]
    policy = of_type(rehearsal, "aws:iam/rolePolicy:RolePolicy")["debezium-outbox"].inputs["policy"]

    assert set(relay.writes) <= set(EVENTS.topics)
    for topic in EVENTS.topics:
        assert f'/{topic}"' in policy
    assert '/clicks"' not in policy


def test_one_of_the_two_publishes(rehearsal: Rehearsal):
    relay = of_type(rehearsal, "kubernetes:apps/v1:Deployment")["pin-relay"].inputs["spec"]["replicas"]
    connectors = of_type(rehearsal, "aws:mskconnect/connector:Connector")

    assert relay == 0
    assert set(connectors) == {"debezium", "debezium-outbox"}
    assert captures(environment_file.load("local")) == (CHANGES,)


def test_its_own_topics_are_declared(rehearsal: Rehearsal):
    declared = set(of_type(rehearsal, "aws:msk/topic:Topic"))

    assert declared == {topic.name for topic in (*TOPICS, *OUTBOX_TOPICS)}
    assert set(EVENTS.topics) <= declared
    read = settings()
    assert {
        read["schema.history.internal.kafka.topic"],
        f"{read['topic.heartbeat.prefix']}.{read['topic.prefix']}",
        EVENTS.offsets_topic,
    } == {topic.name for topic in OUTBOX_TOPICS}
    assert f"offset.storage.topic={EVENTS.offsets_topic}\n" in worker_properties(EVENTS, region="us-east-1")


def test_records_are_those_of_the_relay():
    read = settings()

    assert read["table.include.list"] == "pin.outbox"
    assert read["value.converter"] == "io.debezium.converters.BinaryDataConverter"
    assert read["transforms.outbox.route.topic.replacement"] == "${routedByValue}"
    placed = read["transforms.outbox.table.fields.additional.placement"].split(",")
    assert {each.rsplit(":", 1)[-1] for each in placed} == {"event-id", "event-type", "traceparent"}
    assert read["include.schema.changes"] == "false"


def test_two_connectors_are_two_replicas():
    assert CHANGES.server_id != EVENTS.server_id
    assert CHANGES.prefix != EVENTS.prefix
    assert CHANGES.history_topic != EVENTS.history_topic
