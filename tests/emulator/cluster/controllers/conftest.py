"""A cluster of a store and its controllers, with a clock that tests move and a kubelet of a few lines."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from emulator.cluster.controllers.all import all_controllers
from emulator.cluster.controllers.manager import Manager
from emulator.cluster.resources import Resource, Resources
from emulator.cluster.store import Event, Key, Object, Store, copy_of, timestamp
from emulator.cluster.writes import defaults

BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)


class FakeKubelet:
    """Schedules pods on `node`, runs them unless they are told otherwise, and removes those deleted."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._store = world.store
        self._pods = world.resources["pods"]
        self._started = 0

    def concerned(self, event: Event) -> Sequence[Key]:
        return [event.key] if event.resource.key == self._pods.key and event.type != "DELETED" else []

    def reconcile(self, key: Key) -> None:
        pod = self._store.find(self._pods, *key)
        if pod is None:
            return
        if "deletionTimestamp" in pod["metadata"]:
            if pod["metadata"].get("deletionGracePeriodSeconds") and self._world.behaviour(pod) != "hangs":
                self._store.delete(self._pods, *key, 0)
            return
        behaviour = self._world.behaviour(pod)
        if behaviour == "pending" or (pod.get("status") or {}).get("podIP"):
            return
        self._started += 1
        pod = copy_of(pod)
        pod["spec"].setdefault("nodeName", _wanted_node(pod))
        pod["status"] = status(
            self._store, behaviour, f"127.0.{self._started // 250}.{self._started % 250 + 1}"
        )
        self._store.update(self._pods, pod)


def _wanted_node(pod: Object) -> str:
    affinity = (pod["spec"].get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    for term in required.get("nodeSelectorTerms") or ():
        for field in term.get("matchFields") or ():
            return field["values"][0]
    return "node-1"


def status(store: Store, behaviour: str, address: str) -> Object:
    """Of a pod that `behaves` as "ready", "unready", "succeeds", "fails" or "hangs" (when deleted)."""
    now = timestamp(store.clock())
    ready = behaviour in {"ready", "hangs"}
    return {
        "phase": {"succeeds": "Succeeded", "fails": "Failed"}.get(behaviour, "Running"),
        "podIP": address,
        "conditions": [{"type": "Ready", "status": str(ready), "lastTransitionTime": now}],
        "containerStatuses": [{"name": "app", "restartCount": 0, "ready": ready}],
    }


class World:
    """A cluster whose time stands still unless it is told to pass."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.store = Store(clock=lambda: BEGINNING + timedelta(seconds=self.seconds))
        self.resources = Resources()
        self.behaviour: Callable[[Object], str] = lambda pod: "ready"
        kubelet = FakeKubelet(self)
        controllers = [*all_controllers(self.store, self.resources), kubelet]
        self.manager = Manager(self.store, controllers, lambda: self.seconds)
        self.create("namespaces", {"metadata": {"name": "default", "finalizers": ["kubernetes"]}})
        self.node("node-1")

    def node(self, name: str, *, taints: Sequence[Object] = (), **labels: str) -> None:
        """Add a node, in the zone `a`."""
        told = {"topology.kubernetes.io/zone": "a", "kubernetes.io/hostname": name, **labels}
        spec = {"taints": list(taints)} if taints else {}
        self.create("nodes", {"metadata": {"name": name, "labels": told}, "spec": spec})

    def settle(self) -> None:
        self.manager.settle()

    def wait(self, seconds: float) -> None:
        """Let time pass and everything happen that is due by then."""
        self.seconds += seconds
        self.settle()

    def resource(self, plural: str) -> Resource:
        return self.resources[plural]

    def create(self, plural: str, obj: Object, *, settle: bool = True) -> Object:
        resource = self.resources[plural]
        obj = {"apiVersion": resource.api_version, "kind": resource.kind, **copy_of(obj)}
        if resource.namespaced:
            obj["metadata"].setdefault("namespace", "default")
        created = self.store.create(resource, defaults.apply(resource, obj))
        if settle:
            self.settle()
        return created

    def get(self, plural: str, name: str, namespace: str = "default") -> Object:
        resource = self.resources[plural]
        return self.store.get(resource, namespace if resource.namespaced else "", name)

    def names(self, plural: str, namespace: str | None = "default") -> list[str]:
        return [each["metadata"]["name"] for each in self.objects(plural, namespace)]

    def objects(self, plural: str, namespace: str | None = "default") -> list[Object]:
        resource = self.resources[plural]
        return self.store.list(resource, namespace if resource.namespaced else None)

    def change(self, plural: str, name: str, *, settle: bool = True, **spec: Any) -> Object:
        """Set fields of the spec of an object of the namespace `default`."""
        changed = copy_of(self.get(plural, name))
        changed["spec"].update(spec)
        resource = self.resources[plural]
        updated = self.store.update(resource, defaults.apply(resource, changed))
        if settle:
            self.settle()
        return updated

    def delete(self, plural: str, name: str, *finalizers: str, namespace: str = "default") -> None:
        """Delete an object, as the API does, with the finalizers of a propagation policy."""
        resource = self.resources[plural]
        place = (namespace if resource.namespaced else "", name)
        if finalizers:
            changed = copy_of(self.store.get(resource, *place))
            changed["metadata"]["finalizers"] = [*(changed["metadata"].get("finalizers") or ()), *finalizers]
            self.store.update(resource, changed)
        grace = 30 if plural == "pods" and self.store.get(resource, *place)["spec"].get("nodeName") else 0
        self.store.delete(resource, *place, grace)
        self.settle()

    def set_status(self, plural: str, name: str, **told: Any) -> None:
        changed = copy_of(self.get(plural, name))
        changed["status"] = {**(changed.get("status") or {}), **told}
        self.store.update(self.resources[plural], changed)
        self.settle()

    def set_ready(self, pod: str, *, ready: bool) -> None:
        behaviour = "ready" if ready else "unready"
        told = status(self.store, behaviour, self.get("pods", pod)["status"]["podIP"])
        self.set_status("pods", pod, **told)

    def reasons(self, name: str, namespace: str = "default") -> list[str]:
        """The reasons of the events about an object."""
        return [
            each["reason"]
            for each in self.objects("events", namespace)
            if each["involvedObject"]["name"] == name
        ]

    def messages(self, name: str, namespace: str = "default") -> list[str]:
        events = self.objects("events", namespace)
        return [each["message"] for each in events if each["involvedObject"]["name"] == name]


@pytest.fixture
def world() -> World:
    return World()


def template(labels: dict[str, str], image: str = "web:1", **spec: Any) -> Object:
    return {
        "metadata": {"labels": labels},
        "spec": {"containers": [{"name": "app", "image": image}], **spec},
    }


def deployment(name: str = "web", replicas: int = 3, image: str = "web:1", **spec: Any) -> Object:
    labels = {"app": name}
    return {
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": template(labels, image),
            **spec,
        },
    }
