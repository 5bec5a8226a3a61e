"""Secrets in plain text: in a stack's outputs, in a resource's properties, and never in what a refusal prints."""

import json

import pulumi
import pulumi_aws as aws
import pulumi_random as random

from emulator.problem import MASKED
from rehearsal.rehearse import play
from tests.rehearsal.refusals.conftest import Mistakes
from tests.rehearsal.refusals.test_values import aurora

RIGHT = "mark it secret (pulumi.Output.secret)"


def test_an_output_named_like_a_credential(mistakes: Mistakes):
    outcome = mistakes(lambda: pulumi.export("databasePassword", "correct-horse"))

    outcome.assert_only_refused("output", "databasePassword", MASKED, "named like a credential", RIGHT)
    assert "correct-horse" not in outcome.told()


def test_a_secret_value_in_a_harmless_output(mistakes: Mistakes):
    def program() -> None:
        password = random.RandomPassword("password", length=24)
        url = pulumi.Output.format("mysql --password {0}", password.result)
        pulumi.export("command", pulumi.Output.unsecret(url))

    outcome = mistakes(program)

    outcome.assert_only_refused("output", "command", MASKED, RIGHT)
    (password,) = [each.outputs["result"] for each in outcome.layer.records if each.name == "password"]
    assert password not in outcome.told()


def test_a_secret_deep_in_an_output(mistakes: Mistakes):
    outcome = mistakes(lambda: pulumi.export("endpoints", {"kafka": [{"apiKey": "0123456789"}]}))

    outcome.assert_only_refused("output", "endpoints.kafka[0].apiKey", MASKED, RIGHT)


def test_an_output_that_is_marked_secret_is_no_mistake(mistakes: Mistakes):
    outcome = mistakes(lambda: pulumi.export("databasePassword", pulumi.Output.secret("correct-horse")))

    assert outcome.told() == "nothing refused"


def test_a_secret_in_a_plain_property_of_a_resource(mistakes: Mistakes):
    def program() -> None:
        password = random.RandomPassword("password", length=24)
        described = pulumi.Output.format("the password is {0}", password.result)
        aws.sqs.Queue("queue", tags={"note": pulumi.Output.unsecret(described)})

    outcome = mistakes(program)

    outcome.assert_refused("queue", "tags.note", MASKED, "holds a secret value in plain text", RIGHT)
    assert {each.resource for each in outcome.refusals} == {"aws:sqs/queue:Queue queue"}


def test_a_refused_secret_is_not_printed(mistakes: Mistakes):
    def program() -> None:
        secret = aws.secretsmanager.Secret("secret")
        aws.secretsmanager.SecretVersion(
            "version", secret_id=secret.id, secret_string=pulumi.Output.secret("hush" * 20_000)
        )

    outcome = mistakes(program)

    outcome.assert_only_refused("version", "secretString", MASKED, "65536")
    assert "hushhush" not in outcome.told()


def test_a_password_that_the_service_refuses_is_not_printed(mistakes: Mistakes):
    def program() -> None:
        secret = pulumi.Output.secret("tiny")
        aurora(cluster_identifier="hushed", manage_master_user_password=None, master_password=secret)

    outcome = mistakes(program)

    assert outcome.refusals
    assert "'tiny'" not in outcome.told()


def test_the_graph_masks_secrets(mistakes: Mistakes):
    def program() -> None:
        password = random.RandomPassword("password", length=24)
        secret = aws.secretsmanager.Secret("secret")
        aws.secretsmanager.SecretVersion("version", secret_id=secret.id, secret_string=password.result)
        pulumi.export("password", password.result)

    rehearsal = play(mistakes.stage, [(mistakes.name, lambda _: program())])

    assert rehearsal.passed
    by_name = {record.name: record for record in rehearsal.layers[0].records}
    assert len(by_name["password"].outputs["result"]) == 24
    assert by_name["password"].outputs["result"] not in json.dumps(rehearsal.as_json())
    assert by_name["version"].as_json()["inputs"]["secretString"] == "[secret]"
