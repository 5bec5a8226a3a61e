"""What the API server checks between the fields of one Kubernetes object, where a schema sees one field.

The rules are those of `k8s.io/kubernetes/pkg/apis/core/validation` and `apps/validation`, as far as a service
platform meets them: names, labels, selectors, containers, ports, volumes, resources and tolerations. What the API
server refuses is a `Refusal`; a plain `Problem` is what it would accept, to somebody's later regret.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

from emulator.cluster.admission import names, refusal
from emulator.cluster.admission.refusal import Refusal
from emulator.cluster.quantities import parse_quantity
from emulator.cluster.status import Cause
from emulator.problem import Problem, join, one_of

_LABEL = re.compile(names.LABEL)
_SERVICE = re.compile(names.SERVICE)
_SUBDOMAIN = re.compile(names.SUBDOMAIN)
_QUALIFIED = re.compile(names.QUALIFIED)
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
    found = check_metadata(manifest)
    path, template = _template(manifest)
    if template is not None:
        found += _check_metadata(_mapping(template.get("metadata")), join(path, "metadata"))
        claims = {_mapping(c.get("metadata")).get("name") for c in _items(spec, "volumeClaimTemplates")}
        found += _check_pod(_mapping(template.get("spec")), join(path, "spec"), claims)
    if template is not None and kind in _SELECTING:
        found += _check_selector(kind, spec, _mapping(_mapping(template.get("metadata")).get("labels")))
    if template is not None and kind != "Pod":
        allowed = _RESTARTS.get(kind, ["Always"])
        restart = _mapping(template.get("spec")).get("restartPolicy", "Always")
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


def check_metadata(manifest: Mapping[str, Any]) -> list[Problem]:
    """Return what is wrong with the name, the labels and the annotations of an object."""
    return [*_check_name(manifest), *_check_metadata(_mapping(manifest.get("metadata")), "metadata")]


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
            cause = refusal.invalid("metadata.name", name, names.segment_error(name))
            yield Refusal(
                "metadata.name", name, "is not a name", "no / and no %, such as system:reader", cause
            )
        return
    pattern, longest, form, told = _SUBDOMAIN, 253, _SUBDOMAIN_FORM, names.SUBDOMAIN_ERROR
    if kind == "Namespace":
        pattern, longest, form, told = _LABEL, 63, _LABEL_FORM, names.LABEL_ERROR
    elif kind == "Service" and manifest["apiVersion"] == "v1":
        pattern, longest, form = _SERVICE, 63, f"{_LABEL_FORM}, the first a letter"
        told = names.SERVICE_ERROR
    elif kind == "CronJob":
        longest, form = 52, f"{_SUBDOMAIN_FORM}; a CronJob's at most 52, as its jobs get a suffix"
    if len(name) > longest:
        most = names.CRON_JOB_LENGTH_ERROR if kind == "CronJob" else names.length_error(longest)
        cause = refusal.invalid("metadata.name", name, most)
        yield Refusal("metadata.name", name, f"has {len(name)} characters", form, cause)
    elif not pattern.fullmatch(name):
        cause = refusal.invalid("metadata.name", name, told)
        yield Refusal("metadata.name", name, "is not a DNS-1123 name", form, cause)


def _check_metadata(metadata: Mapping[str, Any], path: str) -> Iterator[Problem]:
    yield from _check_labels(_mapping(metadata.get("labels")), join(path, "labels"))
    for key in _mapping(metadata.get("annotations")):
        yield from _check_key(key, join(path, "annotations"))


def _check_labels(labels: Mapping[str, Any], path: str) -> Iterator[Problem]:
    for key, value in labels.items():
        yield from _check_key(key, path)
        if value and (len(value) > _LABEL_LENGTH or not _QUALIFIED.fullmatch(value)):
            long = len(value) > _LABEL_LENGTH
            told = names.length_error(_LABEL_LENGTH) if long else names.LABEL_VALUE_ERROR
            cause = refusal.invalid(path, value, told)
            yield Refusal(f'{path}["{key}"]', value, "is not a label value", _LABEL_VALUE_FORM, cause)


def _check_key(key: str, path: str) -> Iterator[Problem]:
    prefix, slash, name = key.rpartition("/")
    if len(name) > _LABEL_LENGTH or not _QUALIFIED.fullmatch(name):
        told = names.QUALIFIED_ERROR if len(name) <= _LABEL_LENGTH else names.length_error(_LABEL_LENGTH)
        cause = refusal.invalid(path, key, f"name part {told if name else 'must be non-empty'}")
        yield Refusal(path, key, "is not a key", f"[prefix/]name, the name {_LABEL_VALUE_FORM}", cause)
    elif slash and (len(prefix) > _SUBDOMAIN_LENGTH or not _SUBDOMAIN.fullmatch(prefix)):
        cause = refusal.invalid(path, key, f"prefix part {names.SUBDOMAIN_ERROR}")
        yield Refusal(path, key, "has a wrong prefix", f"before the /: {_SUBDOMAIN_FORM}", cause)


def _check_selector(kind: str, spec: Mapping[str, Any], labels: Mapping[str, Any]) -> Iterator[Problem]:
    selector = _mapping(spec.get("selector"))
    wanted = _mapping(selector.get("matchLabels"))
    yield from _check_labels(wanted, "spec.selector.matchLabels")
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
    yield from _check_labels(_mapping(spec.get("nodeSelector")), join(path, "nodeSelector"))
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
    if len(name) > _LABEL_LENGTH or not _LABEL.fullmatch(name):
        told = names.LABEL_ERROR if len(name) <= _LABEL_LENGTH else names.length_error(_LABEL_LENGTH)
        cause = refusal.invalid(join(path, "name"), name, told)
        yield Refusal(join(path, "name"), name, "is not a DNS-1123 label", _LABEL_FORM, cause)
    for place, mount in enumerate(_items(container, "volumeMounts")):
        if mount["name"] not in volumes:
            where = join(path, f"volumeMounts[{place}].name")
            cause = refusal.not_found(where, mount["name"])
            remedy = one_of(volumes, mount["name"])
            yield Refusal(where, mount["name"], "is no volume of the pod", remedy, cause)
    yield from _check_ports(container, path)
    resources = _mapping(container.get("resources"))
    yield from _check_resources(resources, join(path, "resources"))


def _check_ports(container: Mapping[str, Any], path: str) -> Iterator[Problem]:
    ports = list(_items(container, "ports"))
    named = [port["name"] for port in ports if port.get("name")]
    yield from _check_unique(named, join(path, "ports"))
    for place, port in enumerate(ports):
        name = port.get("name")
        if name and (len(name) > _PORT_NAME_LENGTH or not _PORT_NAME.fullmatch(name)):
            remedy = "up to 15 lower-case letters, digits and single hyphens, at least one letter"
            where = join(path, f"ports[{place}].name")
            cause = refusal.invalid(where, name, names.port_name_error(name))
            yield Refusal(where, name, "is not a port name", remedy, cause)
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        for action in ("httpGet", "tcpSocket"):
            port = _mapping(_mapping(container.get(probe)).get(action)).get("port")
            where = join(path, f"{probe}.{action}.port")
            if isinstance(port, str) and port not in named:
                yield Problem(where, port, "is no named port of the container", one_of(named, port))
            elif isinstance(port, int | float) and not 1 <= port <= _LAST_PORT:
                cause = refusal.invalid(where, port, "must be between 1 and 65535, inclusive")
                yield Refusal(where, port, "is out of range", "from 1 to 65535", cause)


def _check_resources(resources: Mapping[str, Any], path: str) -> Iterator[Problem]:
    requests, limits = _mapping(resources.get("requests")), _mapping(resources.get("limits"))
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


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _items(owner: Mapping[str, Any], name: str) -> Sequence[Mapping[str, Any]]:
    # The schema lets null stand for an empty item; there is nothing in it to judge.
    return [item for item in owner.get(name) or () if isinstance(item, Mapping)]
