"""The objects of the cluster, their versions, and the news of every change.

Everything happens in one thread and nothing here waits, so that each call is atomic. An object that is
stored is never changed: a change stores another one. What `get` and `find` return must therefore be copied
(`copy_of`) before it is changed.

Finalizers and graceful deletion are the store's: an object with a deletion timestamp, no finalizers and no
grace period left is removed. What else a deletion entails (dependents, a pod's process) is the controllers'.
"""

import uuid
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Literal

import orjson

from emulator.cluster.resources import Resource
from emulator.cluster.status import ApiError, already_exists, conflict, not_found

Object = dict[str, Any]
Key = tuple[str, str]
"""Namespace (empty for what has none) and name."""

_HISTORY: Final = 20_000
"""Events kept for watches that resume; older ones are answered 410 Gone, as etcd's compaction does."""

_LONGEST_GRACE_SECONDS: Final = 100 * 365 * 24 * 3600
"""What is longer has no date. It is a way to say never."""


@dataclass(frozen=True)
class Event:
    """One change."""

    type: Literal["ADDED", "MODIFIED", "DELETED"]
    resource: Resource
    object: Object
    """As it is after the change; for DELETED as it last was, with the version of the deletion."""
    before: Object | None
    version: int

    @property
    def key(self) -> Key:
        """Of the object."""
        return key_of(self.object)


@dataclass
class _Entry:
    object: Object
    encoded: bytes = b""


@dataclass
class _Collection:
    entries: dict[Key, _Entry] = field(default_factory=dict)


def key_of(obj: Object) -> Key:
    """Namespace and name of an object."""
    metadata = obj["metadata"]
    return metadata.get("namespace") or "", metadata["name"]


def is_terminating(obj: Mapping[str, Any]) -> bool:
    """Whether the object is being deleted."""
    return "deletionTimestamp" in obj["metadata"]


def copy_of(obj: Object) -> Object:
    """A copy that may be changed. Raises RecursionError for an object of more than 254 levels."""
    try:
        return orjson.loads(orjson.dumps(obj))
    except orjson.JSONEncodeError as wrong:
        raise RecursionError(str(wrong)) from None


