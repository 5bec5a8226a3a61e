"""How a service is found: its Kubernetes Services, and the load balancer of the edge."""

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.core.v1 import ServiceSpecArgsDict

from infra.workloads.platform import Platform
from infra.workloads.service import Port, Service

HEADLESS_SUFFIX = "-headless"
EDGE_PORT = 80
"""Of the load balancer. TLS ends before it, at CloudFront."""


def headless_host(service: Service, namespace: str) -> str:
    """A name that all ready pods of a routed service have: the gateway balances between them itself."""
    return f"{service.name}{HEADLESS_SUFFIX}.{namespace}.svc.cluster.local"


def endpoints(
    service: Service, platform: Platform, options: pulumi.ResourceOptions
) -> list[kubernetes.core.v1.Service]:
    """One address for all its pods; a headless Service too, where there are routes. None without ports."""
    if not service.ports:
        return []
    if service.edge:
        return [_edge(service, platform, options)]
    found = [_service(service, service.name, platform, {}, options)]
    if service.routes:
        headless: ServiceSpecArgsDict = {"cluster_ip": "None"}
        found.append(_service(service, service.name + HEADLESS_SUFFIX, platform, headless, options))
    return found


def _service(
    service: Service, name: str, platform: Platform, how: ServiceSpecArgsDict, options: pulumi.ResourceOptions
) -> kubernetes.core.v1.Service:
    return kubernetes.core.v1.Service(
        name,
        metadata={
            "name": name,
            "namespace": platform.namespace,
            "labels": {"app.kubernetes.io/name": service.name},
            "annotations": _NOT_AWAITED,
        },
        spec={
            "selector": {"app.kubernetes.io/name": service.name},
            "ports": [
                {
                    "name": port.value,
                    "port": port.number,
                    "target_port": port.value,
                    "app_protocol": _PROTOCOLS[port],
                }
                for port in service.ports
            ],
            **how,
        },
        opts=options,
    )


def _edge(
    service: Service, platform: Platform, options: pulumi.ResourceOptions
) -> kubernetes.core.v1.Service:
    """A network load balancer that EKS's own cloud controller makes; clients' addresses stay visible."""
    return kubernetes.core.v1.Service(
        service.name,
        metadata={
            "name": service.name,
            "namespace": platform.namespace,
            "labels": {"app.kubernetes.io/name": service.name},
            "annotations": {
                **_NOT_AWAITED,
                "service.beta.kubernetes.io/aws-load-balancer-type": "nlb",
                # CloudFront comes in as to a VPC origin: nobody else outside may say in x-forwarded-for who
                # called, or send a token in plain text.
                "service.beta.kubernetes.io/aws-load-balancer-internal": "true",
            },
        },
        spec={
            "type": "LoadBalancer",
            "external_traffic_policy": "Local",
            "selector": {"app.kubernetes.io/name": service.name},
            "ports": [
                {
                    "name": Port.HTTP.value,
                    "port": EDGE_PORT,
                    "target_port": Port.HTTP.value,
                    "app_protocol": _PROTOCOLS[Port.HTTP],
                }
            ],
        },
        opts=options,
    )


_NOT_AWAITED = {"pulumi.com/skipAwait": "true"}
"""Whether pods are ready is awaited once, at the Deployment, which also says why they are not."""

_PROTOCOLS = {Port.HTTP: "http", Port.GRPC: "kubernetes.io/h2c", Port.RPC: "tcp"}
