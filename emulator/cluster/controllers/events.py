"""Events: what happened to an object, as people read it in `kubectl describe`.

As client-go's recorder does it, an event that repeats is counted instead of written again. The API server
forgets events after an hour; here the newest thousand are kept at most, since nothing else bounds memory.
"""

import hashlib
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final, Literal

from emulator.cluster.resources import Resources
from emulator.cluster.store import Event, Key, Object, Store, is_terminating, timestamp

NORMAL: Final = "Normal"
WARNING: Final = "Warning"

_KEPT: Final = 1000
_LIFETIME: Final = timedelta(hours=1)
_SWEEP_SECONDS: Final = 60.0
_SWEEP: Final[Key] = ("", "")


def record(  # noqa: PLR0917 - as client-go's Event(object, type, reason, message)
    store: Store,
    resources: Resources,
    obj: Object,
    type: Literal["Normal", "Warning"],  # noqa: A002 - the field's own name
    reason: str,
    message: str,
    component: str,
    *,
    field_path: str = "",
) -> None:
    """Record an event about an object of the store.

    `reason` is one word in CamelCase, `component` who says it (`replicaset-controller`, `kubelet`), and
    `field_path` the part of the object, such as `spec.containers{app}`. The same event again raises `count`
    and `lastTimestamp` of the one there is.
    """
    events = resources["events"]
    involved = _reference(obj, field_path)
    namespace = involved.get("namespace") or "default"
    there = store.find(resources["namespaces"], "", namespace)
    if there is not None and is_terminating(there):
        return  # nothing new can be created in it
    name = f"{involved['name']}.{_digest(involved, type, reason, message, component)}"
    now = timestamp(store.clock())
    present = store.find(events, namespace, name)
    if present is not None:
        store.update(events, {**present, "count": present["count"] + 1, "lastTimestamp": now})
        return
    store.create(
        events,
        {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": namespace},
            "involvedObject": involved,
            "reason": reason,
            "message": message,
            "source": {"component": component},
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
            "type": type,
            "eventTime": None,
            "reportingComponent": component,
            "reportingInstance": "",
        },
    )


def _reference(obj: Object, field_path: str) -> Object:
    metadata = obj["metadata"]
    told = {
        "kind": obj["kind"],
        "namespace": metadata.get("namespace"),
        "name": metadata["name"],
        "uid": metadata.get("uid"),
        "apiVersion": obj["apiVersion"],
        "resourceVersion": metadata.get("resourceVersion"),
        "fieldPath": field_path,
    }
    return {name: value for name, value in told.items() if value}


def _digest(involved: Object, *said: str) -> str:
    """The same for the same event; as long as the nanoseconds that the real recorder puts there."""
    told = "\0".join((involved.get("uid", ""), involved.get("fieldPath", ""), *said))
    return hashlib.blake2b(told.encode(), digest_size=8).hexdigest()


class EventExpiry:
    """Removes events that are an hour old, and the oldest above a thousand."""

    def __init__(self, store: Store, resources: Resources) -> None:
        self._store = store
        self._resource = resources["events"]
        self._seen: dict[Key, None] = {}
        """All events, the one that happened last at the end."""
        self._waiting = False
        """Whether a sweep is under way or has a timer."""

    def concerned(self, event: Event) -> Iterable[Key]:
        """One key for all: the sweep."""
        if event.resource.key != self._resource.key:
            return ()
        self._seen.pop(event.key, None)
        if event.type == "DELETED":
            return ()
        self._seen[event.key] = None
        if self._waiting and len(self._seen) <= _KEPT:
            return ()
        self._waiting = True
        return (_SWEEP,)

    def reconcile(self, key: Key) -> float | None:  # noqa: ARG002 - there is one
        """Remove what is too old or too much."""
        oldest_kept = self._store.clock() - _LIFETIME
        for place in tuple(self._seen):
            event = self._store.find(self._resource, *place)
            if event is None or len(self._seen) > _KEPT or _last(event) < oldest_kept:
                self._seen.pop(place, None)
                if event is not None:
                    self._store.delete(self._resource, *place)
            else:
                break
        self._waiting = bool(self._seen)
        return _SWEEP_SECONDS if self._seen else None


def _last(event: Object) -> datetime:
    """When it happened last; events of clients may have any of three times."""
    told = event.get("lastTimestamp") or event.get("eventTime") or event["metadata"]["creationTimestamp"]
    return datetime.fromisoformat(told)
