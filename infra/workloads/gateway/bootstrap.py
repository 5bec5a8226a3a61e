"""The gateway's whole configuration: Envoy's static bootstrap, as plain data.

The same for EKS and for the laptop. What only a pod knows (its address, its ports, a folder for the
administration's socket, an AWS endpoint in the place of AWS) `python -m services.gateway` puts in, by the names
of listeners and clusters; see `services/gateway/rendering.py`.
"""

from collections.abc import Sequence
from typing import Final

from infra.workloads.gateway import clusters, listeners
from infra.workloads.gateway.inputs import Identity, Message, Upstream, typed

FILE_NAME: Final = "envoy.json"
"""In the ConfigMap that is mounted at /etc/envoy."""
_MAX_CONNECTIONS: Final = 20_000
_MAX_HEAP_BYTES: Final = 128 * 1024 * 1024
_FULL: Final = 0.95
"""Of the heap: what comes beyond is refused (503). Bodies are read whole before they are passed on, so that a
hundred large ones at once would otherwise end the process."""
_ALMOST_FULL: Final = 0.9
_HEAP: Final = "envoy.resource_monitors.fixed_heap"


def configuration(
    upstreams: Sequence[Upstream],
    identity: Identity,
    *,
    origins: Sequence[str] = (),
    max_heap_bytes: int = _MAX_HEAP_BYTES,
) -> Message:
    """The bootstrap of https://www.envoyproxy.io/docs/envoy/v1.40.0/api-v3/config/bootstrap/v3/bootstrap.proto

    Args:
        upstreams: the services that have routes; no two have a prefix in common (`declarations` sees to it).
        identity: whose tokens are believed.
        origins: of the browsers' pages that may call, such as `https://www.pinwheel.example`.
        max_heap_bytes: of Envoy's memory; less than its container may have.
    """
    services = [clusters.upstream(each) for each in upstreams]
    return {
        "node": {"id": "gateway", "cluster": "gateway"},
        "admin": {"address": {"pipe": {"path": clusters.ADMIN_PATH, "mode": 0o600}}},
        "static_resources": {
            "listeners": [listeners.edge(upstreams, identity, origins), listeners.operations()],
            "clusters": [*services, clusters.keys(identity), clusters.admin()],
        },
        "overload_manager": _overload(max_heap_bytes),
        "application_log_config": {
            "log_format": {
                "json_format": {
                    "timestamp": "%Y-%m-%dT%T.%eZ",
                    "level": "%l",
                    "logger": "envoy.%n",
                    "event": "%j",
                }
            }
        },
    }


def _overload(max_heap_bytes: int) -> Message:
    """https://www.envoyproxy.io/docs/envoy/latest/configuration/operations/overload_manager/overload_manager"""

    def above(action: str, share: float) -> Message:
        trigger = {"name": _HEAP, "threshold": {"value": share}}
        return {"name": f"envoy.overload_actions.{action}", "triggers": [trigger]}

    return {
        "refresh_interval": "0.25s",
        "resource_monitors": [
            typed(
                "envoy.resource_monitors.global_downstream_max_connections",
                "extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
                max_active_downstream_connections=_MAX_CONNECTIONS,
            ),
            typed(
                _HEAP,
                "extensions.resource_monitors.fixed_heap.v3.FixedHeapConfig",
                max_heap_size_bytes=str(max_heap_bytes),
            ),
        ],
        "actions": [above("shrink_heap", _ALMOST_FULL), above("stop_accepting_requests", _FULL)],
    }
