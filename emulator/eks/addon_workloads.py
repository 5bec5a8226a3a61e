"""What EKS addons run in a cluster: DaemonSets and Deployments by their real names, as far as people see them.

The pods are placeholders here, but they are on the nodes that the real ones would be on, and ask for as much.
Requests, priorities and tolerations are those of the addons' charts (github.com/aws/eks-charts,
kubernetes-sigs/aws-ebs-csi-driver, ...). What else an addon brings (roles, webhooks, Services) is left out.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from emulator.cluster.client import ClusterClient
from emulator.cluster.resources import Resources
from emulator.cluster.status import ApiError
from emulator.cluster.store import Object

_REGISTRY: Final = "602401143452.dkr.ecr.{region}.amazonaws.com"
"""Where EKS keeps its addons' images in most regions."""
_MANAGER: Final = "eks"
_NOT_FOUND: Final = 404
_EVERYWHERE: Final = [{"operator": "Exists"}]
_CRITICAL: Final = [
    {"key": "CriticalAddonsOnly", "operator": "Exists"},
    {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"},
]
_NODE_CRITICAL, _CLUSTER_CRITICAL = "system-node-critical", "system-cluster-critical"
_RESOURCES: Final = Resources()

Container = tuple[str, str, str, str]
"""Name, image below the registry, CPU and memory asked for (empty: none)."""


@dataclass(frozen=True)
class Workload:
    """One DaemonSet, or a Deployment when it has `replicas`."""

    name: str
    containers: Sequence[Container]
    replicas: int = 0
    section: str = ""
    """Of the addon's configuration: what is about this workload."""
    service_account: str = ""
    priority: str = _NODE_CRITICAL
    tolerations: Sequence[Mapping[str, str]] = ()
    host_network: bool = False


def _csi(name: str, images: str, sidecars: Sequence[str], *, replicas: int = 2) -> tuple[Workload, Workload]:
    """A storage driver: its controller, and its part on every node."""
    plugin = (f"{name}-plugin", images, "10m", "40Mi")
    of_nodes = ("node-driver-registrar", "liveness-probe")
    return (
        Workload(
            f"{name}-csi-controller",
            (plugin, *((each, f"eks/{each}", "10m", "40Mi") for each in sidecars)),
            replicas=replicas,
            section="controller",
            service_account=f"{name}-csi-controller-sa",
            priority=_CLUSTER_CRITICAL,
            tolerations=_CRITICAL,
        ),
        Workload(
            f"{name}-csi-node",
            (plugin, *((each, f"eks/{each}", "10m", "40Mi") for each in of_nodes)),
            section="node",
            service_account=f"{name}-csi-node-sa",
            tolerations=_EVERYWHERE,
            host_network=name == "efs",
        ),
    )


def _agent(
    name: str,
    image: str,
    cpu: str,
    memory: str,
    *,
    host_network: bool = False,
    priority: str = _NODE_CRITICAL,
) -> tuple[Workload]:
    workload = Workload(
        *(name, ((name, image, cpu, memory),)),
        service_account=name,
        priority=priority,
        tolerations=_EVERYWHERE,
        host_network=host_network,
    )
    return (workload,)


def _server(
    name: str,
    image: str,
    cpu: str,
    memory: str,
    *,
    replicas: int,
    priority: str = "",
    tolerations: Sequence[Mapping[str, str]] = (),
) -> Workload:
    return Workload(
        *(name, ((name, image, cpu, memory),), replicas),
        service_account=name,
        priority=priority,
        tolerations=tolerations,
    )


WORKLOADS: Final[Mapping[str, Sequence[Workload]]] = {
    "vpc-cni": (
        Workload(
            "aws-node",
            (
                ("aws-node", "amazon-k8s-cni", "25m", ""),
                ("aws-eks-nodeagent", "amazon/aws-network-policy-agent", "25m", ""),
            ),
            service_account="aws-node",
            tolerations=_EVERYWHERE,
            host_network=True,
        ),
    ),
    "kube-proxy": _agent("kube-proxy", "eks/kube-proxy", "100m", "", host_network=True),
    "eks-pod-identity-agent": _agent(
        "eks-pod-identity-agent", "eks/eks-pod-identity-agent", "", "", host_network=True
    ),
    "eks-node-monitoring-agent": _agent(
        "eks-node-monitoring-agent", "eks/eks-node-monitoring-agent", "10m", "30Mi", host_network=True
    ),
    "coredns": (
        _server(
            *("coredns", "eks/coredns", "100m", "70Mi"),
            replicas=2,
            priority=_CLUSTER_CRITICAL,
            tolerations=_CRITICAL,
        ),
    ),
    "metrics-server": (
        _server(
            *("metrics-server", "eks/metrics-server", "100m", "200Mi"), replicas=2, priority=_CLUSTER_CRITICAL
        ),
    ),
    "aws-ebs-csi-driver": _csi(
        *("ebs", "eks/aws-ebs-csi-driver"),
        ("csi-provisioner", "csi-attacher", "csi-snapshotter", "csi-resizer", "liveness-probe"),
    ),
    "aws-efs-csi-driver": _csi("efs", "eks/aws-efs-csi-driver", ("csi-provisioner", "liveness-probe")),
    "aws-mountpoint-s3-csi-driver": _csi("s3", "eks/aws-s3-csi-driver", (), replicas=1),
    "snapshot-controller": (
        _server(
            *("snapshot-controller", "eks/snapshot-controller", "10m", "20Mi"),
            replicas=2,
            priority=_CLUSTER_CRITICAL,
        ),
    ),
    "kube-state-metrics": (
        _server("kube-state-metrics", "eks/kube-state-metrics", "10m", "190Mi", replicas=1),
    ),
    "prometheus-node-exporter": _agent(
        *("prometheus-node-exporter", "eks/prometheus-node-exporter", "", ""), host_network=True, priority=""
    ),
    "cert-manager": (
        _server("cert-manager", "eks/cert-manager-controller", "", "", replicas=1),
        _server("cert-manager-cainjector", "eks/cert-manager-cainjector", "", "", replicas=1),
        _server("cert-manager-webhook", "eks/cert-manager-webhook", "", "", replicas=1),
    ),
    "external-dns": (_server("external-dns", "eks/external-dns", "", "", replicas=1),),
    "amazon-cloudwatch-observability": (
        *_agent("cloudwatch-agent", "cloudwatch-agent", "250m", "128Mi", priority=""),
        *_agent("fluent-bit", "aws-for-fluent-bit", "50m", "25Mi", priority=""),
        _server(
            "amazon-cloudwatch-observability-controller-manager",
            *("cloudwatch-agent-operator", "100m", "64Mi"),
            replicas=1,
        ),
    ),
    "aws-guardduty-agent": _agent("aws-guardduty-agent", "aws-guardduty-agent", "200m", "256Mi"),
    "aws-secrets-store-csi-driver-provider": _agent(
        "secrets-store-csi-driver-provider-aws", "eks/secrets-store-csi-driver-provider-aws", "50m", "100Mi"
    ),
}


def manifests(addon: Mapping[str, Any], region: str) -> Iterator[Object]:
    """What an addon, as EKS describes it, has in the cluster."""
    namespace = addon["namespaceConfig"]["namespace"]
    configuration = _configuration(addon.get("configurationValues"))
    labels = {
        "app.kubernetes.io/managed-by": "EKS",
        "app.kubernetes.io/name": addon["addonName"],
        "app.kubernetes.io/version": addon["addonVersion"],
    }
    yield {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
    for workload in WORKLOADS.get(addon["addonName"], ()):
        account = {"name": workload.service_account, "namespace": namespace, "labels": labels}
        yield {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account}
        told = {**configuration, **_mapping(configuration.get(workload.section))}
        pod = _pod(workload, addon["addonVersion"], region, told)
        selected = {"app.kubernetes.io/name": addon["addonName"], "k8s-app": workload.name}
        spec: Object = {
            "selector": {"matchLabels": selected},
            "template": {"metadata": {"labels": selected}, "spec": pod},
        }
        if workload.replicas:
            spec["replicas"] = _replicas(told, workload.replicas)
        yield {
            "apiVersion": "apps/v1",
            "kind": "Deployment" if workload.replicas else "DaemonSet",
            "metadata": {"name": workload.name, "namespace": namespace, "labels": {**labels, **selected}},
            "spec": spec,
        }


def install(client: ClusterClient, objects: Sequence[Object]) -> None:
    """Put an addon's objects into the cluster, or change those that are there."""
    for obj in objects:
        client.apply(_RESOURCES[_plural(obj)], obj, _MANAGER)


def uninstall(client: ClusterClient, objects: Sequence[Object]) -> None:
    """Delete an addon's objects; a namespace stays."""
    for obj in objects:
        if obj["kind"] == "Namespace":
            continue
        try:
            client.delete(_RESOURCES[_plural(obj)], obj["metadata"]["namespace"], obj["metadata"]["name"])
        except ApiError as refusal:
            if refusal.code != _NOT_FOUND:
                raise


def _plural(obj: Object) -> str:
    group, _, _ = obj["apiVersion"].rpartition("/")
    return f"{obj['kind'].lower()}s" + (f".{group}" if group else "")


def _pod(workload: Workload, version: str, region: str, told: Mapping[str, Any]) -> Object:
    registry = _REGISTRY.format(region=region)
    pod: Object = {
        "serviceAccountName": workload.service_account,
        "priorityClassName": workload.priority,
        "hostNetwork": workload.host_network,
        "nodeSelector": {"kubernetes.io/os": "linux", **_mapping(told.get("nodeSelector"))},
        "affinity": _mapping(told.get("affinity")) or _apart(workload),
        "tolerations": [*(told.get("tolerations") or workload.tolerations)],
        "containers": [
            _container(name, f"{registry}/{image}:{version}", cpu, memory, told)
            for name, image, cpu, memory in workload.containers
        ],
    }
    return {name: value for name, value in pod.items() if value}


def _container(name: str, image: str, cpu: str, memory: str, told: Mapping[str, Any]) -> Object:
    requests = {kind: amount for kind, amount in (("cpu", cpu), ("memory", memory)) if amount}
    resources = _mapping(told.get("resources")) or ({"requests": requests} if requests else {})
    return {"name": name, "image": image, **({"resources": resources} if resources else {})}


def _apart(workload: Workload) -> Object:
    """Replicas prefer nodes of their own."""
    if not workload.replicas:
        return {}
    term = {
        "topologyKey": "kubernetes.io/hostname",
        "labelSelector": {"matchLabels": {"k8s-app": workload.name}},
    }
    preferred = [{"weight": 100, "podAffinityTerm": term}]
    return {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": preferred}}


def _replicas(told: Mapping[str, Any], usual: int) -> int:
    """The number that the configuration states, under one of the names that addons have for it."""
    scaling = _mapping(told.get("autoScaling"))
    least = scaling.get("minReplicas") if scaling.get("enabled") else None
    for number in (least, told.get("replicaCount"), told.get("replicas")):
        if isinstance(number, int):
            return number
    return usual


def _configuration(text: str | None) -> Mapping[str, Any]:
    """The addon's `configurationValues`: JSON or YAML; nothing for what is neither."""
    try:
        return _mapping(YAML(typ="safe", pure=True).load(text) if text else None)
    except YAMLError:
        return {}


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
