"""Which pods are behind a Service: EndpointSlices, and the older Endpoints for those who still read them.

Follows `pkg/controller/endpointslice` and `pkg/controller/endpoint`: a pod that is being deleted is no longer
ready from the moment of its deletion, though it may still serve.
"""

from collections.abc import Iterable
from typing import Any, Final

import orjson

from emulator.cluster.controllers.hashing import safe_hash
from emulator.cluster.controllers.indexes import Indexes, SelectorIndex
from emulator.cluster.owners import controlled_by, controller_of
from emulator.cluster.pods import is_ready, is_terminated
from emulator.cluster.resources import Resources
from emulator.cluster.store import Event, Key, Object, Store, is_terminating, key_of

SERVICE_NAME: Final = "kubernetes.io/service-name"
_MANAGED_BY: Final = "endpointslice.kubernetes.io/managed-by"
_MANAGER: Final = "endpointslice-controller.k8s.io"
_HEADLESS: Final = "service.kubernetes.io/headless"
_ZONE: Final = "topology.kubernetes.io/zone"
_SLICE_SIZE: Final = 100

_Port = dict[str, Any]
_Groups = list[tuple[list[_Port], list[Object]]]
"""Pods by the ports that the Service has on them: a named target port may be another number on each."""


class Endpoints:
    """The controller of what stands behind Services."""

    def __init__(self, store: Store, resources: Resources, indexes: Indexes) -> None:
        self._store = store
        self._indexes = indexes
        self._services = resources["services"]
        self._slices = resources["endpointslices.discovery.k8s.io"]
        self._endpoints = resources["endpoints"]
        self._pods = resources["pods"]
        self._nodes = resources["nodes"]
        self._selecting = SelectorIndex()

    def concerned(self, event: Event) -> Iterable[Key]:
        """The Service itself, those that select a pod, and that of an EndpointSlice or Endpoints."""
        match event.resource.key:
            case self._services.key:
                selector = event.object["spec"].get("selector")
                if event.type == "DELETED" or not selector:
                    self._selecting.remove(event.key)
                else:
                    self._selecting.put(event.key, selector)
                return (event.key,)
            case self._pods.key:
                if event.before is not None and _relevant(event.before) == _relevant(event.object):
                    return () if event.type != "DELETED" else self._selecting.candidates(event.before)
                pods = [pod for pod in (event.before, event.object) if pod is not None]
                return [key for pod in pods for key in self._selecting.candidates(pod)]
            case self._slices.key:
                owner = controller_of(event.object)
                return ((event.key[0], owner["name"]),) if owner else ()
            case self._endpoints.key:
                return (event.key,)
            case _:
                return ()

    def reconcile(self, key: Key) -> float | None:
        """Write the slices and the Endpoints of one Service."""
        service = self._store.find(self._services, *key)
        if service is None:
            found = self._store.find(self._endpoints, *key)
            if found is not None and _managed_here(found):
                self._store.delete(self._endpoints, *key)
            return None
        spec = service["spec"]
        if not spec.get("selector") or spec.get("type") == "ExternalName":
            return None  # whoever made the Service says itself where it leads
        pods = self._indexes.pods_with(key[0], spec["selector"])
        groups = _by_ports(service, sorted(filter(_is_listed, pods), key=lambda pod: pod["metadata"]["name"]))
        self._write_slices(service, groups)
        self._write_endpoints(service, groups)
        return None

    def _write_slices(self, service: Object, groups: _Groups) -> None:
        namespace = service["metadata"]["namespace"]
        wanted = {
            name: self._slice(service, name, ports, pods)
            for ports, listed in groups or [(_ports_without_pods(service), [])]
            for place in range(0, max(len(listed), 1), _SLICE_SIZE)
            for pods in [listed[place : place + _SLICE_SIZE]]
            for name in [f"{service['metadata']['name']}-{safe_hash([ports, place])}"]
        }
        for present in self._indexes.controlled(self._slices, service):
            name = present["metadata"]["name"]
            if name not in wanted:
                self._store.delete(self._slices, namespace, name)
        for name, told in wanted.items():
            present = self._store.find(self._slices, namespace, name)
            if present is None:
                self._store.create(self._slices, told)
            else:
                metadata = {**present["metadata"], **told["metadata"]}
                self._store.update(self._slices, {**told, "metadata": metadata})

    def _slice(self, service: Object, name: str, ports: list[_Port], pods: list[Object]) -> Object:
        metadata = service["metadata"]
        labels = {
            **(metadata.get("labels") or {}),
            SERVICE_NAME: metadata["name"],
            _MANAGED_BY: _MANAGER,
            **({_HEADLESS: ""} if service["spec"].get("clusterIP") == "None" else {}),
        }
        return {
            "apiVersion": self._slices.api_version,
            "kind": self._slices.kind,
            "metadata": {
                "name": name,
                "generateName": f"{metadata['name']}-",
                "namespace": metadata["namespace"],
                "labels": labels,
                "ownerReferences": [controlled_by(self._services, service)],
            },
            "addressType": "IPv4",
            "endpoints": [self._endpoint(service, pod) for pod in pods],
            "ports": ports,
        }

    def _endpoint(self, service: Object, pod: Object) -> Object:
        serving, terminating = is_ready(pod), is_terminating(pod)
        published = service["spec"].get("publishNotReadyAddresses", False)
        endpoint: Object = {
            "addresses": [pod["status"]["podIP"]],
            "conditions": {
                "ready": published or (serving and not terminating),
                "serving": serving,
                "terminating": terminating,
            },
            "targetRef": _target(pod),
        }
        hostname = _hostname(service, pod)
        if hostname:
            endpoint["hostname"] = hostname
        node = pod["spec"].get("nodeName")
        if node:
            endpoint["nodeName"] = node
            found = self._store.find(self._nodes, "", node)
            zone = ((found or {}).get("metadata", {}).get("labels") or {}).get(_ZONE)
            if zone:
                endpoint["zone"] = zone
        return endpoint

    def _write_endpoints(self, service: Object, groups: _Groups) -> None:
        metadata = service["metadata"]
        published = service["spec"].get("publishNotReadyAddresses", False)
        subsets: list[Object] = []
        for ports, pods in groups:
            lasting = [pod for pod in pods if published or not is_terminating(pod)]
            ready = [_address(service, pod) for pod in lasting if published or is_ready(pod)]
            unready = [_address(service, pod) for pod in lasting if not published and not is_ready(pod)]
            told = {"addresses": ready, "notReadyAddresses": unready, "ports": ports}
            if lasting:
                subsets.append({name: value for name, value in told.items() if value})
        headless = {_HEADLESS: ""} if service["spec"].get("clusterIP") == "None" else {}
        labels = {
            **(metadata.get("labels") or {}),
            **headless,
            "endpoints.kubernetes.io/managed-by": "endpoint-controller",
        }
        told = {
            "apiVersion": "v1",
            "kind": "Endpoints",
            "metadata": {"name": metadata["name"], "namespace": metadata["namespace"], "labels": labels},
            **({"subsets": subsets} if subsets else {}),
        }
        present = self._store.find(self._endpoints, *key_of(service))
        if present is None:
            self._store.create(self._endpoints, told)
        else:
            own = {**present["metadata"], "labels": labels}
            self._store.update(self._endpoints, {**told, "metadata": own})


