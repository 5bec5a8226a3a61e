"""What a cluster has before anybody has asked for anything."""

from typing import Any, Final

from emulator.cluster.controllers.namespaces import FINALIZER
from emulator.cluster.resources import Resources
from emulator.cluster.store import Object, Store
from emulator.cluster.writes import defaults

NAMESPACES: Final = ("default", "kube-system", "kube-public", "kube-node-lease")
_PRIORITIES: Final = {
    "system-cluster-critical": (
        2_000_000_000,
        "Used for system critical pods that must run in the cluster, but can be moved to another node if "
        "necessary.",
    ),
    "system-node-critical": (
        2_000_001_000,
        "Used for system critical pods that must not be moved from their current node.",
    ),
}
_RBAC: Final = "rbac.authorization.k8s.io"
_WHERE_IT_LISTENS: Final = ("endpoints", "endpointslices.discovery.k8s.io")
_DEFAULTS: Final = {"kubernetes.io/bootstrapping": "rbac-defaults"}


def bootstrap(store: Store, resources: Resources, *, cluster_ip: str, address: str, port: int) -> None:
    """Create the built-in namespaces, the Service `kubernetes`, priority classes and the administrator's role.

    What is there is left as it is, but for the Service's only endpoint: `address` and `port`, where the API server
    listens this time. `cluster_ip` is the Service's.
    """

    def once(plural: str, name: str, content: Object, namespace: str = "", **metadata: Any) -> None:
        resource = resources[plural]
        present = store.find(resource, namespace, name)
        if present is not None:
            if plural in _WHERE_IT_LISTENS:
                store.update(resource, {**present, **content})
            return
        told = {"name": name, **({"namespace": namespace} if namespace else {}), **metadata}
        obj = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": told, **content}
        store.create(resource, defaults.apply(resource, obj))

    for name in NAMESPACES:
        once("namespaces", name, {}, finalizers=[FINALIZER])
    for name, (value, description) in _PRIORITIES.items():
        content = {"value": value, "description": description}
        once("priorityclasses.scheduling.k8s.io", name, content)
    rules = [
        {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]},
        {"nonResourceURLs": ["*"], "verbs": ["*"]},
    ]
    once(f"clusterroles.{_RBAC}", "cluster-admin", {"rules": rules}, labels=_DEFAULTS)
    binding = {
        "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"apiGroup": _RBAC, "kind": "Group", "name": "system:masters"}],
    }
    once(f"clusterrolebindings.{_RBAC}", "cluster-admin", binding, labels=_DEFAULTS)
    labels = {"component": "apiserver", "provider": "kubernetes"}
    once("services", "kubernetes", _service(cluster_ip, port), "default", labels=labels)
    ports = [{"name": "https", "port": port, "protocol": "TCP"}]
    subsets = {"subsets": [{"addresses": [{"ip": address}], "ports": ports}]}
    mirrored = {"endpointslice.kubernetes.io/skip-mirror": "true"}
    once("endpoints", "kubernetes", subsets, "default", labels=mirrored)
    endpoints = [{"addresses": [address], "conditions": {"ready": True}}]
    once(
        *("endpointslices.discovery.k8s.io", "kubernetes"),
        {"addressType": "IPv4", "endpoints": endpoints, "ports": ports},
        "default",
        labels={"kubernetes.io/service-name": "kubernetes"},
    )


def _service(cluster_ip: str, port: int) -> Object:
    ports = [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": port}]
    return {"spec": {"ports": ports, "clusterIP": cluster_ip}}
