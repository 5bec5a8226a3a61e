import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import botocore.session
import pytest

from emulator.cluster.api.authentication import Authentication
from emulator.cluster.settings import Settings
from emulator.cluster.status import ApiError
from emulator.process import CREDENTIALS

SETTINGS = Settings(
    name="shop",
    version="1.35",
    account="123456789012",
    region="us-east-1",
    directory=Path("unused"),
    registry=Path("unused"),
    token="administrators-token",
    certificate=Path("unused"),
    key=Path("unused"),
)


class Clock:
    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def authentication(clock: Clock) -> Authentication:
    return Authentication(lambda: SETTINGS, clock)


def presigned(cluster: str = "shop", operation: str = "get_caller_identity", **credentials: str) -> str:
    """The token of `aws eks get-token`, made as awscli.customizations.eks.get_token makes it."""
    client: Any = botocore.session.get_session().create_client(
        "sts", region_name="us-east-1", **({**CREDENTIALS, **credentials})
    )

    def name_cluster(request: Any, **_: object) -> None:
        request.headers["x-k8s-aws-id"] = cluster

    client.meta.events.register("before-sign.sts.*", name_cluster)
    url = client.generate_presigned_url(operation, Params={}, ExpiresIn=60, HttpMethod="GET")
    return "k8s-aws-v1." + base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")


def test_the_administrator(authentication: Authentication) -> None:
    user = authentication.user("Bearer administrators-token")
    assert user.info() == {
        "username": "pinwheel:admin",
        "groups": ["system:masters", "system:authenticated"],
    }


def test_a_token_of_the_aws_cli(authentication: Authentication) -> None:
    user = authentication.user(f"Bearer {presigned()}")
    assert user.name == "arn:aws:sts::123456789012:user/moto"
    assert "system:masters" in user.groups
    assert user.extra["accessKeyId"] == [CREDENTIALS["aws_access_key_id"]]


@pytest.mark.parametrize(
    "token",
    [
        lambda: presigned(cluster="other"),
        lambda: presigned(aws_access_key_id="AKIASOMEBODYELSE0000"),
        lambda: presigned(aws_secret_access_key="not the emulator's"),
        lambda: presigned(operation="get_session_token"),
        lambda: presigned()[:-8],
        lambda: "k8s-aws-v1.%%%",
        lambda: "k8s-aws-v1." + base64.urlsafe_b64encode(b"https://sts.amazonaws.com/").decode(),
        lambda: "another-token",
        lambda: "",
    ],
    ids=["other cluster", "other key", "other secret", "other action", "cut", "no base64", "bare", "x", "-"],
)
def test_other_tokens_are_refused(authentication: Authentication, token: Callable[[], str]) -> None:
    with pytest.raises(ApiError) as refusal:
        authentication.user(f"Bearer {token()}")
    assert refusal.value.body()["code"] == 401
    assert refusal.value.reason == "Unauthorized"


@pytest.mark.parametrize("header", ["", "Bearer", "Basic YTpi", "administrators-token"])
def test_what_is_no_bearer_token_is_refused(authentication: Authentication, header: str) -> None:
    with pytest.raises(ApiError):
        authentication.user(header)


def test_a_token_of_the_aws_cli_is_good_for_fifteen_minutes(
    authentication: Authentication, clock: Clock
) -> None:
    token = presigned()
    clock.now += timedelta(minutes=14)
    assert authentication.of_token(token)
    clock.now += timedelta(minutes=2)
    assert authentication.of_token(token) is None


def test_a_token_of_a_service_account(authentication: Authentication, clock: Clock) -> None:
    token, expires = authentication.issue("shop", "web", "uid-1", timedelta(hours=1))
    user = authentication.user(f"bearer {token}")
    assert user.name == "system:serviceaccount:shop:web"
    assert user.groups[1] == "system:serviceaccounts:shop"
    assert json.dumps(user.info()).find("uid-1") > 0
    clock.now = expires
    assert authentication.of_token(token) is None
