"""The pods of a Job: how they are made, numbered and read."""

from datetime import datetime
from typing import Any, Final

from emulator.cluster.conditions import condition
from emulator.cluster.controllers.pod_control import pod_of_template
from emulator.cluster.store import Object

TRACKING: Final = "batch.kubernetes.io/job-tracking"
JOB_NAME: Final = "batch.kubernetes.io/job-name"
_INDEX: Final = "batch.kubernetes.io/job-completion-index"
_VARIABLE: Final = "JOB_COMPLETION_INDEX"


def new_pod(job: Object, owner: dict[str, Any], index: int | None) -> Object:
    """A pod of the Job's template; of an index if it counts by index."""
    metadata = job["metadata"]
    prefix = metadata["name"] if index is None else f"{metadata['name']}-{index}"
    template = job["spec"]["template"]
    pod = pod_of_template(template, metadata["namespace"], owner, generateName=f"{prefix}-")
    told = pod["metadata"]
    told["finalizers"] = [*told.get("finalizers", ()), TRACKING]
    told["labels"] = {**told.get("labels", {}), JOB_NAME: metadata["name"]}
    if index is not None:
        told["labels"][_INDEX] = str(index)
        told["annotations"] = {**told.get("annotations", {}), _INDEX: str(index)}
        pod["spec"]["hostname"] = prefix
        variable = {"name": _VARIABLE, "value": str(index)}
        for container in (*pod["spec"]["containers"], *(pod["spec"].get("initContainers") or ())):
            others = [each for each in container.get("env") or () if each["name"] != _VARIABLE]
            container["env"] = [*others, variable]
    return pod


def index_of(pod: Object) -> int | None:
    """The completion index of a pod, None without."""
    told = (pod["metadata"].get("annotations") or {}).get(_INDEX)
    return int(told) if told is not None and told.isdecimal() else None


def missing_indexes(job: Object, status: dict[str, Any], active: list[Object]) -> list[int]:
    """The indexes that have neither succeeded nor run, in order."""
    busy = {index_of(pod) for pod in active} | indexes_of(status.get("completedIndexes", ""))
    return [index for index in range(job["spec"].get("completions") or 0) if index not in busy]


def indexes_of(text: str) -> set[int]:
    """Read `completedIndexes`: `0,2-4`."""
    found: set[int] = set()
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        found |= set(range(int(first), int(last or first) + 1))
    return found


def written(indexes: set[int]) -> str:
    """Write `completedIndexes`."""
    parts: list[str] = []
    for index in sorted(indexes):
        if index - 1 in indexes:
            continue
        last = index
        while last + 1 in indexes:
            last += 1
        # Two in a row are written apart, as Kubernetes does.
        span = f"{index}-{last}" if last > index + 1 else f"{index},{last}"
        parts.append(str(index) if last == index else span)
    return ",".join(parts)


def restarts(pod: Object) -> int:
    """How often the pod's containers were started again."""
    status = pod.get("status") or {}
    statuses = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    return sum(each.get("restartCount", 0) for each in statuses)


def ended_at(pod: Object, now: datetime) -> datetime:
    """When the pod ended: its last container, or its deletion."""
    times: list[str] = []
    for each in (pod.get("status") or {}).get("containerStatuses") or ():
        finished = ((each.get("state") or {}).get("terminated") or {}).get("finishedAt")
        times += [finished] if finished else []
    since = (condition(pod, "Ready") or {}).get("lastTransitionTime")
    told = max(times, default="") or since or pod["metadata"].get("deletionTimestamp")
    return datetime.fromisoformat(told) if told else now
