"""From the declarations of services to the gateway's configuration."""

import json
from collections import Counter
from collections.abc import Sequence
from typing import Final

import pulumi

from infra.environment import Environment
from infra.workloads.declarations import edge
from infra.workloads.endpoints import headless_host
from infra.workloads.gateway.bootstrap import FILE_NAME, configuration
from infra.workloads.gateway.identity import UserPool
from infra.workloads.gateway.inputs import Upstream
from infra.workloads.service import Port, Service

_MIB: Final = 1024 * 1024
_ENVOYS_SHARE: Final = 0.7
"""Of the container's memory; the rest is of the process that starts and drains Envoy, and of what is no heap."""


def upstreams(services: Sequence[Service], namespace: str) -> tuple[Upstream, ...]:
    """The services with routes, by the names under which all their ready pods are found.

    An API is called after its image (`search`, whose deployable is `search-root`), if that has no other.
    """
    images = Counter(service.image for service in services if service.routes)
    return tuple(
        Upstream(
            service.name,
            headless_host(service, namespace),
            Port.HTTP.number,
            service.routes,
            service.image if images[service.image] == 1 else service.name,
        )
        for service in services
        if service.routes
    )


def file_contents(
    environment: Environment, services: Sequence[Service], namespace: str, pool: UserPool
) -> dict[str, pulumi.Output[str]]:
    """The files of the gateway's ConfigMap, by name."""
    found, origins = upstreams(services, namespace), environment.workloads.origins
    heap = int(edge(services).resources.memory_limit_mib * _MIB * _ENVOYS_SHARE)
    text = pool.identity.apply(
        lambda identity: json.dumps(
            configuration(found, identity, origins=origins, max_heap_bytes=heap), indent=1
        )
    )
    return {FILE_NAME: text}
