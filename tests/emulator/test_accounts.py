"""With `--keep`, people are the same people when the world is up the next time."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest

from emulator.process import CREDENTIALS, BackedBy, Emulator

PASSWORD = "correct horse battery 1 A !"


@pytest.fixture
def world(tmp_path: Path) -> Callable[..., Any]:
    def run(work: Callable[[Any, str], Any], *, keep: bool = True) -> Any:
        with Emulator("123456789012", "us-east-1", backing=BackedBy(tmp_path, keep=keep)) as emulator:
            cognito = boto3.client("cognito-idp", "us-east-1", endpoint_url=emulator.endpoint, **CREDENTIALS)
            pool = cognito.create_user_pool(PoolName="people", UsernameAttributes=["email"])["UserPool"]["Id"]
            return work(cognito, pool)

    return run


def sign_up(cognito: Any, pool: str) -> str:
    cognito.admin_create_user(UserPoolId=pool, Username="ada@pinwheel.example", MessageAction="SUPPRESS")
    cognito.admin_set_user_password(
        UserPoolId=pool, Username="ada@pinwheel.example", Password=PASSWORD, Permanent=True
    )
    return subject(cognito, pool)


def subject(cognito: Any, pool: str) -> str:
    user = cognito.admin_get_user(UserPoolId=pool, Username="ada@pinwheel.example")
    return next(each["Value"] for each in user["UserAttributes"] if each["Name"] == "sub")


def test_a_person_signs_in_with_the_same_password_and_is_the_same(world: Callable[..., Any]) -> None:
    before = world(sign_up)

    def sign_in(cognito: Any, pool: str) -> str:
        client = cognito.create_user_pool_client(
            UserPoolId=pool, ClientName="api", ExplicitAuthFlows=["ALLOW_ADMIN_USER_PASSWORD_AUTH"]
        )["UserPoolClient"]["ClientId"]
        answer = cognito.admin_initiate_auth(
            UserPoolId=pool,
            ClientId=client,
            AuthFlow="ADMIN_USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": "ada@pinwheel.example", "PASSWORD": PASSWORD},
        )
        assert answer["AuthenticationResult"]["AccessToken"]
        return subject(cognito, pool)

    assert world(sign_in) == before


def test_without_keep_nobody_is_known(world: Callable[..., Any]) -> None:
    world(sign_up, keep=False)

    assert world(lambda cognito, pool: cognito.list_users(UserPoolId=pool)["Users"]) == []
