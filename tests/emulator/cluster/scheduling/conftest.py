"""A cluster without a server: a store, the controllers of this folder, and a clock that tests turn."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from emulator.cluster.controllers.manager import Manager
from emulator.cluster.resources import Resources
from emulator.cluster.scheduling.devices import DevicePlugins
from emulator.cluster.scheduling.disruption import Disruption
from emulator.cluster.scheduling.nodes import NodeLifecycle
from emulator.cluster.scheduling.provisioner import Provisioner
from emulator.cluster.scheduling.scheduler import Scheduler
from emulator.cluster.store import Object, Store

REGION = "eu-west-1"


class World:
    """Nodes and pods, made in a few words."""

    def __init__(self, controllers: Callable[[Store, Resources], Sequence[Any]]) -> None:
        self.now = datetime(2026, 9, 3, 12, tzinfo=UTC)
        self.store = Store(lambda: self.now)
        self.resources = Resources()
        self.manager = Manager(self.store, controllers(self.store, self.resources), self.seconds)

    def seconds(self) -> float:
        return self.now.timestamp()

    def pass_(self, seconds: float) -> None:
        """Let time pass, then all that it brings."""
        self.now += timedelta(seconds=seconds)
        self.manager.settle()

    def node(
        self, name: str, *, taints: Sequence[str] = (), labels: Any = None, **allocatable: str
    ) -> Object:
        """A ready node; taints as kubectl writes them."""
        has = {"cpu": "4", "memory": "16Gi", "pods": "110", "ephemeral-storage": "50Gi"} | {
            key.replace("_", "-"): value for key, value in allocatable.items()
        }
        node = {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, **(labels or {})}},
            "spec": {"taints": [taint(each) for each in taints]},
            "status": {
                "allocatable": has,
                "capacity": has,
                "conditions": [{"type": "Ready", "status": "True"}],
            },
        }
        return self.store.create(self.resources["nodes"], node)

    def pod(
        self,
        name: str,
        *,
        namespace: str = "default",
        labels: Any = None,
        owner: str = "",
        requests: Any = None,
        **spec: Any,
    ) -> None:
        """A pod of one container."""
        metadata: Any = {"name": name, "namespace": namespace, "labels": labels or {}}
        if owner:
            reference = {"kind": "ReplicaSet", "apiVersion": "apps/v1", "name": owner, "uid": owner}
            metadata["ownerReferences"] = [reference | {"controller": True}]
        containers = [{"name": "app", "image": "app", "resources": {"requests": requests or {}}}]
        self.store.create(
            self.resources["pods"],
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": metadata,
                "spec": {"containers": containers, **spec},
                "status": {"phase": "Pending"},
            },
        )

    def create(self, plural: str, obj: Object) -> Object:
        return self.store.create(self.resources[plural], obj)

    def change(self, plural: str, name: str, namespace: str = "", **parts: Any) -> None:
        """Merge `parts` into an object, one level down."""
        resource = self.resources[plural]
        obj = self.store.get(resource, namespace, name)
        self.store.update(resource, {**obj, **{key: {**obj.get(key, {}), **parts[key]} for key in parts}})

    def delete(self, plural: str, name: str, namespace: str = "") -> None:
        self.store.delete(self.resources[plural], namespace, name)

    def get(self, name: str, namespace: str = "default") -> Object:
        return self.store.get(self.resources["pods"], namespace, name)

    def get_node(self, name: str) -> Object:
        return self.store.get(self.resources["nodes"], "", name)

    @property
    def nodes(self) -> list[Object]:
        return self.store.list(self.resources["nodes"])

    def where(self, name: str, namespace: str = "default") -> str | None:
        """The node of a pod, once all is settled."""
        self.manager.settle()
        return self.get(name, namespace)["spec"].get("nodeName")

    def why(self, name: str, namespace: str = "default") -> str:
        """Why a pod is on no node."""
        assert self.where(name, namespace) is None
        (told,) = [
            each
            for each in self.get(name, namespace)["status"]["conditions"]
            if each["type"] == "PodScheduled"
        ]
        assert told["status"] == "False"
        return told["message"]

    def events(self, name: str, reason: str) -> list[str]:
        """The messages of events about an object."""
        return [
            each["message"]
            for each in self.store.list(self.resources["events"])
            if (each["involvedObject"]["name"], each["reason"]) == (name, reason)
        ]


def taint(text: str) -> Object:
    """`key=value:Effect`."""
    pair, _, effect = text.rpartition(":")
    key, _, value = pair.partition("=")
    return {"key": key, "effect": effect, **({"value": value} if value else {})}


@pytest.fixture(scope="session")
def new_world() -> type[World]:
    """To make several in one test."""
    return World


@pytest.fixture
def world() -> World:
    """With the scheduler and the node lifecycle."""
    return World(lambda store, resources: [Scheduler(store, resources), NodeLifecycle(store, resources)])


@pytest.fixture
def karpenter_world() -> World:
    """With Karpenter and the device plugin, too."""

    def controllers(store: Store, resources: Resources) -> list[Any]:
        return [
            Scheduler(store, resources),
            NodeLifecycle(store, resources),
            Provisioner(store, resources, REGION),
            Disruption(store, resources),
            DevicePlugins(store, resources),
        ]

    return World(controllers)
