"""The environment of a container: what its object says, what its pod is, and where the Services are.

Rules and wording are the kubelet's (`makeEnvironmentVariables` in `pkg/kubelet/kubelet_pods.go`).
"""

import base64
import re
from collections.abc import Iterable, Mapping
from decimal import ROUND_CEILING
from typing import Any, Final

from emulator.cluster.quantities import parse_quantity
from emulator.cluster.resources import Resources
from emulator.cluster.store import Object, Store

_REFERENCE: Final = re.compile(r"\$\$|\$\((?P<name>[^()\s]+)\)")
_SUBSCRIPT: Final = re.compile(r"metadata\.(?P<field>labels|annotations)\['(?P<key>[^']+)'\]")


class ConfigError(Exception):
    """A container's environment refers to what is not there: CreateContainerConfigError."""


class Sources:
    """Where variables and files come from: the store, as a pod of one namespace sees it."""

    def __init__(self, store: Store, resources: Resources, namespace: str) -> None:
        self._store = store
        self._resources = resources
        self.namespace = namespace

    def config_map(self, name: str, *, optional: bool = False) -> dict[str, bytes] | None:
        """The files of a ConfigMap; None if it is not there and need not be. Raises ConfigError."""
        found = self._find("configmaps", "configmap", name, optional=optional)
        if found is None:
            return None
        texts = {key: str(value).encode() for key, value in (found.get("data") or {}).items()}
        return texts | {
            key: base64.b64decode(value) for key, value in (found.get("binaryData") or {}).items()
        }

    def secret(self, name: str, *, optional: bool = False) -> dict[str, bytes] | None:
        """The files of a Secret, in the same way."""
        found = self._find("secrets", "secret", name, optional=optional)
        return (
            None
            if found is None
            else {key: base64.b64decode(value) for key, value in (found.get("data") or {}).items()}
        )

    def services(self, namespace: str) -> list[Object]:
        """The Services of a namespace."""
        return self._store.list(self._resources["services"], namespace)

    def require_claim(self, name: str) -> None:
        """Raises ConfigError unless there is a PersistentVolumeClaim of this name."""
        self._find("persistentvolumeclaims", "persistentvolumeclaim", name, optional=False)

    def _find(self, plural: str, called: str, name: str, *, optional: bool) -> Object | None:
        found = self._store.find(self._resources[plural], self.namespace, name)
        if found is None and not optional:
            raise ConfigError(f'{called} "{name}" not found')
        return found


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Replace `$(NAME)`; `$$` is a dollar, and what is not defined stays as it is."""

    def replaced(found: re.Match[str]) -> str:
        if found["name"] is None:
            return "$"
        return variables.get(found["name"], found[0])

    return _REFERENCE.sub(replaced, text)


def container_variables(
    pod: Object, container: Mapping[str, Any], sources: Sources, base: Mapping[str, str]
) -> dict[str, str]:
    """All variables: `base`, then the links to Services, then `envFrom`, then `env`. Raises ConfigError.

    `pod` has its addresses in its status already.
    """
    linked = pod["spec"].get("enableServiceLinks", True)
    links = service_links(sources.services(sources.namespace)) if linked else {}
    api = [each for each in sources.services("default") if each["metadata"]["name"] == "kubernetes"]
    given = {**service_links(api), **links}
    own: dict[str, str] = {}
    for source in container.get("envFrom") or ():
        own |= _all_of(source, sources)
    for variable in container.get("env") or ():
        value = _value(variable, pod, container, sources, {**base, **given, **own})
        if value is not None:
            own[variable["name"]] = value
    return {**base, **given, **own}


def service_links(services: Iterable[Object]) -> dict[str, str]:
    """The variables of Docker's links for each Service with an address (`pkg/kubelet/envvars`)."""
    variables: dict[str, str] = {}
    for service in services:
        address, ports = service["spec"].get("clusterIP"), service["spec"].get("ports") or []
        if not address or address == "None" or not ports:
            continue
        prefix = service["metadata"]["name"].upper().replace("-", "_")
        variables[f"{prefix}_SERVICE_HOST"] = address
        variables[f"{prefix}_SERVICE_PORT"] = str(ports[0]["port"])
        for place, port in enumerate(ports):
            protocol = port.get("protocol", "TCP")
            url = f"{protocol.lower()}://{address}:{port['port']}"
            if port.get("name"):
                variables[f"{prefix}_SERVICE_PORT_{port['name'].upper().replace('-', '_')}"] = str(
                    port["port"]
                )
            if place == 0:
                variables[f"{prefix}_PORT"] = url
            long = f"{prefix}_PORT_{port['port']}_{protocol}"
            variables |= {
                long: url,
                f"{long}_PROTO": protocol.lower(),
                f"{long}_PORT": str(port["port"]),
                f"{long}_ADDR": address,
            }
    return variables


