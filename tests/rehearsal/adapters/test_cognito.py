"""User pools and their app clients."""

from collections.abc import Callable

import pytest

from tests.rehearsal.conftest import ACCOUNT, REGION, TAGS, Play

Unique = Callable[[str], str]


@pytest.fixture(scope="module")
def pool(play: Play) -> str:
    return play("aws:cognito/userPool:UserPool", name="people").id


def test_a_user_pool_is_as_it_was_declared(play: Play):
    created = play(
        "aws:cognito/userPool:UserPool",
        name="declared",
        userPoolTier="ESSENTIALS",
        usernameAttributes=["email"],
        usernameConfiguration={"caseSensitive": False},
        accountRecoverySetting={"recoveryMechanisms": [{"name": "verified_email", "priority": 1}]},
        passwordPolicy={"minimumLength": 12, "requireSymbols": False, "temporaryPasswordValidityDays": 3},
        deletionProtection="ACTIVE",
        mfaConfiguration="OPTIONAL",
        softwareTokenMfaConfiguration={"enabled": True},
    )

    found = play.ask("cognito-idp", "DescribeUserPool", UserPoolId=created.id)["UserPool"]
    assert found["Policies"]["PasswordPolicy"]["MinimumLength"] == 12
    assert (found["DeletionProtection"], found["MfaConfiguration"]) == ("ACTIVE", "OPTIONAL")
    assert found["UserPoolTags"] == TAGS
    mfa = play.ask("cognito-idp", "GetUserPoolMfaConfig", UserPoolId=created.id)
    assert mfa["SoftwareTokenMfaConfiguration"] == {"Enabled": True}
    assert created.outputs == {
        "arn": f"arn:aws:cognito-idp:{REGION}:{ACCOUNT}:userpool/{created.id}",
        "name": "declared",
        "endpoint": f"cognito-idp.{REGION}.amazonaws.com/{created.id}",
    }


@pytest.mark.parametrize(
    ("inputs", "property_"),
    [
        ({"passwordPolicy": {"minimumLength": 5}}, "passwordPolicy.minimumLength"),
        ({"deletionProtection": "YES"}, "deletionProtection"),
        ({"usernameAttributes": ["mail"]}, "usernameAttributes[0]"),
        ({"userPoolTier": "FREE"}, "userPoolTier"),
        ({"mfaConfiguration": "OPTIONAL"}, ""),
    ],
    ids=str,
)
def test_what_cognito_would_not_take_is_refused(play: Play, inputs: dict[str, object], property_: str):
    problems = play.refused("aws:cognito/userPool:UserPool", name="wrong", **inputs)

    assert not property_ or [problem.property for problem in problems] == [property_]


def test_an_app_client_without_a_secret(play: Play, pool: str):
    created = play(
        "aws:cognito/userPoolClient:UserPoolClient",
        name="api",
        userPoolId=pool,
        generateSecret=False,
        explicitAuthFlows=["ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
        accessTokenValidity=30,
        tokenValidityUnits={"accessToken": "minutes"},
        preventUserExistenceErrors="ENABLED",
    )

    found = play.ask("cognito-idp", "DescribeUserPoolClient", UserPoolId=pool, ClientId=created.id)
    assert found["UserPoolClient"]["AccessTokenValidity"] == 30
    assert "clientSecret" not in created.outputs


def test_an_app_client_with_a_secret_has_it_as_an_output(play: Play, pool: str):
    created = play(
        "aws:cognito/userPoolClient:UserPoolClient", name="job", userPoolId=pool, generateSecret=True
    )

    assert created.outputs["clientSecret"]


@pytest.mark.parametrize(
    ("inputs", "property_"),
    [
        ({"explicitAuthFlows": ["ALLOW_EVERYTHING"]}, "explicitAuthFlows[0]"),
        ({"accessTokenValidity": 2}, None),
        ({"accessTokenValidity": 25}, "accessTokenValidity"),
        ({"accessTokenValidity": 4, "tokenValidityUnits": {"accessToken": "minutes"}}, "accessTokenValidity"),
        (
            {"refreshTokenValidity": 30, "tokenValidityUnits": {"refreshToken": "minutes"}},
            "refreshTokenValidity",
        ),
    ],
    ids=str,
)
def test_bounds_of_a_clients_tokens(play: Play, pool: str, inputs: dict[str, object], property_: str | None):
    token = "aws:cognito/userPoolClient:UserPoolClient"
    if property_ is None:
        assert play(token, name="within", userPoolId=pool, **inputs).id
    else:
        assert [each.property for each in play.refused(token, name="wrong", userPoolId=pool, **inputs)] == [
            property_
        ]


def test_a_client_of_no_pool_is_refused(play: Play):
    assert play.refused("aws:cognito/userPoolClient:UserPoolClient", name="lost", userPoolId="eu-west-1_lost")
