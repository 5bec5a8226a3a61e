"""Puts into the generated configuration what only a pod knows. Everything is found by its name.

The file itself is the same in all pods, on EKS and on the laptop, so it cannot hold an address.
"""

import copy
import json
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from services.gateway.settings import GatewaySettings

Message = dict[str, Any]

EDGE: Final = "edge"
OPERATIONS: Final = "operations"
KEYS: Final = "identity"
TRACES: Final = "traces"
_TYPES: Final = "type.googleapis.com/envoy"
_PERCENT: Final = 100


class ConfigurationError(Exception):
    """The generated file is not what it should be: what is missing, and where it comes from."""


def read(file: Path) -> Message:
    """The generated configuration. Raises ConfigurationError."""
    try:
        content = json.loads(file.read_bytes())
    except OSError as error:
        raise ConfigurationError(
            f"GATEWAY_CONFIGURATION: {file} cannot be read ({error.strerror}); it is the file `envoy.json` of the "
            "gateway's ConfigMap"
        ) from error
    except ValueError as error:
        raise ConfigurationError(f"GATEWAY_CONFIGURATION: {file} is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise ConfigurationError(f"GATEWAY_CONFIGURATION: {file} is JSON, but no object")
    return content


def rendered(generated: Message, settings: GatewaySettings) -> Message:
    """A copy for one pod. Raises ConfigurationError."""
    configuration = copy.deepcopy(generated)
    for name, port in ((EDGE, settings.http_port), (OPERATIONS, settings.operations_port)):
        _named(configuration, "listeners", name)["address"] = _address(settings.host, port)
    configuration["node"] = {
        "id": settings.pod_name or settings.service_name,
        "cluster": settings.service_name,
    }
    if settings.aws_endpoint_url is not None:
        _lead_elsewhere(_named(configuration, "clusters", KEYS), settings.aws_endpoint_url)
    if settings.otel_exporter_otlp_endpoint is not None:
        _trace(configuration, settings, settings.otel_exporter_otlp_endpoint)
    return configuration


def _lead_elsewhere(cluster: Message, endpoint: str) -> None:
    """The keys come from an endpoint that stands for AWS: over its scheme, at its address."""
    url = urlsplit(endpoint)
    port = url.port or (443 if url.scheme == "https" else 80)
    cluster["load_assignment"] = _endpoints(cluster["name"], url.hostname or "", port)
    if url.scheme == "http":
        cluster.pop("transport_socket", None)


def _trace(configuration: Message, settings: GatewaySettings, endpoint: str) -> None:
    """A span for each request that came with a trace, or by chance for one that did not."""
    url = urlsplit(endpoint)
    port = url.port or (443 if url.scheme == "https" else 80)
    cluster: Message = {
        "name": TRACES,
        "type": "STRICT_DNS",
        "connect_timeout": "1s",
        "load_assignment": _endpoints(TRACES, url.hostname or "", port),
    }
    if url.scheme == "https":
        cluster["transport_socket"] = {
            "name": "envoy.transport_sockets.tls",
            "typed_config": {
                "@type": f"{_TYPES}.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
                "sni": url.hostname,
                "auto_sni_san_validation": True,
                "common_tls_context": {
                    "validation_context": {"trusted_ca": {"filename": "/etc/ssl/certs/ca-certificates.crt"}}
                },
            },
        }
    configuration["static_resources"]["clusters"].append(cluster)
    manager = _named(configuration, "listeners", EDGE)["filter_chains"][0]["filters"][0]["typed_config"]
    manager["tracing"] = {
        "random_sampling": {"value": settings.otel_traces_sampler_arg * _PERCENT},
        "spawn_upstream_span": False,
        "provider": {
            "name": "envoy.tracers.opentelemetry",
            "typed_config": {
                "@type": f"{_TYPES}.config.trace.v3.OpenTelemetryConfig",
                "service_name": settings.service_name,
                "http_service": {
                    "http_uri": {"uri": f"{endpoint}/v1/traces", "cluster": TRACES, "timeout": "5s"}
                },
            },
        },
    }


def _named(configuration: Message, kind: str, name: str) -> Message:
    for each in configuration.get("static_resources", {}).get(kind, []):
        if each.get("name") == name:
            return each
    raise ConfigurationError(
        f"GATEWAY_CONFIGURATION: static_resources.{kind} has none called {name!r}; the file must be one that "
        "infra/workloads/gateway generated"
    )


def _address(host: str, port: int) -> Message:
    return {"socket_address": {"address": host, "port_value": port}}


def _endpoints(name: str, host: str, port: int) -> Message:
    endpoint = {"endpoint": {"address": _address(host, port)}}
    return {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]}
