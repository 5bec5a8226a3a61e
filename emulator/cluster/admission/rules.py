"""What the API server checks between the fields of one Kubernetes object, where a schema sees one field.

The rules are those of `k8s.io/kubernetes/pkg/apis/core/validation` and `apps/validation`, as far as a service
platform meets them: names, labels, selectors, containers, ports, volumes, resources and tolerations.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from emulator.cluster.quantities import parse_quantity
from emulator.problem import Problem, join, one_of

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SERVICE = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_QUALIFIED = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_PORT_NAME = re.compile(r"(?=.*[a-z])(?!.*--)[a-z0-9]([-a-z0-9]*[a-z0-9])?")

_LABEL_FORM = "up to 63 lower-case letters, digits and hyphens, beginning and ending with a letter or digit"
_SUBDOMAIN_FORM = "up to 253 lower-case letters, digits, hyphens and full stops, as a DNS name"
_LABEL_VALUE_FORM = "up to 63 letters, digits, - _ and ., beginning and ending with a letter or digit"

_LABEL_LENGTH, _SUBDOMAIN_LENGTH, _PORT_NAME_LENGTH, _LAST_PORT = 63, 253, 15, 65535

_SELECTING = {"Deployment", "DaemonSet", "StatefulSet", "ReplicaSet"}
_RESTARTS = {"Job": ["OnFailure", "Never"], "CronJob": ["OnFailure", "Never"]}


def check_rules(manifest: Mapping[str, Any]) -> list[Problem]:
    """Return what is wrong with an object that fits its schema."""
    kind, spec = manifest["kind"], _mapping(manifest.get("spec"))
    found = [*_check_name(manifest), *_check_metadata(_mapping(manifest.get("metadata")), "metadata")]
    path, template = _template(manifest)
    if template is not None:
        found += _check_metadata(_mapping(template.get("metadata")), join(path, "metadata"))
        claims = {_mapping(c.get("metadata")).get("name") for c in _items(spec, "volumeClaimTemplates")}
        found += _check_pod(_mapping(template.get("spec")), join(path, "spec"), claims)
    if template is not None and kind in _SELECTING:
        found += _check_selector(spec, _mapping(_mapping(template.get("metadata")).get("labels")))
    if template is not None and kind != "Pod":
        allowed = _RESTARTS.get(kind, ["Always"])
        restart = _mapping(template.get("spec")).get("restartPolicy", "Always")
        if restart not in allowed:
            reason = f"is not a restart policy of a {kind}"
            found.append(Problem(join(path, "spec.restartPolicy"), restart, reason, one_of(allowed, restart)))
    if kind == "PodDisruptionBudget" and {"minAvailable", "maxUnavailable"} <= spec.keys():
        reason = "cannot stand beside minAvailable"
        found.append(Problem("spec.maxUnavailable", spec["maxUnavailable"], reason, "give one of the two"))
    return found


def _template(manifest: Mapping[str, Any]) -> tuple[str, Mapping[str, Any] | None]:
    """Return the path and the value of what describes pods, if the object describes any."""
    spec = _mapping(manifest.get("spec"))
    if manifest["apiVersion"] not in {"v1", "apps/v1", "batch/v1"}:  # a custom resource may mean others
        return "", None
    if manifest["kind"] == "Pod":
        return "", manifest
    if manifest["kind"] == "CronJob":
        job = _mapping(_mapping(spec.get("jobTemplate")).get("spec"))
        return "spec.jobTemplate.spec.template", _mapping(job.get("template"))
    template = _mapping(spec.get("template"))
    return "spec.template", template if _mapping(template.get("spec")).get("containers") else None


def _check_name(manifest: Mapping[str, Any]) -> Iterator[Problem]:
    name, kind = _mapping(manifest.get("metadata")).get("name"), manifest["kind"]
    if name is None:  # Pulumi gives one
        return
    if manifest["apiVersion"].startswith("rbac.authorization.k8s.io/"):
        if name in {"", ".", ".."} or "/" in name or "%" in name:
            yield Problem("metadata.name", name, "is not a name", "no / and no %, such as system:reader")
        return
    pattern, longest, form = _SUBDOMAIN, 253, _SUBDOMAIN_FORM
    if kind == "Namespace":
        pattern, longest, form = _LABEL, 63, _LABEL_FORM
    elif kind == "Service" and manifest["apiVersion"] == "v1":
        pattern, longest, form = _SERVICE, 63, f"{_LABEL_FORM}, the first a letter"
    elif kind == "CronJob":
        longest, form = 52, f"{_SUBDOMAIN_FORM}; a CronJob's at most 52, as its jobs get a suffix"
    if len(name) > longest:
        yield Problem("metadata.name", name, f"has {len(name)} characters", form)
    elif not pattern.fullmatch(name):
        yield Problem("metadata.name", name, "is not a DNS-1123 name", form)


def _check_metadata(metadata: Mapping[str, Any], path: str) -> Iterator[Problem]:
    yield from _check_labels(_mapping(metadata.get("labels")), join(path, "labels"))
    for key in _mapping(metadata.get("annotations")):
        yield from _check_key(key, join(path, "annotations"))


def _check_labels(labels: Mapping[str, Any], path: str) -> Iterator[Problem]:
    for key, value in labels.items():
        yield from _check_key(key, path)
        if value and (len(value) > _LABEL_LENGTH or not _QUALIFIED.fullmatch(value)):
            yield Problem(f'{path}["{key}"]', value, "is not a label value", _LABEL_VALUE_FORM)


def _check_key(key: str, path: str) -> Iterator[Problem]:
    prefix, slash, name = key.rpartition("/")
    if len(name) > _LABEL_LENGTH or not _QUALIFIED.fullmatch(name):
        yield Problem(path, key, "is not a key", f"[prefix/]name, the name {_LABEL_VALUE_FORM}")
    elif slash and (len(prefix) > _SUBDOMAIN_LENGTH or not _SUBDOMAIN.fullmatch(prefix)):
        yield Problem(path, key, "has a wrong prefix", f"before the /: {_SUBDOMAIN_FORM}")


def _check_selector(spec: Mapping[str, Any], labels: Mapping[str, Any]) -> Iterator[Problem]:
    selector = _mapping(spec.get("selector"))
    wanted = _mapping(selector.get("matchLabels"))
    yield from _check_labels(wanted, "spec.selector.matchLabels")
    if not wanted and not selector.get("matchExpressions"):
        yield Problem("spec.selector", selector, "selects nothing in particular", "give matchLabels")
    for key, value in wanted.items():
        if labels.get(key) != value:
            has = f"{key}={labels[key]}" if key in labels else f"no label {key}"
            reason = f"does not match the template's labels, which have {has}"
            remedy = f"set {key}={value} in spec.template.metadata.labels"
            yield Problem(f'spec.selector.matchLabels["{key}"]', value, reason, remedy)


def _check_pod(spec: Mapping[str, Any], path: str, claims: Iterable[Any]) -> Iterator[Problem]:
    yield from _check_labels(_mapping(spec.get("nodeSelector")), join(path, "nodeSelector"))
    volumes = [volume["name"] for volume in _items(spec, "volumes")]
    yield from _check_unique(volumes, join(path, "volumes"))
    containers = list(_containers(spec, path))
    yield from _check_unique([c["name"] for _, c in containers], join(path, "containers"))
    for where, container in containers:
        yield from _check_container(container, where, {*volumes, *claims})
    for place, toleration in enumerate(_items(spec, "tolerations")):
        yield from _check_toleration(toleration, join(path, f"tolerations[{place}]"))


def _containers(spec: Mapping[str, Any], path: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for field in ("initContainers", "containers"):
        for place, container in enumerate(_items(spec, field)):
            yield join(path, f"{field}[{place}]"), container


def _check_unique(names: Sequence[str], path: str) -> Iterator[Problem]:
    seen: set[str] = set()
    for place, name in enumerate(names):
        if name in seen:
            yield Problem(f"{path}[{place}].name", name, "is the name of another one", "a name of its own")
        seen.add(name)


def _check_container(container: Mapping[str, Any], path: str, volumes: set[Any]) -> Iterator[Problem]:
    name = container["name"]
    if len(name) > _LABEL_LENGTH or not _LABEL.fullmatch(name):
        yield Problem(join(path, "name"), name, "is not a DNS-1123 label", _LABEL_FORM)
    for place, mount in enumerate(_items(container, "volumeMounts")):
        if mount["name"] not in volumes:
            where = join(path, f"volumeMounts[{place}].name")
            yield Problem(where, mount["name"], "is no volume of the pod", one_of(volumes, mount["name"]))
    yield from _check_ports(container, path)
    resources = _mapping(container.get("resources"))
    yield from _check_resources(resources, join(path, "resources"))


def _check_ports(container: Mapping[str, Any], path: str) -> Iterator[Problem]:
    ports = list(_items(container, "ports"))
    names = [port["name"] for port in ports if port.get("name")]
    yield from _check_unique(names, join(path, "ports"))
    for place, port in enumerate(ports):
        name = port.get("name")
        if name and (len(name) > _PORT_NAME_LENGTH or not _PORT_NAME.fullmatch(name)):
            remedy = "up to 15 lower-case letters, digits and single hyphens, at least one letter"
            yield Problem(join(path, f"ports[{place}].name"), name, "is not a port name", remedy)
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        for action in ("httpGet", "tcpSocket"):
            port = _mapping(_mapping(container.get(probe)).get(action)).get("port")
            where = join(path, f"{probe}.{action}.port")
            if isinstance(port, str) and port not in names:
                yield Problem(where, port, "is no named port of the container", one_of(names, port))
            elif isinstance(port, int | float) and not 1 <= port <= _LAST_PORT:
                yield Problem(where, port, "is out of range", "from 1 to 65535")


def _check_resources(resources: Mapping[str, Any], path: str) -> Iterator[Problem]:
    requests, limits = _mapping(resources.get("requests")), _mapping(resources.get("limits"))
    for field, name, quantity in chain(
        (("requests", name, quantity) for name, quantity in requests.items()),
        (("limits", name, quantity) for name, quantity in limits.items()),
    ):
        amount = parse_quantity(quantity)
        where = f'{path}.{field}["{name}"]'
        if amount < 0:
            yield Problem(where, quantity, "is negative", "0 or more")
        elif "/" in name and amount != amount.to_integral_value():
            yield Problem(
                where, quantity, f"is a part of a {name}", "a whole number: devices cannot be divided"
            )
        elif name == "memory" and amount != amount.to_integral_value():
            yield Problem(
                where, quantity, "is a part of a byte", "such as 512Mi: the suffix m means thousandths"
            )
    for name, quantity in requests.items():
        where = f'{path}.requests["{name}"]'
        if "/" in name and name not in limits:
            yield Problem(where, quantity, "has no limit", f"the same limit for {name}: devices need one")
        elif "/" in name and parse_quantity(limits[name]) != parse_quantity(quantity):
            yield Problem(
                where, quantity, f"differs from the limit {limits[name]}", f"{limits[name]} in both"
            )
        elif name in limits and parse_quantity(quantity) > parse_quantity(limits[name]):
            reason = f"is more than the limit {limits[name]}"
            yield Problem(where, quantity, reason, f"at most {limits[name]}, or a higher limit")


def _check_toleration(toleration: Mapping[str, Any], path: str) -> Iterator[Problem]:
    exists = toleration.get("operator", "Equal") == "Exists"
    if exists and toleration.get("value"):
        remedy = "no value, or the operator Equal"
        yield Problem(join(path, "value"), toleration["value"], "stands beside the operator Exists", remedy)
    if not toleration.get("key") and not exists:
        remedy = "a key, or the operator Exists to tolerate every taint"
        yield Problem(join(path, "key"), toleration.get("key"), "is missing", remedy)
    if toleration.get("tolerationSeconds") is not None and toleration.get("effect") != "NoExecute":
        reason = "has a meaning for the effect NoExecute only"
        yield Problem(
            join(path, "tolerationSeconds"), toleration["tolerationSeconds"], reason, "leave it out"
        )


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _items(owner: Mapping[str, Any], name: str) -> Sequence[Mapping[str, Any]]:
    # The schema lets null stand for an empty item; there is nothing in it to judge.
    return [item for item in owner.get(name) or () if isinstance(item, Mapping)]
