"""The columns of what runs pods."""

from datetime import datetime
from typing import Final

from emulator.cluster.api.tables.columns import (
    AGE,
    NAME,
    NONE,
    UNKNOWN,
    UNSET,
    Column,
    at,
    at_most,
    column,
    containers,
    count,
    field,
    human_duration,
    labels,
    moment,
    selected,
    since,
    yes_or_no,
)
from emulator.cluster.conditions import is_true
from emulator.cluster.owners import controller_of
from emulator.cluster.store import Object, is_terminating


def _ready(obj: Object) -> str:
    return f"{at(obj, 'status.readyReplicas') or 0}/{at(obj, 'spec.replicas') or 0}"


def _job_status(job: Object) -> str:
    for type_ in ("Complete", "Failed"):
        if is_true(job, type_):
            return type_
    if is_terminating(job):
        return "Terminating"
    return next(
        (each for each in ("Suspended", "FailureTarget", "SuccessCriteriaMet") if is_true(job, each)),
        "Running",
    )


def _job_completions(job: Object) -> str:
    succeeded, wanted = at(job, "status.succeeded") or 0, at(job, "spec.completions")
    if wanted is not None:
        return f"{succeeded}/{wanted}"
    parallelism = at(job, "spec.parallelism") or 0
    return f"{succeeded}/1 of {parallelism}" if parallelism > 1 else f"{succeeded}/1"


def _job_duration(job: Object, now: datetime) -> str:
    start, end = moment(at(job, "status.startTime")), moment(at(job, "status.completionTime"))
    return human_duration((end or now) - start) if start else ""


def _last_schedule(cron_job: Object, now: datetime) -> str:
    last = at(cron_job, "status.lastScheduleTime")
    return since(last, now) if last else NONE


def _controller(revision: Object) -> str:
    owner = controller_of(revision)
    if owner is None:
        return NONE
    group = owner["apiVersion"].rpartition("/")[0]
    kind = owner["kind"].lower()
    return f"{kind}.{group}/{owner['name']}" if group else f"{kind}/{owner['name']}"


def _metrics(autoscaler: Object) -> str:
    specs, current = at(autoscaler, "spec.metrics") or (), at(autoscaler, "status.currentMetrics") or ()
    told = [_metric(spec, current[place] if place < len(current) else {}) for place, spec in enumerate(specs)]
    return at_most(told, 2, separator=", ") or NONE


def _metric(spec: Object, status: Object) -> str:
    """One metric as `cpu: 50%/80%`: what it is, and what it should be."""
    kind = spec["type"]
    part = kind[:1].lower() + kind[1:]
    told, now = spec.get(part) or {}, at(status, f"{part}.current") or {}
    target = told.get("target") or {}
    if "averageUtilization" in target:
        used = now.get("averageUtilization")
        value = f"{UNKNOWN if used is None else f'{used}%'}/{target['averageUtilization']}%"
    else:
        average = "averageValue" in target
        name = "averageValue" if average else "value"
        suffix = " (avg)" if average and kind in {"External", "Object"} else ""
        value = f"{now.get(name) or UNKNOWN}/{target.get(name, '<auto>')}{suffix}"
    named = {"Resource": told.get("name"), "ContainerResource": told.get("name")}.get(kind)
    return f"{named}: {value}" if named else value


def _scale_target(autoscaler: Object) -> str:
    reference = autoscaler["spec"]["scaleTargetRef"]
    return f"{reference['kind']}/{reference['name']}"


def _bound(title: str, name: str) -> Column:
    def cell(budget: Object) -> str:
        value = at(budget, f"spec.{name}")
        return "N/A" if value is None else str(value)

    return column(title, cell)


_TEMPLATE: Final = containers("spec.template")
_REPLICAS: Final = (
    NAME,
    count("Desired", "spec.replicas"),
    count("Current", "status.replicas"),
    count("Ready", "status.readyReplicas"),
    AGE,
    *_TEMPLATE,
)
REPLICA_SETS: Final = (*_REPLICAS, selected("spec.selector"))
REPLICATION_CONTROLLERS: Final = (
    *_REPLICAS,
    column("Selector", lambda obj: labels(at(obj, "spec.selector")), wide=True),
)
DEPLOYMENTS: Final = (
    NAME,
    column("Ready", _ready),
    count("Up-to-date", "status.updatedReplicas"),
    count("Available", "status.availableReplicas"),
    AGE,
    *_TEMPLATE,
    selected("spec.selector"),
)
STATEFUL_SETS: Final = (NAME, column("Ready", _ready), AGE, *_TEMPLATE)
DAEMON_SETS: Final = (
    NAME,
    count("Desired", "status.desiredNumberScheduled"),
    count("Current", "status.currentNumberScheduled"),
    count("Ready", "status.numberReady"),
    count("Up-to-date", "status.updatedNumberScheduled"),
    count("Available", "status.numberAvailable"),
    column("Node Selector", lambda obj: labels(at(obj, "spec.template.spec.nodeSelector"))),
    AGE,
    *_TEMPLATE,
    selected("spec.selector"),
)
JOBS: Final = (
    NAME,
    column("Status", _job_status),
    column("Completions", _job_completions),
    Column("Duration", _job_duration),
    AGE,
    *_TEMPLATE,
    selected("spec.selector"),
)
CRON_JOBS: Final = (
    NAME,
    field("Schedule", "spec.schedule"),
    field("Timezone", "spec.timeZone", absent=NONE),
    column("Suspend", lambda obj: yes_or_no(at(obj, "spec.suspend")), "boolean"),
    column("Active", lambda obj: len(at(obj, "status.active") or ()), "integer"),
    Column("Last Schedule", _last_schedule),
    AGE,
    *containers("spec.jobTemplate.spec.template"),
    selected("spec.jobTemplate.spec.selector"),
)
CONTROLLER_REVISIONS: Final = (
    NAME,
    column("Controller", _controller),
    column("Revision", lambda obj: obj.get("revision") or 0, "integer"),
    AGE,
)
POD_TEMPLATES: Final = (
    NAME,
    *(Column(each.name, each.cell) for each in containers("template")),
    column("Pod Labels", lambda obj: labels(at(obj, "template.metadata.labels"))),
)
AUTOSCALERS: Final = (
    NAME,
    column("Reference", _scale_target),
    column("Targets", _metrics),
    column("MinPods", lambda obj: str(at(obj, "spec.minReplicas") or UNSET)),
    count("MaxPods", "spec.maxReplicas"),
    count("Replicas", "status.currentReplicas"),
    AGE,
)
DISRUPTION_BUDGETS: Final = (
    NAME,
    _bound("Min Available", "minAvailable"),
    _bound("Max Unavailable", "maxUnavailable"),
    count("Allowed Disruptions", "status.disruptionsAllowed"),
    AGE,
)
