"""The two listeners: the public API, and operations."""

from collections.abc import Sequence
from typing import Final

from infra.workloads.gateway.access_log import access_log
from infra.workloads.gateway.clusters import ADMIN_CLUSTER
from infra.workloads.gateway.filters import http_filters
from infra.workloads.gateway.inputs import (
    SUBJECT_HEADER,
    Identity,
    Message,
    Upstream,
    any_of,
    header,
    seconds,
    socket,
    typed,
)
from infra.workloads.gateway.replies import replies
from infra.workloads.gateway.routes import routes
from infra.workloads.service import HTTP_PORT, OPERATIONS_PORT

EDGE: Final = "edge"
OPERATIONS: Final = "operations"

_ANY: Final = "0.0.0.0"  # noqa: S104 - as it is written; what runs it puts the pod's own address in its place
_BUFFER_BYTES: Final = 64 * 1024
_HEADERS_KB: Final = 16
_MAX_HEADERS: Final = 64
_REQUEST_SECONDS: Final = 30
"""In which a whole request must have arrived."""
_HEADER_SECONDS: Final = 10
_IDLE_SECONDS: Final = 65
"""More than the load balancer's 60, so that it is never the gateway that closes a connection under a request."""
_AGE_SECONDS: Final = 600
"""Of a connection, so that new pods get their share."""
_STREAMS: Final = 100
_WINDOW: Final = 256 * 1024
_TRUSTED_HOPS: Final = 1
"""CloudFront, which says in x-forwarded-for who called; the network load balancer behind it takes nobody else from
outside, and adds nothing. Without that header (on a laptop, where nothing stands in front) it is the connection's
own address."""
_SANE_REQUEST_ID: Final = "size({0}) >= 8 && size({0}) <= 64 && {0}.matches('^[A-Za-z0-9._-]*$')"
_KEPT_REQUEST_ID: Final = "x-pinwheel-request-id"


def edge(upstreams: Sequence[Upstream], identity: Identity, origins: Sequence[str]) -> Message:
    """The public API: HTTP/1.1 and HTTP/2 in plain text, because the load balancer in front ends TLS."""
    return _listener(
        EDGE,
        HTTP_PORT,
        {
            "stat_prefix": EDGE,
            "codec_type": "AUTO",
            "route_config": routes(upstreams, origins),
            "http_filters": http_filters(identity),
            "access_log": access_log(),
            "local_reply_config": replies(),
            **_hardened(),
            **_request_ids(),
        },
    )


def operations() -> Message:
    """`/livez`, `/readyz` and `/metrics`, for the kubelet and Prometheus; nothing else of the administration."""
    get = [{"name": ":method", "string_match": {"exact": "GET"}}]

    def page(path: str, of_admin: str) -> Message:
        match = {"path": path, "headers": get}
        return {"match": match, "route": {"cluster": ADMIN_CLUSTER, "prefix_rewrite": of_admin}}

    table = [
        {"match": {"path": "/livez", "headers": get}, "direct_response": {"status": 200}},
        page("/readyz", "/ready"),
        page("/metrics", "/stats/prometheus"),
        {"match": {"prefix": "/"}, "direct_response": {"status": 404}},
    ]
    router = typed("envoy.filters.http.router", "extensions.filters.http.router.v3.Router")
    return _listener(
        OPERATIONS,
        OPERATIONS_PORT,
        {
            "stat_prefix": OPERATIONS,
            "route_config": {"virtual_hosts": [{"name": OPERATIONS, "domains": ["*"], "routes": table}]},
            "http_filters": [router],
        },
    )


def _listener(name: str, port: int, manager: Message) -> Message:
    connections = typed(
        "envoy.filters.network.http_connection_manager",
        "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        **manager,
    )
    return {
        "name": name,
        "address": socket(_ANY, port),
        "enable_reuse_port": False,  # a port that another program has must not be shared with it
        "per_connection_buffer_limit_bytes": _BUFFER_BYTES,
        "filter_chains": [{"filters": [connections]}],
        # Who is flooded must be seen to be, and not be taken for dead.
        "ignore_global_conn_limit": name == OPERATIONS,
        "bypass_overload_manager": name == OPERATIONS,
    }


def _hardened() -> Message:
    """https://www.envoyproxy.io/docs/envoy/latest/configuration/best_practices/edge"""
    return {
        "use_remote_address": True,
        "xff_num_trusted_hops": _TRUSTED_HOPS,
        "internal_address_config": {},  # nobody outside may steer Envoy by x-envoy- headers
        "normalize_path": True,
        "merge_slashes": True,
        "path_with_escaped_slashes_action": "REJECT_REQUEST",
        "server_header_transformation": "PASS_THROUGH",
        "max_request_headers_kb": _HEADERS_KB,
        "request_timeout": seconds(_REQUEST_SECONDS),
        "request_headers_timeout": seconds(_HEADER_SECONDS),
        "stream_idle_timeout": seconds(_REQUEST_SECONDS * 2),
        "delayed_close_timeout": "1s",
        "common_http_protocol_options": {
            "idle_timeout": seconds(_IDLE_SECONDS),
            "max_connection_duration": seconds(_AGE_SECONDS),
            "max_headers_count": _MAX_HEADERS,
            "headers_with_underscores_action": "REJECT_REQUEST",
        },
        "http_protocol_options": {"accept_http_10": False},
        "http2_protocol_options": {
            "max_concurrent_streams": _STREAMS,
            "initial_stream_window_size": _WINDOW,
            "initial_connection_window_size": _WINDOW * 4,
        },
    }


def _request_ids() -> Message:
    """Every request has an identifier, and its answer says which: the client's own if it is a sane one.

    What only the gateway may say is taken off before anything else happens.
    """
    sent = "request.headers['x-request-id']"
    is_sane = f"'x-request-id' in request.headers && {_SANE_REQUEST_ID.format(sent)}"
    kept = f"%CEL({is_sane} ? {sent} : '')%"
    mutations = [
        {"remove": SUBJECT_HEADER},
        {"remove": _KEPT_REQUEST_ID},
        {"append": header(_KEPT_REQUEST_ID, kept)},
        {"remove": "x-request-id"},
        {"append": header("x-request-id", f"%REQ({_KEPT_REQUEST_ID})%")},
        {"remove": _KEPT_REQUEST_ID},
    ]
    return {
        "generate_request_id": True,
        "preserve_external_request_id": True,
        "always_set_request_id_in_response": True,
        "request_id_extension": {
            "typed_config": any_of(
                "extensions.request_id.uuid.v3.UuidRequestIdConfig", pack_trace_reason=False
            )
        },
        "early_header_mutation_extensions": [
            typed(
                "envoy.http.early_header_mutation.header_mutation",
                "extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation",
                mutations=mutations,
            )
        ],
    }
