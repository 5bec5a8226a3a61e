"""A secret in a plain output is found, and never printed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.problem import MASKED
from rehearsal.checks.secrets import SecretScan

PASSWORD = "correct-horse-battery"
ACCESS_KEY = "AKIA" + "IOSFODNN7EXAMPLE"


def scan(*secrets):
    seen = SecretScan()
    for secret in secrets:
        seen.learn(secret)
    return seen


@pytest.mark.parametrize(
    ("outputs", "property_", "reason"),
    [
        ({"motd": f"the password is {PASSWORD}."}, "motd", "secret value"),
        ({"database": {"endpoints": ["a", PASSWORD]}}, "database.endpoints[1]", "secret value"),
        ({"masterPassword": "hunter2"}, "masterPassword", "named like a credential"),
        ({"apiToken": "abc"}, "apiToken", "named like a credential"),
        ({"db": {"private_key": "abc"}}, "db.private_key", "named like a credential"),
        ({"tokens": ["a"], "token": ["a"]}, "token[0]", "named like a credential"),
        ({"url": "mysql://pins:hunter2@aurora:3306/pins"}, "url", "password in a URL"),
        ({"notes": "-----BEGIN RSA PRIVATE KEY-----\nMII"}, "notes", "PEM private key"),
        ({"notes": f"key={ACCESS_KEY}"}, "notes", "AWS access key"),
    ],
)
def test_a_plain_secret_is_found(outputs, property_, reason):
    (problem,) = scan(PASSWORD).check_outputs(outputs)
    assert (problem.property, problem.value) == (property_, MASKED)
    assert reason in problem.reason
    assert "pulumi.Output.secret" in problem.remedy


@pytest.mark.parametrize(
    "outputs",
    [
        {"auroraSecret": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:pins-a1b2c3"},
        {"secret": "pinwheel/prod/aurora"},
        {"secretName": "AmazonMSK_pins"},
        {"scramSecret": "AmazonMSK_pins"},
        {"token": "2f1b3c4d-0000-1111-2222-333344445555"},
        {"manageMasterUserPassword": "true"},
        {"password": ""},
        {"password": None, "token": 7, "secret": True},
        {"url": "https://search.pinwheel.internal:8443/a@b"},
        {"endpoint": "aurora.cluster-x.eu-west-1.rds.amazonaws.com:3306"},
    ],
)
def test_the_name_of_a_secret_is_no_secret(outputs):
    assert scan(PASSWORD).check_outputs(outputs) == []


def test_an_output_marked_secret_is_left_alone():
    outputs = {"masterPassword": PASSWORD, "plain": PASSWORD}
    problems = scan(PASSWORD).check_outputs(outputs, lambda name: name == "masterPassword")
    assert [p.property for p in problems] == ["plain"]


def test_a_resource_may_be_named_like_a_credential_but_not_show_a_secret():
    outputs = {"secret": "hunter2", "environment": [{"value": f"pw={PASSWORD}"}], "password": PASSWORD}
    problems = scan(PASSWORD).check_leaks(outputs, lambda name: name == "password")
    assert [(p.property, p.value) for p in problems] == [("environment[0].value", MASKED)]
    assert SecretScan().check_leaks(outputs) == []


def test_secrets_in_objects_are_learnt_and_short_ones_are_not():
    seen = scan({"username": "pins", "password": [PASSWORD]})
    assert seen.check_outputs({"a": "pins"}) == []
    assert seen.check_outputs({"a": PASSWORD})


@given(st.text(min_size=8), st.text(), st.text())
def test_a_learnt_secret_is_found_in_any_company_and_never_shown(secret, before, after):
    problems = scan(secret).check_outputs({"a": before + secret + after})
    assert [(p.property, p.value) for p in problems] == [("a", MASKED)]
    masked = SecretScan()
    masked.learn(secret)
    assert all(PASSWORD not in str(p) for p in scan(PASSWORD).check_outputs({"a": before + PASSWORD + after}))
