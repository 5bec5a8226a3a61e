"""The `scale` subresource: how many replicas, whatever the kind calls them.

https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#scale-subresource
"""

from collections.abc import Mapping
from typing import Any, Final

from emulator.cluster.resources import CRD, Resource, Resources
from emulator.cluster.store import Object, Store, copy_of

API_VERSION: Final = "autoscaling/v1"
_OPERATORS: Final = {"In": "in", "NotIn": "notin"}
_PATHS: Final = {
    "specReplicasPath": ".spec.replicas",
    "statusReplicasPath": ".status.replicas",
    "labelSelectorPath": ".spec.selector",
}


def scale_of(store: Store, resources: Resources, resource: Resource, obj: Object) -> Object:
    """The Scale of an object of a kind that has one."""
    paths, metadata = _paths(store, resources, resource), obj["metadata"]
    told = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    status = {"replicas": _at(obj, paths["statusReplicasPath"]) or 0}
    selector = _at(obj, paths.get("labelSelectorPath", ""))
    if selector:
        status["selector"] = selector if isinstance(selector, str) else selector_text(selector)
    return {
        "apiVersion": API_VERSION,
        "kind": "Scale",
        "metadata": {name: metadata[name] for name in told if name in metadata},
        "spec": {"replicas": _at(obj, paths["specReplicasPath"]) or 0},
        "status": status,
    }


def scaled(store: Store, resources: Resources, resource: Resource, obj: Object, replicas: int) -> Object:
    """A copy of the object with another number of replicas."""
    obj = copy_of(obj)
    *owners, last = _steps(_paths(store, resources, resource)["specReplicasPath"])
    owner: dict[str, Any] = obj
    for step in owners:
        owner = owner.setdefault(step, {})
    owner[last] = replicas
    return obj


def selector_text(selector: Mapping[str, Any]) -> str:
    """A label selector as in a query: `app=search,tier in (a,b)`; a map of labels is one too."""
    if "matchLabels" not in selector and "matchExpressions" not in selector:
        return ",".join(f"{key}={value}" for key, value in sorted(selector.items()))
    told = [f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    for each in selector.get("matchExpressions") or ():
        key, operator = each["key"], each["operator"]
        if operator in _OPERATORS:
            told.append(f"{key} {_OPERATORS[operator]} ({','.join(sorted(each.get('values') or ()))})")
        else:
            told.append(key if operator == "Exists" else f"!{key}")
    return ",".join(told)


def _paths(store: Store, resources: Resources, resource: Resource) -> Mapping[str, str]:
    definition = store.find(resources[f"{CRD.lower()}s.apiextensions.k8s.io"], "", resource.qualified)
    for version in (definition or {}).get("spec", {}).get("versions", ()):
        if version["name"] == resource.version:
            return version.get("subresources", {}).get("scale") or _PATHS
    return _PATHS


def _steps(path: str) -> list[str]:
    return [step for step in path.split(".") if step]


def _at(obj: Object, path: str) -> Any:
    found: Any = obj if path else None
    for step in _steps(path):
        found = found.get(step) if isinstance(found, Mapping) else None
    return found
