"""CronJobs: Jobs that are started on a schedule, and how many of them are kept.

Of several times that were missed only the last is made up for, as by the real controller. Its rules:
https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from emulator.cluster.controllers.events import NORMAL, WARNING, record
from emulator.cluster.controllers.indexes import Indexes
from emulator.cluster.controllers.jobs import finished_condition
from emulator.cluster.controllers.pod_control import delete
from emulator.cluster.owners import controlled_by, controller_of
from emulator.cluster.resources import Resources
from emulator.cluster.store import Event, Key, Object, Store, is_terminating, key_of, timestamp
from emulator.cluster.writes import defaults

_COMPONENT: Final = "cronjob-controller"
_SCHEDULED_AT: Final = "batch.kubernetes.io/cronjob-scheduled-timestamp"
_INSTANT: Final = timedelta(seconds=1)
"""Past now, so that what is due this very moment counts as due."""
_SOONEST_SECONDS: Final = 1.0


class CronJobs:
    """The controller of CronJobs."""

    def __init__(self, store: Store, resources: Resources, indexes: Indexes) -> None:
        self._store = store
        self._resources = resources
        self._indexes = indexes
        self._resource = resources["cronjobs.batch"]
        self._jobs = resources["jobs.batch"]

    def concerned(self, event: Event) -> Iterable[Key]:
        """The CronJob itself, or that of a Job."""
        if event.resource.key == self._resource.key:
            return (event.key,)
        if event.resource.key != self._jobs.key:
            return ()
        owner = controller_of(event.object)
        return ((event.key[0], owner["name"]),) if owner and owner["kind"] == "CronJob" else ()

    def reconcile(self, key: Key) -> float | None:
        """List the Jobs that run, and delete old ones that have ended."""
        cron_job = self._store.find(self._resource, *key)
        if cron_job is None or is_terminating(cron_job):
            return None
        spec, status = cron_job["spec"], cron_job.get("status") or {}
        jobs = sorted(self._indexes.controlled(self._jobs, cron_job), key=_age)
        ended = {"Complete": list[Object](), "Failed": list[Object]()}
        active: list[Object] = []
        new: dict[str, Any] = dict(status)
        for job in jobs:
            finished = finished_condition(job)
            if finished is None:
                active.append(job)
                continue
            ended[finished["type"]].append(job)
            completion = (job.get("status") or {}).get("completionTime", "")
            if finished["type"] == "Complete" and completion > new.get("lastSuccessfulTime", ""):
                new["lastSuccessfulTime"] = completion
        self._prune(ended["Complete"], spec.get("successfulJobsHistoryLimit", 3))
        self._prune(ended["Failed"], spec.get("failedJobsHistoryLimit", 1))
        new["active"] = [self._reference(job) for job in active]
        if not active:
            del new["active"]
        again = None if spec.get("suspend") else self._schedule(cron_job, active, new)
        if new != status:
            self._store.update(self._resource, {**cron_job, "status": new})
        return again

    def _schedule(self, cron_job: Object, active: list[Object], status: dict[str, Any]) -> float | None:
        """Start the Job that is due, if one is; returns the seconds until the next is."""
        spec, now = cron_job["spec"], self._store.clock()
        try:
            local = now.astimezone(ZoneInfo(spec.get("timeZone", "UTC")))
            following = next(CronSim(spec["schedule"], local))
            latest = next(CronSim(spec["schedule"], local + _INSTANT, reverse=True))
        except (CronSimError, ZoneInfoNotFoundError, StopIteration) as error:
            self._tell(cron_job, WARNING, "UnparseableSchedule", f"unparseable schedule: {error}")
            return None
        last = status.get("lastScheduleTime") or cron_job["metadata"]["creationTimestamp"]
        if latest > datetime.fromisoformat(last):
            self._start(cron_job, latest, active, status)
        return max(_SOONEST_SECONDS, (following - now).total_seconds())

    def _start(self, cron_job: Object, due: datetime, active: list[Object], status: dict[str, Any]) -> None:
        spec, late = cron_job["spec"], (self._store.clock() - due).total_seconds()
        if late > spec.get("startingDeadlineSeconds", late):
            told = f"Missed scheduled time to start a job: {due:%a, %d %b %Y %H:%M:%S %z}"
            self._tell(cron_job, WARNING, "MissSchedule", told)
            status["lastScheduleTime"] = timestamp(due)
            return
        if active and spec.get("concurrencyPolicy") == "Forbid":
            told = "Not starting job because prior execution is running and concurrency policy is Forbid"
            self._tell(cron_job, NORMAL, "JobAlreadyActive", told)
            return
        if spec.get("concurrencyPolicy") == "Replace":
            for job in active:
                delete(self._store, self._resources, self._jobs, job)
        job = self._job(cron_job, due)
        status["lastScheduleTime"] = timestamp(due)
        if self._store.find(self._jobs, *key_of(job)) is None:
            created = self._store.create(self._jobs, defaults.apply(self._jobs, job))
            status["active"] = [*(status.get("active") or ()), self._reference(created)]
            self._tell(cron_job, NORMAL, "SuccessfulCreate", f"Created job {job['metadata']['name']}")

    def _job(self, cron_job: Object, due: datetime) -> Object:
        """The Job of one time; its name says which, so that it is never made twice."""
        template, owner = cron_job["spec"]["jobTemplate"], cron_job["metadata"]
        metadata = template.get("metadata") or {}
        annotations = {**(metadata.get("annotations") or {}), _SCHEDULED_AT: due.isoformat()}
        return {
            "apiVersion": self._jobs.api_version,
            "kind": self._jobs.kind,
            "metadata": {
                "name": f"{owner['name']}-{int(due.timestamp()) // 60}",
                "namespace": owner["namespace"],
                "labels": metadata.get("labels") or {},
                "annotations": annotations,
                "ownerReferences": [controlled_by(self._resource, cron_job)],
            },
            "spec": template["spec"],
        }

    def _tell(self, cron_job: Object, kind: Literal["Normal", "Warning"], reason: str, message: str) -> None:
        record(self._store, self._resources, cron_job, kind, reason, message, _COMPONENT)

    def _prune(self, jobs: list[Object], limit: int) -> None:
        for job in jobs[: max(0, len(jobs) - limit)]:
            self._store.delete(self._jobs, *key_of(job))

    def _reference(self, job: Object) -> dict[str, str]:
        metadata = job["metadata"]
        return {
            "apiVersion": self._jobs.api_version,
            "kind": self._jobs.kind,
            **{name: metadata[name] for name in ("name", "namespace", "uid", "resourceVersion")},
        }


def _age(job: Object) -> tuple[str, str]:
    return job["metadata"]["creationTimestamp"], job["metadata"]["name"]
