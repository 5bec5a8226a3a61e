"""Values outside of AWS's own models: enumerations, patterns, lengths, ranges, and bounds that contradict."""

from collections.abc import Callable
from typing import Any

import pulumi_aws as aws
import pytest

from tests.rehearsal.refusals.conftest import Base, Mistakes

NodeGroup = Callable[..., aws.eks.NodeGroup]


def test_a_word_that_is_none_of_an_enumeration(mistakes: Mistakes, node_group: NodeGroup):
    outcome = mistakes(lambda: node_group(ami_type="AL2023_x86_64_NVIDEA"))

    outcome.assert_only_refused(
        "nodes", "amiType", "AL2023_x86_64_NVIDEA", "did you mean AL2023_x86_64_NVIDIA?"
    )
    assert outcome.refusals[0].resource == "aws:eks/nodeGroup:NodeGroup nodes"


def test_a_nested_property_is_named_by_its_whole_path(mistakes: Mistakes, base: Base):
    def program() -> None:
        aws.eks.Cluster(
            "cluster",
            version="1.36",
            role_arn=base.node_role,
            access_config={"authentication_mode": "API_ONLY"},
            vpc_config={"subnet_ids": base.subnets},
        )

    mistakes(program).assert_only_refused("cluster", "accessConfig.authenticationMode", "API_ONLY", "API")


def test_a_value_that_does_not_match_its_pattern(mistakes: Mistakes, base: Base):
    def program() -> None:
        aws.eks.Cluster(
            "cluster",
            name="-cluster",
            version="1.36",
            role_arn=base.node_role,
            vpc_config={"subnet_ids": base.subnets},
        )

    mistakes(program).assert_only_refused("cluster", "name", "-cluster", "[0-9A-Za-z]")


def test_a_value_that_is_too_long(mistakes: Mistakes):
    name = "r" * 65

    def program() -> None:
        aws.iam.Role(
            "role",
            name=name,
            assume_role_policy={
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Effect": "Allow",
                        "Principal": {"Service": "ec2.amazonaws.com"},
                        "Action": "sts:AssumeRole",
                    }
                ],
            },
        )

    mistakes(program).assert_only_refused("role", "name", name, "64")


def test_a_number_out_of_its_range(mistakes: Mistakes):
    def program() -> None:
        aws.sqs.Queue("queue", message_retention_seconds=30)

    mistakes(program).assert_only_refused("queue", "messageRetentionSeconds", 30, "60", "1209600")


def test_an_item_of_a_list_is_named_by_its_index(mistakes: Mistakes, node_group: NodeGroup):
    taints = [
        {"key": "team", "effect": "NO_SCHEDULE"},
        {"key": "gpu", "effect": "NO_SCEDULE"},
    ]

    outcome = mistakes(lambda: node_group(taints=taints))

    outcome.assert_only_refused("nodes", "taints[1].effect", "NO_SCEDULE", "did you mean NO_SCHEDULE?")


def test_a_taint_in_the_vocabulary_of_kubernetes(mistakes: Mistakes, node_group: NodeGroup):
    taint = {"key": "nvidia.com/gpu", "value": "true", "effect": "NoSchedule"}

    outcome = mistakes(lambda: node_group(taints=[taint]))

    outcome.assert_only_refused("nodes", "taints[0].effect", "NoSchedule", "NO_SCHEDULE", "Kubernetes")


@pytest.mark.parametrize(
    ("sizes", "path", "right"),
    [
        ((4, 4, 3), "scalingConfig.desiredSize", "at most 3"),
        ((2, 1, 3), "scalingConfig.minSize", "at most 1"),
        ((-1, 1, 3), "scalingConfig.minSize", "0 or more"),
    ],
)
def test_node_group_bounds(
    mistakes: Mistakes, node_group: NodeGroup, sizes: tuple[int, ...], path: str, right: str
):
    scaling = dict(zip(("min_size", "desired_size", "max_size"), sizes, strict=True))

    outcome = mistakes(lambda: node_group(scaling_config=scaling))

    value = sizes[0] if path.endswith("minSize") else sizes[1]
    outcome.assert_only_refused("nodes", path, value, right)


def aurora(name: str = "aurora", **changed: Any) -> aws.rds.Cluster:
    """A faultless Aurora cluster, save for what is `changed`."""
    arguments: dict[str, Any] = {
        "cluster_identifier": "aurora",
        "engine": "aurora-mysql",
        "engine_version": "8.0.mysql_aurora.3.10.0",
        "master_username": "administrator",
        "manage_master_user_password": True,
        "storage_encrypted": True,
        "skip_final_snapshot": True,
    }
    return aws.rds.Cluster(name, **{**arguments, **changed})


def test_serverless_bounds(mistakes: Mistakes):
    scaling = {"min_capacity": 16, "max_capacity": 4}

    outcome = mistakes(lambda: aurora(serverlessv2_scaling_configuration=scaling))

    outcome.assert_only_refused(
        "aurora", "serverlessv2ScalingConfiguration.minCapacity", 16, "maxCapacity", "at most 4"
    )


def test_bounds_of_an_autoscaled_target(mistakes: Mistakes):
    def program() -> None:
        aws.appautoscaling.Target(
            "readers",
            min_capacity=5,
            max_capacity=2,
            resource_id="cluster:aurora",
            scalable_dimension="rds:cluster:ReadReplicaCount",
            service_namespace="rds",
        )

    mistakes(program).assert_refused("readers", "minCapacity", 5, "maxCapacity", "at most 2")


def test_two_resources_with_one_urn(mistakes: Mistakes):
    def program() -> None:
        aws.sqs.Queue("orders")
        second = aws.sqs.Queue("orders")
        aws.sqs.QueuePolicy("policy", queue_url=second.url, policy=second.arn.apply(_policy))

    outcome = mistakes(program)

    outcome.assert_only_refused("orders", "", "orders", "declared twice", "its own name")
    assert outcome.record("policy").status == "recorded"
    assert outcome.record("policy").waits_for == "orders"


def _policy(arn: str) -> dict[str, Any]:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn,
    }
    return {"Version": "2012-10-17", "Statement": [statement]}