def timestamp(moment: datetime) -> str:
    """As metav1.Time is written: seconds, in UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def micro_timestamp(moment: datetime) -> str:
    """As metav1.MicroTime is written."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class Store:
    """All objects of a cluster, in memory."""

    def __init__(self, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.clock = clock
        self.version = 1
        """The resource version of the newest change."""
        self._collections: dict[tuple[str, str], _Collection] = {}
        self._history: deque[Event] = deque(maxlen=_HISTORY)
        self._listeners: list[Callable[[Event], None]] = []

    # Reading

    def find(self, resource: Resource, namespace: str, name: str) -> Object | None:
        """The object, or None."""
        entry = self._of(resource).entries.get((namespace, name))
        return entry.object if entry else None

    def get(self, resource: Resource, namespace: str, name: str) -> Object:
        """The object. Raises ApiError 404."""
        found = self.find(resource, namespace, name)
        if found is None:
            raise not_found(resource, name)
        return found

    def list(self, resource: Resource, namespace: str | None = None) -> list[Object]:
        """All objects, of one namespace or of all, in the order of namespace and name."""
        entries = self._of(resource).entries
        return [entries[key].object for key in sorted(entries) if namespace is None or key[0] == namespace]

    def encoded(self, resource: Resource, obj: Object) -> bytes:
        """An object of the store as JSON, encoded once for all who read it."""
        entry = self._of(resource).entries.get(key_of(obj))
        if entry is None or entry.object is not obj:
            return orjson.dumps(obj)
        if not entry.encoded:
            entry.encoded = orjson.dumps(obj)
        return entry.encoded

    def changes(self, resource: Resource, since: int) -> Iterator[Event]:
        """The changes after version `since`. Raises ApiError 410 when some are forgotten."""
        oldest = self._history[0].version if self._history else self.version + 1
        if since < oldest - 1:
            raise ApiError(410, "Expired", f"too old resource version: {since} ({oldest - 1})")
        return (
            event for event in self._history if event.version > since and event.resource.key == resource.key
        )

    # Changing

    def create(self, resource: Resource, obj: Object) -> Object:
        """Store a new object; it gets its version, generation, time and, unless it has one, its uid.

        Raises ApiError 409.
        """
        obj = copy_of(obj)
        metadata = obj["metadata"]
        if not metadata.get("name") and metadata.get("generateName"):
            metadata["name"] = self._generated(resource, metadata)
        if key_of(obj) in self._of(resource).entries:
            raise already_exists(resource, metadata["name"])
        metadata["uid"] = metadata.get("uid") or str(uuid.uuid4())
        metadata["creationTimestamp"] = timestamp(self.clock())
        metadata["generation"] = 1
        metadata.pop("deletionTimestamp", None)
        return self._put("ADDED", resource, obj, None)

    def update(self, resource: Resource, obj: Object) -> Object:
        """Store a changed object in place of what is there.

        A resource version in `obj` must be the present one (ApiError 409); uid, time and deletion stay as they
        are; the generation counts changes of anything but metadata and status. An update that changes nothing
        stores nothing. An object that waits only for its finalizers is removed with the last of them.
        """
        obj = copy_of(obj)
        metadata = obj["metadata"]
        present = self.get(resource, *key_of(obj))
        own = present["metadata"]
        given = metadata.get("resourceVersion")
        if given and given != own["resourceVersion"]:
            raise conflict(resource, own["name"])
        if metadata.get("uid", own["uid"]) != own["uid"]:
            raise conflict(
                *(resource, own["name"]),
                f"Precondition failed: UID in precondition: {metadata['uid']}, UID in object meta: {own['uid']}",
            )
        for name in (
            "uid",
            "creationTimestamp",
            "generation",
            "deletionTimestamp",
            "deletionGracePeriodSeconds",
        ):
            metadata.pop(name, None)
            if name in own:
                metadata[name] = own[name]
        metadata["resourceVersion"] = own["resourceVersion"]
        if obj == present:
            return present
        if _desired(obj) != _desired(present):
            metadata["generation"] = own.get("generation", 1) + 1
        if self._finished(obj):
            return self._remove(resource, obj)
        return self._put("MODIFIED", resource, obj, present)

    def delete(self, resource: Resource, namespace: str, name: str, grace_seconds: int = 0) -> Object:
        """Delete an object: at once, or as soon as its finalizers and its grace period allow.

        With a grace period the object stays, marked; who carries the period out ends it by another `delete`
        with 0 seconds. Raises ApiError 404.
        """
        present = self.get(resource, namespace, name)
        obj = copy_of(present)
        metadata = obj["metadata"]
        marked = is_terminating(obj)
        if not marked or grace_seconds < metadata.get("deletionGracePeriodSeconds", 0):
            if not marked:
                moment = self.clock().timestamp() + min(grace_seconds, _LONGEST_GRACE_SECONDS)
                metadata["deletionTimestamp"] = timestamp(datetime.fromtimestamp(moment, UTC))
                metadata["generation"] = metadata.get("generation", 1) + 1
            metadata["deletionGracePeriodSeconds"] = grace_seconds
        if self._finished(obj):
            return self._remove(resource, present)
        return present if obj == present else self._put("MODIFIED", resource, obj, present)

    def subscribe(self, listener: Callable[[Event], None]) -> Callable[[], None]:
        """Call `listener` with every change, at once; it must neither wait nor raise. Returns how to stop it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    # Keeping

    def snapshot(self) -> dict[str, Any]:
        """Everything there is, for `restore`."""
        objects = [entry.object for each in self._collections.values() for entry in each.entries.values()]
        return {"version": self.version, "objects": objects}

    def restore(self, resource: Resource, obj: Object, version: int) -> None:
        """Put back an object of a snapshot as it was; listeners hear of it as new, watches that resume do not."""
        self.version = max(self.version, version)
        self._of(resource).entries[key_of(obj)] = _Entry(obj)
        self._tell_listeners(Event("ADDED", resource, obj, None, self.version))

    def _of(self, resource: Resource) -> _Collection:
        found = self._collections.get(resource.key)
        if found is None:
            found = self._collections[resource.key] = _Collection()
        return found

    def _put(
        self, change: Literal["ADDED", "MODIFIED"], resource: Resource, obj: Object, before: Object | None
    ) -> Object:
        self.version += 1
        obj["metadata"]["resourceVersion"] = str(self.version)
        self._of(resource).entries[key_of(obj)] = _Entry(obj)
        self._tell(Event(change, resource, obj, before, self.version))
        return obj

    def _remove(self, resource: Resource, obj: Object) -> Object:
        before = self._of(resource).entries.pop(key_of(obj)).object
        self.version += 1
        gone = copy_of(obj)
        gone["metadata"]["resourceVersion"] = str(self.version)
        self._tell(Event("DELETED", resource, gone, before, self.version))
        return gone

    def _tell(self, event: Event) -> None:
        self._history.append(event)
        self._tell_listeners(event)

    def _tell_listeners(self, event: Event) -> None:
        for listener in tuple(self._listeners):
            listener(event)

    def _finished(self, obj: Object) -> bool:
        metadata = obj["metadata"]
        return (
            is_terminating(obj)
            and not metadata.get("finalizers")
            and not metadata.get("deletionGracePeriodSeconds")
        )

    def _generated(self, resource: Resource, metadata: dict[str, Any]) -> str:
        while True:
            name = metadata["generateName"] + uuid.uuid4().hex[:5]
            if self.find(resource, metadata.get("namespace") or "", name) is None:
                return name


def _desired(obj: Object) -> Object:
    """What the generation counts: all but metadata and status."""
    return {name: value for name, value in obj.items() if name not in {"metadata", "status"}}
