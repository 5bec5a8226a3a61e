"""Which path leads where, and what each route asks of a request: token, rate, size, time."""

import math
import re
from collections.abc import Sequence
from typing import Final

from infra.workloads.gateway.filters import (
    BUFFER_FILTER,
    CORS_FILTER,
    JWT_FILTER,
    OPTIONAL,
    RATE_FILTER,
    REQUIRED,
)
from infra.workloads.gateway.inputs import SUBJECT_HEADER, Message, Upstream, any_of, header, seconds
from infra.workloads.gateway.replies import SECURITY_HEADERS
from infra.workloads.service import Authentication, Route

_RETRIES: Final = 2
_MAX_PEOPLE: Final = 20_000
"""Buckets of one route that are remembered; beyond it the least recently used is forgotten."""
_MINUTE_SECONDS: Final = 60
_PREFLIGHT_SECONDS: Final = 3600
_DOCUMENT_RATE: Final = Route(
    ("/openapi",), requests_per_second=50, requests_per_minute_each=60, timeout_seconds=5
)
_ALLOWED_HEADERS: Final = (
    "authorization, content-type, idempotency-key, if-match, if-none-match, traceparent, x-request-id"
)
_HIDDEN: Final = ("server", "via", "x-powered-by", "x-envoy-upstream-service-time")


def routes(upstreams: Sequence[Upstream], origins: Sequence[str]) -> Message:
    """The route table: the services' routes, their OpenAPI documents, and 404 for all else."""
    table = [_route(each, route) for each in upstreams for route in each.routes]
    documents = [_document(each) for each in upstreams]
    everything = {
        "name": "edge",
        "domains": ["*"],
        "routes": [
            *documents,
            *table,
            _refusal("tunnel", {"connect_matcher": {}}, 405),
            _refusal("nothing", {"prefix": "/"}, 404),
        ],
        "typed_per_filter_config": {CORS_FILTER: _cors(origins)},
        "include_attempt_count_in_response": False,
    }
    return {
        "name": "edge",
        "virtual_hosts": [everything],
        "response_headers_to_add": list(SECURITY_HEADERS),
        "response_headers_to_remove": list(_HIDDEN),
    }


def _route(upstream: Upstream, route: Route) -> Message:
    prefixes = "|".join(re.escape(prefix) for prefix in route.prefixes)
    needs = REQUIRED if route.authentication is Authentication.REQUIRED else OPTIONAL
    return {
        "name": f"{upstream.service}:{route.prefixes[0]}",
        "match": {"safe_regex": {"regex": f"(?:{prefixes})(?:/.*)?"}},
        "route": {
            "cluster": upstream.service,
            "timeout": seconds(route.timeout_seconds),
            "retry_policy": _retries(route.timeout_seconds),
        },
        "typed_per_filter_config": _demands(route, needs),
    }


def _document(upstream: Upstream) -> Message:
    return {
        "name": f"{upstream.service}:openapi",
        "match": {"path": f"/openapi/{upstream.api or upstream.service}.json"},
        "route": {
            "cluster": upstream.service,
            "prefix_rewrite": "/openapi.json",
            "timeout": seconds(_DOCUMENT_RATE.timeout_seconds),
            "retry_policy": _retries(_DOCUMENT_RATE.timeout_seconds),
        },
        "typed_per_filter_config": _demands(_DOCUMENT_RATE, OPTIONAL),
    }


def _refusal(name: str, match: Message, status: int) -> Message:
    """An answer of the gateway's own, which waits for no body."""
    needs = any_of("extensions.filters.http.jwt_authn.v3.PerRouteConfig", requirement_name=OPTIONAL)
    return {
        "name": name,
        "match": match,
        "direct_response": {"status": status},
        "typed_per_filter_config": {
            JWT_FILTER: needs,
            BUFFER_FILTER: any_of("extensions.filters.http.buffer.v3.BufferPerRoute", disabled=True),
        },
    }


