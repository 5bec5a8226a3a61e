"""A resource's form in the graph, and how a refusal calls it."""

from emulator.problem import Problem
from rehearsal.record import SECRET, Record, Refusal, masked

URN = "urn:pulumi:prod-data::pinwheel::pinwheel:data:Kafka$aws:msk/cluster:Cluster::kafka"


def test_secrets_are_masked_in_inputs_and_outputs():
    record = Record(
        urn=URN,
        type="aws:msk/cluster:Cluster",
        name="kafka",
        custom=True,
        inputs={"name": "kafka", "password": "hush"},
        outputs={"password": "hush", "token": {"deep": "hush"}},
        secret_inputs=frozenset({"password"}),
        secret_outputs=frozenset({"password", "token"}),
        seconds=0.123456789,
    )

    graph = record.as_json()

    assert graph["inputs"] == {"name": "kafka", "password": SECRET}
    assert graph["outputs"] == {"password": SECRET, "token": SECRET}
    assert graph["seconds"] == 0.123457
    assert graph["status"] == "recorded"
    assert record.inputs["password"] == "hush"


def test_nothing_secret_is_left_as_it_is():
    assert masked({"a": 1}, frozenset({"b"})) == {"a": 1}


def test_a_refusal_calls_the_resource_by_its_own_type():
    refusal = Refusal("data", URN, Problem("kafkaVersion", "1.0", "is old", "3.9.x"))

    assert refusal.resource == "aws:msk/cluster:Cluster kafka"


def test_what_the_engine_declares_is_no_resource_of_the_program():
    kinds = ("pulumi:providers:aws", "pulumi:pulumi:StackReference", "aws:sqs/queue:Queue", "random:x:Y")
    records = [Record(urn=kind, type=kind, name="x", custom=True, inputs={}) for kind in kinds]

    assert [record.type for record in records if record.layer_resource] == list(kinds[2:])
