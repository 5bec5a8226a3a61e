"""Accounts and tokens of the user pool, for a world on this machine: what a person's app does on AWS."""

import re
import secrets
from typing import Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from pinwheel.errors import ExitCode, Failure
from pinwheel.world import World, up_world

_CREDENTIALS: Final = {"aws_access_key_id": "pinwheel", "aws_secret_access_key": "pinwheel"}
"""The emulator takes any."""
_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,60}")
_DOMAIN: Final = "people.example"
"""People sign in by an e-mail address."""


class People:
    """The accounts of a world's user pool."""

    def __init__(self, here: World) -> None:
        """Raises Failure for a world without services."""
        told = here.outputs.get("workloads", {})
        if "user_pool_id" not in told:
            raise Failure(
                f"{here.environment} is up without its services",
                "run `make up` and wait until it says that it is up",
                ExitCode.REFUSED,
            )
        self._pool: str = told["user_pool_id"]
        self._client_id: str = told["user_pool_client_id"]
        self._cognito: Any = boto3.client(
            "cognito-idp",
            endpoint_url=here.endpoint,
            region_name=here.region,
            config=Config(retries={"total_max_attempts": 2}),
            **_CREDENTIALS,
        )

    def token(self, username: str) -> str:
        """An access token, good for an hour, of `username`, who gets an account and a new password first."""
        password = f"{secrets.token_urlsafe(24)}aA1!"
        email = f"{username}@{_DOMAIN}"
        pool = {"UserPoolId": self._pool, "Username": email}
        try:
            self._cognito.admin_create_user(**pool, MessageAction="SUPPRESS")
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") != "UsernameExistsException":
                raise
        self._cognito.admin_set_user_password(**pool, Password=password, Permanent=True)
        answer = self._cognito.admin_initiate_auth(
            UserPoolId=self._pool,
            ClientId=self._client_id,
            AuthFlow="ADMIN_USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": email, "PASSWORD": password},
        )
        return answer["AuthenticationResult"]["AccessToken"]


def print_token(name: str) -> ExitCode:
    """What `pinwheel token` does: the token alone, so that `$(pinwheel token ada)` is one. Raises Failure."""
    if not _NAME.fullmatch(name):
        raise Failure(
            f"{name!r} is no name of a person",
            "use letters, digits, dots, _ and -: 60 at most",
            ExitCode.USAGE,
        )
    print(People(up_world()).token(name))  # noqa: T201 - what the command is for
    return ExitCode.PASSED
