"""Evictions: a pod is deleted unless its PodDisruptionBudget forbids it.

As `pkg/registry/core/pod/storage/eviction.go`: `kubectl drain` sends evictions and tries again on 429. What a
budget allows is counted by `disruption_budgets`; an eviction takes one off at once, so that two that come
together cannot both pass.
"""

from datetime import datetime
from typing import Any, Final

from emulator.cluster.conditions import find, with_condition
from emulator.cluster.controllers.pod_control import delete_pod, mark_disrupted
from emulator.cluster.pods import is_ready, is_terminated, phase
from emulator.cluster.resources import Resources
from emulator.cluster.selectors import LabelSelector
from emulator.cluster.status import ApiError, Cause, bad_request, conflict, forbidden
from emulator.cluster.store import Object, Store, copy_of, is_terminating, timestamp

ALLOWED: Final = "DisruptionAllowed"
_MAX_UNCONFIRMED: Final = 2000
_RETRY_SECONDS: Final = 10


def evict(store: Store, resources: Resources, namespace: str, name: str, eviction: Object) -> None:
    """Delete a pod if its budget allows it; `eviction` is the Eviction object of the request.

    Raises ApiError: 404 without such a pod, 429 when the budget forbids it now, 500 when it has several
    budgets, 409 when it is not the pod of the preconditions.
    """
    pods = resources["pods"]
    pod = store.get(pods, namespace, name)
    told = (eviction.get("metadata") or {}).get("name") or name
    if told != name:
        raise bad_request(f"name in URL does not match name in Eviction object: {name} vs {told}")
    options: dict[str, Any] = eviction.get("deleteOptions") or {}
    _check_preconditions(resources, pod, options.get("preconditions") or {})
    dry_run = bool(options.get("dryRun"))
    if not _is_of_no_account(pod):
        budgets = _budgets_of(store, resources, pod)
        if len(budgets) > 1:
            raise ApiError(
                *(500, ""),
                "This pod has more than one PodDisruptionBudget, which the eviction subresource does not "
                "support.",
            )
        for budget in budgets:
            if is_ready(pod) or not _may_go_unready(budget):
                _take(store, resources, budget, name, dry_run=dry_run)
    if dry_run:
        return
    pod = mark_disrupted(store, resources, pod, "EvictionByEvictionAPI", "Eviction API: evicting")
    delete_pod(store, resources, pod, options.get("gracePeriodSeconds"))


def _check_preconditions(resources: Resources, pod: Object, asked: dict[str, str]) -> None:
    for field, label in (("uid", "UID"), ("resourceVersion", "ResourceVersion")):
        present = pod["metadata"][field]
        if asked.get(field, present) != present:
            raise conflict(
                *(resources["pods"], pod["metadata"]["name"]),
                f"Precondition failed: {label} in precondition: {asked[field]}, {label} in object meta: {present}",
            )


def _is_of_no_account(pod: Object) -> bool:
    """Whether no budget counts on the pod: it has not started, has ended, or goes anyway."""
    return is_terminated(pod) or phase(pod) == "Pending" or is_terminating(pod)


def _budgets_of(store: Store, resources: Resources, pod: Object) -> list[Object]:
    namespace, labels = pod["metadata"]["namespace"], pod["metadata"].get("labels")
    return [
        budget
        for budget in store.list(resources["poddisruptionbudgets.policy"], namespace)
        if LabelSelector.of(budget["spec"].get("selector")).matches(labels)
    ]


def _may_go_unready(budget: Object) -> bool:
    """Whether a pod that is not ready may go without taking from what the budget allows."""
    if budget["spec"].get("unhealthyPodEvictionPolicy") == "AlwaysAllow":
        return True
    status = budget.get("status") or {}
    return status.get("currentHealthy", 0) >= status.get("desiredHealthy", 0) > 0


def _take(store: Store, resources: Resources, budget: Object, pod: str, *, dry_run: bool) -> None:
    """Take one disruption from the budget, or raise."""
    resource = resources["poddisruptionbudgets.policy"]
    name, status = budget["metadata"]["name"], budget.get("status") or {}
    if status.get("observedGeneration", 0) < budget["metadata"]["generation"]:
        message = f"The disruption budget {name} is still being processed by the server."
        raise _too_many(message, _RETRY_SECONDS)
    allowed = status.get("disruptionsAllowed", 0)
    if allowed < 0:
        raise forbidden(resource, name, "pdb disruptions allowed is negative")
    if len(status.get("disruptedPods") or ()) > _MAX_UNCONFIRMED:
        raise forbidden(
            *(resource, name),
            "DisruptedPods map too big - too many evictions not confirmed by PDB controller",
        )
    if allowed == 0:
        raise _too_many(_refusal(name, status), None)
    if dry_run:
        return
    changed = copy_of(budget)
    now = store.clock()
    status = changed["status"]
    status["disruptionsAllowed"] = allowed - 1
    status["disruptedPods"] = {**(status.get("disruptedPods") or {}), pod: timestamp(now)}
    status["conditions"] = allowed_condition(status, budget, now)
    store.update(resource, changed)


def allowed_condition(status: Object, budget: Object, now: datetime) -> list[dict[str, Any]]:
    """The conditions of a budget's status after its number of allowed disruptions has changed."""
    sufficient = status["disruptionsAllowed"] > 0
    told = ("True", "SufficientPods", "") if sufficient else ("False", "InsufficientPods", "")
    conditions = with_condition(status.get("conditions") or [], ALLOWED, told, now)
    observed = budget["metadata"]["generation"]
    return [{**each, "observedGeneration": observed} for each in conditions]


def _refusal(name: str, status: Object) -> str:
    condition = find(status.get("conditions") or [], ALLOWED)
    failed = condition if condition and condition["status"] == "False" and condition["message"] else None
    if failed and failed["reason"] == "SyncFailed":
        return (
            f"The disruption budget {name} does not allow evicting pods currently because it failed sync: "
            f"{failed['message']}"
        )
    healthy, desired = status.get("currentHealthy", 0), status.get("desiredHealthy", 0)
    if healthy <= desired:
        return f"The disruption budget {name} needs {desired} healthy pods and has {healthy} currently"
    why = f" ({failed['reason']}): {failed['message']}" if failed else ""
    return f"The disruption budget {name} does not allow evicting pods currently{why}"


def _too_many(message: str, retry_after: int | None) -> ApiError:
    return ApiError(
        *(429, "TooManyRequests", "Cannot evict pod as it would violate the pod's disruption budget."),
        causes=[Cause("", message, "DisruptionBudget")],
        retry_after=retry_after,
    )
