"""Who manages which fields of an object: `metadata.managedFields`.

https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management; the bookkeeping is that of
`k8s.io/apimachinery/pkg/util/managedfields`. Every kind is stored at one version here, so that no field set is
ever converted.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from emulator.cluster.admission.structure import Structure
from emulator.cluster.store import Object
from emulator.cluster.writes.field_sets import EMPTY, Comparison, FieldSet, decode, encode

APPLY: Final = "Apply"
UPDATE: Final = "Update"

_SYSTEM_FIELDS: Final = (
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "name",
    "namespace",
    "resourceVersion",
    "selfLink",
    "uid",
)
_STRIPPED: Final[FieldSet] = frozenset(
    {("f:apiVersion",), ("f:kind",), ("f:metadata",), *(("f:metadata", f"f:{n}") for n in _SYSTEM_FIELDS)}
)


@dataclass(frozen=True)
class Manager:
    """Who, and by which kind of request."""

    name: str
    operation: Literal["Apply", "Update"]
    api_version: str
    """Empty for APPLY: an applier stays the same at another version."""
    subresource: str = ""

    def __str__(self) -> str:
        told = f'"{self.name}"' + (f' with subresource "{self.subresource}"' if self.subresource else "")
        return f"{told} using {self.api_version}" if self.operation == UPDATE else told


@dataclass(frozen=True)
class Managed:
    """What one manager owns."""

    fields: FieldSet
    time: str = ""
    """When its set last changed."""
    api_version: str = ""


Managers = dict[Manager, Managed]


def managers_of(obj: Object | None) -> Managers:
    """The managers of an object of the store."""
    found: Managers = {}
    for entry in (obj or {}).get("metadata", {}).get("managedFields") or ():
        operation = entry.get("operation", UPDATE)
        manager = Manager(
            entry.get("manager", ""),
            operation,
            "" if operation == APPLY else entry.get("apiVersion", ""),
            entry.get("subresource", ""),
        )
        fields = decode(entry.get("fieldsV1"))
        found[manager] = Managed(fields, entry.get("time", ""), entry.get("apiVersion", ""))
    return found


def record(obj: Object, managers: Managers, before: Managers, now: str) -> None:
    """Write the managers into `obj`, in place; `now` is the time of those whose set is not as before."""
    entries: list[dict[str, Any]] = []
    for manager, managed in managers.items():
        if not managed.fields:
            continue
        known = before.get(manager)
        same = known is not None and known.fields == managed.fields
        entry = {
            "manager": manager.name,
            "operation": manager.operation,
            "apiVersion": managed.api_version or manager.api_version,
            "time": known.time if same and known else now,
            "fieldsType": "FieldsV1",
            "fieldsV1": encode(managed.fields),
        }
        entries.append(entry | ({"subresource": manager.subresource} if manager.subresource else {}))
    entries.sort(key=lambda each: (each["operation"], each["time"], each["manager"], each["apiVersion"]))
    obj["metadata"]["managedFields"] = entries
    if not entries:
        del obj["metadata"]["managedFields"]


def updated(
    structure: Structure, before: Object | None, after: Object, managers: Managers, manager: Manager
) -> Managers:
    """The managers after a write that is no apply: it takes over all that it changes."""
    compared = Comparison(structure, before or {"metadata": {}}, after)
    written = strip(compared.written, manager.subresource)
    found = {
        other: _with(managed, managed.fields - written - compared.removed)
        for other, managed in managers.items()
    }
    own = found.get(manager, Managed(EMPTY))
    found[manager] = Managed(own.fields | written, own.time, manager.api_version)
    return found


def strip(fields: FieldSet, subresource: str) -> FieldSet:
    """Without what nobody manages, and what a request to this subresource cannot change."""
    kept = fields - _STRIPPED
    if subresource == "status":
        return frozenset(path for path in kept if path[0] == "f:status")
    if subresource == "scale":
        return kept
    return frozenset(path for path in kept if path[0] != "f:status")


def without(managers: Mapping[Manager, Managed], except_for: Manager, fields: FieldSet) -> Managers:
    """The managers, all but one stripped of some fields."""
    return {
        manager: managed if manager == except_for else _with(managed, managed.fields - fields)
        for manager, managed in managers.items()
    }


def _with(managed: Managed, fields: FieldSet) -> Managed:
    return Managed(fields, managed.time, managed.api_version)
