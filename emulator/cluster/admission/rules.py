"""What the API server checks between the fields of one Kubernetes object, where a schema sees one field.

The rules are those of `k8s.io/kubernetes/pkg/apis/core/validation` and `apps/validation`, as far as a service
platform meets them: selectors, containers, ports, volumes, resources and tolerations. What the API
server refuses is a `Refusal`; a plain `Problem` is what it would accept, to somebody's later regret.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, Final

from emulator.cluster import names
from emulator.cluster.admission import refusal
from emulator.cluster.admission.metadata import (
    LABEL_FORM,
    check_labels,
    check_labels_and_annotations,
    check_metadata,
    mapping,
)
from emulator.cluster.admission.refusal import Refusal
from emulator.cluster.quantities import parse_quantity
from emulator.cluster.status import Cause
from emulator.problem import Problem, join, one_of

_LAST_PORT: Final = 65535

_SELECTING = {"Deployment", "DaemonSet", "StatefulSet", "ReplicaSet"}
_RESTARTS = {"Job": ["OnFailure", "Never"], "CronJob": ["OnFailure", "Never"]}


def check_rules(manifest: Mapping[str, Any]) -> list[Problem]:
    """Return what is wrong with an object that fits its schema."""
    kind, spec = manifest["kind"], mapping(manifest.get("spec"))
    found = check_metadata(manifest)
    path, template = _template(manifest)
    if template is not None:
        found += check_labels_and_annotations(mapping(template.get("metadata")), join(path, "metadata"))
        claims = {mapping(c.get("metadata")).get("name") for c in _items(spec, "volumeClaimTemplates")}
        found += _check_pod(mapping(template.get("spec")), join(path, "spec"), claims)
    if template is not None and kind in _SELECTING:
        found += _check_selector(kind, spec, mapping(mapping(template.get("metadata")).get("labels")))
    if template is not None and kind != "Pod":
        allowed = _RESTARTS.get(kind, ["Always"])
        restart = mapping(template.get("spec")).get("restartPolicy", "Always")
        if restart not in allowed:
            where, reason = join(path, "spec.restartPolicy"), f"is not a restart policy of a {kind}"
            cause = refusal.not_supported(where, restart, allowed)
            found.append(Refusal(where, restart, reason, one_of(allowed, restart), cause))
    if kind == "PodDisruptionBudget" and {"minAvailable", "maxUnavailable"} <= spec.keys():
        reason = "cannot stand beside minAvailable"
        told = "minAvailable and maxUnavailable cannot be both set"
        cause = refusal.invalid("spec", spec, told)
        value, remedy = spec["maxUnavailable"], "give one of the two"
        found.append(Refusal("spec.maxUnavailable", value, reason, remedy, cause))
    return found


def _template(manifest: Mapping[str, Any]) -> tuple[str, Mapping[str, Any] | None]:
    """Return the path and the value of what describes pods, if the object describes any."""
    spec = mapping(manifest.get("spec"))
    if manifest["apiVersion"] not in {"v1", "apps/v1", "batch/v1"}:  # a custom resource may mean others
        return "", None
    if manifest["kind"] == "Pod":
        return "", manifest
    if manifest["kind"] == "CronJob":
        job = mapping(mapping(spec.get("jobTemplate")).get("spec"))
        return "spec.jobTemplate.spec.template", mapping(job.get("template"))
    template = mapping(spec.get("template"))
    return "spec.template", template if mapping(template.get("spec")).get("containers") else None


def _check_selector(kind: str, spec: Mapping[str, Any], labels: Mapping[str, Any]) -> Iterator[Problem]:
    selector = mapping(spec.get("selector"))
    wanted = mapping(selector.get("matchLabels"))
    yield from check_labels(wanted, "spec.selector.matchLabels")
    if not wanted and not selector.get("matchExpressions"):
        told = f"empty selector is invalid for {kind.lower()}"
        cause = refusal.invalid("spec.selector", dict(selector), told)
        yield Refusal(
            *("spec.selector", selector, "selects nothing in particular", "give matchLabels", cause)
        )
    for key, value in wanted.items():
        if labels.get(key) != value:
            has = f"{key}={labels[key]}" if key in labels else f"no label {key}"
            reason = f"does not match the template's labels, which have {has}"
            remedy = f"set {key}={value} in spec.template.metadata.labels"
            told = "`selector` does not match template `labels`"
            cause = refusal.invalid("spec.template.metadata.labels", dict(labels), told)
            yield Refusal(f'spec.selector.matchLabels["{key}"]', value, reason, remedy, cause)


def _check_pod(spec: Mapping[str, Any], path: str, claims: Iterable[Any]) -> Iterator[Problem]:
    yield from check_labels(mapping(spec.get("nodeSelector")), join(path, "nodeSelector"))
    volumes = [volume["name"] for volume in _items(spec, "volumes")]
    yield from _check_unique(volumes, join(path, "volumes"))
    containers = list(_containers(spec, path))
    yield from _check_containers_unique(containers, join(path, "containers"))
    for where, container in containers:
        yield from _check_container(container, where, {*volumes, *claims})
    for place, toleration in enumerate(_items(spec, "tolerations")):
        yield from _check_toleration(toleration, join(path, f"tolerations[{place}]"))


def _containers(spec: Mapping[str, Any], path: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for field in ("initContainers", "containers"):
        for place, container in enumerate(_items(spec, field)):
            yield join(path, f"{field}[{place}]"), container


def _check_containers_unique(
    containers: Sequence[tuple[str, Mapping[str, Any]]], path: str
) -> Iterator[Problem]:
    seen: set[str] = set()
    for place, (where, container) in enumerate(containers):
        name = container["name"]
        if name in seen:
            cause = refusal.duplicate(f"{where}.name", name)
            yield _taken(f"{path}[{place}].name", name, cause)
        seen.add(name)


def _check_unique(given: Sequence[str], path: str) -> Iterator[Problem]:
    seen: set[str] = set()
    for place, name in enumerate(given):
        if name in seen:
            where = f"{path}[{place}].name"
            yield _taken(where, name, refusal.duplicate(where, name))
        seen.add(name)


def _taken(path: str, name: str, cause: Cause) -> Refusal:
    return Refusal(path, name, "is the name of another one", "a name of its own", cause)


def _check_container(container: Mapping[str, Any], path: str, volumes: set[Any]) -> Iterator[Problem]:
    name = container["name"]
    if len(name) > names.LABEL_LENGTH or not re.fullmatch(names.LABEL, name):
        told = (
            names.LABEL_ERROR if len(name) <= names.LABEL_LENGTH else names.length_error(names.LABEL_LENGTH)
        )
        cause = refusal.invalid(join(path, "name"), name, told)
        yield Refusal(join(path, "name"), name, "is not a DNS-1123 label", LABEL_FORM, cause)
    for place, mount in enumerate(_items(container, "volumeMounts")):
        if mount["name"] not in volumes:
            where = join(path, f"volumeMounts[{place}].name")
            cause = refusal.not_found(where, mount["name"])
            remedy = one_of(volumes, mount["name"])
            yield Refusal(where, mount["name"], "is no volume of the pod", remedy, cause)
    yield from _check_ports(container, path)
    resources = mapping(container.get("resources"))
    yield from _check_resources(resources, join(path, "resources"))


def _check_ports(container: Mapping[str, Any], path: str) -> Iterator[Problem]:
    ports = list(_items(container, "ports"))
    named = [port["name"] for port in ports if port.get("name")]
    yield from _check_unique(named, join(path, "ports"))
    for place, port in enumerate(ports):
        name = port.get("name")
        if name and names.port_name_error(name):
            remedy = "up to 15 lower-case letters, digits and single hyphens, at least one letter"
            where = join(path, f"ports[{place}].name")
            cause = refusal.invalid(where, name, names.port_name_error(name))
            yield Refusal(where, name, "is not a port name", remedy, cause)
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        for action in ("httpGet", "tcpSocket"):
            port = mapping(mapping(container.get(probe)).get(action)).get("port")
            where = join(path, f"{probe}.{action}.port")
            if isinstance(port, str) and port not in named:
                yield Problem(where, port, "is no named port of the container", one_of(named, port))
            elif isinstance(port, int | float) and not 1 <= port <= _LAST_PORT:
                cause = refusal.invalid(where, port, "must be between 1 and 65535, inclusive")
                yield Refusal(where, port, "is out of range", "from 1 to 65535", cause)


def _check_resources(resources: Mapping[str, Any], path: str) -> Iterator[Problem]:
    requests, limits = mapping(resources.get("requests")), mapping(resources.get("limits"))
    for field, name, quantity in chain(
        (("requests", name, quantity) for name, quantity in requests.items()),
        (("limits", name, quantity) for name, quantity in limits.items()),
    ):
        amount = parse_quantity(quantity)
        where = f'{path}.{field}["{name}"]'
        if amount < 0:
            cause = refusal.invalid(where, str(quantity), "must be greater than or equal to 0")
            yield Refusal(where, quantity, "is negative", "0 or more", cause)
        elif "/" in name and amount != amount.to_integral_value():
            cause = refusal.invalid(where, str(quantity), "must be an integer")
            remedy = "a whole number: devices cannot be divided"
            yield Refusal(where, quantity, f"is a part of a {name}", remedy, cause)
        elif name == "memory" and amount != amount.to_integral_value():
            yield Problem(
                where, quantity, "is a part of a byte", "such as 512Mi: the suffix m means thousandths"
            )
    for name, quantity in requests.items():
        where, field = f'{path}.requests["{name}"]', f"{path}.requests"
        limit = limits.get(name)
        if "/" in name and limit is None:
            told = "Limit must be set for non overcommitable resources"
            remedy = f"the same limit for {name}: devices need one"
            yield Refusal(
                *(where, quantity, "has no limit", remedy), refusal.required(f"{path}.limits", told)
            )
        elif "/" in name and parse_quantity(limit) != parse_quantity(quantity):
            cause = refusal.invalid(field, str(quantity), f"must be equal to {name} limit of {limit}")
            yield Refusal(where, quantity, f"differs from the limit {limit}", f"{limit} in both", cause)
        elif limit is not None and parse_quantity(quantity) > parse_quantity(limit):
            told = f"must be less than or equal to {name} limit of {limit}"
            remedy = f"at most {limit}, or a higher limit"
            cause = refusal.invalid(field, str(quantity), told)
            yield Refusal(where, quantity, f"is more than the limit {limit}", remedy, cause)


def _check_toleration(toleration: Mapping[str, Any], path: str) -> Iterator[Problem]:
    operator, effect = toleration.get("operator", "Equal"), toleration.get("effect", "")
    exists = operator == "Exists"
    if exists and toleration.get("value"):
        told = "value must be empty when `operator` is 'Exists'"
        cause = refusal.invalid(join(path, "operator"), dict(toleration), told)
        remedy, reason = "no value, or the operator Equal", "stands beside the operator Exists"
        yield Refusal(join(path, "value"), toleration["value"], reason, remedy, cause)
    if not toleration.get("key") and not exists:
        told = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
        cause = refusal.invalid(join(path, "operator"), operator, told)
        remedy = "a key, or the operator Exists to tolerate every taint"
        yield Refusal(join(path, "key"), toleration.get("key"), "is missing", remedy, cause)
    if toleration.get("tolerationSeconds") is not None and effect != "NoExecute":
        told = "effect must be 'NoExecute' when `tolerationSeconds` is set"
        cause = refusal.invalid(join(path, "effect"), effect, told)
        reason, value = "has a meaning for the effect NoExecute only", toleration["tolerationSeconds"]
        yield Refusal(join(path, "tolerationSeconds"), value, reason, "leave it out", cause)


def _items(owner: Mapping[str, Any], name: str) -> Sequence[Mapping[str, Any]]:
    # The schema lets null stand for an empty item; there is nothing in it to judge.
    return [item for item in owner.get(name) or () if isinstance(item, Mapping)]
