"""Who owns an object: `metadata.ownerReferences`, of which one at most is the controller."""

from collections.abc import Mapping
from typing import Any

from emulator.cluster.resources import Resource
from emulator.cluster.store import Event, Key, Object


def owners_of(obj: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The references to an object's owners."""
    return obj["metadata"].get("ownerReferences") or []


def controller_of(obj: Mapping[str, Any]) -> dict[str, Any] | None:
    """The reference to the object that manages this one, or None."""
    return next((each for each in owners_of(obj) if each.get("controller")), None)


def controllers_named(event: Event, kind: str) -> list[Key]:
    """Which objects of a kind manage the object of a change, or did before it."""
    objects = [obj for obj in (event.before, event.object) if obj is not None]
    found = [controller_of(obj) for obj in objects]
    return [(event.key[0], each["name"]) for each in found if each and each["kind"] == kind]


def is_orphan(event: Event) -> bool:
    """Whether the object of a change is there and has no controller: others may adopt it."""
    return event.type != "DELETED" and controller_of(event.object) is None


def with_owners(obj: Object, owners: list[dict[str, Any]]) -> Object:
    """The object with other owners."""
    metadata = {**obj["metadata"], "ownerReferences": owners}
    if not owners:
        del metadata["ownerReferences"]
    return {**obj, "metadata": metadata}


def controlled_by(resource: Resource, owner: Object) -> dict[str, Any]:
    """The reference that makes `owner`, an object of `resource`, the controller of what has it."""
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
