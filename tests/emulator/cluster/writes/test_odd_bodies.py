"""Whatever a client sends, it gets an answer that is the API's: an object or a Status."""

import copy
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.cluster.admission.schema import KubernetesSchemas
from emulator.cluster.status import ApiError
from emulator.cluster.store import Object
from emulator.cluster.writes import WriteOptions
from tests.emulator.cluster.writes.writing import (
    CONFIG_MAP,
    DEPLOYMENT,
    NAMESPACE,
    NODE_POOL,
    POD,
    Api,
    make_api,
    node_pool,
)

SERVICE: Object = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "search"},
    "spec": {"ports": [{"port": 80, "targetPort": "http"}], "selector": {"app": "search"}},
}
JOB: Object = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {"name": "reindex"},
    "spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "a", "image": "a"}]}}},
}
BASES = [POD, DEPLOYMENT, SERVICE, JOB, CONFIG_MAP, NODE_POOL, node_pool(taints=[{"key": "a"}], zones=["b"])]

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["a", "", "1Gi", "Exists", "$patch", "50%"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["a", "name", "", "x/y", "$patch", "key"]), inner, max_size=3)
    ),
    max_leaves=5,
)


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(deeper for step, below in inner for deeper in paths(below, (*path, step)))]


@st.composite
def odd_objects(draw: st.DrawFn) -> Object:
    """An object of some kind with one value replaced."""
    obj = copy.deepcopy(draw(st.sampled_from(BASES)))
    *owners, last = draw(st.sampled_from([path for path in paths(obj) if path]))
    owner: Any = obj
    for step in owners:
        owner = owner[step]
    owner[last] = draw(VALUES)
    return obj


@pytest.fixture(scope="module")
def world() -> Api:
    api = make_api(KubernetesSchemas("1.35"))
    for base in BASES:
        if base is not NODE_POOL and base["kind"] != "NodePool":
            api.create(base)
    api.create(NODE_POOL)
    api.create(BASES[-1])
    return api


def answered(call: Any, *arguments: Any) -> None:
    try:
        answer = call(*arguments)
    except ApiError as refused:
        answer = refused.body()
        assert answer["message"]
    assert isinstance(orjson.loads(orjson.dumps(answer)), dict)


@given(odd_objects())
def test_creating(world: Api, obj: Object) -> None:
    base = next(each for each in BASES if each.keys() == obj.keys() or each["kind"] == obj.get("kind"))
    resource = world.resource(base)
    answered(world.writes.create, resource, NAMESPACE, obj, WriteOptions(dry_run=True))


@given(odd_objects())
def test_updating_and_patching(world: Api, obj: Object) -> None:
    for base in BASES:
        if base["kind"] == obj.get("kind"):
            resource, name = world.resource(base), base["metadata"]["name"]
            options = WriteOptions(dry_run=True, field_manager="me", force=True)
            answered(world.writes.update, resource, NAMESPACE, name, obj, options)
            for kind in ("merge-patch+json", "strategic-merge-patch+json", "apply-patch+yaml"):
                body = orjson.dumps(obj)
                arguments = (resource, NAMESPACE, name, body, f"application/{kind}", options)
                answered(world.writes.patch, *arguments)


@given(odd_objects(), st.sampled_from(["status", "scale"]))
def test_subresources(world: Api, obj: Object, subresource: str) -> None:
    for base in (DEPLOYMENT, BASES[-1]):
        resource, name = world.resource(base), base["metadata"]["name"]
        options = WriteOptions(dry_run=True)
        body = orjson.dumps({"spec": obj.get("spec"), "status": obj.get("status")})
        arguments = (resource, NAMESPACE, name, body, "application/merge-patch+json", options, subresource)
        answered(world.writes.patch, *arguments)
