"""Names that are given twice, and values that were put into a text before they were known."""

import pulumi_aws as aws
import pytest

from tests.rehearsal.refusals.conftest import Base, Mistakes


def test_two_buckets_of_one_name(mistakes: Mistakes):
    def program() -> None:
        for name in ("photos", "pictures"):
            aws.s3.Bucket(name, bucket="pinwheel-one-name")

    (refusal,) = mistakes(program).refusals
    assert (refusal.problem.property, refusal.problem.value) == ("bucket", "pinwheel-one-name")
    assert "already" in refusal.problem.reason


@pytest.mark.parametrize("kind", [aws.sns.Topic, aws.sqs.Queue])
def test_two_of_which_aws_would_make_one(mistakes: Mistakes, kind: type[aws.sns.Topic | aws.sqs.Queue]):
    def program() -> None:
        kind("first", name="alarms-of-two")
        kind("second", name="alarms-of-two")

    (refusal,) = mistakes(program).refusals
    assert (refusal.problem.property, refusal.problem.value) == ("name", "alarms-of-two")


def test_names_that_pulumi_makes_up_are_no_mistake(mistakes: Mistakes):
    def program() -> None:
        aws.sns.Topic("first")
        aws.sns.Topic("second")

    assert mistakes(program).told() == "nothing refused"


def test_an_output_in_an_f_string(mistakes: Mistakes, base: Base):
    def program() -> None:
        topic = aws.sns.Topic("topic")
        aws.sqs.Queue("queue", tags={"Reads": f"from {topic.arn}"})

    mistakes(program).assert_only_refused(
        "queue", "tags.Reads", "from <Output>", "was made of an Output", "pulumi.Output.concat"
    )