def pod_field(pod: Object, path: str) -> str:
    """The downward API's value of a field. Raises ConfigError for what it does not offer."""
    metadata, spec, status = pod["metadata"], pod["spec"], pod.get("status") or {}
    subscript = _SUBSCRIPT.fullmatch(path)
    if subscript:
        return (metadata.get(subscript["field"]) or {}).get(subscript["key"], "")
    if path in {"metadata.labels", "metadata.annotations"}:
        values = metadata.get(path.removeprefix("metadata.")) or {}
        return "\n".join(f"{key}={_quoted(values[key])}" for key in sorted(values))
    fields = {
        "metadata.name": metadata["name"],
        "metadata.namespace": metadata["namespace"],
        "metadata.uid": metadata.get("uid"),
        "spec.nodeName": spec.get("nodeName"),
        "spec.serviceAccountName": spec.get("serviceAccountName", "default"),
        "status.podIP": status.get("podIP"),
        "status.podIPs": ",".join(each["ip"] for each in status.get("podIPs") or ()),
        "status.hostIP": status.get("hostIP"),
        "status.hostIPs": ",".join(each["ip"] for each in status.get("hostIPs") or ()),
    }
    if path not in fields:
        raise ConfigError(f"unsupported fieldPath: {path}")
    return fields[path] or ""


def resource_field(pod: Object, container: Mapping[str, Any], selector: Mapping[str, Any]) -> str:
    """The downward API's value of a limit or request, in units of its divisor, rounded up."""
    name = selector.get("containerName")
    if name:
        containers = [*(pod["spec"].get("initContainers") or ()), *pod["spec"]["containers"]]
        found = [each for each in containers if each["name"] == name]
        if not found:
            raise ConfigError(f"container {name} not found")
        container = found[0]
    kind, _, resource = selector["resource"].partition(".")
    resources = container.get("resources") or {}
    value = (resources.get(kind) or {}).get(resource)
    if value is None and kind == "requests":
        value = (resources.get("limits") or {}).get(resource)
    divisor = parse_quantity(selector.get("divisor") or "1") or parse_quantity("1")
    number = parse_quantity(value if value is not None else "0") / divisor
    return str(number.to_integral_value(ROUND_CEILING))


def _all_of(source: Mapping[str, Any], sources: Sources) -> dict[str, str]:
    values: Mapping[str, bytes] | None = None
    for kind, read in (("configMapRef", sources.config_map), ("secretRef", sources.secret)):
        if source.get(kind):
            values = read(source[kind]["name"], optional=bool(source[kind].get("optional")))
    prefix = source.get("prefix") or ""
    return {f"{prefix}{key}": value.decode("utf-8", "replace") for key, value in (values or {}).items()}


def _value(
    variable: Mapping[str, Any],
    pod: Object,
    container: Mapping[str, Any],
    sources: Sources,
    so_far: Mapping[str, str],
) -> str | None:
    given = variable.get("valueFrom")
    if not given:
        return expand(variable.get("value") or "", so_far)
    if "fieldRef" in given:
        return pod_field(pod, given["fieldRef"]["fieldPath"])
    if "resourceFieldRef" in given:
        return resource_field(pod, container, given["resourceFieldRef"])
    for kind, called, read in (
        ("configMapKeyRef", "ConfigMap", sources.config_map),
        ("secretKeyRef", "Secret", sources.secret),
    ):
        if kind in given:
            return _key(given[kind], called, sources.namespace, read)
    raise ConfigError(f"variable {variable['name']}: valueFrom {', '.join(given)} is not known")


def _key(reference: Mapping[str, Any], called: str, namespace: str, read: Any) -> str | None:
    name, key, optional = reference["name"], reference["key"], bool(reference.get("optional"))
    values: dict[str, bytes] | None = read(name, optional=optional)
    if values is not None and key in values:
        return values[key].decode("utf-8", "replace")
    if optional:
        return None
    raise ConfigError(f"couldn't find key {key} in {called} {namespace}/{name}")


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
