"""IAM policies that IAM would refuse, or that allow more than is meant."""

import json
from collections.abc import Callable
from typing import Any

import pulumi_aws as aws
import pytest

from tests.rehearsal.refusals.conftest import Mistakes, trust

Refuses = Callable[..., None]


def policy(**statement: Any) -> dict[str, Any]:
    return {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": "*", **statement}],
    }


@pytest.fixture
def refuses(mistakes: Mistakes) -> Refuses:
    """`refuses(document, path, value, *right)`: a role's policy is refused there, and for nothing else."""

    def check(document: Any, path: str, value: object, *right: str) -> None:
        def program() -> None:
            role = aws.iam.Role("role", assume_role_policy=trust("ec2.amazonaws.com"))
            aws.iam.RolePolicy("policy", role=role.name, policy=document)

        outcome = mistakes(program)
        outcome.assert_only_refused("policy", path, value, *right)
        assert outcome.record("role").status == "created"

    return check


QUEUE = "arn:aws:sqs:eu-west-1:210987654321:orders"


def test_text_that_is_no_json(refuses: Refuses):
    refuses('{"Version": ', "policy", '{"Version": ', "is not JSON", "Version and Statement")


def test_an_element_that_does_not_exist(refuses: Refuses):
    refuses(
        json.dumps(policy(Resource=QUEUE, Resources=QUEUE)),
        "policy.Statement[0].Resources",
        QUEUE,
        "is no element",
        "did you mean Resource?",
    )


def test_an_effect_that_does_not_exist(refuses: Refuses):
    refuses(
        json.dumps(policy(Resource=QUEUE, Effect="Permit")),
        "policy.Statement[0].Effect",
        "Permit",
        "Allow, Deny",
    )


def test_an_action_that_does_not_exist(refuses: Refuses):
    refuses(
        json.dumps(policy(Resource=QUEUE, Action=["sqs:SendMessage", "sqs:PutMessage"])),
        "policy.Statement[0].Action[1]",
        "sqs:PutMessage",
        "is no action of AWS",
        "sendmessage",
    )


def test_a_service_that_does_not_exist(refuses: Refuses):
    refuses(
        json.dumps(policy(Action="sqz:SendMessage")),
        "policy.Statement[0].Action",
        "sqz:SendMessage",
        "is of no service of AWS",
        "did you mean sqs?",
    )


def test_a_wildcard_where_an_arn_is_known(refuses: Refuses):
    refuses(
        json.dumps(policy(Resource="*")),
        "policy.Statement[0].Resource",
        "*",
        "uses * where an ARN is known, for sqs:SendMessage",
        "use arn:",
    )


def test_every_action_of_a_service(refuses: Refuses):
    refuses(
        json.dumps(policy(Action="sqs:*", Resource=QUEUE)),
        "policy.Statement[0].Action",
        "sqs:*",
        "allows everything",
        "by name",
    )


def test_a_policy_that_is_given_as_an_object(refuses: Refuses):
    refuses(policy(), "policy.Statement[0].Resource", "*", "uses * where an ARN is known")


def test_a_trust_policy_names_resources(mistakes: Mistakes):
    document = json.loads(trust("ec2.amazonaws.com"))
    document["Statement"][0]["Resource"] = "*"

    outcome = mistakes(lambda: aws.iam.Role("role", assume_role_policy=json.dumps(document)))

    outcome.assert_only_refused("role", "assumeRolePolicy.Statement[0].Resource", "*", "trust policy")


def test_a_queue_s_policy_without_a_principal(mistakes: Mistakes):
    def program() -> None:
        queue = aws.sqs.Queue("queue")
        document = queue.arn.apply(lambda arn: json.dumps(policy(Resource=arn)))
        aws.sqs.QueuePolicy("policy", queue_url=queue.url, policy=document)

    mistakes(program).assert_only_refused(
        "policy", "policy.Statement[0].Principal", None, "needs exactly one of Principal", "give Principal"
    )


def test_all_mistakes_of_a_policy_are_told_at_once(mistakes: Mistakes):
    document = policy(Effect="Permit", Action="sqs:PutMessage", Resource="orders")

    outcome = mistakes(lambda: aws.iam.Policy("policy", policy=json.dumps(document)))

    assert [each.problem.property.rpartition(".")[2] for each in outcome.refusals] == [
        "Effect",
        "Action",
        "Resource",
    ]
