"""Every mistake is told in one run, each once: what needs a refused resource waits, and all else is created."""

import ipaddress
import json
import sys
from typing import Any

import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as kubernetes
import pytest

from infra.environment import Environment
from rehearsal.cloud import Cloud
from rehearsal.rehearse import play, rehearse
from rehearsal.stage import Stage
from tests.rehearsal.refusals.conftest import Base, Mistakes, trust


def test_several_mistakes_are_told_in_one_run(mistakes: Mistakes, base: Base):
    def program() -> None:
        aws.sqs.Queue("queue", message_retention_seconds=1)
        aws.ec2.Subnet("subnet", vpc_id=base.vpc, cidr_block="10.0.0.0/24")
        aws.iam.Role("role", name="a name with spaces", assume_role_policy=trust("ec2.amazonaws.com"))
        kubernetes.core.v1.ConfigMap("settings", metadata={"namespace": "nowhere"}, data={"a": "b"})
        pulumi.export("token", "0123456789")

    outcome = mistakes(program)

    assert {(each.resource.split(" ")[-1], each.problem.property) for each in outcome.refusals} == {
        ("queue", "messageRetentionSeconds"),
        ("subnet", "cidrBlock"),
        ("role", "name"),
        ("settings", "metadata.namespace"),
        ("output", "token"),
    }


def test_several_mistakes_of_one_resource_are_told_in_one_run(mistakes: Mistakes, base: Base):
    def program() -> None:
        aws.eks.NodeGroup(
            "nodes",
            cluster_name=base.cluster,
            node_role_arn=base.node_role,
            subnet_ids=["subnet-0123456789abcdef0"],
            ami_type="AL2024",
            instance_types=["m7i.tiny"],
            capacity_type="CHEAP",
            version="1.12",
            scaling_config={"min_size": 5, "desired_size": 1, "max_size": 3},
        )

    outcome = mistakes(program)

    assert {each.problem.property for each in outcome.refusals} == {
        "subnetIds[0]",
        "amiType",
        "instanceTypes[0]",
        "capacityType",
        "version",
        "scalingConfig.minSize",
    }


def test_what_needs_a_refused_resource_waits_for_it_and_the_rest_is_created(mistakes: Mistakes):
    def program() -> None:
        queue = aws.sqs.Queue("queue", message_retention_seconds=1)
        document = queue.arn.apply(_allow)
        role = aws.iam.Role("role", assume_role_policy=trust("ec2.amazonaws.com"))
        policy = aws.iam.Policy("policy", policy=document)
        aws.iam.RolePolicyAttachment("attachment", role=role.name, policy_arn=policy.arn)
        aws.sqs.Queue("independent", opts=pulumi.ResourceOptions(depends_on=[role]))
        aws.sqs.Queue("dependent", opts=pulumi.ResourceOptions(depends_on=[policy]))

    outcome = mistakes(program)

    outcome.assert_only_refused("queue", "messageRetentionSeconds", 1)
    states = {each.name: (each.status.value, each.waits_for) for each in outcome.layer.records}
    assert states == {
        "queue": ("failed", ""),
        "role": ("created", ""),
        "independent": ("created", ""),
        "policy": ("recorded", "queue"),
        "attachment": ("recorded", "queue"),
        "dependent": ("recorded", "queue"),
    }


def test_what_waits_is_judged_for_its_own_mistakes(mistakes: Mistakes):
    def program() -> None:
        queue = aws.sqs.Queue("queue", message_retention_seconds=1)
        document = queue.arn.apply(lambda arn: _allow(arn, action="sqs:PutMessage"))
        aws.iam.Policy("policy", policy=document, path="no-slashes")

    outcome = mistakes(program)

    assert {(each.resource.split(" ")[-1], each.problem.property) for each in outcome.refusals} == {
        ("queue", "messageRetentionSeconds"),
        ("policy", "policy.Statement[0].Action"),
        ("policy", "path"),
    }


