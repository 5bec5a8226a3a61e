"""What the API server's admission plugins and allocators do to a new object, with a look at others.

NamespaceLifecycle, Priority, and the allocation of cluster addresses and node ports for Services.
"""

from collections.abc import Callable
from typing import Any, Final

from emulator.cluster.resources import Resource, Resources
from emulator.cluster.status import ApiError, Cause, forbidden, not_found
from emulator.cluster.store import Object, Store

_NODE_PORTS: Final = range(30_000, 32_768)
_SYSTEM_PRIORITIES: Final = {"system-node-critical", "system-cluster-critical"}


def check_namespace(store: Store, resources: Resources, resource: Resource, obj: Object) -> None:
    """Raise ApiError 404 for a namespace that is not there, 403 for one that goes."""
    if not resource.namespaced:
        return
    name = obj["metadata"]["namespace"]
    namespaces = resources["namespaces"]
    found = store.find(namespaces, "", name)
    if found is None:
        raise not_found(namespaces, name)
    if "deletionTimestamp" in found["metadata"]:
        refused: ApiError = forbidden(
            resource,
            obj["metadata"].get("name", ""),
            f"unable to create new content in namespace {name} because it is being terminated",
        )
        message = f"namespace {name} is being terminated"
        refused.causes = (Cause("metadata.namespace", message, "NamespaceTerminating"),)
        raise refused


def set_priority(store: Store, resources: Resources, pod: Object) -> None:
    """Give a new pod the priority of its PriorityClass, in place. Raises ApiError 403 when there is none."""
    spec: dict[str, Any] = pod["spec"]
    name = spec.get("priorityClassName")
    classes = resources["priorityclasses.scheduling.k8s.io"]
    if name in _SYSTEM_PRIORITIES:
        return
    if not name:
        chosen = next((each for each in store.list(classes) if each.get("globalDefault")), None)
        if chosen is None:
            return
        spec["priorityClassName"] = chosen["metadata"]["name"]
    else:
        chosen = store.find(classes, "", name)
        if chosen is None:
            text = f"no PriorityClass with name {name} was found"
            raise forbidden(resources["pods"], pod["metadata"].get("name", ""), text)
    spec["priority"] = chosen["value"]
    spec["preemptionPolicy"] = chosen.get("preemptionPolicy", "PreemptLowerPriority")


def allocate_for_service(
    store: Store, resources: Resources, service: Object, allocate_cluster_ip: Callable[[], str] | None
) -> None:
    """Give a Service the address and the node ports that it lacks, in place."""
    spec: dict[str, Any] = service["spec"]
    if spec.get("type") == "ExternalName":
        return
    if not spec.get("clusterIP"):
        given = spec.get("clusterIPs") or ()
        address = given[0] if given else allocate_cluster_ip() if allocate_cluster_ip else ""
        if address:
            spec["clusterIP"] = address
    if spec.get("clusterIP"):
        spec.setdefault("clusterIPs", [spec["clusterIP"]])
    if spec["type"] in {"NodePort", "LoadBalancer"} and spec.get("allocateLoadBalancerNodePorts", True):
        taken = {
            port.get("nodePort")
            for each in store.list(resources["services"])
            for port in each["spec"].get("ports") or ()
        }
        for port in spec.get("ports") or ():
            if not port.get("nodePort"):
                port["nodePort"] = next(each for each in _NODE_PORTS if each not in taken)
            taken.add(port["nodePort"])


def keep_allocated(before: Object, after: Object) -> None:
    """Give an update of a Service, in place, what it leaves out and the server had allocated."""
    old, new = before["spec"], after.setdefault("spec", {})
    if "ExternalName" in {old.get("type"), new.get("type")}:
        return
    for field in ("clusterIP", "clusterIPs"):
        if not new.get(field) and old.get(field):
            new[field] = old[field]
    if new.get("type") not in {"NodePort", "LoadBalancer"}:
        return
    known = {
        (port.get("port"), port.get("protocol")): port.get("nodePort") for port in old.get("ports") or ()
    }
    for port in new.get("ports") or ():
        former = known.get((port.get("port"), port.get("protocol", "TCP")))
        if not port.get("nodePort") and former:
            port["nodePort"] = former
