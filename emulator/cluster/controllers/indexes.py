"""What the controllers look up all the time, kept from the store's events so that nobody has to search.

With a thousand Deployments in one namespace, a search through all pods for each of them would be quadratic.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from emulator.cluster.owners import controller_of, owners_of
from emulator.cluster.resources import Resource, Resources
from emulator.cluster.store import Event, Key, Object, Store, key_of

_Place = tuple[tuple[str, str], Key]
"""A resource's key and an object's key."""
_Label = tuple[str, str, str]
"""Namespace, key and value."""


class Indexes:
    """Objects by uid, owner and namespace, and pods by label. To be made before the Manager."""

    def __init__(self, store: Store, resources: Resources) -> None:
        self._store = store
        self._pods = resources["pods"]
        self._by_uid: dict[str, tuple[Resource, Key]] = {}
        self._by_owner: dict[str, dict[_Place, Resource]] = {}
        self._by_namespace: dict[str, dict[tuple[str, str], dict[str, Resource]]] = {}
        self._pods_by_label: dict[_Label, dict[str, None]] = {}
        self._adoptable = {self._pods.key, resources["replicasets.apps"].key}
        self._orphans: dict[tuple[tuple[str, str], str], dict[str, None]] = {}
        for resource in resources:
            for obj in store.list(resource):
                self._add(resource, obj)
        store.subscribe(self._note)

    def of_uid(self, uid: str) -> tuple[Resource, Object] | None:
        """The object with a uid, and its resource; None when it is gone."""
        found = self._by_uid.get(uid)
        obj = self._store.find(found[0], *found[1]) if found else None
        return (found[0], obj) if found and obj else None

    def dependents(self, uid: str) -> Iterator[tuple[Resource, Object]]:
        """All objects that name the owner, as controller or not. The index may change meanwhile."""
        for (_, key), resource in tuple(self._by_owner.get(uid, {}).items()):
            obj = self._store.find(resource, *key)
            if obj is not None:
                yield resource, obj

    def controlled(self, resource: Resource, owner: Object) -> list[Object]:
        """The objects of a resource that `owner` controls."""
        uid = owner["metadata"]["uid"]
        return [
            obj
            for kind, obj in self.dependents(uid)
            if kind.key == resource.key and (controller_of(obj) or {}).get("uid") == uid
        ]

    def in_namespace(self, resource: Resource, namespace: str) -> list[Object]:
        """The objects of a resource in a namespace ("" for what has none), in no order."""
        names = self._by_namespace.get(namespace, {}).get(resource.key, {})
        found = (self._store.find(resource, namespace, name) for name in tuple(names))
        return [obj for obj in found if obj is not None]

    def content(self, namespace: str) -> Iterator[tuple[Resource, Object]]:
        """All objects of a namespace. The index may change meanwhile."""
        for names in tuple(self._by_namespace.get(namespace, {}).values()):
            for name, resource in tuple(names.items()):
                obj = self._store.find(resource, namespace, name)
                if obj is not None:
                    yield resource, obj

    def pods_with(self, namespace: str, labels: Mapping[str, str]) -> list[Object]:
        """The pods that have all of the labels; all of the namespace when there are none."""
        if not labels:
            return self.in_namespace(self._pods, namespace)
        sets = [self._pods_by_label.get((namespace, *label), {}) for label in labels.items()]
        names = sorted(sets, key=len)[0]
        found = (self._store.find(self._pods, namespace, name) for name in tuple(names))
        return [pod for pod in found if pod is not None and has_labels(pod, labels)]

    def orphans(self, resource: Resource, namespace: str) -> list[Object]:
        """The pods or ReplicaSets that no controller manages."""
        names = self._orphans.get((resource.key, namespace), {})
        found = (self._store.find(resource, namespace, name) for name in tuple(names))
        return [obj for obj in found if obj is not None]

    def _note(self, event: Event) -> None:
        if event.before is not None:
            self._remove(event.resource, event.before)
        if event.type != "DELETED":
            self._add(event.resource, event.object)

    def _add(self, resource: Resource, obj: Object) -> None:
        metadata, key = obj["metadata"], key_of(obj)
        self._by_uid[metadata["uid"]] = resource, key
        for reference in owners_of(obj):
            self._by_owner.setdefault(reference["uid"], {})[resource.key, key] = resource
        self._by_namespace.setdefault(key[0], {}).setdefault(resource.key, {})[key[1]] = resource
        if resource.key == self._pods.key:
            for label in (metadata.get("labels") or {}).items():
                self._pods_by_label.setdefault((key[0], *label), {})[key[1]] = None
        if resource.key in self._adoptable and controller_of(obj) is None:
            self._orphans.setdefault((resource.key, key[0]), {})[key[1]] = None

    def _remove(self, resource: Resource, obj: Object) -> None:
        metadata, key = obj["metadata"], key_of(obj)
        self._by_uid.pop(metadata["uid"], None)
        for reference in owners_of(obj):
            _discard(self._by_owner, reference["uid"], (resource.key, key))
        self._by_namespace.get(key[0], {}).get(resource.key, {}).pop(key[1], None)
        if resource.key == self._pods.key:
            for label in (metadata.get("labels") or {}).items():
                _discard(self._pods_by_label, (key[0], *label), key[1])
        if resource.key in self._adoptable:
            _discard(self._orphans, (resource.key, key[0]), key[1])


class SelectorIndex:
    """Which objects of a kind may select a pod, by one of the labels that their selector asks for.

    Each is filed under the label that the fewest others are filed under: labels such as
    `app.kubernetes.io/part-of` are asked for by all.
    """

    _ANY: Final = ("", "")

    def __init__(self) -> None:
        self._filed: dict[_Label, dict[str, None]] = {}
        self._labels: dict[Key, _Label] = {}

    def put(self, key: Key, labels: Mapping[str, str]) -> None:
        """File an object by the labels that it asks for; without any it may select whatever there is."""
        self.remove(key)
        asked = [(key[0], *label) for label in labels.items()] or [(key[0], *self._ANY)]
        chosen = min(asked, key=lambda label: len(self._filed.get(label, ())))
        self._filed.setdefault(chosen, {})[key[1]] = None
        self._labels[key] = chosen

    def remove(self, key: Key) -> None:
        """Forget an object."""
        label = self._labels.pop(key, None)
        if label is not None:
            _discard(self._filed, label, key[1])

    def candidates(self, pod: Object) -> Iterator[Key]:
        """The objects whose selector may match the pod's labels."""
        namespace = key_of(pod)[0]
        labels: dict[str, str] = pod["metadata"].get("labels") or {}
        for key, value in (self._ANY, *labels.items()):
            for name in self._filed.get((namespace, key, value), ()):
                yield namespace, name


def has_labels(obj: Object, labels: Mapping[str, Any]) -> bool:
    """Whether an object has all of the labels."""
    own = obj["metadata"].get("labels") or {}
    return all(own.get(key) == value for key, value in labels.items())


def _discard(index: dict[Any, dict[Any, Any]], outer: object, inner: object) -> None:
    filed = index.get(outer)
    if filed is not None:
        filed.pop(inner, None)
        if not filed:
            del index[outer]
