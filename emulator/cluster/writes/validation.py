"""All that is wrong with an object, as causes of a `Status`: the schema, `admission.rules`, and what is below.

Below is what only an object with its defaults shows, from `pkg/apis/*/validation`.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from emulator.cluster import names
from emulator.cluster.admission import refusal
from emulator.cluster.admission.metadata import check_metadata
from emulator.cluster.admission.refusal import Refusal
from emulator.cluster.admission.rules import check_rules
from emulator.cluster.admission.schema import KubernetesSchemas
from emulator.cluster.admission.selecting import check_selectors
from emulator.cluster.resources import Resource
from emulator.cluster.status import Cause
from emulator.cluster.store import Object
from emulator.problem import Problem

_CONFIG_BYTES: Final = 1024 * 1024
_HANDLERS: Final = ("exec", "httpGet", "tcpSocket", "grpc")
_PROBES: Final = ("livenessProbe", "readinessProbe", "startupProbe")
_CRON_FIELDS: Final = 5
_NOT_NEGATIVE: Final = "must be greater than or equal to 0"


def validate(schemas: KubernetesSchemas, resource: Resource, obj: Object) -> list[Cause]:
    """Everything that the API server would refuse of an object with its defaults."""
    structure = schemas.structure(resource.api_version, resource.kind)
    shape = _causes(schemas.check_shape(obj))
    if structure is not None and not structure.custom:
        # The status of a built-in kind has Go's zero values where nothing is given.
        shape = [cause for cause in shape if not cause.field.startswith("status.")]
    found: list[Cause] = []
    if any(cause.reason == "FieldValueRequired" or "must be of type" in cause.message for cause in shape):
        found += _causes(check_metadata(obj))  # further rules presume what is missing
    else:
        found += _causes(check_rules(obj))
        check = _CHECKS.get(resource.qualified)
        found += check(obj) if check is not None else ()
        if structure is not None and not structure.custom:
            found += check_selectors(structure, obj)
    told = {cause.field for cause in shape}
    found = [*_check_name_given(obj), *shape, *(cause for cause in found if cause.field not in told)]
    return list(dict.fromkeys(found))


def _causes(problems: Iterable[Problem]) -> list[Cause]:
    return [problem.cause for problem in problems if isinstance(problem, Refusal)]


def _check_name_given(obj: Object) -> Iterator[Cause]:
    if not obj["metadata"].get("name"):
        yield refusal.required("metadata.name", "name or generateName is required")


def _pod(obj: Object) -> Iterator[Cause]:
    yield from _pod_spec(obj.get("spec") or {}, "spec")


def _workload(obj: Object) -> Iterator[Cause]:
    spec = obj["spec"]
    yield from _not_negative(spec, "replicas", "minReadySeconds", "revisionHistoryLimit")
    yield from _pod_spec((spec.get("template") or {}).get("spec") or {}, "spec.template.spec")


def _deployment(obj: Object) -> Iterator[Cause]:
    yield from _workload(obj)
    spec = obj["spec"]
    strategy = spec.get("strategy") or {}
    rolling = strategy.get("rollingUpdate") or {}
    path = "spec.strategy.rollingUpdate"
    if strategy.get("type") == "Recreate" and rolling:
        yield refusal.forbidden(path, "may not be specified when strategy `type` is 'Recreate'")
    yield from _bounds(rolling, path, "maxUnavailable", "maxSurge")
    if str(rolling.get("maxUnavailable", 1)) in {"0", "0%"} and str(rolling.get("maxSurge", 1)) in {
        "0",
        "0%",
    }:
        text = "may not be 0 when `maxSurge` is 0"
        yield refusal.invalid(f"{path}.maxUnavailable", rolling["maxUnavailable"], text)
    deadline = spec.get("progressDeadlineSeconds", 600)
    if deadline <= spec.get("minReadySeconds", 0):
        yield refusal.invalid(
            "spec.progressDeadlineSeconds", deadline, "must be greater than minReadySeconds"
        )


def _daemon_set(obj: Object) -> Iterator[Cause]:
    yield from _workload(obj)
    rolling = (obj["spec"].get("updateStrategy") or {}).get("rollingUpdate") or {}
    yield from _bounds(rolling, "spec.updateStrategy.rollingUpdate", "maxUnavailable", "maxSurge")


def _job(obj: Object) -> Iterator[Cause]:
    yield from _job_spec(obj["spec"], "spec")


def _job_spec(spec: Mapping[str, Any], path: str) -> Iterator[Cause]:
    counts = (
        "parallelism",
        "completions",
        "backoffLimit",
        "activeDeadlineSeconds",
        "ttlSecondsAfterFinished",
    )
    yield from _not_negative(spec, *counts, path=path)
    yield from _pod_spec((spec.get("template") or {}).get("spec") or {}, f"{path}.template.spec")


def _cron_job(obj: Object) -> Iterator[Cause]:
    spec = obj["spec"]
    schedule = str(spec.get("schedule", ""))
    if not schedule:
        yield refusal.required("spec.schedule")
    elif not schedule.startswith("@") and len(schedule.split()) != _CRON_FIELDS:
        found = f"expected exactly 5 fields, found {len(schedule.split())}: [{schedule}]"
        yield refusal.invalid("spec.schedule", schedule, found)
    yield from _not_negative(spec, "successfulJobsHistoryLimit", "failedJobsHistoryLimit")
    yield from _job_spec((spec.get("jobTemplate") or {}).get("spec") or {}, "spec.jobTemplate.spec")


def _pod_spec(spec: Mapping[str, Any], path: str) -> Iterator[Cause]:
    if not spec.get("containers"):
        yield refusal.required(f"{path}.containers")
    yield from _not_negative(spec, "terminationGracePeriodSeconds", path=path)
    for field in ("initContainers", "containers"):
        for place, container in enumerate(spec.get(field) or ()):
            yield from _container(container, f"{path}.{field}[{place}]")
    for place, volume in enumerate(spec.get("volumes") or ()):
        where = f"{path}.volumes[{place}]"
        yield from _label(str(volume.get("name", "")), f"{where}.name")
        if len(volume.keys() - {"name"}) > 1:
            extra = sorted(volume.keys() - {"name"})[1]
            yield refusal.forbidden(f"{where}.{extra}", "may not specify more than 1 volume type")
        yield from _paths_of_items(volume, where)
        for number, source in enumerate((volume.get("projected") or {}).get("sources") or ()):
            yield from _paths_of_items(source, f"{where}.projected.sources[{number}]")


def _paths_of_items(sources: Mapping[str, Any], path: str) -> Iterator[Cause]:
    for kind in ("configMap", "secret", "downwardAPI"):
        for place, item in enumerate((sources.get(kind) or {}).get("items") or ()):
            yield from _descending(str(item.get("path", "")), f"{path}.{kind}.items[{place}].path")


def _descending(target: str, path: str) -> Iterator[Cause]:
    if target.startswith("/"):
        yield refusal.invalid(path, target, "must be a relative path")
    if ".." in target.split("/"):
        yield refusal.invalid(path, target, "must not contain '..'")


def _label(name: str, path: str) -> Iterator[Cause]:
    if not name:
        yield refusal.required(path)
    elif not re.fullmatch(names.LABEL, name):
        yield refusal.invalid(path, name, names.LABEL_ERROR)


def _container(container: Mapping[str, Any], path: str) -> Iterator[Cause]:
    image = str(container.get("image", ""))
    if not image:
        yield refusal.required(f"{path}.image")
    elif image != image.strip():
        yield refusal.invalid(f"{path}.image", image, "must not have leading or trailing whitespace")
    for place, variable in enumerate(container.get("env") or ()):
        where = f"{path}.env[{place}]"
        if variable.get("value") and variable.get("valueFrom"):
            text = "may not be specified when `value` is not empty"
            yield refusal.invalid(f"{where}.valueFrom", "", text)
    seen: set[str] = set()
    for place, mount in enumerate(container.get("volumeMounts") or ()):
        target = str(mount.get("mountPath", ""))
        if target in seen:
            yield refusal.invalid(f"{path}.volumeMounts[{place}].mountPath", target, "must be unique")
        seen.add(target)
        yield from _descending(str(mount.get("subPath", "")), f"{path}.volumeMounts[{place}].subPath")
    for name in _PROBES:
        if container.get(name) is not None:
            yield from _probe(container[name], f"{path}.{name}")


def _probe(probe: Mapping[str, Any], path: str) -> Iterator[Cause]:
    given = [name for name in _HANDLERS if probe.get(name) is not None]
    if not given:
        yield refusal.required(path, "must specify a handler type")
    for name in given[1:]:
        yield refusal.forbidden(f"{path}.{name}", "may not specify more than 1 handler type")
    counts = (
        "initialDelaySeconds",
        "timeoutSeconds",
        "periodSeconds",
        "successThreshold",
        "failureThreshold",
    )
    yield from _not_negative(probe, *counts, path=path)
    if not path.endswith("readinessProbe") and probe.get("successThreshold", 1) != 1:
        yield refusal.invalid(f"{path}.successThreshold", probe["successThreshold"], "must be 1")


def _service(obj: Object) -> Iterator[Cause]:
    spec = obj.get("spec") or {}
    ports = spec.get("ports") or ()
    if not ports and spec.get("type") != "ExternalName" and spec.get("clusterIP") != "None":
        yield refusal.required("spec.ports")
    if spec.get("type") == "ExternalName" and not spec.get("externalName"):
        yield refusal.required("spec.externalName")
    seen_names: set[str] = set()
    seen_ports: set[tuple[Any, Any]] = set()
    for place, port in enumerate(ports):
        where = f"spec.ports[{place}]"
        name = str(port.get("name", ""))
        if not name and len(ports) > 1:
            yield refusal.required(f"{where}.name")
        elif name and not re.fullmatch(names.LABEL, name):
            yield refusal.invalid(f"{where}.name", name, names.LABEL_ERROR)
        elif name in seen_names:
            yield refusal.duplicate(f"{where}.name", name)
        seen_names.add(name)
        key = port.get("port"), port.get("protocol")
        if key in seen_ports:
            yield refusal.duplicate(where, {"protocol": key[1], "port": key[0]})
        seen_ports.add(key)
        yield from _port(port.get("targetPort"), f"{where}.targetPort")


def _port(port: Any, path: str) -> Iterator[Cause]:
    if isinstance(port, str):
        if names.port_name_error(port):
            yield refusal.invalid(path, port, names.port_name_error(port))
    elif isinstance(port, int) and not 1 <= port <= 65535:  # noqa: PLR2004
        yield refusal.invalid(path, port, "must be between 1 and 65535, inclusive")


def _config_map(obj: Object) -> Iterator[Cause]:
    yield from _keys(obj, "data", "binaryData")


def _secret(obj: Object) -> Iterator[Cause]:
    yield from _keys(obj, "data")
    for key in _SECRET_KEYS.get(str(obj.get("type")), ()):
        if key not in (obj.get("data") or {}):
            yield refusal.required(f"data[{key}]")


def _keys(obj: Object, *fields: str) -> Iterator[Cause]:
    size = 0
    for field in fields:
        for key, value in (obj.get(field) or {}).items():
            size += len(str(value).encode())
            if not re.fullmatch(names.CONFIG_KEY, key):
                yield refusal.invalid(f"{field}[{key}]", key, names.CONFIG_KEY_ERROR)
    if size > _CONFIG_BYTES:
        yield refusal.too_long("data" if obj.get("kind") == "Secret" else "", _CONFIG_BYTES)


def _autoscaler(obj: Object) -> Iterator[Cause]:
    spec = obj["spec"]
    least, most = spec.get("minReplicas", 1), spec.get("maxReplicas", 0)
    if least < 1:
        yield refusal.invalid("spec.minReplicas", least, "must be greater than or equal to 1")
    if most < 1:
        yield refusal.invalid("spec.maxReplicas", most, "must be greater than 0")
    elif most < least:
        yield refusal.invalid("spec.maxReplicas", most, "must be greater than or equal to `minReplicas`")


def _disruption_budget(obj: Object) -> Iterator[Cause]:
    yield from _bounds(obj["spec"], "spec", "minAvailable", "maxUnavailable")


def _bounds(owner: Mapping[str, Any], path: str, *fields: str) -> Iterator[Cause]:
    """Numbers or percentages."""
    for field in fields:
        value = owner.get(field)
        if isinstance(value, str) and not re.fullmatch(r"[0-9]+%", value):
            text = (
                "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or "
                "'93%', regex used for validation is '[0-9]+%')"
            )
            yield refusal.invalid(f"{path}.{field}", value, text)
        elif isinstance(value, int) and value < 0:
            yield refusal.invalid(f"{path}.{field}", value, _NOT_NEGATIVE)


def _not_negative(owner: Mapping[str, Any], *fields: str, path: str = "spec") -> Iterator[Cause]:
    for field in fields:
        value = owner.get(field)
        if isinstance(value, int) and value < 0:
            yield refusal.invalid(f"{path}.{field}", value, _NOT_NEGATIVE)


_SECRET_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
}

_CHECKS: Final[Mapping[str, Callable[[Object], Iterable[Cause]]]] = {
    "pods": _pod,
    "deployments.apps": _deployment,
    "replicasets.apps": _workload,
    "statefulsets.apps": _workload,
    "daemonsets.apps": _daemon_set,
    "jobs.batch": _job,
    "cronjobs.batch": _cron_job,
    "services": _service,
    "configmaps": _config_map,
    "secrets": _secret,
    "horizontalpodautoscalers.autoscaling": _autoscaler,
    "poddisruptionbudgets.policy": _disruption_budget,
}
