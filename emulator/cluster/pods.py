"""What a pod's status says, by the rules of `k8s.io/kubernetes/pkg/api/v1/pod`."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from emulator.cluster.conditions import condition, is_true
from emulator.cluster.store import is_terminating

_Pod = Mapping[str, Any]


def phase(pod: _Pod) -> str:
    """`status.phase`, Pending as long as nobody has written one."""
    return (pod.get("status") or {}).get("phase") or "Pending"


def is_terminated(pod: _Pod) -> bool:
    """Whether all containers have ended for good."""
    return phase(pod) in {"Succeeded", "Failed"}


def is_active(pod: _Pod) -> bool:
    """Whether the pod counts as a replica: neither ended nor about to."""
    return not is_terminated(pod) and not is_terminating(pod)


def is_ready(pod: _Pod) -> bool:
    """Whether the Ready condition is True."""
    return is_true(pod, "Ready")


def seconds_to_available(pod: _Pod, min_ready_seconds: int, now: datetime) -> float | None:
    """How long until the pod has been ready for long enough: 0 when it has; None when it is not ready."""
    ready = condition(pod, "Ready")
    if ready is None or ready["status"] != "True":
        return None
    since = ready.get("lastTransitionTime")
    if not min_ready_seconds or not since:
        return 0.0
    return max(0.0, min_ready_seconds - (now - datetime.fromisoformat(since)).total_seconds())


def is_available(pod: _Pod, min_ready_seconds: int, now: datetime) -> bool:
    """Whether the pod has been ready for long enough."""
    return seconds_to_available(pod, min_ready_seconds, now) == 0
