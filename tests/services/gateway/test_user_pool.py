"""From the user pool of the emulator to a service: the way of a real person's token, by boto3 and Envoy."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
from botocore.config import Config

from emulator.process import CREDENTIALS, Emulator
from infra.workloads.gateway.bootstrap import configuration
from infra.workloads.gateway.inputs import Identity, Upstream
from infra.workloads.service import Authentication, Route
from tests.services.gateway.world import Gateway, Pool, Server, problem, running

pytestmark = pytest.mark.xdist_group("gateway")

REGION = "eu-west-1"
PASSWORD = "correct horse battery 1 A !"


class People:
    """A user pool with two app clients, of which one is the API's."""

    def __init__(self, endpoint: str) -> None:
        self.url = endpoint
        self.cognito: Any = boto3.client(
            "cognito-idp",
            endpoint_url=endpoint,
            region_name=REGION,
            config=Config(retries={"max_attempts": 0}),
            **CREDENTIALS,
        )
        pool = self.cognito.create_user_pool(PoolName="people", UsernameAttributes=["email"])["UserPool"]
        self.id = pool["Id"]
        self.ours, self.others = self._client("api"), self._client("other")
        self.issuer = f"https://cognito-idp.{REGION}.amazonaws.com/{self.id}"

    def _client(self, name: str) -> str:
        flows = ["ALLOW_ADMIN_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"]
        made = self.cognito.create_user_pool_client(
            UserPoolId=self.id, ClientName=name, ExplicitAuthFlows=flows
        )
        return made["UserPoolClient"]["ClientId"]

    def tokens(self, email: str, client: str = "") -> dict[str, str]:
        self.cognito.admin_create_user(UserPoolId=self.id, Username=email, MessageAction="SUPPRESS")
        self.cognito.admin_set_user_password(
            UserPoolId=self.id, Username=email, Password=PASSWORD, Permanent=True
        )
        return self.cognito.admin_initiate_auth(
            UserPoolId=self.id,
            ClientId=client or self.ours,
            AuthFlow="ADMIN_USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": email, "PASSWORD": PASSWORD},
        )["AuthenticationResult"]

    def subject(self, email: str) -> str:
        user = self.cognito.admin_get_user(UserPoolId=self.id, Username=email)
        return next(each["Value"] for each in user["UserAttributes"] if each["Name"] == "sub")


@pytest.fixture(scope="module")
def people() -> Iterator[People]:
    with Emulator("210987654321", REGION) as emulator:
        yield People(emulator.endpoint)


@pytest.fixture(scope="module")
def entrance(
    tmp_path_factory: pytest.TempPathFactory, people: People, pin: Server, pool: Pool
) -> Iterator[Gateway]:
    routes = (Route(("/v1/mine",), authentication=Authentication.REQUIRED),)
    generated = configuration(
        [Upstream("pin", "127.0.0.1", pin.port, routes)], Identity(people.issuer, people.ours)
    )
    folder: Path = tmp_path_factory.mktemp("people")
    with running(folder, generated, pool, AWS_ENDPOINT_URL=people.url) as gateway:
        yield gateway


def ask(entrance: Gateway, token: str) -> httpx.Response:
    return httpx.get(f"{entrance.url}/v1/mine", headers={"authorization": f"Bearer {token}"})


def test_an_access_token_of_the_pool_lets_its_owner_in(entrance: Gateway, people: People, pin: Server):
    tokens = people.tokens("ada@pinwheel.example")

    assert ask(entrance, tokens["AccessToken"]).status_code == 200
    assert pin.seen[-1].headers["x-pinwheel-subject"] == people.subject("ada@pinwheel.example")


def test_no_other_token_of_the_pool_does(entrance: Gateway, people: People):
    tokens = people.tokens("grace@pinwheel.example")
    others = people.tokens("joan@pinwheel.example", people.others)

    for token in (tokens["IdToken"], others["AccessToken"], tokens["RefreshToken"]):
        problem(ask(entrance, token), 401)


def test_a_renewed_token_is_the_same_person(entrance: Gateway, people: People, pin: Server):
    refresh = people.tokens("mary@pinwheel.example")["RefreshToken"]
    renewed = people.cognito.initiate_auth(
        ClientId=people.ours, AuthFlow="REFRESH_TOKEN_AUTH", AuthParameters={"REFRESH_TOKEN": refresh}
    )["AuthenticationResult"]

    assert renewed["ExpiresIn"] > 0
    assert ask(entrance, renewed["AccessToken"]).status_code == 200
    assert pin.seen[-1].headers["x-pinwheel-subject"] == people.subject("mary@pinwheel.example")
