"""Karpenter's controller may change only what carries this cluster's tags."""

import asyncio

import pulumi
import pytest

from infra import environment_file, iam
from infra.eks.karpenter_policy import ControllerScope, controller_statements

WITHOUT_ARNS = ("ec2:Describe", "pricing:", "iam:ListInstanceProfiles")
"""Actions for which IAM knows no resource: only `*` is possible."""


@pytest.fixture(scope="module")
def statements() -> list[iam.Statement]:
    async def build() -> list[iam.Statement]:
        scope = ControllerScope(
            environment=environment_file.load("prod"),
            cluster_arn="arn:aws:eks:us-east-1:111122223333:cluster/pinwheel-prod-cluster",
            subnet_ids=pulumi.Output.from_input(["subnet-a", "subnet-b", "subnet-c"]),
            security_group_id="sg-1",
            node_role_arn="arn:aws:iam::111122223333:role/pinwheel-prod-karpenter-node",
            queue_arn="arn:aws:sqs:us-east-1:111122223333:pinwheel-prod-interruptions",
        )
        return [await resolved(statement) for statement in controller_statements(scope)]

    async def resolved(statement: iam.Statement) -> iam.Statement:
        resources = [await pulumi.Output.from_input(each).future() for each in statement["Resource"]]
        return {**statement, "Resource": resources}

    return asyncio.run(build())


def test_a_star_stands_only_where_iam_knows_no_arn(statements: list[iam.Statement]):
    starred = [action for each in statements if "*" in each["Resource"] for action in each["Action"]]
    assert starred
    assert all(action.startswith(WITHOUT_ARNS) for action in starred)


def test_what_ends_or_tags_nodes_is_bound_to_this_cluster(statements: list[iam.Statement]):
    changing = ("ec2:Terminate", "ec2:Delete", "ec2:CreateTags", "ec2:CreateLaunchTemplate")
    bound = [each for each in statements if any(action.startswith(changing) for action in each["Action"])]
    assert len(bound) == 5
    for statement in bound:
        keys = statement["Condition"]["StringEquals"]
        assert any(key.endswith("/kubernetes.io/cluster/pinwheel-prod-cluster") for key in keys)


def test_nodes_start_only_in_the_private_subnets_with_the_cluster_s_group(statements: list[iam.Statement]):
    (launch,) = [each for each in statements if each["Sid"] == "LaunchInOurNetwork"]
    networks = [arn for arn in launch["Resource"] if ":subnet/" in arn or ":security-group/" in arn]
    assert networks == [
        "arn:aws:ec2:us-east-1:111122223333:security-group/sg-1",
        "arn:aws:ec2:us-east-1:111122223333:subnet/subnet-a",
        "arn:aws:ec2:us-east-1:111122223333:subnet/subnet-b",
        "arn:aws:ec2:us-east-1:111122223333:subnet/subnet-c",
    ]


def test_the_one_role_it_passes_is_its_nodes_and_to_ec2_only(statements: list[iam.Statement]):
    (passing,) = [each for each in statements if "iam:PassRole" in each["Action"]]
    assert passing["Resource"] == ["arn:aws:iam::111122223333:role/pinwheel-prod-karpenter-node"]
    assert passing["Condition"] == {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}
