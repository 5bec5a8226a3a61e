"""A cluster's API as the hooks of EKS see it: a client over a store, without a server."""

from typing import Any
from urllib.parse import urlsplit

import pytest

from emulator.cluster.resources import Resource, Resources
from emulator.cluster.selectors import LabelSelector
from emulator.cluster.status import ApiError
from emulator.cluster.store import Object, Store


class FakeClient:
    """Does what `emulator.cluster.client.ClusterClient` does, at once; evictions of `kept` pods are refused."""

    def __init__(self) -> None:
        self.store = Store()
        self.resources = Resources()
        self.kept: set[str] = set()
        self.asked: list[str] = []

    def list(
        self, resource: Resource, namespace: str | None = None, label_selector: str = ""
    ) -> list[Object]:
        selector = LabelSelector.parse(label_selector)
        return [
            each
            for each in self.store.list(resource, namespace)
            if selector.matches(each["metadata"].get("labels"))
        ]

    def create(self, resource: Resource, obj: Object) -> Object:
        self.asked.append(f"create {resource.plural} {obj['metadata']['name']}")
        return self.store.create(resource, obj)

    def apply(self, resource: Resource, obj: Object, manager: str, *, force: bool = True) -> Object:
        assert manager == "eks"
        key = obj["metadata"].get("namespace", ""), obj["metadata"]["name"]
        if self.store.find(resource, *key):
            return self.store.update(resource, obj)
        return self.store.create(resource, obj)

    def patch(self, resource: Resource, namespace: str, name: str, patch: Any, **_: Any) -> Object:
        return self.store.update(resource, merged(self.store.get(resource, namespace, name), patch))

    def delete(self, resource: Resource, namespace: str, name: str, **_: Any) -> Object:
        self.asked.append(f"delete {resource.plural} {name}")
        return self.store.delete(resource, namespace, name)

    def request(self, method: str, path: str, body: Any = None) -> Any:
        *_, namespace, _, name, subresource = urlsplit(path).path.split("/")
        assert (method, subresource, body["kind"]) == ("POST", "eviction", "Eviction")
        self.asked.append(f"evict {name}")
        if name in self.kept:
            raise ApiError(429, "TooManyRequests", "Cannot evict pod")
        return self.store.delete(self.resources["pods"], namespace, name)


def merged(obj: Any, patch: Any) -> Any:
    """RFC 7386."""
    if not isinstance(patch, dict):
        return patch
    result = dict(obj) if isinstance(obj, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


@pytest.fixture
def client() -> FakeClient:
    return FakeClient()
