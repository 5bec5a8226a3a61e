"""The columns of what leads to pods."""

from collections.abc import Mapping
from typing import Any, Final

from emulator.cluster.api.tables.columns import (
    AGE,
    NAME,
    NONE,
    UNKNOWN,
    UNSET,
    at,
    at_most,
    column,
    field,
    labels,
    selector,
)
from emulator.cluster.store import Object

_SHOWN = 3
"""Addresses, ports and hosts, before `+ 2 more...`."""


def _external_ip(service: Object) -> str:
    spec = service["spec"]
    external = list(spec.get("externalIPs") or ())
    match spec.get("type"):
        case "ClusterIP" | "NodePort":
            return ",".join(external) or NONE
        case "LoadBalancer":
            return ",".join([*_load_balancers(service), *external]) or "<pending>"
        case "ExternalName":
            return spec.get("externalName", "")
        case _:
            return UNKNOWN


def _load_balancers(obj: Object) -> list[str]:
    ingress = at(obj, "status.loadBalancer.ingress") or ()
    return sorted({each.get("ip") or each.get("hostname") or "" for each in ingress} - {""})


def _service_ports(service: Object) -> str:
    return ",".join(_service_port(each) for each in service["spec"].get("ports") or ()) or NONE


def _service_port(port: Mapping[str, Any]) -> str:
    node_port = f":{port['nodePort']}" if port.get("nodePort") else ""
    return f"{port['port']}{node_port}/{port.get('protocol', 'TCP')}"


def _endpoints(endpoints: Object) -> str:
    found: list[str] = []
    for subset in endpoints.get("subsets") or ():
        addresses = [each["ip"] for each in subset.get("addresses") or ()]
        ports = subset.get("ports")
        if not ports:
            found += addresses
        for port in ports or ():
            found += [_joined(address, port["port"]) for address in addresses]
    return at_most(found, _SHOWN) or NONE


def _joined(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _slice_ports(endpoint_slice: Object) -> str:
    ports = endpoint_slice.get("ports") or ()
    return at_most([str(each.get("port") or each.get("name") or "*") for each in ports], _SHOWN) or UNSET


def _slice_endpoints(endpoint_slice: Object) -> str:
    endpoints = endpoint_slice.get("endpoints") or ()
    return at_most([address for each in endpoints for address in each["addresses"]], _SHOWN) or UNSET


def _hosts(ingress: Object) -> str:
    rules = ingress["spec"].get("rules") or ()
    return at_most([each["host"] for each in rules if each.get("host")], _SHOWN) or "*"


def _class_parameters(ingress_class: Object) -> str:
    parameters = at(ingress_class, "spec.parameters")
    if not parameters:
        return NONE
    group = f".{parameters['apiGroup']}" if parameters.get("apiGroup") else ""
    return f"{parameters['kind']}{group}/{parameters['name']}"


SERVICES: Final = (
    NAME,
    field("Type", "spec.type"),
    field("Cluster-IP", "spec.clusterIP", absent=NONE),
    column("External-IP", _external_ip),
    column("Port(s)", _service_ports),
    AGE,
    column("Selector", lambda obj: labels(at(obj, "spec.selector")), wide=True),
)
ENDPOINTS: Final = (NAME, column("Endpoints", _endpoints), AGE)
ENDPOINT_SLICES: Final = (
    NAME,
    field("AddressType", "addressType"),
    column("Ports", _slice_ports),
    column("Endpoints", _slice_endpoints),
    AGE,
)
INGRESSES: Final = (
    NAME,
    field("Class", "spec.ingressClassName", absent=NONE),
    column("Hosts", _hosts),
    column("Address", lambda obj: ",".join(_load_balancers(obj))),
    column("Ports", lambda obj: "80, 443" if at(obj, "spec.tls") else "80"),
    AGE,
)
INGRESS_CLASSES: Final = (
    NAME,
    field("Controller", "spec.controller"),
    column("Parameters", _class_parameters),
    AGE,
)
NETWORK_POLICIES: Final = (
    NAME,
    column("Pod-Selector", lambda obj: selector(at(obj, "spec.podSelector") or {})),
    AGE,
)
