"""The status of a Deployment: counts over its ReplicaSets, and whether it is available and progresses.

Follows `pkg/controller/deployment/progress.go` and sync.go; `kubectl rollout status` reads nothing else.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from emulator.cluster.conditions import Condition, condition, find, with_condition, without
from emulator.cluster.controllers.rollouts import limits, replicas_of
from emulator.cluster.store import Object, timestamp

TIMED_OUT: Final = "ProgressDeadlineExceeded"
AVAILABLE: Final = "NewReplicaSetAvailable"

_Status = dict[str, Any]


def status_of(
    deployment: Object, sets: Sequence[Object], new: Object | None, now: datetime
) -> tuple[_Status, float | None]:
    """The status, and after how many seconds the progress deadline passes unless something happens."""
    before: _Status = deployment.get("status") or {}
    status = _counts(deployment, sets, new, before)
    conditions = _availability(deployment, status, before.get("conditions") or [], now)
    if not deployment["spec"].get("paused"):
        conditions = _progress(deployment, status, conditions, new, now)
    failed = next((each for each in map(_failure, sets) if each), None)
    if failed is not None:
        told = (failed["status"], failed["reason"], failed["message"])
        conditions = _set(conditions, "ReplicaFailure", told, now)
    else:
        conditions = without(conditions, "ReplicaFailure")
    status["conditions"] = conditions
    return status, _seconds_left(deployment, conditions, now)


def is_complete(deployment: Object, status: _Status | None = None) -> bool:
    """Whether all replicas are of the present template and available, and no others are left."""
    told = (deployment.get("status") or {}) if status is None else status
    counts = [told.get(name, 0) for name in ("replicas", "updatedReplicas", "availableReplicas")]
    observed = told.get("observedGeneration", 0) >= deployment["metadata"]["generation"]
    return observed and counts == [replicas_of(deployment)] * 3


def with_update_time(conditions: list[Condition], type_: str, now: datetime) -> list[Condition]:
    """The conditions, one of them marked as renewed now."""
    return [
        {**each, "lastUpdateTime": timestamp(now)} if each["type"] == type_ else each for each in conditions
    ]


def _counts(deployment: Object, sets: Sequence[Object], new: Object | None, before: _Status) -> _Status:
    available = _sum(sets, "availableReplicas")
    counts = {
        "replicas": _sum(sets, "replicas"),
        "updatedReplicas": _sum([new] if new else [], "replicas"),
        "readyReplicas": _sum(sets, "readyReplicas"),
        "availableReplicas": available,
        "unavailableReplicas": max(0, sum(map(replicas_of, sets)) - available),
    }
    collisions = {"collisionCount": before["collisionCount"]} if "collisionCount" in before else {}
    told = {name: count for name, count in counts.items() if count}
    return {"observedGeneration": deployment["metadata"]["generation"], **told, **collisions}


def _sum(sets: Sequence[Object], count: str) -> int:
    return sum((each.get("status") or {}).get(count, 0) for each in sets)


def _availability(
    deployment: Object, status: _Status, conditions: list[Condition], now: datetime
) -> list[Condition]:
    if status.get("availableReplicas", 0) >= limits(deployment)[1]:
        told = ("True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    else:
        told = ("False", "MinimumReplicasUnavailable", "Deployment does not have minimum availability.")
    return _set(conditions, "Available", told, now)


def _progress(
    deployment: Object,
    status: _Status,
    conditions: list[Condition],
    new: Object | None,
    now: datetime,
) -> list[Condition]:
    if deployment["spec"].get("progressDeadlineSeconds") is None:
        return without(conditions, "Progressing")
    current = find(conditions, "Progressing")
    settled = status.get("replicas", 0) == status.get("updatedReplicas", 0)
    if settled and current is not None and current["reason"] == AVAILABLE:
        return conditions
    what = (
        f'ReplicaSet "{new["metadata"]["name"]}"' if new else f'Deployment "{deployment["metadata"]["name"]}"'
    )
    if is_complete(deployment, status):
        told = ("True", AVAILABLE, f"{what} has successfully progressed.")
        return _set(conditions, "Progressing", told, now)
    starting = current is None or current["reason"] == AVAILABLE
    if starting or _has_progressed(status, deployment.get("status") or {}):
        if starting and new is not None:
            told = ("True", "NewReplicaSetCreated", f'Created new replica set "{new["metadata"]["name"]}"')
        else:
            told = ("True", "ReplicaSetUpdated", f"{what} is progressing.")
        conditions = with_condition(conditions, "Progressing", told, now)
        return with_update_time(conditions, "Progressing", now)
    left = _seconds_left(deployment, conditions, now)
    if left is not None and left <= 0:
        told = ("False", TIMED_OUT, f"{what} has timed out progressing.")
        return _set(conditions, "Progressing", told, now)
    return conditions


def _has_progressed(status: _Status, before: _Status) -> bool:
    def old(told: _Status) -> int:
        return told.get("replicas", 0) - told.get("updatedReplicas", 0)

    grown = any(
        status.get(name, 0) > before.get(name, 0)
        for name in ("updatedReplicas", "readyReplicas", "availableReplicas")
    )
    return grown or old(status) < old(before)


def _seconds_left(deployment: Object, conditions: list[Condition], now: datetime) -> float | None:
    """Until the deadline; None when there is none, or it has passed or been met."""
    deadline = deployment["spec"].get("progressDeadlineSeconds")
    current = find(conditions, "Progressing")
    if deadline is None or current is None or current["reason"] in {AVAILABLE, TIMED_OUT}:
        return None
    if deployment["spec"].get("paused"):
        return None
    since = (now - datetime.fromisoformat(current["lastUpdateTime"])).total_seconds()
    return max(0.0, deadline - since)


def _failure(replica_set: Object) -> Condition | None:
    return condition(replica_set, "ReplicaFailure")


def _set(
    conditions: list[Condition], type_: str, told: tuple[str, str, str], now: datetime
) -> list[Condition]:
    """Set a condition, unless it says so already with the same reason."""
    current = find(conditions, type_)
    if current is not None and (current["status"], current["reason"]) == told[:2]:
        return conditions
    return with_update_time(with_condition(conditions, type_, told, now), type_, now)
