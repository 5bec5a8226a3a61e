"""The HTTP filters, in the order in which a request meets them.

CORS answers preflights before anybody asks for a token; the token is verified before anything is counted
against a person; a body is read only when all of that is passed.
"""

from typing import Final

from infra.workloads.gateway.clusters import KEYS_CLUSTER
from infra.workloads.gateway.inputs import SUBJECT_HEADER, Identity, Message, any_of, header, seconds, typed

JWT_FILTER: Final = "envoy.filters.http.jwt_authn"
RATE_FILTER: Final = "envoy.filters.http.local_ratelimit"
BUFFER_FILTER: Final = "envoy.filters.http.buffer"
CORS_FILTER: Final = "envoy.filters.http.cors"

REQUIRED: Final = "token"
OPTIONAL: Final = "token-or-none"
"""The two requirements that a route may make."""

_PROVIDER: Final = "user-pool"
_CLAIMS: Final = "claims"
_KEYS_SECONDS: Final = 300
_LEEWAY_SECONDS: Final = 10
"""By how much two clocks may differ."""
_LARGEST_BODY: Final = 1024 * 1024
"""Bytes, where a route states nothing."""


def http_filters(identity: Identity) -> list[Message]:
    """All filters; what a route states overrides what stands here."""
    return [
        typed(CORS_FILTER, "extensions.filters.http.cors.v3.Cors"),
        _tokens(identity),
        _access_tokens_of(identity.client_id),
        typed(
            RATE_FILTER,
            "extensions.filters.http.local_ratelimit.v3.LocalRateLimit",
            stat_prefix="rate_limit",  # without a bucket: routes have theirs
        ),
        typed(BUFFER_FILTER, "extensions.filters.http.buffer.v3.Buffer", max_request_bytes=_LARGEST_BODY),
        _compression(),
        reads_may_be_repeated(),
        typed(
            "envoy.filters.http.router",
            "extensions.filters.http.router.v3.Router",
            suppress_envoy_headers=True,
        ),
    ]


def _tokens(identity: Identity) -> Message:
    """Signature, issuer and expiry. Everything that no route leaves open needs a token."""
    provider = {
        "issuer": identity.issuer,
        "remote_jwks": {
            "http_uri": {"uri": identity.keys_url, "cluster": KEYS_CLUSTER, "timeout": "5s"},
            "cache_duration": seconds(_KEYS_SECONDS),
            # Fetched before the first request and renewed in the background.
            "async_fetch": {"failed_refetch_duration": "1s"},
            "retry_policy": {"num_retries": 2},
        },
        "forward": False,
        "from_headers": [{"name": "authorization", "value_prefix": "Bearer "}],
        "claim_to_headers": [{"header_name": SUBJECT_HEADER, "claim_name": "sub"}],
        "payload_in_metadata": _CLAIMS,
        "require_expiration": True,
        "clock_skew_seconds": _LEEWAY_SECONDS,
        "jwt_cache_config": {"jwt_cache_size": 1000},
    }
    token = {"provider_name": _PROVIDER}
    return typed(
        JWT_FILTER,
        "extensions.filters.http.jwt_authn.v3.JwtAuthentication",
        providers={_PROVIDER: provider},
        requirement_map={
            REQUIRED: token,
            OPTIONAL: {"requires_any": {"requirements": [token, {"allow_missing": {}}]}},
        },
        rules=[{"match": {"prefix": "/"}, "requirement_name": REQUIRED}],
        bypass_cors_preflight=True,
    )


def _access_tokens_of(client_id: str) -> Message:
    """Lets through who has no token (a route that needs one has refused already) or the right kind of one.

    An identity token, or a token of the same pool's other clients, is signed by the same keys.
    """
    nobody = {"not_id": _claim("sub", {"present_match": True})}
    ours = {
        "and_ids": {
            "ids": [
                _claim("token_use", {"string_match": {"exact": "access"}}),
                _claim("client_id", {"string_match": {"exact": client_id}}),
            ]
        }
    }
    return typed(
        "envoy.filters.http.rbac",
        "extensions.filters.http.rbac.v3.RBAC",
        rules={
            "action": "ALLOW",
            "policies": {
                "access-tokens": {
                    "permissions": [{"any": True}],
                    "principals": [{"or_ids": {"ids": [nobody, ours]}}],
                }
            },
        },
    )


def _claim(name: str, value: Message) -> Message:
    matcher = {"filter": JWT_FILTER, "path": [{"key": _CLAIMS}, {"key": name}], "value": value}
    return {"sourced_metadata": {"metadata_matcher": matcher}}


def reads_may_be_repeated() -> Message:
    """Only what changes nothing is tried again after a service has seen it. The router takes the header off."""
    reads = "request.method == 'GET' || request.method == 'HEAD'"
    value = f"%CEL({reads} ? 'reset,retriable-status-codes' : '')%"
    return typed(
        "envoy.filters.http.header_mutation",
        "extensions.filters.http.header_mutation.v3.HeaderMutation",
        mutations={"request_mutations": [{"append": header("x-envoy-retry-on", value)}]},
    )


def _compression() -> Message:
    """JSON (and what else Envoy compresses by itself) of more than a packet, for clients that ask for it."""
    return typed(
        "envoy.filters.http.compressor",
        "extensions.filters.http.compressor.v3.Compressor",
        response_direction_config={"common_config": {"min_content_length": 1024}},
        compressor_library={
            "name": "gzip",
            "typed_config": any_of(
                "extensions.compression.gzip.compressor.v3.Gzip", compression_level="BEST_SPEED"
            ),
        },
    )
