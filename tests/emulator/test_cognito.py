"""User pools: people sign up and sign in as with AWS, and their tokens can be verified by anybody."""

import base64
import hashlib
import hmac
import secrets
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import boto3
import jwt
import pytest
from botocore import UNSIGNED
from botocore.config import Config

from emulator.process import Emulator
from emulator.srp import _GENERATOR, _MULTIPLIER, _PRIME, hashed, padded
from tests.emulator.conftest import REGION, Clients
from tests.emulator.refusal import refused

PASSWORD = "correct horse battery"
FLOWS = ["ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH", "ALLOW_ADMIN_USER_PASSWORD_AUTH"]
EASY = {
    "MinimumLength": 12,
    "RequireLowercase": False,
    "RequireUppercase": False,
    "RequireNumbers": False,
    "RequireSymbols": False,
}


@dataclass
class Pool:
    """A pool with one client, and the ways into it."""

    cognito: Any
    public: Any
    """As a browser has it: without credentials."""
    id: str
    client: str

    def add(self, email: str, password: str = PASSWORD) -> None:
        self.cognito.admin_create_user(UserPoolId=self.id, Username=email, MessageAction="SUPPRESS")
        self.cognito.admin_set_user_password(
            UserPoolId=self.id, Username=email, Password=password, Permanent=True
        )

    def sign_in(self, email: str, password: str = PASSWORD, **others: Any) -> dict[str, Any]:
        answer = self.cognito.admin_initiate_auth(
            UserPoolId=self.id,
            ClientId=others.get("client", self.client),
            AuthFlow="ADMIN_USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": email, "PASSWORD": password},
        )
        return answer["AuthenticationResult"]

    def sign_in_by_srp(self, email: str, password: str = PASSWORD) -> dict[str, Any]:
        """What amazon-cognito-identity-js does."""
        secret = secrets.randbits(256)
        public = pow(_GENERATOR, secret, _PRIME)
        begun = self.public.initiate_auth(
            ClientId=self.client,
            AuthFlow="USER_SRP_AUTH",
            AuthParameters={"USERNAME": email, "SRP_A": f"{public:x}"},
        )
        assert begun["ChallengeName"] == "PASSWORD_VERIFIER"
        given = begun["ChallengeParameters"]
        pool, user = self.id.split("_")[1], given["USER_ID_FOR_SRP"]
        theirs = int(given["SRP_B"], 16)
        inner = hashlib.sha256(f"{pool}{user}:{password}".encode()).hexdigest()
        private = hashed(padded(int(given["SALT"], 16)) + inner)
        scrambler = hashed(padded(public) + padded(theirs))
        base = theirs - _MULTIPLIER * pow(_GENERATOR, private, _PRIME)
        shared = pow(base, secret + scrambler * private, _PRIME)
        derived = hmac.digest(bytes.fromhex(padded(scrambler)), bytes.fromhex(padded(shared)), "sha256")
        key = hmac.digest(derived, b"Caldera Derived Key\x01", "sha256")[:16]
        timestamp = time.strftime("%a %b %-d %H:%M:%S UTC %Y", time.gmtime())
        message = f"{pool}{user}".encode() + base64.b64decode(given["SECRET_BLOCK"]) + timestamp.encode()
        answer = self.public.respond_to_auth_challenge(
            ClientId=self.client,
            ChallengeName="PASSWORD_VERIFIER",
            ChallengeResponses={
                "USERNAME": given["USERNAME"],
                "PASSWORD_CLAIM_SECRET_BLOCK": given["SECRET_BLOCK"],
                "PASSWORD_CLAIM_SIGNATURE": base64.b64encode(hmac.digest(key, message, "sha256")).decode(),
                "TIMESTAMP": timestamp,
            },
        )
        return answer["AuthenticationResult"]


@pytest.fixture
def pool(emulator: Emulator, client: Clients, unique: Callable[[str], str]) -> Pool:
    cognito = client("cognito-idp")
    public = boto3.client(
        "cognito-idp",
        endpoint_url=emulator.endpoint,
        region_name=REGION,
        config=Config(signature_version=UNSIGNED, retries={"max_attempts": 0}),
    )
    made = cognito.create_user_pool(
        PoolName=unique("people"), UsernameAttributes=["email"], Policies={"PasswordPolicy": EASY}
    )["UserPool"]["Id"]
    return Pool(cognito, public, made, app_client(cognito, made))


def app_client(cognito: Any, pool: str, **settings: Any) -> str:
    settings = {"ExplicitAuthFlows": FLOWS, **settings}
    return cognito.create_user_pool_client(UserPoolId=pool, ClientName="api", **settings)["UserPoolClient"][
        "ClientId"
    ]


