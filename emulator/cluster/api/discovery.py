"""What the server has: its version, and its groups, versions and resources as two generations of clients ask.

Older clients ask for /api, /apis and each group's version; newer ones get all of it at once, "aggregated".
https://kubernetes.io/docs/concepts/overview/kubernetes-api/#discovery-api
"""

import platform
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from emulator.cluster.api.negotiation import media_ranges
from emulator.cluster.api.reviews import REVIEWS
from emulator.cluster.resources import CLUSTER, NAMESPACED, Resource, Resources

_VERBS: Final = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
_CHANGED: Final = ("get", "patch", "update")
_SUBRESOURCES: Final[dict[tuple[str, str], tuple[tuple[str, str, str], tuple[str, ...]]]] = {
    ("pods", "log"): (("", "v1", "Pod"), ("get",)),
    ("pods", "eviction"): (("policy", "v1", "Eviction"), ("create",)),
    ("pods", "binding"): (("", "v1", "Binding"), ("create",)),
    ("namespaces", "finalize"): (("", "v1", "Namespace"), ("update",)),
    ("serviceaccounts", "token"): (("authentication.k8s.io", "v1", "TokenRequest"), ("create",)),
}
"""Group, version and kind of those that are not their resource's own, and what can be done with them."""
_ALWAYS: Final = {"namespaces": ("finalize",), "serviceaccounts": ("token",)}


@dataclass(frozen=True)
class _Sub:
    name: str
    kind: tuple[str, str, str]
    verbs: tuple[str, ...]


@dataclass(frozen=True)
class _Entry:
    resource: Resource
    verbs: tuple[str, ...] = _VERBS
    subresources: tuple[_Sub, ...] = field(default=())


def version_info(version: str) -> dict[str, str]:
    """What /version answers for a minor version of Kubernetes such as `1.35`."""
    major, minor = version.split(".")
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    return {
        "major": major,
        "minor": minor,
        "emulationMajor": major,
        "emulationMinor": minor,
        "gitVersion": f"v{version}.0-eks-pinwheel",
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": f"none: Python {platform.python_version()}",
        "compiler": sys.implementation.name,
        "platform": f"{sys.platform}/{machine}",
    }


def wants_aggregated(accept: str) -> bool:
    """Whether a client prefers all of the discovery at once."""
    for each in media_ranges(accept):
        if each.json and each.parameter("as") == "APIGroupDiscoveryList":
            return (each.parameter("g"), each.parameter("v")) == ("apidiscovery.k8s.io", "v2")
        if each.json:
            return False
    return False


def aggregated(resources: Resources, *, core: bool) -> dict[str, Any]:
    """All groups with all their resources: the core group, or all others."""
    items: list[dict[str, Any]] = []
    for group in _groups(resources):
        if (group == "") is core:
            versions = [
                {
                    "version": version,
                    "freshness": "Current",
                    "resources": [_aggregated_entry(entry) for entry in _entries(resources, group, version)],
                }
                for version in _versions(resources, group)
            ]
            items.append({"metadata": {"name": group, "creationTimestamp": None}, "versions": versions})
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": items,
    }


def core_versions(address: str) -> dict[str, Any]:
    """What /api answers; `address` is the host and port of the server."""
    return {
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": address}],
    }


def group_list(resources: Resources) -> dict[str, Any]:
    """What /apis answers."""
    groups = [_group(resources, name) for name in _groups(resources) if name]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}


def group(resources: Resources, name: str) -> dict[str, Any] | None:
    """What /apis/<name> answers; None when there is no such group."""
    if name not in _groups(resources):
        return None
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(resources, name)}


def resource_list(resources: Resources, group_name: str, version: str) -> dict[str, Any] | None:
    """What /api/v1 and /apis/<group>/<version> answer; None when there is no such version."""
    found = [listed for entry in _entries(resources, group_name, version) for listed in _listed(entry)]
    if not found:
        return None
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": f"{group_name}/{version}" if group_name else version,
        "resources": found,
    }


def _groups(resources: Resources) -> list[str]:
    """All groups: the core group, the built-in ones, those of CustomResourceDefinitions."""
    return list(dict.fromkeys([*(each.group for each in resources), *(name for name, _, _ in REVIEWS)]))


def _versions(resources: Resources, group_name: str) -> list[str]:
    """The preferred one first: stable before beta before alpha, later before earlier."""
    reviews = [version for name, version, _ in REVIEWS if name == group_name]
    versions = {each.version for each in resources if each.group == group_name}.union(reviews)
    return sorted(versions, key=_precedence)


def _precedence(version: str) -> tuple[int, int, int, str]:
    match = re.fullmatch(r"v(\d+)(?:(alpha|beta)(\d+))?", version)
    if match is None:
        return 3, 0, 0, version
    stability = {None: 0, "beta": 1, "alpha": 2}[match[2]]
    return stability, -int(match[1]), -int(match[3] or 0), version


def _entries(resources: Resources, group_name: str, version: str) -> Iterator[_Entry]:
    for resource in resources:
        if (resource.group, resource.version) == (group_name, version):
            names = (*resource.subresources, *_ALWAYS.get(resource.qualified, ()))
            yield _Entry(resource, subresources=tuple(_subresource(resource, name) for name in names))
    for (name, at, plural), kind in REVIEWS.items():
        if (name, at) == (group_name, version):
            yield _Entry(Resource(name, at, kind, plural, CLUSTER), verbs=("create",))


def _subresource(resource: Resource, name: str) -> _Sub:
    own = resource.group, resource.version, resource.kind
    if name == "scale":
        return _Sub(name, ("autoscaling", "v1", "Scale"), _CHANGED)
    kind, verbs = _SUBRESOURCES.get((resource.qualified, name), (own, _CHANGED))
    return _Sub(name, kind, verbs)


def _group(resources: Resources, name: str) -> dict[str, Any]:
    versions = [
        {"groupVersion": f"{name}/{version}", "version": version} for version in _versions(resources, name)
    ]
    return {"name": name, "versions": versions, "preferredVersion": versions[0]}


def _aggregated_entry(entry: _Entry) -> dict[str, Any]:
    resource = entry.resource
    told: dict[str, Any] = {
        "resource": resource.plural,
        "responseKind": _kind((resource.group, resource.version, resource.kind)),
        "scope": NAMESPACED if resource.namespaced else CLUSTER,
        "singularResource": resource.singular,
        "verbs": list(entry.verbs),
        "shortNames": list(resource.short_names),
        "categories": list(resource.categories),
        "subresources": [
            {"subresource": each.name, "responseKind": _kind(each.kind), "verbs": list(each.verbs)}
            for each in entry.subresources
        ],
    }
    return {name: value for name, value in told.items() if value}


def _listed(entry: _Entry) -> Iterator[dict[str, Any]]:
    resource = entry.resource
    told = {
        "name": resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": list(entry.verbs),
        "shortNames": list(resource.short_names),
        "categories": list(resource.categories),
    }
    yield {name: value for name, value in told.items() if value or name == "namespaced"}
    for each in entry.subresources:
        group_name, version, kind = each.kind
        foreign = (group_name, version) != (resource.group, resource.version)
        yield {
            "name": f"{resource.plural}/{each.name}",
            "singularName": "",
            "namespaced": resource.namespaced,
            **({"group": group_name, "version": version} if foreign else {}),
            "kind": kind,
            "verbs": list(each.verbs),
        }


def _kind(parts: tuple[str, str, str]) -> dict[str, str]:
    return dict(zip(("group", "version", "kind"), parts, strict=True))
