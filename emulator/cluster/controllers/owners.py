"""Who owns an object: `metadata.ownerReferences`, of which one at most is the controller."""

from typing import Any

from emulator.cluster.resources import Resource
from emulator.cluster.store import Object


def controller_of(obj: Object) -> dict[str, Any] | None:
    """The reference to the object that manages this one, or None."""
    for reference in obj["metadata"].get("ownerReferences") or ():
        if reference.get("controller"):
            return reference
    return None


def is_controlled_by(obj: Object, owner: Object) -> bool:
    """Whether `owner` manages the object."""
    reference = controller_of(obj)
    return reference is not None and reference["uid"] == owner["metadata"]["uid"]


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
