"""HorizontalPodAutoscalers as in a cluster without a metrics server: they hold the bounds and nothing more.

Follows `pkg/controller/podautoscaler/horizontal.go` up to where it asks for metrics.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from emulator.cluster.conditions import Condition, condition, conditions_of, with_condition
from emulator.cluster.controllers.events import NORMAL, WARNING, record
from emulator.cluster.controllers.rollouts import replicas_of
from emulator.cluster.resources import Resource, Resources
from emulator.cluster.status import not_found
from emulator.cluster.store import Event, Key, Object, Store, copy_of, timestamp

_COMPONENT: Final = "horizontal-pod-autoscaler"
_NO_METRICS: Final = {
    "resource": (
        "unable to fetch metrics from resource metrics API: the server could not find the requested resource "
        "(get pods.metrics.k8s.io)"
    ),
    "custom": (
        "unable to fetch metrics from custom metrics API: no custom metrics API (custom.metrics.k8s.io) "
        "registered"
    ),
    "external": (
        "unable to fetch metrics from external metrics API: no external metrics API (external.metrics.k8s.io) "
        "registered"
    ),
}

_CPU: Final = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization"}}}

_Target = tuple[Resource, Object]


class Autoscalers:
    """The controller of HorizontalPodAutoscalers."""

    def __init__(self, store: Store, resources: Resources) -> None:
        self._store = store
        self._resources = resources
        self._resource = resources["horizontalpodautoscalers.autoscaling"]
        self._by_target: dict[tuple[str, str, str], dict[Key, None]] = {}
        """By namespace, kind and name of what is scaled."""

    def concerned(self, event: Event) -> Iterable[Key]:
        """The autoscaler itself, and those of what is scaled."""
        if event.resource.key != self._resource.key:
            return tuple(self._by_target.get((event.key[0], event.resource.kind, event.key[1]), ()))
        if event.before is not None:
            self._by_target.get(_target_of(event.before), {}).pop(event.key, None)
        if event.type != "DELETED":
            self._by_target.setdefault(_target_of(event.object), {})[event.key] = None
        return (event.key,)

    def reconcile(self, key: Key) -> float | None:
        """Bring the target within its bounds, and say why no metric decides."""
        autoscaler = self._store.find(self._resource, *key)
        if autoscaler is None:
            return None
        now, spec = self._store.clock(), autoscaler["spec"]
        status: dict[str, Any] = dict(autoscaler.get("status") or {})
        conditions = conditions_of(autoscaler)
        target = self._target(autoscaler)
        if isinstance(target, str):
            message = f"the HPA controller was unable to get the target's current scale: {target}"
            told = ("False", "FailedGetScale", message)
            self._warn_once(autoscaler, "AbleToScale", told[1], target)
            conditions = with_condition(conditions, "AbleToScale", told, now)
            self._write(autoscaler, {**status, "conditions": conditions})
            return None
        resource, scaled = target
        current = replicas_of(scaled)
        if current == 0:
            desired = 0
            message = "scaling is disabled since the replica count of the target is zero"
            told = ("False", "ScalingDisabled", message)
            conditions = with_condition(conditions, "ScalingActive", told, now)
        else:
            desired = min(max(current, spec.get("minReplicas", 1)), spec["maxReplicas"])
        told = ("True", "SucceededGetScale", "the HPA controller was able to get the target's current scale")
        if desired != current:
            self._rescale(autoscaler, resource, scaled, desired)
            status["lastScaleTime"] = timestamp(now)
            message = f"the HPA controller was able to update the target scale to {desired}"
            told = ("True", "SucceededRescale", message)
        conditions = with_condition(conditions, "AbleToScale", told, now)
        if current:
            conditions = self._no_metrics(autoscaler, conditions, now)
        status |= {
            "observedGeneration": autoscaler["metadata"]["generation"],
            "currentReplicas": current,
            "desiredReplicas": desired,
            "currentMetrics": None,
            "conditions": conditions,
        }
        self._write(autoscaler, status)
        return None

    def _target(self, autoscaler: Object) -> _Target | str:
        """What is scaled, or why it cannot be."""
        reference = autoscaler["spec"]["scaleTargetRef"]
        resource = self._resources.of_kind(reference.get("apiVersion") or "apps/v1", reference["kind"])
        if resource is None:
            group = reference.get("apiVersion", "").rpartition("/")[0]
            return f'no matches for kind "{reference["kind"]}" in group "{group}"'
        found = self._store.find(resource, autoscaler["metadata"]["namespace"], reference["name"])
        if found is None:
            return not_found(resource, reference["name"]).message
        if "scale" not in resource.subresources:
            return "the server could not find the requested resource"
        return resource, found

    def _rescale(self, autoscaler: Object, resource: Resource, scaled: Object, desired: int) -> None:
        above = replicas_of(scaled) > desired
        side = "above Spec.MaxReplicas" if above else "below Spec.MinReplicas"
        changed = copy_of(scaled)
        changed["spec"]["replicas"] = desired
        self._store.update(resource, changed)
        message = f"New size: {desired}; reason: Current number of replicas {side}"
        record(
            *(self._store, self._resources, autoscaler, NORMAL), *("SuccessfulRescale", message, _COMPONENT)
        )

    def _no_metrics(self, autoscaler: Object, conditions: list[Condition], now: datetime) -> list[Condition]:
        reason, why = _first_failure(autoscaler["spec"].get("metrics") or [])
        message = f"the HPA was unable to compute the replica count: {why}"
        self._warn_once(autoscaler, "ScalingActive", reason, why)
        return with_condition(conditions, "ScalingActive", ("False", reason, message), now)

    def _warn_once(self, autoscaler: Object, type_: str, reason: str, message: str) -> None:
        """Record an event when a condition gets another reason."""
        present = condition(autoscaler, type_)
        if present is None or present["reason"] != reason:
            record(*(self._store, self._resources, autoscaler, WARNING), *(reason, message, _COMPONENT))

    def _write(self, autoscaler: Object, status: dict[str, Any]) -> None:
        if status != autoscaler.get("status"):
            self._store.update(self._resource, {**autoscaler, "status": status})


def _target_of(autoscaler: Object) -> tuple[str, str, str]:
    reference = autoscaler["spec"]["scaleTargetRef"]
    return autoscaler["metadata"]["namespace"], reference["kind"], reference["name"]


def _first_failure(metrics: list[dict[str, Any]]) -> tuple[str, str]:
    """Reason and message for the first metric, which is what a condition shows."""
    metric: dict[str, Any] = metrics[0] if metrics else _CPU
    kind: str = metric["type"]
    told: dict[str, Any] = metric[kind[0].lower() + kind[1:]]
    reason = f"FailedGet{kind}Metric"
    if kind in {"Resource", "ContainerResource"}:
        what = "utilization" if told["target"].get("type", "Utilization") == "Utilization" else "usage"
        why = f"unable to get metrics for resource {told['name']}: {_NO_METRICS['resource']}"
        return reason, f"failed to get {told['name']} {what}: {why}"
    name = told["metric"]["name"]
    if kind == "External":
        return reason, f"unable to get external metric {name}: {_NO_METRICS['external']}"
    return reason, f"unable to get metric {name}: {_NO_METRICS['custom']}"
