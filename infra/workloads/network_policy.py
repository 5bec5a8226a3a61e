"""Who may talk to whom. Nothing in the namespace may, unless a declaration says so.

Kubelets reach the pods of their own node whatever policies say, so probes need no rule. EKS enforces these by
the VPC CNI (`enableNetworkPolicy`, `infra/eks/addons.py`).
"""

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.networking.v1 import (
    NetworkPolicyEgressRuleArgsDict,
    NetworkPolicyIngressRuleArgsDict,
    NetworkPolicyPeerArgsDict,
    NetworkPolicyPortArgsDict,
)

from infra.data.security_groups import KAFKA_IAM, MYSQL
from infra.gpu_nodes.gpu_system import SCRAPES_METRICS
from infra.network.address_plan import plan
from infra.workloads.identity import needs_aws
from infra.workloads.platform import Platform
from infra.workloads.service import OPERATIONS_PORT, Service

POD_IDENTITY_AGENT = "169.254.170.23/32"
"""Where pods get their credentials. Source: EKS user guide, "EKS Pod Identity restrictions"."""

_ANYWHERE = "0.0.0.0/0"
_DNS, _HTTP, _HTTPS = 53, 80, 443


def deny_all(
    name: str, namespace: str, options: pulumi.ResourceOptions
) -> kubernetes.networking.v1.NetworkPolicy:
    """What holds for every pod of the namespace: nobody in, nobody out, but for names."""
    return kubernetes.networking.v1.NetworkPolicy(
        name,
        metadata={"name": "deny-all", "namespace": namespace},
        spec={
            "pod_selector": {},
            "policy_types": ["Ingress", "Egress"],
            "egress": [{"to": [_CLUSTER_DNS], "ports": [_port(_DNS, "UDP"), _port(_DNS)]}],
        },
        opts=options,
    )


def of_service(
    service: Service, platform: Platform, options: pulumi.ResourceOptions
) -> kubernetes.networking.v1.NetworkPolicy:
    """The service's exceptions: its callers and Prometheus in; whom it calls, its data and AWS out."""
    return kubernetes.networking.v1.NetworkPolicy(
        service.name,
        metadata={
            "name": service.name,
            "namespace": platform.namespace,
            "labels": {"app.kubernetes.io/name": service.name},
        },
        spec={
            "pod_selector": {"match_labels": {"app.kubernetes.io/name": service.name}},
            "policy_types": ["Ingress", "Egress"],
            "ingress": _ingress(service, platform),
            "egress": _egress(service, platform),
        },
        opts=options,
    )


def _ingress(service: Service, platform: Platform) -> list[NetworkPolicyIngressRuleArgsDict]:
    rules: list[NetworkPolicyIngressRuleArgsDict] = [
        {
            "from_": [{"namespace_selector": {"match_labels": SCRAPES_METRICS}}],
            "ports": [_port(OPERATIONS_PORT)],
        }
    ]
    ports = [_port(port.number) for port in service.ports]
    callers = platform.callers[service.name]
    if callers:
        rules.append({"from_": [_pods(name) for name in callers], "ports": ports})
    if service.edge:
        # The load balancer and CloudFront's interfaces are in the VPC.
        rules.append({"from_": [_network(str(platform.environment.network.cidr))], "ports": ports})
    return rules


def _egress(service: Service, platform: Platform) -> list[NetworkPolicyEgressRuleArgsDict]:
    rules: list[NetworkPolicyEgressRuleArgsDict] = [
        {"to": [_pods(callee.name)], "ports": [_port(port.number) for port in callee.ports]}
        for callee in platform.callees[service.name]
    ]
    data = [
        _network(zone.intra) for zone in plan(platform.environment.network.cidr, platform.environment.zones)
    ]
    if service.database is not None:
        rules.append({"to": data, "ports": [_port(MYSQL)]})
    if service.reads or service.writes:
        rules.append({"to": data, "ports": [_port(KAFKA_IAM)]})
    if needs_aws(service):
        rules.append({"to": [_network(POD_IDENTITY_AGENT)], "ports": [_port(_HTTP)]})
    if needs_aws(service) or service.edge:  # the edge fetches the keys of the user pool
        rules.append({"to": [_network(_ANYWHERE)], "ports": [_port(_HTTPS)]})
    return rules


def _pods(service: str) -> NetworkPolicyPeerArgsDict:
    return {"pod_selector": {"match_labels": {"app.kubernetes.io/name": service}}}


def _network(cidr: str) -> NetworkPolicyPeerArgsDict:
    return {"ip_block": {"cidr": cidr}}


def _port(number: int, protocol: str = "TCP") -> NetworkPolicyPortArgsDict:
    return {"port": number, "protocol": protocol}


_CLUSTER_DNS: NetworkPolicyPeerArgsDict = {
    "namespace_selector": {"match_labels": {"kubernetes.io/metadata.name": "kube-system"}},
    "pod_selector": {"match_labels": {"k8s-app": "kube-dns"}},
}
