"""Conditions of a status: the time of the last transition is renewed only when the condition's status changes."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from emulator.cluster.store import timestamp

Condition = dict[str, Any]
Told = tuple[str] | tuple[str, str, str]
"""Status ("True", "False" or "Unknown"), and reason and message if there is anything to say."""


def conditions_of(obj: Mapping[str, Any]) -> list[Condition]:
    """The conditions in an object's status."""
    return (obj.get("status") or {}).get("conditions") or []


def find(conditions: list[Condition], type_: str) -> Condition | None:
    """The condition of a type, or None."""
    return next((each for each in conditions if each["type"] == type_), None)


def condition(obj: Mapping[str, Any], type_: str) -> Condition | None:
    """An object's condition of a type, or None."""
    return find(conditions_of(obj), type_)


def is_true(obj: Mapping[str, Any], type_: str) -> bool:
    """Whether an object has a condition whose status is True."""
    found = condition(obj, type_)
    return found is not None and found["status"] == "True"


def with_condition(conditions: list[Condition], type_: str, told: Told, now: datetime) -> list[Condition]:
    """The conditions with one of them set."""
    present = find(conditions, type_)
    same = present is not None and present["status"] == told[0]
    since = present.get("lastTransitionTime") if present and same else None
    status, *why = told
    new = {
        "type": type_,
        "status": status,
        "lastTransitionTime": since or timestamp(now),
        **dict(zip(("reason", "message"), why, strict=False)),
    }
    if present is None:
        return [*conditions, new]
    return [new if each["type"] == type_ else each for each in conditions]


def without(conditions: list[Condition], type_: str) -> list[Condition]:
    """The conditions less those of a type."""
    return [each for each in conditions if each["type"] != type_]
