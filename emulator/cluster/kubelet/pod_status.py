"""A pod's status as its containers make it: phase, conditions, quality of service.

The rules are `getPhase` of `pkg/kubelet/kubelet_pods.go`, `pkg/kubelet/status/generate.go` and
`pkg/apis/core/v1/helper/qos`.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from emulator.cluster.quantities import parse_quantity
from emulator.cluster.store import Object

Statuses = Sequence[Mapping[str, Any]]


def phase(pod: Object, containers: Statuses, *, initialized: bool, failed: bool) -> str:
    """`failed`: an init container has failed for good."""
    policy = pod["spec"].get("restartPolicy", "Always")
    if failed:
        return "Failed"
    running = sum("running" in each["state"] for each in containers)
    ended = [
        each["state"].get("terminated") or each["lastState"]["terminated"]
        for each in containers
        if "terminated" in each["state"] or ("waiting" in each["state"] and "terminated" in each["lastState"])
    ]
    if not initialized or running + len(ended) < len(containers):
        return "Pending"
    if running or policy == "Always":
        return "Running"
    if all(each["exitCode"] == 0 for each in ended):
        return "Succeeded"
    return "Failed" if policy == "Never" else "Running"


def conditions(
    pod: Object,
    containers: Statuses,
    sidecars: Statuses,
    now: str,
    *,
    has_address: bool,
    initialized: bool,
    phase: str,
) -> list[dict[str, Any]]:
    """The conditions, those of others (and of readiness gates) as they are; times change with the status only."""
    present = {each["type"]: each for each in (pod.get("status") or {}).get("conditions") or ()}
    names = [container["name"] for container in pod["spec"]["containers"]]
    unready = [each["name"] for each in (*sidecars, *containers) if not each["ready"]]
    not_ready = (
        ("PodCompleted", "")
        if phase == "Succeeded"
        else ("PodFailed", "")
        if phase == "Failed"
        else ("ContainersNotReady", f"containers with unready status: [{' '.join(unready)}]")
        if unready
        else ("", "")
    )
    gates = [each["conditionType"] for each in pod["spec"].get("readinessGates") or ()]
    closed = [gate for gate in gates if present.get(gate, {}).get("status") != "True"]
    gated = (
        ("ReadinessGatesNotReady", f'the status of pod readiness gate "{closed[0]}" is not "True"')
        if closed
        else ("", "")
    )
    incomplete = ("ContainersNotInitialized", f"containers with incomplete status: [{' '.join(names)}]")
    ours = {
        "PodReadyToStartContainers": ("", "") if has_address else ("NoSandbox", "no address yet"),
        "Initialized": ("", "") if initialized else incomplete,
        "Ready": not_ready if not_ready[0] else gated,
        "ContainersReady": not_ready,
        "PodScheduled": ("", ""),
    }
    if phase == "Succeeded":
        ours["Initialized"] = ("PodCompleted", "")
    result: list[dict[str, Any]] = []
    for type_, (reason, message) in ours.items():
        good = not reason or (type_ == "Initialized" and phase == "Succeeded")
        status = "True" if good else "False"
        before = present.pop(type_, {})
        since = before.get("lastTransitionTime") if before.get("status") == status else None
        result.append(
            {
                "type": type_,
                "status": status,
                "lastProbeTime": None,
                "lastTransitionTime": since or now,
                **({"reason": reason} if reason else {}),
                **({"message": message} if message else {}),
            }
        )
    return [*result, *present.values()]


def quality_of_service(spec: Mapping[str, Any]) -> str:
    """Guaranteed, Burstable or BestEffort."""
    containers = [*spec["containers"], *(spec.get("initContainers") or ())]
    told = [container.get("resources") or {} for container in containers]
    if not any(_quantities(each.get(kind)) for each in told for kind in ("requests", "limits")):
        return "BestEffort"
    guaranteed = all(
        set(limits := _quantities(each.get("limits"))) == {"cpu", "memory"}
        and {**limits, **_quantities(each.get("requests"))} == limits
        for each in told
    )
    return "Guaranteed" if guaranteed else "Burstable"


def _quantities(values: Mapping[str, Any] | None) -> dict[str, Any]:
    """CPU and memory, which alone count."""
    return {
        name: amount
        for name, amount in _parsed((values or {}).items())
        if amount and name in {"cpu", "memory"}
    }


def _parsed(values: Iterable[tuple[str, Any]]) -> Iterable[tuple[str, Any]]:
    return ((name, parse_quantity(value)) for name, value in values)
