"""Whose requests are let through, and as whose."""

import time

import httpx
import pytest

from tests.services.gateway.world import Pool, Server, problem

pytestmark = pytest.mark.xdist_group("gateway")


def test_a_valid_token_tells_the_service_who_asks(client: httpx.Client, pool: Pool, pin: Server):
    answer = client.get("/v1/mine/valid", headers=pool.bearer("subject-1"))

    assert answer.status_code == 200
    (seen,) = pin.of("/v1/mine/valid")
    assert seen.headers["x-pinwheel-subject"] == "subject-1"
    assert "authorization" not in seen.headers


def test_without_a_token_a_route_that_needs_one_refuses(client: httpx.Client, pin: Server):
    answer = client.get("/v1/mine/nobody")

    assert "access token is needed" in problem(answer, 401)["detail"]
    assert answer.headers["www-authenticate"] == 'Bearer realm="pinwheel"'
    assert pin.of("/v1/mine/nobody") == []


def test_without_a_token_an_open_route_lets_nobody_through_as_nobody(client: httpx.Client, pin: Server):
    answer = client.get("/v1/pins/open", headers={"x-pinwheel-subject": "somebody"})

    assert answer.status_code == 200
    (seen,) = pin.of("/v1/pins/open")
    assert "x-pinwheel-subject" not in seen.headers


def test_a_forged_subject_is_replaced_by_the_tokens(client: httpx.Client, pool: Pool, pin: Server):
    headers = {**pool.bearer("honest"), "X-Pinwheel-Subject": "forged"}

    assert client.get("/v1/pins/forged", headers=headers).status_code == 200
    (seen,) = pin.of("/v1/pins/forged")
    assert seen.headers["x-pinwheel-subject"] == "honest"


@pytest.mark.parametrize("path", ["/v1/mine/invalid", "/v1/pins/invalid"])
@pytest.mark.parametrize(
    "change",
    [
        {"exp": 1_000_000_000},
        {"exp": None},
        {"iss": "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_other"},
        {"algorithm": "none"},
        {"kid": "unknown"},
        {"nbf": 4_000_000_000},
        {"token_use": "id"},
        {"token_use": None},
        {"client_id": "another-client"},
        {"client_id": None},
        {"client_id": None, "aud": "our-client", "token_use": "id"},
    ],
    ids=str,
)
def test_no_route_takes_a_token_that_is_not_ours(
    client: httpx.Client, pool: Pool, pin: Server, path: str, change: dict[str, object]
):
    before = len(pin.seen)

    answer = client.get(path, headers=pool.bearer(**change))

    assert "token" in problem(answer, 401)["detail"]
    assert "www-authenticate" in answer.headers
    assert len(pin.seen) == before


def test_a_token_signed_by_another_key_is_refused(client: httpx.Client, pool: Pool):
    token = pool.token(key=pool.other_key)

    problem(client.get("/v1/pins/signed", headers={"authorization": f"Bearer {token}"}), 401)


def test_a_public_key_is_not_taken_for_a_shared_secret(client: httpx.Client, pool: Pool):
    """RS256 keys used as the secret of HS256, an old way to forge tokens."""
    modulus = str(pool.key.public_key().public_numbers().n)
    token = pool.token(key=modulus, algorithm="HS256")

    problem(client.get("/v1/pins/shared", headers={"authorization": f"Bearer {token}"}), 401)


@pytest.mark.parametrize("value", ["Bearer x", "Bearer a.b.c", "Bearer ..", "Bearer " + "a" * 4000])
def test_garbage_is_no_token(client: httpx.Client, value: str):
    problem(client.get("/v1/pins/garbage", headers={"authorization": value}), 401)


def test_expiry_is_said(client: httpx.Client, pool: Pool):
    answer = client.get("/v1/mine/late", headers=pool.bearer(exp=int(time.time()) - 600))

    assert problem(answer, 401)["detail"] == "the access token has expired"


def test_a_token_in_the_query_is_none(client: httpx.Client, pool: Pool):
    problem(client.get("/v1/mine/query", params={"access_token": pool.token()}), 401)
