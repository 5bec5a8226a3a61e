"""How often somebody may ask."""

from pathlib import Path

import httpx
import pytest

from infra.workloads.service import Route
from tests.services.gateway.world import Pool, Server, generated, problem, running
from tests.waiting import until

pytestmark = pytest.mark.xdist_group("gateway")


def test_each_person_has_a_budget_of_their_own(client: httpx.Client, pool: Pool):
    def ask(subject: str) -> httpx.Response:
        return client.get("/v1/few/each", headers=pool.bearer(subject))

    busy = [ask("busy") for _ in range(4)]
    calm = ask("calm")

    assert [answer.status_code for answer in busy] == [200, 200, 200, 429]
    assert calm.status_code == 200
    assert "retry-after" in problem(busy[-1], 429)["detail"]
    assert busy[-1].headers["retry-after"] == "20"
    assert calm.headers["x-ratelimit-remaining"] == "2"


def test_who_is_not_signed_in_is_counted_by_address(client: httpx.Client, pool: Pool):
    def ask(address: str) -> int:
        return client.get("/v1/few/nobody", headers={"x-forwarded-for": address}).status_code

    assert [ask("198.51.100.1") for _ in range(4)] == [200, 200, 200, 429]
    assert ask("198.51.100.2") == 200
    assert client.get("/v1/few/nobody", headers=pool.bearer("signed-in")).status_code == 200


def test_another_address_in_front_of_the_load_balancers_changes_nothing(client: httpx.Client):
    """Only the last entry is the load balancer's; clients write before it what they like."""

    def ask(forged: str) -> int:
        headers = {"x-forwarded-for": f"{forged}, 198.51.100.3"}
        return client.get("/v1/few/forged", headers=headers).status_code

    assert [ask(f"10.0.0.{index}") for index in range(4)] == [200, 200, 200, 429]


def test_a_token_in_new_words_is_the_same_person(client: httpx.Client, pool: Pool):
    answers = [client.get("/v1/few/new", headers=pool.bearer("renewing", jti=str(turn))) for turn in range(4)]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]


def test_a_refused_token_uses_up_nobodys_budget(client: httpx.Client, pool: Pool):
    refused = [client.get("/v1/few/refused", headers=pool.bearer("victim", exp=1)) for _ in range(5)]

    assert {answer.status_code for answer in refused} == {401}
    assert client.get("/v1/few/refused", headers=pool.bearer("victim")).status_code == 200


def test_routes_are_counted_apart(client: httpx.Client, pool: Pool):
    headers = pool.bearer("here-and-there")
    assert [client.get("/v1/few/apart", headers=headers).status_code for _ in range(4)][-1] == 429

    assert client.get("/v1/pins/apart", headers=headers).status_code == 200


def test_all_paths_and_methods_of_a_route_are_counted_together(client: httpx.Client, pool: Pool):
    headers = pool.bearer("everywhere")
    paths = ["/v1/few", "/v1/few/a", "/v1/few/b", "/v1/few/c"]

    answers = [
        client.request("GET" if index % 2 else "POST", path, headers=headers)
        for index, path in enumerate(paths)
    ]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]


def test_everybody_together_has_a_bound(tmp_path, pool: Pool, pin: Server):
    """Its bucket is refilled each second: so many at once that two seconds' worth cannot hold them."""
    routes = [Route(("/v1/all",), requests_per_second=5, requests_per_minute_each=6000)]
    with (
        running(tmp_path, generated({"pin": routes}, {"pin": pin.port}), pool) as gateway,
        httpx.Client(base_url=gateway.url) as client,
    ):
        answers = [client.get("/v1/all", headers=pool.bearer(f"person-{index}")) for index in range(30)]
        refused = [answer for answer in answers if answer.status_code == 429]

        assert len(answers) - len(refused) >= 5
        assert refused
        assert refused[0].headers["retry-after"] == "1"
        assert gateway.statistic("envoy_http_local_rate_limit_rate_limited") == len(refused)


def test_without_memory_it_refuses_rather_than_ends(tmp_path: Path, pool: Pool, pin: Server):
    made = generated({"pin": [Route(("/v1/pins",))]}, {"pin": pin.port})
    _, heap = made["overload_manager"]["resource_monitors"]
    heap["typed_config"]["max_heap_size_bytes"] = "1"

    with running(tmp_path, made, pool) as gateway:
        url = f"{gateway.url}/v1/pins/1"
        refused = until(lambda: next((each for each in [httpx.get(url)] if each.status_code != 200), None))
        alive = httpx.get(f"{gateway.operations}/livez")

    problem(refused, 503)
    assert alive.status_code == 200
