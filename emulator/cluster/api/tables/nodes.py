"""The columns of nodes, namespaces, events and what else describes the cluster itself."""

from datetime import datetime
from typing import Final

from emulator.cluster.api.tables.columns import (
    AGE,
    NAME,
    NONE,
    UNKNOWN,
    Column,
    at,
    column,
    field,
    since,
)
from emulator.cluster.conditions import condition
from emulator.cluster.store import Object

_ROLE_PREFIX = "node-role.kubernetes.io/"
_ROLE = "kubernetes.io/role"


def _node_status(node: Object) -> str:
    ready = condition(node, "Ready")
    told = "Unknown" if ready is None else "Ready" if ready["status"] == "True" else "NotReady"
    return f"{told},SchedulingDisabled" if at(node, "spec.unschedulable") else told


def _roles(node: Object) -> str:
    found: set[str] = set()
    for name, value in (node["metadata"].get("labels") or {}).items():
        if name.startswith(_ROLE_PREFIX):
            found.add(name.removeprefix(_ROLE_PREFIX))
        elif name == _ROLE:
            found.add(value)
    return ",".join(sorted(found - {""})) or NONE


def _address(name: str, type_: str) -> Column:
    def cell(node: Object) -> str:
        addresses = at(node, "status.addresses") or ()
        return next((each["address"] for each in addresses if each["type"] == type_), NONE)

    return column(name, cell, wide=True)


def _involved(event: Object) -> str:
    involved = event.get("involvedObject") or event.get("regarding") or {}
    kind = involved.get("kind", "").lower()
    return f"{kind}/{involved['name']}" if involved.get("name") else kind


def _source(event: Object) -> str:
    source = event.get("source") or event.get("deprecatedSource") or {}
    component = source.get("component") or event.get("reportingComponent") or ""
    host = source.get("host") or event.get("reportingInstance") or ""
    return f"{component}, {host}" if host else component


def _first_seen(event: Object, now: datetime) -> str:
    first = event.get("firstTimestamp") or event.get("deprecatedFirstTimestamp") or event.get("eventTime")
    return since(first, now)


def _last_seen(event: Object, now: datetime) -> str:
    series = at(event, "series.lastObservedTime")
    last = series or event.get("lastTimestamp") or event.get("deprecatedLastTimestamp")
    return since(last, now) if last else _first_seen(event, now)


def _occurrences(event: Object) -> int:
    return at(event, "series.count") or event.get("count") or event.get("deprecatedCount") or 1


NODES: Final = (
    NAME,
    column("Status", _node_status),
    column("Roles", _roles),
    AGE,
    field("Version", "status.nodeInfo.kubeletVersion"),
    _address("Internal-IP", "InternalIP"),
    _address("External-IP", "ExternalIP"),
    field("OS-Image", "status.nodeInfo.osImage", absent=UNKNOWN, wide=True),
    field("Kernel-Version", "status.nodeInfo.kernelVersion", absent=UNKNOWN, wide=True),
    field("Container-Runtime", "status.nodeInfo.containerRuntimeVersion", absent=UNKNOWN, wide=True),
)
NAMESPACES: Final = (NAME, field("Status", "status.phase"), AGE)
EVENTS: Final = (
    Column("Last Seen", _last_seen),
    field("Type", "type"),
    field("Reason", "reason"),
    column("Object", _involved),
    column(
        "Subobject",
        lambda obj: at(obj, "involvedObject.fieldPath") or at(obj, "regarding.fieldPath") or "",
        wide=True,
    ),
    column("Source", _source, wide=True),
    column("Message", lambda obj: (obj.get("message") or obj.get("note") or "").strip()),
    Column("First Seen", _first_seen, wide=True),
    column("Count", _occurrences, "integer", wide=True),
    Column("Name", NAME.cell, format="name", wide=True),
)
LEASES: Final = (NAME, field("Holder", "spec.holderIdentity"), AGE)
RUNTIME_CLASSES: Final = (NAME, field("Handler", "handler"), AGE)
PRIORITY_CLASSES: Final = (
    NAME,
    column("Value", lambda obj: obj.get("value") or 0, "integer"),
    column("Global-Default", lambda obj: bool(obj.get("globalDefault")), "boolean"),
    AGE,
    field("PreemptionPolicy", "preemptionPolicy"),
)