def _retries(timeout_seconds: float) -> Message:
    """Second tries, at another pod; how many at once, the cluster's budget says.

    What follows here is safe for every method: the service has not seen the request. For those that only read,
    a filter adds more, see `filters.reads_may_be_repeated`.
    """
    return {
        "retry_on": "connect-failure,refused-stream,reset-before-request",
        "retriable_status_codes": [502, 503],
        "num_retries": _RETRIES,
        "per_try_timeout": seconds(timeout_seconds),
        "retry_back_off": {"base_interval": "0.025s", "max_interval": "0.25s"},
        "retry_host_predicate": [
            {
                "name": "envoy.retry_host_predicates.previous_hosts",
                "typed_config": any_of("extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"),
            }
        ],
        "host_selection_retry_max_attempts": 10,
    }


def _demands(route: Route, needs: str) -> Message:
    buffer = {"max_request_bytes": route.max_body_bytes}
    return {
        JWT_FILTER: any_of("extensions.filters.http.jwt_authn.v3.PerRouteConfig", requirement_name=needs),
        BUFFER_FILTER: any_of("extensions.filters.http.buffer.v3.BufferPerRoute", buffer=buffer),
        RATE_FILTER: _rates(route),
    }


def _rates(route: Route) -> Message:
    """A bucket for everybody, and one for each person, or for each address where nobody is signed in."""
    always = {
        "default_value": {"numerator": 100, "denominator": "HUNDRED"},
        "runtime_key": "gateway.no_such_key",
    }
    each = _bucket_of_a_minute(route.requests_per_minute_each)
    nobody = {
        "header_value_match": {
            "descriptor_key": "nobody",
            "descriptor_value": "yes",
            "expect_match": False,
            "headers": [{"name": SUBJECT_HEADER, "present_match": True}],
        }
    }
    retry_after = math.ceil(_MINUTE_SECONDS / route.requests_per_minute_each)
    return any_of(
        "extensions.filters.http.local_ratelimit.v3.LocalRateLimit",
        stat_prefix="rate_limit",
        token_bucket={
            "max_tokens": route.requests_per_second,
            "tokens_per_fill": route.requests_per_second,
            "fill_interval": "1s",
        },
        filter_enabled=always,
        filter_enforced=always,
        rate_limits=[
            {"actions": [{"request_headers": {"header_name": SUBJECT_HEADER, "descriptor_key": "person"}}]},
            {"actions": [nobody, {"remote_address": {}}]},
        ],
        descriptors=[
            {"entries": [{"key": "person"}], "token_bucket": each},
            {"entries": [{"key": "nobody", "value": "yes"}, {"key": "remote_address"}], "token_bucket": each},
        ],
        max_dynamic_descriptors=_MAX_PEOPLE,
        response_headers_to_add=[header("retry-after", str(retry_after))],
        enable_x_ratelimit_headers="DRAFT_VERSION_03",
    )


def _bucket_of_a_minute(requests: int) -> Message:
    """`requests` at once, and refilled evenly within a minute."""
    at_once = max(1, requests // _MINUTE_SECONDS)
    return {
        "max_tokens": requests,
        "tokens_per_fill": at_once,
        "fill_interval": seconds(_MINUTE_SECONDS * at_once / requests),
    }


def _cors(origins: Sequence[str]) -> Message:
    """Browsers of these origins may call; with tokens, so without cookies."""
    return any_of(
        "extensions.filters.http.cors.v3.CorsPolicy",
        allow_origin_string_match=[{"exact": origin} for origin in origins],
        allow_methods="GET, POST, PUT, PATCH, DELETE",
        allow_headers=_ALLOWED_HEADERS,
        expose_headers="etag, location, retry-after, x-request-id, x-ratelimit-remaining",
        max_age=str(_PREFLIGHT_SECONDS),
        allow_credentials=False,
        forward_not_matching_preflights=False,
    )
