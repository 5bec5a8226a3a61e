"""A cluster that has nothing but what writes need, and one namespace, `search`."""

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from emulator.cluster.admission.schema import KubernetesSchemas
from emulator.cluster.resources import Resource, Resources
from emulator.cluster.status import ApiError
from emulator.cluster.store import Object, Store
from emulator.cluster.writes import WriteOptions, Writes

NAMESPACE = "search"

DEPLOYMENT: Object = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "search", "labels": {"app": "search"}},
    "spec": {
        "replicas": 3,
        "selector": {"matchLabels": {"app": "search"}},
        "template": {
            "metadata": {"labels": {"app": "search"}},
            "spec": {
                "containers": [
                    {
                        "name": "search",
                        "image": "search:1",
                        "ports": [{"name": "http", "containerPort": 8080}],
                    }
                ]
            },
        },
    },
}

POD: Object = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "search"},
    "spec": {"containers": [{"name": "search", "image": "search:1"}]},
}

CONFIG_MAP: Object = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "settings"},
    "data": {"a": "1", "b": "2"},
}

NODE_POOL: Object = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "nodepools.karpenter.sh"},
    "spec": {
        "group": "karpenter.sh",
        "scope": "Cluster",
        "names": {"kind": "NodePool", "plural": "nodepools", "singular": "nodepool"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "subresources": {
                    "status": {},
                    "scale": {"specReplicasPath": ".spec.size", "statusReplicasPath": ".status.size"},
                },
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "required": ["spec"],
                        "properties": {
                            "spec": {
                                "type": "object",
                                "properties": {
                                    "size": {"type": "integer", "minimum": 0, "default": 1},
                                    "mode": {"type": "string", "enum": ["spot", "on-demand"]},
                                    "note": {"type": "string", "nullable": True},
                                    "taints": {
                                        "type": "array",
                                        "x-kubernetes-list-type": "map",
                                        "x-kubernetes-list-map-keys": ["key"],
                                        "items": {
                                            "type": "object",
                                            "required": ["key"],
                                            "properties": {
                                                "key": {"type": "string"},
                                                "effect": {"type": "string", "default": "NoSchedule"},
                                            },
                                        },
                                    },
                                    "zones": {"type": "array", "items": {"type": "string"}},
                                },
                            },
                            "status": {"type": "object", "properties": {"size": {"type": "integer"}}},
                        },
                    }
                },
            }
        ],
    },
}


def node_pool(**spec: Any) -> Object:
    return {"apiVersion": "karpenter.sh/v1", "kind": "NodePool", "metadata": {"name": "gpu"}, "spec": spec}


def changed(obj: Object, path: str, value: object) -> Object:
    """A copy of an object with one value changed, or taken out by None: `spec.containers.0.image`."""
    obj = copy.deepcopy(obj)
    *owners, last = path.split(".")
    owner: Any = obj
    for step in owners:
        owner = owner[int(step)] if isinstance(owner, list) else owner.setdefault(step, {})
    if value is None:
        del owner[last]
    else:
        owner[last] = value
    return obj


@dataclass
class Api:
    """What clients do, without the server."""

    store: Store
    resources: Resources
    schemas: KubernetesSchemas
    writes: Writes
    clock: list[datetime]
    options: WriteOptions = field(default_factory=WriteOptions)

    def resource(self, obj: Object) -> Resource:
        found = self.resources.of_kind(obj["apiVersion"], obj["kind"])
        assert found is not None
        return found

    def create(self, obj: Object, namespace: str = NAMESPACE, **options: Any) -> Object:
        self.options = WriteOptions(**options)
        return self.writes.create(self.resource(obj), namespace, obj, self.options)

    def update(self, obj: Object, subresource: str = "", **options: Any) -> Object:
        self.options = WriteOptions(**options)
        name = obj["metadata"]["name"]
        return self.writes.update(self.resource(obj), NAMESPACE, name, obj, self.options, subresource)

    def patch(
        self,
        obj: Object,
        patch: object,
        kind: str = "merge-patch+json",
        subresource: str = "",
        **options: Any,
    ) -> Object:
        """Patch what `obj` names."""
        self.options = WriteOptions(**options)
        body = patch if isinstance(patch, bytes) else orjson.dumps(patch)
        resource, name = self.resource(obj), obj["metadata"]["name"]
        return self.writes.patch(
            resource, NAMESPACE, name, body, f"application/{kind}", self.options, subresource
        )

    def apply(self, obj: Object, manager: str = "kubectl", **options: Any) -> Object:
        return self.patch(obj, obj, "apply-patch+yaml", field_manager=manager, **options)

    def delete(self, obj: Object, **options: Any) -> Object:
        return self.writes.delete(self.resource(obj), NAMESPACE, obj["metadata"]["name"], options)

    def get(self, obj: Object) -> Object | None:
        resource = self.resource(obj)
        return self.store.find(resource, NAMESPACE if resource.namespaced else "", obj["metadata"]["name"])

    def tick(self) -> None:
        """A second passes."""
        self.clock[0] += timedelta(seconds=1)


def make_api(schemas: KubernetesSchemas) -> Api:
    clock = [datetime(2026, 1, 1, tzinfo=UTC)]
    store, resources = Store(lambda: clock[0]), Resources()
    addresses = iter(f"127.0.1.{number}" for number in range(1, 255))
    writes = Writes(store, resources, schemas, allocate_cluster_ip=lambda: next(addresses))
    api = Api(store, resources, schemas, writes, clock)
    api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    return api


def refusal(call: Callable[..., Any], *args: Any, **options: Any) -> ApiError:
    with pytest.raises(ApiError) as caught:
        call(*args, **options)
    return caught.value
