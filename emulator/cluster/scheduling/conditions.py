"""Conditions of an object's status."""

from typing import Any

from emulator.cluster.store import Object


def condition(obj: Object, kind: str) -> dict[str, Any] | None:
    """The condition of a type, or None."""
    conditions = (obj.get("status") or {}).get("conditions") or ()
    return next((each for each in conditions if each["type"] == kind), None)


def with_condition(
    obj: Object, kind: str, status: str, now: str, *, reason: str = "", message: str = ""
) -> Object:
    """The object's status with a condition set; its transition time stays when its status does."""
    present = condition(obj, kind)
    same = present is not None and present["status"] == status
    told = {
        "type": kind,
        "status": status,
        "lastTransitionTime": present.get("lastTransitionTime", now) if present and same else now,
        **({"reason": reason} if reason else {}),
        **({"message": message} if message else {}),
    }
    before = [*((obj.get("status") or {}).get("conditions") or ())]
    if present is None:
        return {**(obj.get("status") or {}), "conditions": [*before, told]}
    conditions = [told if each["type"] == kind else each for each in before]
    return {**(obj.get("status") or {}), "conditions": conditions}
