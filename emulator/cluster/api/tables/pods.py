"""The columns of pods: above all the one word that says how a pod is."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from emulator.cluster.api.tables.columns import (
    AGE,
    NAME,
    NONE,
    Column,
    at,
    column,
    field,
    human_duration,
    moment,
)
from emulator.cluster.conditions import condition, is_true
from emulator.cluster.pods import is_terminated
from emulator.cluster.store import Object, is_terminating

_Status = Mapping[str, Any]
_LOST = "NodeLost"


def status(pod: Object) -> str:
    """What the STATUS column says, such as `Running`, `Init:0/1` or `CrashLoopBackOff`."""
    told = at(pod, "status.reason") or at(pod, "status.phase") or "Unknown"
    if (condition(pod, "PodScheduled") or {}).get("reason") == "SchedulingGated":
        told = "SchedulingGated"
    initializing = _initializing(pod)
    if initializing:
        told = initializing
    if not initializing or is_true(pod, "Initialized"):
        told = _of_containers(pod, told)
    if not is_terminating(pod):
        return told
    if at(pod, "status.reason") == _LOST:
        return "Unknown"
    return told if is_terminated(pod) else "Terminating"


def ready(pod: Object) -> str:
    """How many of the pod's containers are ready, of how many; sidecars count."""
    sidecars = _sidecars(pod)
    statuses = [*_statuses(pod, "containerStatuses"), *_statuses(pod, "initContainerStatuses", sidecars)]
    are_ready = sum(bool(each.get("ready")) and "running" in _state(each) for each in statuses)
    return f"{are_ready}/{len(pod['spec']['containers']) + len(sidecars)}"


def restarts(pod: Object, now: datetime) -> str:
    """How often containers were restarted, and how long ago the last of them ended."""
    if _initializing(pod) and not is_true(pod, "Initialized"):
        statuses = list(_statuses(pod, "initContainerStatuses"))
    else:
        sidecars = _statuses(pod, "initContainerStatuses", _sidecars(pod))
        statuses = [*sidecars, *_statuses(pod, "containerStatuses")]
    number = sum(each.get("restartCount") or 0 for each in statuses)
    ends = [moment(at(each, "lastState.terminated.finishedAt")) for each in statuses]
    last = max((each for each in ends if each), default=None)
    return f"{number} ({human_duration(now - last)} ago)" if number and last else str(number)


def _initializing(pod: Object) -> str:
    """What the first init container that is not through says; empty when all are."""
    sidecars = _sidecars(pod)
    for place, each in enumerate(_statuses(pod, "initContainerStatuses")):
        state = _state(each)
        terminated, waiting = state.get("terminated"), state.get("waiting") or {}
        if terminated is not None and not terminated.get("exitCode"):
            continue
        if each["name"] in sidecars and each.get("started"):
            continue
        if terminated is not None:
            return f"Init:{_end(terminated)}"
        if waiting.get("reason", "PodInitializing") != "PodInitializing":
            return f"Init:{waiting['reason']}"
        return f"Init:{place}/{len(pod['spec'].get('initContainers') or ())}"
    return ""


def _of_containers(pod: Object, told: str) -> str:
    running = False
    for each in reversed(list(_statuses(pod, "containerStatuses"))):
        state = _state(each)
        if (state.get("waiting") or {}).get("reason"):
            told = state["waiting"]["reason"]
        elif state.get("terminated") is not None:
            told = _end(state["terminated"])
        elif each.get("ready") and state.get("running") is not None:
            running = True
    if told == "Completed" and running:
        return "Running" if is_true(pod, "Ready") else "NotReady"
    return told


def _end(terminated: _Status) -> str:
    if terminated.get("reason"):
        return terminated["reason"]
    if terminated.get("signal"):
        return f"Signal:{terminated['signal']}"
    return f"ExitCode:{terminated.get('exitCode', 0)}"


def _statuses(pod: Object, part: str, names: set[str] | None = None) -> Iterator[_Status]:
    found = (pod.get("status") or {}).get(part) or ()
    return (each for each in found if names is None or each["name"] in names)


def _sidecars(pod: Object) -> set[str]:
    """Init containers that go on running beside the others."""
    found = pod["spec"].get("initContainers") or ()
    return {each["name"] for each in found if each.get("restartPolicy") == "Always"}


def _state(container_status: _Status) -> _Status:
    return container_status.get("state") or {}


def _ip(pod: Object) -> str:
    addresses = at(pod, "status.podIPs")
    return (addresses[0].get("ip") if addresses else at(pod, "status.podIP")) or NONE


def _readiness_gates(pod: Object) -> str:
    gates = pod["spec"].get("readinessGates")
    if not gates:
        return NONE
    passed = sum(is_true(pod, each["conditionType"]) for each in gates)
    return f"{passed}/{len(gates)}"


PODS: Final = (
    NAME,
    column("Ready", ready),
    column("Status", status),
    Column("Restarts", restarts),
    AGE,
    column("IP", _ip, wide=True),
    field("Node", "spec.nodeName", absent=NONE, wide=True),
    field("Nominated Node", "status.nominatedNodeName", absent=NONE, wide=True),
    column("Readiness Gates", _readiness_gates, wide=True),
)