def test_a_later_layer_is_told_what_an_earlier_one_lacks(base: Base):
    def first() -> None:
        queue = aws.sqs.Queue("queue", message_retention_seconds=1)
        pulumi.export("url", queue.url)

    def second() -> None:
        url = pulumi.StackReference("rehearsal/pinwheel/dev-lacking").get_output("url")
        aws.sqs.QueuePolicy("policy", queue_url=url, policy=_allow("*"))

    rehearsal = play(base.stage, [("lacking", lambda _: first()), ("reading", lambda _: second())])

    assert [each.layer for each in rehearsal.refusals if each.problem.property != "policy"][:1] == ["lacking"]
    (policy,) = [each for each in rehearsal.layers[1].records if each.name == "policy"]
    assert policy.waits_for == "queue"


def _allow(resource: str, action: str = "sqs:SendMessage") -> str:
    statement = {"Effect": "Allow", "Action": action, "Resource": resource}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def test_a_program_that_raises_is_reported_with_the_refusals_before_it(
    base: Base, recwarn: pytest.WarningsRecorder
):
    def program(_: Environment) -> None:
        aws.sqs.Queue("queue", message_retention_seconds=1)
        raise KeyError("colour")

    (crashed, after) = play(base.stage, [("crashing", program), ("after", lambda _: _declare_queue())]).layers

    assert crashed.crash == "KeyError: 'colour'"
    assert "in program" in crashed.crash_trace
    assert [each.problem.property for each in crashed.refusals] == ["messageRetentionSeconds"]
    assert after.crash == ""
    assert [each.status.value for each in after.records] == ["created"]
    assert not [each for each in recwarn if each.category is RuntimeWarning]  # of coroutines never awaited


def _declare_queue() -> None:
    aws.sqs.Queue("queue")


def test_a_program_that_raises_later_is_reported_too(base: Base):
    def program(_: Environment) -> None:
        aws.sqs.Queue("queue").url.apply(lambda url: url["nothing"])

    (crashed, after) = play(
        base.stage, [("late", program), ("after-late", lambda _: _declare_queue())]
    ).layers

    assert crashed.crash.startswith("TypeError")
    assert after.crash == ""


def test_the_outputs_of_a_crashed_program_cannot_be_read(base: Base):
    def first(_: Environment) -> None:
        raise ValueError

    def second(_: Environment) -> None:
        pulumi.StackReference("rehearsal/pinwheel/dev-broken").get_output("url")

    (_, reading) = play(base.stage, [("broken", first), ("reader", second)]).layers

    assert "stack dev-broken has no outputs" in reading.crash
    assert "its program ended early" in reading.crash
    assert reading.lacks == "dev-broken"


def test_a_stack_that_was_never_rehearsed_is_the_reader_s_own_mistake(base: Base):
    def program(_: Environment) -> None:
        pulumi.StackReference("rehearsal/pinwheel/dev-nothing").get_output("url")

    (reading,) = play(base.stage, [("reading", program)]).layers

    assert "stack dev-nothing has no outputs" in reading.crash
    assert reading.lacks == ""


def test_a_program_that_exits_does_not_end_the_rehearsal(base: Base):
    def program(_: Environment) -> None:
        sys.exit(0)

    (exited, after) = play(
        base.stage, [("exiting", program), ("after-exit", lambda _: _declare_queue())]
    ).layers

    assert exited.crash == "SystemExit: 0"
    assert after.crash == ""


def test_a_value_that_is_handed_on_is_refused_where_it_was_given(mistakes: Mistakes, base: Base):
    def program() -> None:
        cluster = aws.rds.Cluster(
            "handing",
            engine=aws.rds.EngineType.AURORA_MYSQL,
            engine_version="8.0.mysql_aurora.3.99.0",
            master_username="admin",
            manage_master_user_password=True,
            storage_encrypted=True,
            skip_final_snapshot=True,
        )
        aws.rds.ClusterInstance(
            "handed",
            cluster_identifier=cluster.id,
            engine=aws.rds.EngineType.AURORA_MYSQL,
            engine_version=cluster.engine_version,
            instance_class="db.r7g.large",
        )

    mistakes(program).assert_only_refused("handing", "engineVersion", "8.0.mysql_aurora.3.99.0")


