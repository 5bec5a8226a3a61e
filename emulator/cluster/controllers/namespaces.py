"""Namespaces: what each has from the beginning, and what happens when it is deleted.

A namespace keeps the finalizer `kubernetes` until nothing is left in it. (A real one has it in
`spec.finalizers`; the store knows only those of the metadata.)
"""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from emulator.cluster.conditions import conditions_of, with_condition
from emulator.cluster.controllers.indexes import Indexes
from emulator.cluster.controllers.pod_control import delete
from emulator.cluster.resources import Resource, Resources
from emulator.cluster.store import Event, Key, Object, Store, copy_of, is_terminating, key_of

FINALIZER: Final = "kubernetes"
_GRACE_SECONDS: Final = 2.0
"""Until a deleted namespace is emptied. The real controller waits 5; `kubectl delete -f` of a file that begins
with its namespace would not find the rest otherwise."""
_CERTIFICATE_NOTE: Final = (
    "Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such "
    "as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions "
    "of Kubernetes clusters."
)


class Namespaces:
    """The controller of namespaces. `certificate_authority` is the API server's, in PEM."""

    def __init__(
        self, store: Store, resources: Resources, indexes: Indexes, certificate_authority: str
    ) -> None:
        self._store = store
        self._resources = resources
        self._indexes = indexes
        self._certificate_authority = certificate_authority
        self._resource = resources["namespaces"]
        self._given = {resources[name].key for name in ("serviceaccounts", "configmaps")}

    def concerned(self, event: Event) -> Iterable[Key]:
        """The namespace itself, and that of what is gone from it."""
        if event.resource.key == self._resource.key:
            return (event.key,)
        namespace = event.key[0]
        if not namespace:
            return ()
        if event.type == "DELETED" and (event.resource.key in self._given or self._is_terminating(namespace)):
            return (("", namespace),)
        if event.type == "ADDED" and self._is_terminating(namespace):  # an event about what is deleted
            return (("", namespace),)
        return ()

    def _is_terminating(self, namespace: str) -> bool:
        found = self._store.find(self._resource, "", namespace)
        return found is not None and is_terminating(found)

    def reconcile(self, key: Key) -> float | None:
        """Fill a namespace that lives, empty one that is deleted."""
        namespace = self._store.find(self._resource, *key)
        if namespace is None:
            return None
        if is_terminating(namespace):
            return self._end(namespace)
        self._set_status(namespace, {"phase": "Active"})
        self._give(key[1])
        return None

    def _end(self, namespace: Object) -> float | None:
        """Empty it, but not at once: who deletes it may have more to delete by name in it."""
        began = datetime.fromisoformat(namespace["metadata"]["deletionTimestamp"])
        left = _GRACE_SECONDS - (self._store.clock() - began).total_seconds()
        if left > 0:
            return left
        self._empty(namespace)
        return None

    def _give(self, namespace: str) -> None:
        self._create_once("serviceaccounts", namespace, "default", {})
        annotations = {"kubernetes.io/description": _CERTIFICATE_NOTE}
        data = {"data": {"ca.crt": self._certificate_authority}}
        self._create_once("configmaps", namespace, "kube-root-ca.crt", data, annotations)

    def _create_once(
        self,
        plural: str,
        namespace: str,
        name: str,
        content: dict[str, Any],
        annotations: dict[str, str] | None = None,
    ) -> None:
        resource = self._resources[plural]
        if self._store.find(resource, namespace, name) is not None:
            return
        metadata: Object = {"name": name, "namespace": namespace}
        if annotations:
            metadata["annotations"] = annotations
        told = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata, **content}
        self._store.create(resource, told)

    def _empty(self, namespace: Object) -> None:
        name = namespace["metadata"]["name"]
        for resource, obj in self._indexes.content(name):
            present = self._store.find(resource, *key_of(obj))
            if present is not None and not is_terminating(present):
                delete(self._store, self._resources, resource, present)
        remaining = list(self._indexes.content(name))
        if remaining:
            self._set_status(namespace, self._termination(namespace, remaining))
            return
        self._set_status(namespace, {"phase": "Terminating"})
        changed = copy_of(self._store.get(self._resource, "", name))
        finalizers = changed["metadata"].get("finalizers") or []
        changed["metadata"]["finalizers"] = [each for each in finalizers if each != FINALIZER]
        self._store.update(self._resource, changed)

    def _termination(self, namespace: Object, remaining: list[tuple[Resource, Object]]) -> Object:
        """The status that says what is still in the way."""
        now = self._store.clock()
        kinds = Counter(
            f"{resource.plural}.{resource.group}" for resource, _ in remaining
        )  # with the dot that the real message has after core resources
        finalizers = Counter(each for _, obj in remaining for each in obj["metadata"].get("finalizers") or ())
        content = ", ".join(f"{kind} has {count} resource instances" for kind, count in sorted(kinds.items()))
        conditions = conditions_of(namespace)
        told = ("True", "SomeResourcesRemain", f"Some resources are remaining: {content}")
        conditions = with_condition(conditions, "NamespaceContentRemaining", told, now)
        if finalizers:
            waiting = ", ".join(f"{each} in {n} resource instances" for each, n in sorted(finalizers.items()))
            message = f"Some content in the namespace has finalizers remaining: {waiting}"
            told = ("True", "SomeFinalizersRemain", message)
        else:
            told = ("False", "ContentHasNoFinalizers", "All content-preserving finalizers finished")
        conditions = with_condition(conditions, "NamespaceFinalizersRemaining", told, now)
        return {"phase": "Terminating", "conditions": conditions}

    def _set_status(self, namespace: Object, status: Object) -> None:
        present = self._store.find(self._resource, *key_of(namespace))
        if present is not None and present.get("status") != status:
            self._store.update(self._resource, {**present, "status": status})
