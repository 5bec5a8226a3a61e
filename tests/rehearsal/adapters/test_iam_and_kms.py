"""Roles and their policies, keys and aliases."""

import json

from tests.rehearsal.conftest import ACCOUNT, REGION, Play, trust

READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"
POLICY = json.dumps(
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}]}
)


def test_a_role_with_the_policies_of_its_own_lists(play: Play):
    created = play(
        "aws:iam/role:Role",
        name="worker",
        assumeRolePolicy=trust("ec2.amazonaws.com"),
        managedPolicyArns=[READ_ONLY],
        inlinePolicies=[{"name": "queues", "policy": POLICY}],
        forceDetachPolicies=True,
    )

    attached = play.ask("iam", "ListAttachedRolePolicies", RoleName="worker")["AttachedPolicies"]
    inline = play.ask("iam", "ListRolePolicies", RoleName="worker")["PolicyNames"]
    assert created.id == "worker"
    assert created.outputs["arn"] == f"arn:aws:iam::{ACCOUNT}:role/worker"
    assert [each["PolicyArn"] for each in attached] == [READ_ONLY]
    assert inline == ["queues"]
    assert created.unchecked == ()


def test_a_role_without_a_name_gets_the_logical_one_and_digits(play: Play):
    created = play("aws:iam/role:Role", logical_name="worker", assumeRolePolicy=trust("ec2.amazonaws.com"))

    assert created.id.startswith("worker-")
    assert created.outputs["name"] == created.id


def test_a_prefix_is_used_up_by_the_name(play: Play):
    created = play("aws:iam/role:Role", namePrefix="node-", assumeRolePolicy=trust("ec2.amazonaws.com"))

    assert created.id.startswith("node-")
    assert created.unchecked == ()


def test_a_policy_of_a_role_that_is_not_there_is_refused(play: Play):
    (problem,) = play.refused("aws:iam/rolePolicy:RolePolicy", role="nobody", name="p", policy=POLICY)

    assert problem.property == "role"
    assert "nobody" in problem.reason


def test_a_managed_policy_that_aws_does_not_have_is_refused(play: Play):
    play("aws:iam/role:Role", name="attached-to", assumeRolePolicy=trust("ec2.amazonaws.com"))

    (problem,) = play.refused(
        "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
        role="attached-to",
        policyArn="arn:aws:iam::aws:policy/AmazonEKSClusterPolice",
    )

    assert "AmazonEKSClusterPolice" in problem.reason


def test_a_role_with_a_bad_name_and_duration_is_told_both(play: Play):
    problems = play.refused(
        "aws:iam/role:Role",
        name="bad name",
        maxSessionDuration=60,
        assumeRolePolicy=trust("ec2.amazonaws.com"),
    )

    assert {problem.property for problem in problems} == {"name", "maxSessionDuration"}


def test_a_key_that_rotates(play: Play):
    created = play(
        "aws:kms/key:Key", enableKeyRotation=True, rotationPeriodInDays=180, deletionWindowInDays=30
    )

    status = play.ask("kms", "GetKeyRotationStatus", KeyId=created.id)
    assert status["KeyRotationEnabled"]
    assert created.outputs == {
        "arn": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{created.id}",
        "keyId": created.id,
    }


def test_how_the_key_will_be_deleted_is_judged_now(play: Play):
    (problem,) = play.refused("aws:kms/key:Key", deletionWindowInDays=3)

    assert (problem.property, problem.remedy) == ("deletionWindowInDays", "from 7 to 30")


def test_an_alias_of_a_key_that_is_not_there_is_refused(play: Play):
    (problem,) = play.refused(
        "aws:kms/alias:Alias", name="alias/lost", targetKeyId="00000000-0000-0000-0000-000000000000"
    )

    assert "00000000-0000-0000-0000-000000000000" in problem.reason
