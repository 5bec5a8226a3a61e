"""The garbage collector: what depends on an object goes with it, before it, or is let go.

https://kubernetes.io/docs/concepts/architecture/garbage-collection/, as `pkg/controller/garbagecollector` does
it. The API only marks what is deleted: the finalizer `foregroundDeletion` says that the dependents go first,
`orphan` that they stay.
"""

from collections.abc import Iterable
from typing import Any, Final, Literal

from emulator.cluster.controllers.indexes import Indexes
from emulator.cluster.controllers.pod_control import delete
from emulator.cluster.owners import owners_of, with_owners
from emulator.cluster.resources import Resource, Resources
from emulator.cluster.store import Event, Key, Object, Store, copy_of, is_terminating

FOREGROUND: Final = "foregroundDeletion"
ORPHAN: Final = "orphan"

_OWNER: Final = "owner"
"""Keys are (`owner`, uid of who may have dependents) or (`dependent`, uid of who has owners)."""
_DEPENDENT: Final = "dependent"


class GarbageCollector:
    """The controller of all objects that own others or are owned."""

    def __init__(self, store: Store, resources: Resources, indexes: Indexes) -> None:
        self._store = store
        self._resources = resources
        self._indexes = indexes

    def concerned(self, event: Event) -> Iterable[Key]:
        """What is new may have no owner; what is deleted, or gone, may have dependents."""
        metadata = event.object["metadata"]
        keys: list[Key] = []
        if event.type == "DELETED" or is_terminating(event.object):
            keys.append((_OWNER, metadata["uid"]))
        references = owners_of(event.object)
        if event.type == "DELETED":
            # Whoever waits for its dependents to go.
            return [*keys, *((_OWNER, each["uid"]) for each in references)]
        before = owners_of(event.before) if event.before else []
        if references and references != before:
            keys.append((_DEPENDENT, metadata["uid"]))
        return [*keys, *((_OWNER, each["uid"]) for each in before if each not in references)]

    def reconcile(self, key: Key) -> float | None:
        """Look at one object as an owner or as a dependent."""
        kind, uid = key
        found = self._indexes.of_uid(uid)
        if kind == _DEPENDENT:
            if found is not None:
                self._look_at_dependent(*found)
        elif found is None:
            for resource, obj in self._indexes.dependents(uid):
                self._look_at_dependent(resource, obj)
        elif is_terminating(found[1]):
            self._look_at_deleted(*found)
        return None

    def _look_at_deleted(self, resource: Resource, owner: Object) -> None:
        """An object that is marked: let its dependents go, or delete them first."""
        finalizers = owner["metadata"].get("finalizers") or []
        uid = owner["metadata"]["uid"]
        if ORPHAN in finalizers:
            for kind, obj in self._indexes.dependents(uid):
                self._release(kind, obj, {uid})
            self._remove_finalizer(resource, owner, ORPHAN)
        elif FOREGROUND in finalizers:
            dependents = list(self._indexes.dependents(uid))
            for kind, obj in dependents:
                if not is_terminating(obj):
                    self._look_at_dependent(kind, obj)
            if not any(_blocks(obj, uid) for _, obj in self._indexes.dependents(uid)):
                self._remove_finalizer(resource, owner, FOREGROUND)

    def _look_at_dependent(self, resource: Resource, obj: Object) -> None:
        """An object with owners: it stays as long as one of them does."""
        if is_terminating(obj):
            return
        states = {each["uid"]: self._state(obj, each) for each in owners_of(obj)}
        if not states:
            return
        if "present" in states.values():
            self._release(resource, obj, {uid for uid, state in states.items() if state != "present"})
        elif "waiting" in states.values() and self._has_dependents(obj):
            self._delete_in_foreground(resource, obj)
        else:
            delete(self._store, self._resources, resource, obj)

    def _state(self, obj: Object, reference: dict[str, Any]) -> Literal["present", "waiting", "absent"]:
        """Of an owner: waiting is one that goes as soon as its dependents have gone."""
        found = self._indexes.of_uid(reference["uid"])
        if found is None:
            return "absent"
        resource, owner = found
        if resource.namespaced and owner["metadata"]["namespace"] != obj["metadata"].get("namespace"):
            return "absent"  # owners are of the same namespace or of none
        waits = is_terminating(owner) and FOREGROUND in (owner["metadata"].get("finalizers") or ())
        return "waiting" if waits else "present"

    def _has_dependents(self, obj: Object) -> bool:
        return next(self._indexes.dependents(obj["metadata"]["uid"]), None) is not None

    def _delete_in_foreground(self, resource: Resource, obj: Object) -> None:
        changed = copy_of(obj)
        finalizers = changed["metadata"].setdefault("finalizers", [])
        if FOREGROUND not in finalizers:
            finalizers.append(FOREGROUND)
        delete(self._store, self._resources, resource, self._store.update(resource, changed))

    def _release(self, resource: Resource, obj: Object, uids: set[str]) -> None:
        """Take owners out of the references of an object."""
        kept = [each for each in owners_of(obj) if each["uid"] not in uids]
        if kept != owners_of(obj):
            self._store.update(resource, with_owners(obj, kept))

    def _remove_finalizer(self, resource: Resource, obj: Object, finalizer: str) -> None:
        changed = copy_of(obj)
        changed["metadata"]["finalizers"].remove(finalizer)
        self._store.update(resource, changed)


def _blocks(obj: Object, uid: str) -> bool:
    """Whether the owner has to wait for this dependent."""
    return any(each["uid"] == uid and each.get("blockOwnerDeletion") for each in owners_of(obj))