def test_a_type_without_an_adapter_is_not_refused_for_its_stand_ins(mistakes: Mistakes):
    def program() -> None:
        aws.redshift.Cluster("warehouse", cluster_identifier="w", node_type="ra3.large")

    outcome = mistakes(program)

    assert outcome.told() == "nothing refused"
    assert outcome.record("warehouse").status.value == "recorded"


def test_reading_what_is_not_declared_is_told(mistakes: Mistakes, base: Base):
    def program(_: Environment) -> None:
        aws.ec2.Vpc.get("found", "vpc-0123456789abcdef0")

    (layer,) = play(base.stage, [("getting", program)]).layers

    assert "the program reads aws:ec2/vpc:Vpc vpc-0123456789abcdef0" in layer.crash
    assert "state it in the environment file" in layer.crash


def test_calling_a_function_of_a_provider_is_told(base: Base):
    (layer,) = play(base.stage, [("calling", lambda _: aws.get_caller_identity() and None)]).layers

    assert "aws:index/getCallerIdentity:getCallerIdentity" in layer.crash
    assert "environment file" in layer.crash


def test_when_the_first_resource_is_refused_everything_is_judged_and_nothing_else_refused(
    environment: Environment, cloud: Cloud
):
    """All layers of dev, without one resource to stand on: the hardest case for a false refusal."""
    network = environment.network.model_copy(update={"cidr": ipaddress.IPv4Network("10.0.0.0/15")})
    changed = environment.model_copy(update={"network": network, "name": "too-wide"})

    rehearsal = rehearse(changed, cloud)

    assert [layer.crash for layer in rehearsal.layers] == ["", "", "", ""]
    assert [(each.resource, each.problem.property) for each in rehearsal.refusals] == [
        ("aws:ec2/vpc:Vpc vpc", "cidrBlock")
    ], "\n".join(f"{each.resource}: {each.problem}" for each in rehearsal.refusals)
    by_name = {record.type: record for layer in rehearsal.layers for record in layer.records}
    assert by_name["aws:eks/cluster:Cluster"].status == "recorded"
    assert by_name["aws:eks/cluster:Cluster"].waits_for == "vpc"
    assert by_name["aws:msk/cluster:Cluster"].waits_for == "vpc"
    assert by_name["aws:kms/key:Key"].status == "created"


def test_a_changed_environment_is_refused_where_it_is_used(environment: Environment, cloud: Cloud):
    """What pydantic cannot know: a type that a zone does not offer."""
    changed = _with_cluster(
        environment,
        "lopsided",
        system_nodes=environment.cluster.system_nodes.model_copy(
            update={"instance_types": ("c8a.12xlarge",)}
        ),
    )

    rehearsal = rehearse(changed, cloud, layers=("cluster",))

    assert [layer.name for layer in rehearsal.layers] == ["network", "cluster"]
    assert [(each.resource, each.problem.property, each.problem.value) for each in rehearsal.refusals] == [
        ("aws:eks/nodeGroup:NodeGroup system", "instanceTypes[0]", "c8a.12xlarge"),
    ]


def test_an_environment_that_its_program_cannot_serve(environment: Environment, cloud: Cloud):
    changed = _with_cluster(environment, "outdated", kubernetes_version="1.31")

    rehearsal = rehearse(changed, cloud, layers=("cluster",))

    assert not rehearsal.passed
    assert "cluster.kubernetes_version = 1.31" in rehearsal.layers[1].crash
    assert [(each.resource, each.problem.property) for each in rehearsal.refusals] == [
        ("aws:eks/cluster:Cluster cluster", "version")
    ]


def _with_cluster(environment: Environment, name: str, **changed: Any) -> Environment:
    cluster = environment.cluster.model_copy(update=changed)
    return environment.model_copy(update={"cluster": cluster, "name": name})


def test_two_stages_do_not_know_of_each_other(environment: Environment, cloud: Cloud, base: Base):
    alone = Stage(environment, cloud)

    (layer,) = play(alone, [("alone", lambda _: _declare_subnet(base.vpc))]).layers

    assert [each.problem.property for each in layer.refusals] == ["vpcId"]


def _declare_subnet(vpc: str) -> None:
    aws.ec2.Subnet("subnet", vpc_id=vpc, cidr_block="10.50.80.0/24")