def _relevant(pod: Object) -> tuple[Any, ...]:
    """What of a pod its Services show."""
    status = pod.get("status") or {}
    return (
        pod["metadata"].get("labels"),
        status.get("podIP"),
        status.get("phase"),
        is_ready(pod),
        is_terminating(pod),
        pod["spec"].get("nodeName"),
    )


def _is_listed(pod: Object) -> bool:
    return bool((pod.get("status") or {}).get("podIP")) and not is_terminated(pod)


def _managed_here(endpoints: Object) -> bool:
    labels = endpoints["metadata"].get("labels") or {}
    return labels.get("endpoints.kubernetes.io/managed-by") == "endpoint-controller"


def _by_ports(service: Object, pods: list[Object]) -> _Groups:
    groups: dict[bytes, tuple[list[_Port], list[Object]]] = {}
    for pod in pods:
        ports = _ports(service, pod)
        groups.setdefault(orjson.dumps(ports), (ports, []))[1].append(pod)
    return list(groups.values())


def _ports(service: Object, pod: Object) -> list[_Port]:
    """The Service's ports as the pod has them; one whose name the pod does not know is left out."""
    found: list[_Port] = []
    for port in service["spec"].get("ports") or ():
        number = _number(port, pod)
        if number is not None:
            found.append(_shown(port, number))
    return found


def _ports_without_pods(service: Object) -> list[_Port]:
    """What a slice without endpoints shows: the ports whose numbers no pod has to say."""
    ports = service["spec"].get("ports") or ()
    told = [(port, port.get("targetPort") or port["port"]) for port in ports]
    return [_shown(port, number) for port, number in told if isinstance(number, int)]


def _shown(port: _Port, number: int) -> _Port:
    shown = {"name": port.get("name", ""), "port": number, "protocol": port.get("protocol", "TCP")}
    if port.get("appProtocol"):
        shown["appProtocol"] = port["appProtocol"]
    return shown


def _number(port: _Port, pod: Object) -> int | None:
    target = port.get("targetPort") or port["port"]
    if isinstance(target, int):
        return target
    spec, protocol = pod["spec"], port.get("protocol", "TCP")
    sidecars = [each for each in spec.get("initContainers") or () if each.get("restartPolicy") == "Always"]
    for container in (*spec["containers"], *sidecars):
        for each in container.get("ports") or ():
            if each.get("name") == target and each.get("protocol", "TCP") == protocol:
                return each["containerPort"]
    return None


def _hostname(service: Object, pod: Object) -> str:
    """The name that the pod has under the Service's: that of a StatefulSet's pods."""
    belongs = pod["spec"].get("subdomain") == service["metadata"]["name"]
    return pod["spec"].get("hostname", "") if belongs else ""


def _target(pod: Object) -> Object:
    metadata = pod["metadata"]
    return {
        "kind": "Pod",
        "namespace": metadata["namespace"],
        "name": metadata["name"],
        "uid": metadata["uid"],
    }


def _address(service: Object, pod: Object) -> Object:
    address: Object = {"ip": pod["status"]["podIP"]}
    hostname = _hostname(service, pod)
    if hostname:
        address["hostname"] = hostname
    if pod["spec"].get("nodeName"):
        address["nodeName"] = pod["spec"]["nodeName"]
    return {**address, "targetRef": _target(pod)}
