"""Envoy's clusters: the services, the user pool's keys, and Envoy's own administration."""

from typing import Final

from infra.workloads.gateway.inputs import Identity, Message, Upstream, any_of, seconds, socket, typed

ADMIN_CLUSTER: Final = "admin"
KEYS_CLUSTER: Final = "identity"
ADMIN_PATH: Final = "admin.sock"
"""Relative: `python -m services.gateway` gives every Envoy a private folder to run in."""

_CONNECT_SECONDS: Final = 1
_IDLE_SECONDS: Final = 4
"""Less than servers wait before they close an idle connection (5 seconds and more), so that no request meets a
closing one."""
_DNS_SECONDS: Final = 5
_BUFFER_BYTES: Final = 64 * 1024
_CERTIFICATES: Final = "/etc/ssl/certs/ca-certificates.crt"

_LIMITS: Final = {
    "max_connections": 1024,
    "max_pending_requests": 256,
    "max_requests": 1024,
    # Beside what goes on anyway, a fifth may be second tries: a service in trouble is not buried by retries.
    "retry_budget": {"budget_percent": {"value": 20}, "min_retry_concurrency": 3},
    "track_remaining": True,
}
"""Circuit breakers: what is beyond is answered 503 at once, instead of waiting for a service that has enough."""

_EJECTION: Final = {
    "consecutive_5xx": 5,
    "consecutive_gateway_failure": 5,
    "consecutive_local_origin_failure": 5,
    "enforcing_consecutive_gateway_failure": 100,
    "split_external_local_origin_errors": True,
    "interval": "5s",
    "base_ejection_time": "15s",
    "max_ejection_percent": 50,
    "enforcing_success_rate": 0,  # needs more pods than most services have
}
"""Outlier detection: a pod that fails five times in a row is left alone for a while, at most half of all pods."""


def upstream(service: Upstream) -> Message:
    """One service's pods, as DNS tells them."""
    return {
        "name": service.service,
        "cluster_type": _by_name(),
        "connect_timeout": seconds(_CONNECT_SECONDS),
        "lb_policy": "LEAST_REQUEST",
        "common_lb_config": {
            "update_merge_window": "0s"
        },  # an ejected pod is left alone at once, not in a second
        "ignore_health_on_host_removal": True,
        "per_connection_buffer_limit_bytes": _BUFFER_BYTES,
        "load_assignment": _endpoints(service.service, socket(service.host, service.port)),
        "circuit_breakers": {"thresholds": [_LIMITS]},
        "outlier_detection": _EJECTION,
        "upstream_connection_options": {"tcp_keepalive": {"keepalive_time": 30}},
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": any_of(
                "extensions.upstreams.http.v3.HttpProtocolOptions",
                common_http_protocol_options={"idle_timeout": seconds(_IDLE_SECONDS)},
                explicit_http_config={"http_protocol_options": {}},
            )
        },
    }


def keys(identity: Identity) -> Message:
    """Where the user pool's public keys are fetched, over TLS and nothing else."""
    validation = {
        "trusted_ca": {"filename": _CERTIFICATES},
        "match_typed_subject_alt_names": [{"san_type": "DNS", "matcher": {"exact": identity.host}}],
    }
    return {
        "name": KEYS_CLUSTER,
        "cluster_type": _by_name(),
        "connect_timeout": seconds(_CONNECT_SECONDS * 5),
        "load_assignment": _endpoints(KEYS_CLUSTER, socket(identity.host, 443)),
        "transport_socket": typed(
            "envoy.transport_sockets.tls",
            "extensions.transport_sockets.tls.v3.UpstreamTlsContext",
            sni=identity.host,
            common_tls_context={"validation_context": validation},
        ),
    }


def admin() -> Message:
    """Envoy's administration, which has no port: only the operations listener leads to a few of its pages."""
    return {
        "name": ADMIN_CLUSTER,
        "type": "STATIC",
        "connect_timeout": seconds(_CONNECT_SECONDS),
        "load_assignment": _endpoints(ADMIN_CLUSTER, {"pipe": {"path": ADMIN_PATH}}),
    }


def _by_name() -> Message:
    """Every address that DNS gives for a name is an endpoint of its own."""
    return typed(
        "envoy.clusters.dns",
        "extensions.clusters.dns.v3.DnsCluster",
        dns_lookup_family="V4_PREFERRED",
        dns_refresh_rate=seconds(_DNS_SECONDS),
        dns_failure_refresh_rate={"base_interval": "1s", "max_interval": seconds(_DNS_SECONDS)},
    )


def _endpoints(name: str, address: Message) -> Message:
    return {"cluster_name": name, "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}]}
