"""Calls for one resource end together: all that is wrong with any of them is told at once."""

from typing import Any

import pytest

from emulator.problem import Problem
from rehearsal import placeholders
from rehearsal.cloud import Cloud, NotSent, Refused
from tests.rehearsal.conftest import Play


def refused(cloud: Cloud, *calls: tuple[str, str, dict[str, Any]]) -> list[Problem]:
    """What is wrong with a resource that makes these calls."""

    def make() -> None:
        with cloud.acting_for("urn:refused"):
            for call in calls:
                cloud.call(*call)

    with pytest.raises(Refused) as caught:
        make()
    return list(caught.value.problems)


def test_what_is_wrong_with_a_later_call_is_told_with_the_first(cloud: Cloud):
    problems = refused(
        cloud,
        ("ec2", "CreateVpc", {"CidrBlock": "10.98.0.0/16", "Mood": "good"}),
        ("eks", "DescribeCluster", {"name": "c", "colour": "red"}),
    )

    assert [problem.property for problem in problems] == ["Mood", "colour"]


def test_what_comes_after_a_refusal_is_not_sent(cloud: Cloud, play: Play):
    refused(
        cloud,
        ("kms", "CreateKey", {"KeySpec": "NONE"}),
        ("logs", "CreateLogGroup", {"logGroupName": "/never-made"}),
    )

    found = play.ask("logs", "DescribeLogGroups", logGroupNamePrefix="/never-made")
    assert found["logGroups"] == []


def test_the_emulators_refusal_ends_sending_too(cloud: Cloud, play: Play):
    problems = refused(
        cloud,
        (
            "iam",
            "AttachRolePolicy",
            {"RoleName": "nobody", "PolicyArn": "arn:aws:iam::aws:policy/ReadOnlyAccess"},
        ),
        ("logs", "CreateLogGroup", {"logGroupName": "/never-made-either"}),
    )

    (problem,) = problems
    assert (problem.property, problem.value) == ("RoleName", "nobody")
    assert "was refused by iam" in problem.reason
    assert "nobody" in problem.reason
    found = play.ask("logs", "DescribeLogGroups", logGroupNamePrefix="/never-made-either")
    assert found["logGroups"] == []


def test_a_dry_run_judges_and_does_not_send(cloud: Cloud, play: Play):
    answers: list[dict[str, Any]] = []

    def rehearse_dry() -> None:
        with cloud.acting_for("urn:dry", dry=True):
            answers.append(cloud.call("ec2", "CreateVpc", {"CidrBlock": "10.99.0.0/16"}))

    with pytest.raises(NotSent):
        rehearse_dry()

    assert placeholders.mentions(answers[0]["Vpc"]["VpcId"])
    filters = [{"Name": "cidr", "Values": ["10.99.0.0/16"]}]
    assert play.ask("ec2", "DescribeVpcs", Filters=filters)["Vpcs"] == []


def test_without_a_resource_a_refusal_is_raised_at_once(cloud: Cloud):
    with pytest.raises(Refused, match="is required"):
        cloud.call("eks", "DescribeCluster", {})


def test_an_adapter_that_breaks_on_a_stand_in_still_tells_what_was_wrong(cloud: Cloud):
    def make() -> None:
        with cloud.acting_for("urn:broken"):
            cloud.call("eks", "DescribeCluster", {"colour": "red", "name": "c"})
            raise KeyError("arn")

    with pytest.raises(Refused, match="colour"):
        make()
