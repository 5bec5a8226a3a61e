"""CronJobs: what was started of them, and how much of it is kept. Their schedules are not run.

No library here reads cron expressions, so each CronJob gets an event that says so; `kubectl create job
--from=cronjob/<name>` starts one by hand.
"""

from collections.abc import Iterable
from typing import Any, Final

from emulator.cluster.controllers.events import WARNING, record
from emulator.cluster.controllers.indexes import Indexes
from emulator.cluster.controllers.jobs import finished_condition
from emulator.cluster.controllers.owners import controller_of
from emulator.cluster.controllers.pods import is_terminating
from emulator.cluster.resources import Resources
from emulator.cluster.store import Event, Key, Object, Store, key_of

_COMPONENT: Final = "cronjob-controller"


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
        if not spec.get("suspend"):
            self._say_not_scheduled(cron_job)
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
        if new != status:
            self._store.update(self._resource, {**cron_job, "status": new})
        return None

    def _say_not_scheduled(self, cron_job: Object) -> None:
        name, generation = cron_job["metadata"]["name"], cron_job["metadata"]["generation"]
        if generation > 1 or "status" in cron_job:
            return  # said when it was created
        message = (
            f"The emulated cluster does not run schedules (this one is {cron_job['spec'].get('schedule')!r}); "
            f"start a Job with: kubectl create job --from=cronjob/{name} {name}-manual"
        )
        record(*(self._store, self._resources, cron_job, WARNING), *("ScheduleNotRun", message, _COMPONENT))

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
