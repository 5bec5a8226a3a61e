"""References to what does not exist: ids, ARNs and names that nothing in the rehearsal has brought forth."""

from collections.abc import Callable
from typing import Any

import pulumi
import pulumi_aws as aws
import pytest

from tests.rehearsal.conftest import ACCOUNT, REGION
from tests.rehearsal.refusals.conftest import Base, Mistakes
from tests.rehearsal.refusals.test_values import aurora

NodeGroup = Callable[..., aws.eks.NodeGroup]


def test_a_subnet(mistakes: Mistakes, node_group: NodeGroup, base: Base):
    outcome = mistakes(lambda: node_group(subnet_ids=[base.subnets[0], "subnet-0123456789abcdef0"]))

    outcome.assert_only_refused(
        "nodes", "subnetIds[1]", "subnet-0123456789abcdef0", "is no subnet of this rehearsal", "the output of"
    )


def test_a_security_group(mistakes: Mistakes):
    def program() -> None:
        aws.vpc.SecurityGroupEgressRule(
            "all", security_group_id="sg-0123456789abcdef0", ip_protocol="-1", cidr_ipv4="0.0.0.0/0"
        )

    mistakes(program).assert_only_refused(
        "all", "securityGroupId", "sg-0123456789abcdef0", "is no security group", "the output of"
    )


def test_a_vpc(mistakes: Mistakes):
    outcome = mistakes(
        lambda: aws.ec2.Subnet("subnet", vpc_id="vpc-0123456789abcdef0", cidr_block="10.0.0.0/24")
    )

    outcome.assert_only_refused("subnet", "vpcId", "vpc-0123456789abcdef0", "is no VPC", "the output of")


def test_a_role(mistakes: Mistakes, node_group: NodeGroup):
    arn = f"arn:aws:iam::{ACCOUNT}:role/nobody"

    outcome = mistakes(lambda: node_group(node_role_arn=arn))

    outcome.assert_only_refused("nodes", "nodeRoleArn", arn, "is no iam resource", "the output of")


def test_a_role_one_letter_off(mistakes: Mistakes, node_group: NodeGroup, base: Base):
    outcome = mistakes(lambda: node_group(node_role_arn=base.node_role + "x"))

    outcome.assert_only_refused(
        "nodes", "nodeRoleArn", base.node_role + "x", f"did you mean {base.node_role}?"
    )


def test_a_role_of_another_account(mistakes: Mistakes, node_group: NodeGroup, base: Base):
    arn = base.node_role.replace(ACCOUNT, "999999999999")

    outcome = mistakes(lambda: node_group(node_role_arn=arn))

    outcome.assert_only_refused("nodes", "nodeRoleArn", arn, "account 999999999999", ACCOUNT)


def test_a_key(mistakes: Mistakes):
    arn = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/01234567-89ab-cdef-0123-456789abcdef"

    outcome = mistakes(lambda: aurora(kms_key_id=arn))

    outcome.assert_only_refused("aurora", "kmsKeyId", arn, "is no kms resource", "the output of")


def test_a_secret(mistakes: Mistakes):
    arn = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:nowhere-AbCdEf"

    outcome = mistakes(
        lambda: aws.secretsmanager.SecretVersion("version", secret_id=arn, secret_string="hidden-value")
    )

    outcome.assert_only_refused("version", "secretId", arn, "is no secretsmanager resource", "the output of")


def test_a_bucket_by_its_arn_needs_no_account(mistakes: Mistakes, base: Base):
    def program() -> None:
        aws.ec2.FlowLog(
            "flows",
            vpc_id=base.vpc,
            traffic_type="ALL",
            log_destination_type="s3",
            log_destination="arn:aws:s3:::no-such-bucket-of-ours",
        )

    mistakes(program).assert_only_refused(
        "flows", "logDestination", "arn:aws:s3:::no-such-bucket-of-ours", "is no s3 resource", "the output of"
    )


def test_what_aws_itself_owns_is_no_mistake(mistakes: Mistakes):
    def program() -> None:
        role = aws.iam.Role("role", assume_role_policy=_trust())
        aws.iam.RolePolicyAttachment(
            "workers", role=role.name, policy_arn="arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy"
        )

    assert mistakes(program).refusals == []


@pytest.mark.parametrize(
    ("declare", "path", "value"),
    [
        (
            lambda: aws.iam.RolePolicyAttachment(
                "thing", role="nobody", policy_arn="arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy"
            ),
            "role",
            "nobody",
        ),
        (
            lambda: aws.eks.Addon("thing", cluster_name="no-cluster", addon_name="coredns"),
            "clusterName",
            "no-cluster",
        ),
        (
            lambda: aws.s3.BucketVersioning(
                "thing", bucket="no-bucket-of-ours", versioning_configuration={"status": "Enabled"}
            ),
            "bucket",
            "no-bucket-of-ours",
        ),
    ],
)
def test_a_name(mistakes: Mistakes, declare: Callable[[], pulumi.Resource], path: str, value: str):
    outcome = mistakes(lambda: (declare(), None)[1])

    outcome.assert_only_refused("thing", path, value, "declare it before this resource and use its output")


def _trust() -> dict[str, Any]:
    statement = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    return {"Version": "2012-10-17", "Statement": [statement]}
