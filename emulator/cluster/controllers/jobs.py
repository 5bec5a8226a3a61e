"""Jobs: pods that run until as many as asked for have succeeded.

Follows `pkg/controller/job`: a pod keeps the finalizer `batch.kubernetes.io/job-tracking` until its end has
been counted in the Job's status, so that a pod that is deleted still counts.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from emulator.cluster.conditions import Condition, condition, conditions_of, find, is_true, with_condition
from emulator.cluster.controllers import job_pods
from emulator.cluster.controllers.events import NORMAL, WARNING, record
from emulator.cluster.controllers.indexes import Indexes
from emulator.cluster.controllers.pod_control import create_pod, delete_pod, deletion_order
from emulator.cluster.owners import controlled_by, controller_of, controllers_named
from emulator.cluster.pods import is_active, is_ready, phase
from emulator.cluster.resources import Resources
from emulator.cluster.store import Event, Key, Object, Store, copy_of, is_terminating, key_of, timestamp

_COMPONENT: Final = "job-controller"
_BACKOFF_SECONDS: Final = 10.0
_MAX_BACKOFF_SECONDS: Final = 600.0
_FINISHED: Final = ("Complete", "Failed")


class Jobs:
    """The controller of Jobs."""

    def __init__(self, store: Store, resources: Resources, indexes: Indexes) -> None:
        self._store = store
        self._resources = resources
        self._indexes = indexes
        self._resource = resources["jobs.batch"]
        self._pods = resources["pods"]

    def concerned(self, event: Event) -> Iterable[Key]:
        """The Job itself, or that of a pod."""
        if event.resource.key == self._resource.key:
            return (event.key,)
        if event.resource.key != self._pods.key:
            return ()
        return controllers_named(event, self._resource.kind)

    def reconcile(self, key: Key) -> float | None:
        """Count what has ended, and start what is still to do."""
        job = self._store.find(self._resource, *key)
        self._let_go(key, job)
        if job is None:
            return None
        finished = finished_condition(job)
        if finished is not None:
            return self._expire(job, finished)
        if is_terminating(job):
            return None
        return self._sync(job)

    def _let_go(self, key: Key, job: Object | None) -> None:
        """Nobody counts the pods of a Job that is gone."""
        own = job["metadata"]["uid"] if job else ""
        if job is not None and not is_terminating(job):
            return
        for pod in self._indexes.pods_with(key[0], {job_pods.JOB_NAME: key[1]}):
            owner = controller_of(pod)
            gone = owner is None or owner["uid"] == own or self._indexes.of_uid(owner["uid"]) is None
            if gone:
                self._release(pod)

    def _release(self, pod: Object) -> None:
        finalizers = pod["metadata"].get("finalizers") or []
        if job_pods.TRACKING in finalizers:
            changed = copy_of(pod)
            changed["metadata"]["finalizers"].remove(job_pods.TRACKING)
            self._store.update(self._pods, changed)

    def _expire(self, job: Object, finished: Condition) -> float | None:
        """Delete a finished Job when its time to live has passed."""
        for pod in self._indexes.controlled(self._pods, job):
            self._release(pod)
        lifetime = job["spec"].get("ttlSecondsAfterFinished")
        if lifetime is None or is_terminating(job):
            return None
        since = datetime.fromisoformat(finished["lastTransitionTime"])
        left = lifetime - (self._store.clock() - since).total_seconds()
        if left > 0:
            return left
        self._store.delete(self._resource, *key_of(job))
        return None

    def _sync(self, job: Object) -> float | None:
        now, spec = self._store.clock(), job["spec"]
        status: dict[str, Any] = dict(job.get("status") or {})
        conditions = conditions_of(job)
        if not spec.get("suspend"):
            status.setdefault("startTime", timestamp(now))
        self._count(job, status)
        pods = self._indexes.controlled(self._pods, job)
        active = [pod for pod in pods if is_active(pod)]
        again: float | None = None
        verdict = self._verdict(job, status, active, now)
        if verdict is not None:
            type_, reason, message = verdict
            self._delete(job, active)
            early = "SuccessCriteriaMet" if type_ == "Complete" else "FailureTarget"
            for each in (early, type_):
                conditions = with_condition(conditions, each, ("True", reason, message), now)
            if type_ == "Complete":
                status["completionTime"] = timestamp(now)
                self._tell(job, NORMAL, "Completed", "Job completed")
            else:
                self._tell(job, WARNING, reason, message)
            active = []
        elif spec.get("suspend"):
            self._delete(job, active)
            active = []
            if not is_true(job, "Suspended"):
                status.pop("startTime", None)
                told = ("True", "JobSuspended", "Job suspended")
                conditions = with_condition(conditions, "Suspended", told, now)
                self._tell(job, NORMAL, "Suspended", "Job suspended")
        else:
            if is_true(job, "Suspended"):
                status["startTime"] = timestamp(now)
                told = ("False", "JobResumed", "Job resumed")
                conditions = with_condition(conditions, "Suspended", told, now)
                self._tell(job, NORMAL, "Resumed", "Job resumed")
            again = self._scale(job, status, active, now)
            pods = self._indexes.controlled(self._pods, job)
            active = [pod for pod in pods if is_active(pod)]
        status |= {
            "active": len(active),
            "ready": sum(map(is_ready, active)),
            "terminating": sum(is_terminating(pod) and job_pods.TRACKING in _finalizers(pod) for pod in pods),
            "conditions": conditions,
        }
        told_always = {"ready", "terminating"}
        status = {name: value for name, value in status.items() if value or name in told_always}
        present = self._store.find(self._resource, *key_of(job))
        if present is not None and present.get("status") != status:
            self._store.update(self._resource, {**present, "status": status})
        return min([each for each in (again, self._deadline(job, status, now)) if each], default=None)

    def _count(self, job: Object, status: dict[str, Any]) -> None:
        """Add what has ended since the last look; the status and the pods are written in one go."""
        done = job_pods.indexes_of(status.get("completedIndexes", ""))
        ended: list[Object] = []
        for pod in self._indexes.controlled(self._pods, job):
            if job_pods.TRACKING not in _finalizers(pod):
                continue
            if phase(pod) == "Succeeded":
                index = job_pods.index_of(pod)
                if index is None or index not in done:
                    status["succeeded"] = status.get("succeeded", 0) + 1
                done |= set() if index is None else {index}
            elif phase(pod) == "Failed" or is_terminating(pod):
                status["failed"] = status.get("failed", 0) + 1
            else:
                continue
            ended.append(pod)
        if not ended:
            return
        if _is_indexed(job):
            status["completedIndexes"] = job_pods.written(done)
        present = self._store.get(self._resource, *key_of(job))
        self._store.update(self._resource, {**present, "status": status})
        for pod in ended:
            self._release(pod)

    def _verdict(
        self, job: Object, status: dict[str, Any], active: list[Object], now: datetime
    ) -> tuple[str, str, str] | None:
        """Whether the Job has ended: the condition's type, reason and message."""
        spec = job["spec"]
        restarts = sum(map(job_pods.restarts, active))
        limit = spec.get("backoffLimit", 6)
        on_failure = spec["template"]["spec"].get("restartPolicy") == "OnFailure"
        if status.get("failed", 0) > limit or (on_failure and restarts and restarts >= limit):
            return "Failed", "BackoffLimitExceeded", "Job has reached the specified backoff limit"
        deadline = spec.get("activeDeadlineSeconds")
        if deadline is not None and not spec.get("suspend") and _age(status, now) >= deadline:
            return "Failed", "DeadlineExceeded", "Job was active longer than specified deadline"
        succeeded, completions = status.get("succeeded", 0), spec.get("completions")
        if succeeded >= completions if completions is not None else succeeded and not active:
            return "Complete", "CompletionsReached", "Reached expected number of succeeded pods"
        return None

    def _scale(
        self, job: Object, status: dict[str, Any], active: list[Object], now: datetime
    ) -> float | None:
        """Start or stop pods; returns how long to wait after failures before the next starts."""
        spec = job["spec"]
        parallelism, completions = spec.get("parallelism", 1), spec.get("completions")
        succeeded = status.get("succeeded", 0)
        if completions is None:
            wanted = len(active) if succeeded else parallelism  # once one has succeeded, no more start
        else:
            wanted = min(parallelism, completions - succeeded)
        if len(active) > wanted:
            self._delete(job, deletion_order(active, active)[: len(active) - wanted])
            return None
        missing = wanted - len(active)
        wait = self._backoff(job, now) if missing else 0.0
        if missing and wait > 0:
            return wait
        indexes = job_pods.missing_indexes(job, status, active) if _is_indexed(job) else [None] * missing
        for index in indexes[:missing]:
            pod = job_pods.new_pod(job, controlled_by(self._resource, job), index)
            created = create_pod(self._store, self._resources, pod)
            name = created["metadata"]["name"]
            self._tell(job, NORMAL, "SuccessfulCreate", f"Created pod: {name}")
        return None

    def _backoff(self, job: Object, now: datetime) -> float:
        """Seconds left to wait: 10, 20, 40, ... after the last of the failures in a row."""
        ended = sorted(
            (job_pods.ended_at(pod, now), phase(pod) == "Succeeded")
            for pod in self._indexes.controlled(self._pods, job)
            if not is_active(pod)
        )
        failures = 0
        for _, success in reversed(ended):
            if success:
                break
            failures += 1
        if not failures:
            return 0.0
        delay = min(_BACKOFF_SECONDS * 2 ** (failures - 1), _MAX_BACKOFF_SECONDS)
        return delay - (now - ended[-1][0]).total_seconds()

    def _deadline(self, job: Object, status: dict[str, Any], now: datetime) -> float | None:
        deadline = job["spec"].get("activeDeadlineSeconds")
        over = any(find(status.get("conditions") or [], each) for each in _FINISHED)
        if deadline is None or over or "startTime" not in status:
            return None
        return max(0.1, deadline - _age(status, now))

    def _delete(self, job: Object, pods: Iterable[Object]) -> None:
        for pod in pods:
            self._release(pod)
            present = self._store.find(self._pods, *key_of(pod))
            if present is not None:
                delete_pod(self._store, self._resources, present)
            self._tell(job, NORMAL, "SuccessfulDelete", f"Deleted pod: {pod['metadata']['name']}")

    def _tell(self, job: Object, type_: Any, reason: str, message: str) -> None:
        record(self._store, self._resources, job, type_, reason, message, _COMPONENT)


def finished_condition(job: Object) -> Condition | None:
    """The condition that says that the Job has ended, or None."""
    return next((condition(job, each) for each in _FINISHED if is_true(job, each)), None)


def _is_indexed(job: Object) -> bool:
    return job["spec"].get("completionMode") == "Indexed"


def _finalizers(pod: Object) -> list[str]:
    return pod["metadata"].get("finalizers") or []


def _age(status: dict[str, Any], now: datetime) -> float:
    started = status.get("startTime")
    return (now - datetime.fromisoformat(started)).total_seconds() if started else 0.0