def claims(emulator: Emulator, pool: Pool, token: str) -> dict[str, Any]:
    """Verified as AWS says one should: with the pool's keys, fetched as Envoy fetches them."""
    request = urllib.request.Request(
        f"{emulator.endpoint}/{pool.id}/.well-known/jwks.json",
        headers={"Host": f"cognito-idp.{REGION}.amazonaws.com"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        keys = jwt.PyJWKSet.from_json(answer.read().decode())
    key = keys[jwt.get_unverified_header(token)["kid"]]
    issuer = f"https://cognito-idp.{REGION}.amazonaws.com/{pool.id}"
    return jwt.decode(token, key, ["RS256"], issuer=issuer, options={"verify_aud": False})


def test_a_tokens_claims_say_whose_it_is_and_what_for(emulator: Emulator, pool: Pool) -> None:
    pool.add("ada@pinwheel.example")

    tokens = pool.sign_in("ada@pinwheel.example")

    access = claims(emulator, pool, tokens["AccessToken"])
    attributes = pool.cognito.admin_get_user(UserPoolId=pool.id, Username="ada@pinwheel.example")[
        "UserAttributes"
    ]
    assert access["sub"] == next(each["Value"] for each in attributes if each["Name"] == "sub")
    assert (access["token_use"], access["client_id"]) == ("access", pool.client)
    identity = claims(emulator, pool, tokens["IdToken"])
    assert (identity["token_use"], identity["aud"]) == ("id", pool.client)


def test_people_sign_up_by_themselves(emulator: Emulator, pool: Pool) -> None:
    email = "grace@pinwheel.example"
    signed_up = pool.public.sign_up(ClientId=pool.client, Username=email, Password=PASSWORD)
    with refused("UserNotConfirmedException"):
        pool.sign_in_by_srp(email)
    pool.cognito.admin_confirm_sign_up(UserPoolId=pool.id, Username=email)

    access = claims(emulator, pool, pool.sign_in_by_srp(email)["AccessToken"])

    assert access["sub"] == signed_up["UserSub"]


@pytest.mark.parametrize("repeat", range(3))
def test_srp_lets_in_who_knows_the_password_and_nobody_else(pool: Pool, repeat: int) -> None:
    """Several times: numbers differ in length, and their padding with them."""
    pool.add("joan@pinwheel.example")

    assert pool.sign_in_by_srp("joan@pinwheel.example")["AccessToken"]
    with refused("NotAuthorizedException", "Incorrect username or password"):
        pool.sign_in_by_srp("joan@pinwheel.example", "wrong horse battery")


@pytest.mark.parametrize("number", ["0", f"{_PRIME:x}", f"{2 * _PRIME:x}", "no number"])
def test_srp_takes_no_number_with_which_any_password_would_do(pool: Pool, number: str) -> None:
    pool.add("mary@pinwheel.example")

    with refused("InvalidParameterException"):
        pool.public.initiate_auth(
            ClientId=pool.client,
            AuthFlow="USER_SRP_AUTH",
            AuthParameters={"USERNAME": "mary@pinwheel.example", "SRP_A": number},
        )


def test_a_proof_is_good_once_and_for_its_own_sign_in(pool: Pool) -> None:
    with refused("NotAuthorizedException"):
        pool.public.respond_to_auth_challenge(
            ClientId=pool.client,
            ChallengeName="PASSWORD_VERIFIER",
            ChallengeResponses={
                "USERNAME": "x",
                "PASSWORD_CLAIM_SECRET_BLOCK": "eA==",
                "PASSWORD_CLAIM_SIGNATURE": "eA==",
                "TIMESTAMP": "now",
            },
        )


def test_who_has_an_account_is_not_told(pool: Pool) -> None:
    pool.add("known@pinwheel.example")

    for email in ("known@pinwheel.example", "unknown@pinwheel.example"):
        with refused("NotAuthorizedException", "Incorrect username or password"):
            pool.sign_in(email, "wrong")


def test_only_flows_that_the_client_allows(pool: Pool) -> None:
    pool.add("flow@pinwheel.example")
    strict = app_client(pool.cognito, pool.id, ExplicitAuthFlows=["ALLOW_USER_SRP_AUTH"])

    with refused("InvalidParameterException", "ADMIN_USER_PASSWORD_AUTH flow not enabled for this client"):
        pool.sign_in("flow@pinwheel.example", client=strict)
    with refused("InvalidParameterException", "USER_PASSWORD_AUTH flow not enabled for this client"):
        pool.public.initiate_auth(
            ClientId=pool.client,
            AuthFlow="USER_PASSWORD_AUTH",
            AuthParameters={"USERNAME": "flow@pinwheel.example", "PASSWORD": PASSWORD},
        )


def test_tokens_are_valid_as_long_as_the_client_says(emulator: Emulator, pool: Pool) -> None:
    pool.add("short@pinwheel.example")
    units = {"AccessToken": "minutes", "IdToken": "hours"}
    short = app_client(
        pool.cognito, pool.id, AccessTokenValidity=15, IdTokenValidity=2, TokenValidityUnits=units
    )

    tokens = pool.sign_in("short@pinwheel.example", client=short)

    access, identity = (claims(emulator, pool, tokens[kind]) for kind in ("AccessToken", "IdToken"))
    assert access["exp"] - access["iat"] == tokens["ExpiresIn"] == 15 * 60
    assert identity["exp"] - identity["iat"] == 2 * 3600


def test_a_refresh_token_gives_new_tokens(emulator: Emulator, pool: Pool) -> None:
    pool.add("again@pinwheel.example")
    refresh = pool.sign_in("again@pinwheel.example")["RefreshToken"]

    renewed = pool.public.initiate_auth(
        ClientId=pool.client, AuthFlow="REFRESH_TOKEN_AUTH", AuthParameters={"REFRESH_TOKEN": refresh}
    )["AuthenticationResult"]

    assert claims(emulator, pool, renewed["AccessToken"])["token_use"] == "access"


def test_a_protected_pool_is_not_deleted(pool: Pool) -> None:
    pool.cognito.update_user_pool(UserPoolId=pool.id, DeletionProtection="ACTIVE")
    with refused("InvalidParameterException", "deletion protection is activated"):
        pool.cognito.delete_user_pool(UserPoolId=pool.id)
    pool.cognito.update_user_pool(UserPoolId=pool.id, DeletionProtection="INACTIVE")
    pool.cognito.delete_user_pool(UserPoolId=pool.id)

    with refused("ResourceNotFoundException"):
        pool.cognito.describe_user_pool(UserPoolId=pool.id)


def test_an_error_of_an_unsigned_request_can_be_read(pool: Pool) -> None:
    with refused("ResourceNotFoundException"):
        pool.public.sign_up(ClientId="nobodys", Username="x@pinwheel.example", Password=PASSWORD)
