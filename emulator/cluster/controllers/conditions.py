"""Conditions of a status: when the last transition was is only renewed when the condition's status changes."""

from datetime import datetime
from typing import Any

from emulator.cluster.store import timestamp

Condition = dict[str, Any]


def find(conditions: list[Condition], type_: str) -> Condition | None:
    """The condition of a type, or None."""
    return next((each for each in conditions if each["type"] == type_), None)


def with_condition(
    conditions: list[Condition], type_: str, told: tuple[str, str, str], now: datetime
) -> list[Condition]:
    """The conditions with one of them set: to a status ("True", "False", "Unknown"), a reason and a message."""
    status, reason, message = told
    present = find(conditions, type_)
    same = present is not None and present["status"] == status
    condition = {
        "type": type_,
        "status": status,
        "lastTransitionTime": present["lastTransitionTime"] if present and same else timestamp(now),
        "reason": reason,
        "message": message,
    }
    if present is None:
        return [*conditions, condition]
    return [condition if each["type"] == type_ else each for each in conditions]


def without(conditions: list[Condition], type_: str) -> list[Condition]:
    """The conditions less those of a type."""
    return [each for each in conditions if each["type"] != type_]
