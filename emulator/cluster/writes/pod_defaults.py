"""What the API server fills into pods and pod templates: `pkg/apis/core/v1/defaults.go` and admission plugins.

All functions change the given object in place.
"""

from collections.abc import Iterable
from typing import Any, Final

_READY_TAINTS: Final = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
_TOLERATION_SECONDS: Final = 300
_PROBES: Final = ("livenessProbe", "readinessProbe", "startupProbe")
_PRIORITIES: Final = {"system-node-critical": 2_000_001_000, "system-cluster-critical": 2_000_000_000}
_MODES: Final = ("configMap", "secret", "downwardAPI", "projected")


def apply_to_pod(pod: dict[str, Any]) -> None:
    """Default a pod, as it is created."""
    spec = pod.setdefault("spec", {})
    apply_to_pod_spec(spec)
    spec.setdefault("enableServiceLinks", True)
    account = spec.setdefault("serviceAccountName", spec.get("serviceAccount") or "default")
    spec["serviceAccount"] = account
    for container in _containers(spec):
        _request_what_is_limited(container.setdefault("resources", {}))
    _tolerate_unready_nodes(spec)
    name = spec.get("priorityClassName")
    if not name or name in _PRIORITIES:
        spec.setdefault("priority", _PRIORITIES.get(name or "", 0))
        spec.setdefault("preemptionPolicy", "PreemptLowerPriority")
    pod.setdefault("status", {}).setdefault("phase", "Pending")
    pod["status"].setdefault("qosClass", quality_of_service(spec))


def apply_to_template(template: dict[str, Any]) -> None:
    """Default the template of pods in a Deployment or its like."""
    template.setdefault("metadata", {})
    apply_to_pod_spec(template.setdefault("spec", {}))


def apply_to_pod_spec(spec: dict[str, Any]) -> None:
    """Default what pods and their templates share."""
    spec.setdefault("dnsPolicy", "ClusterFirst")
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("schedulerName", "default-scheduler")
    spec.setdefault("securityContext", {})
    spec.setdefault("terminationGracePeriodSeconds", 30)
    if spec.get("serviceAccountName"):
        spec["serviceAccount"] = spec["serviceAccountName"]
    elif spec.get("serviceAccount"):
        spec["serviceAccountName"] = spec["serviceAccount"]
    for volume in spec.get("volumes") or ():
        _apply_to_volume(volume)
    for container in _containers(spec):
        _apply_to_container(container)
        if spec.get("hostNetwork"):
            for port in container.get("ports") or ():
                port.setdefault("hostPort", port.get("containerPort"))


def quality_of_service(spec: dict[str, Any]) -> str:
    """The QoS class by requests and limits of CPU and memory: `pkg/apis/core/v1/helper/qos`."""
    resources = [container.get("resources") or {} for container in _containers(spec)]
    asked = [
        (name, each[name][what])
        for each in resources
        for name in ("requests", "limits")
        for what in ("cpu", "memory")
        if what in (each.get(name) or {}) and each[name][what] not in {"0", 0}
    ]
    if not asked:
        return "BestEffort"
    for each in resources:
        requests, limits = each.get("requests") or {}, each.get("limits") or {}
        for what in ("cpu", "memory"):
            if what not in limits or requests.get(what, limits[what]) != limits[what]:
                return "Burstable"
    return "Guaranteed"


def _containers(spec: dict[str, Any]) -> Iterable[dict[str, Any]]:
    return [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]


def _apply_to_container(container: dict[str, Any]) -> None:
    container.setdefault("imagePullPolicy", _pull_policy(str(container.get("image", ""))))
    container.setdefault("resources", {})
    container.setdefault("terminationMessagePath", "/dev/termination-log")
    container.setdefault("terminationMessagePolicy", "File")
    for port in container.get("ports") or ():
        port.setdefault("protocol", "TCP")
    for variable in container.get("env") or ():
        reference = (variable.get("valueFrom") or {}).get("fieldRef")
        if reference is not None:
            reference.setdefault("apiVersion", "v1")
        resource = (variable.get("valueFrom") or {}).get("resourceFieldRef")
        if resource is not None:
            resource.setdefault("divisor", "0")
    for name in _PROBES:
        if container.get(name) is not None:
            _apply_to_probe(container[name])
    for hook in (container.get("lifecycle") or {}).values():
        if isinstance(hook, dict):
            _apply_to_handler(hook)


def _pull_policy(image: str) -> str:
    """Always for the tag `latest`, which is also meant by no tag; a digest says it exactly."""
    if "@" in image:
        return "IfNotPresent"
    _, colon, tag = image.rpartition("/")[2].partition(":")
    return "Always" if not colon or tag == "latest" else "IfNotPresent"


def _apply_to_probe(probe: dict[str, Any]) -> None:
    # 0 means not given: these fields are no pointers in Go.
    for name, value in (
        ("timeoutSeconds", 1),
        ("periodSeconds", 10),
        ("successThreshold", 1),
        ("failureThreshold", 3),
    ):
        probe[name] = probe.get(name) or value
    _apply_to_handler(probe)


def _apply_to_handler(handler: dict[str, Any]) -> None:
    get = handler.get("httpGet")
    if get is not None:
        get.setdefault("path", "/")
        get.setdefault("scheme", "HTTP")
    if handler.get("grpc") is not None:
        handler["grpc"].setdefault("service", "")


def _apply_to_volume(volume: dict[str, Any]) -> None:
    if not volume.keys() - {"name"}:
        volume["emptyDir"] = {}
    for name in _MODES:
        if volume.get(name) is not None:
            volume[name].setdefault("defaultMode", 0o644)
    for name in ("downwardAPI", "projected"):
        sources = (volume.get(name) or {}).get("sources") or [{"downwardAPI": volume.get(name)}]
        for source in sources:
            _apply_to_downward(source.get("downwardAPI") or {})
            token = source.get("serviceAccountToken")
            if token is not None:
                token.setdefault("expirationSeconds", 3600)
    if volume.get("hostPath") is not None:
        volume["hostPath"].setdefault("type", "")


def _apply_to_downward(source: dict[str, Any]) -> None:
    for item in source.get("items") or ():
        if item.get("fieldRef") is not None:
            item["fieldRef"].setdefault("apiVersion", "v1")


def _request_what_is_limited(resources: dict[str, Any]) -> None:
    limits = resources.get("limits")
    if limits:
        requests = resources.setdefault("requests", {})
        for name, quantity in limits.items():
            requests.setdefault(name, quantity)


def _tolerate_unready_nodes(spec: dict[str, Any]) -> None:
    """The DefaultTolerationSeconds admission plugin."""
    given = spec.get("tolerations") or []
    added = [
        {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": _TOLERATION_SECONDS}
        for key in _READY_TAINTS
        if not any(
            toleration.get("key", key) == key and toleration.get("effect", "NoExecute") == "NoExecute"
            for toleration in given
        )
    ]
    if added:
        spec["tolerations"] = [*given, *added]
