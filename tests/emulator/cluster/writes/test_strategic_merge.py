"""Strategic merge patches, against the cases of Kubernetes' documentation and their laws."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.cluster.admission.schema import KubernetesSchemas
from emulator.cluster.status import ApiError
from emulator.cluster.writes.strategic_merge import strategic_merge

SCHEMAS = KubernetesSchemas("1.35")
POD_SPEC = SCHEMAS.definition("io.k8s.api.core.v1.PodSpec")
META = SCHEMAS.definition("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta")
DEPLOYMENT_SPEC = SCHEMAS.definition("io.k8s.api.apps.v1.DeploymentSpec")

CONTAINERS: list[dict[str, Any]] = [{"name": "a", "image": "a:1"}, {"name": "b", "image": "b:1"}]


def patched(patch: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return strategic_merge(POD_SPEC, spec or {"containers": CONTAINERS}, patch)


def names(spec: dict[str, Any], field: str = "containers") -> list[str]:
    return [item["name"] for item in spec[field]]


def test_a_container_is_found_by_its_name() -> None:
    merged = patched({"containers": [{"name": "b", "image": "b:2"}]})
    assert merged["containers"] == [{"name": "a", "image": "a:1"}, {"name": "b", "image": "b:2"}]


def test_a_new_container_comes_first() -> None:
    assert names(patched({"containers": [{"name": "c"}]})) == ["c", "a", "b"]


def test_the_order_that_is_asked_for() -> None:
    order = [{"name": "b"}, {"name": "c"}, {"name": "a"}]
    merged = patched({"$setElementOrder/containers": order, "containers": [{"name": "c"}]})
    assert names(merged) == ["b", "c", "a"]


def test_an_item_is_deleted() -> None:
    assert names(patched({"containers": [{"name": "a", "$patch": "delete"}]})) == ["b"]


def test_a_list_is_replaced() -> None:
    assert names(patched({"containers": [{"name": "c"}, {"$patch": "replace"}]})) == ["c"]


def test_a_map_is_replaced() -> None:
    merged = patched({"nodeSelector": {"$patch": "replace", "b": "2"}}, nodeSelector={"a": "1"})
    assert merged["nodeSelector"] == {"b": "2"}


def test_a_map_is_emptied() -> None:
    assert patched({"securityContext": {"$patch": "delete"}}, securityContext={"runAsUser": 1}) == {
        "securityContext": {}
    }


def test_null_takes_a_field_out() -> None:
    merged = patched({"containers": [{"name": "a", "image": None}]})
    assert merged["containers"][0] == {"name": "a"}


def test_a_list_without_a_merge_strategy_is_replaced() -> None:
    assert patched({"tolerations": [{"key": "b"}]}, tolerations=[{"key": "a"}]) == {
        "tolerations": [{"key": "b"}]
    }


def test_only_the_kept_keys_stay() -> None:
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}
    patch = {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}
    assert strategic_merge(DEPLOYMENT_SPEC, {"strategy": strategy}, patch) == {
        "strategy": {"type": "Recreate"}
    }


def test_a_volume_changes_its_source() -> None:
    merged = patched(
        {"volumes": [{"name": "v", "$retainKeys": ["name", "emptyDir"], "emptyDir": {}}]},
        volumes=[{"name": "v", "configMap": {"name": "c"}}],
    )
    assert merged["volumes"] == [{"name": "v", "emptyDir": {}}]


def test_plain_values_are_united_and_deleted() -> None:
    assert strategic_merge(META, {"finalizers": ["a", "b"]}, {"finalizers": ["c"]})["finalizers"] == [
        *("c", "a", "b")
    ]
    patch = {"$deleteFromPrimitiveList/finalizers": ["a"], "$setElementOrder/finalizers": ["b"]}
    assert strategic_merge(META, {"finalizers": ["a", "b"]}, patch)["finalizers"] == ["b"]


def test_ports_are_told_apart_by_number() -> None:
    ports = [{"containerPort": 80, "name": "http"}, {"containerPort": 90}]
    merged = patched(
        {"containers": [{"name": "a", "ports": [{"containerPort": 80, "name": "web"}]}]},
        containers=[{"name": "a", "ports": ports}],
    )
    assert merged["containers"][0]["ports"] == [{"containerPort": 80, "name": "web"}, {"containerPort": 90}]


@pytest.mark.parametrize(
    ("patch", "message"),
    [
        ({"containers": [{"image": "a:2"}]}, "map: map[image:a:2] does not contain declared merge key: name"),
        ({"securityContext": {"$patch": "merge"}}, "unknown patch type found: merge in map"),
        ({"containers": [{"name": "a", "$patch": "drop"}]}, "unknown patch type found: drop in map"),
        (
            {"securityContext": {"$retainKeys": [], "runAsUser": 1}},
            "invalid patch format of retainKeys",
        ),
    ],
)
def test_patches_that_make_no_sense(patch: dict[str, Any], message: str) -> None:
    with pytest.raises(ApiError) as caught:
        patched(patch)
    assert caught.value.message == message


ITEMS = st.lists(
    st.fixed_dictionaries(
        {"name": st.sampled_from("abcd")},
        optional={"image": st.sampled_from("xyz"), "command": st.just(["c"])},
    ),
    unique_by=lambda item: item["name"],
)
SPECS = st.fixed_dictionaries(
    {},
    optional={
        "containers": ITEMS,
        "nodeSelector": st.dictionaries(st.sampled_from("ab"), st.sampled_from("xy")),
        "priority": st.integers(0, 3),
    },
)


@given(SPECS, SPECS)
def test_a_patch_applied_twice_changes_nothing_more(spec: dict[str, Any], patch: dict[str, Any]) -> None:
    once = strategic_merge(POD_SPEC, spec, patch)
    assert strategic_merge(POD_SPEC, once, patch) == once


@given(SPECS, SPECS)
def test_neither_object_nor_patch_is_changed(spec: dict[str, Any], patch: dict[str, Any]) -> None:
    before = copy.deepcopy((spec, patch))
    strategic_merge(POD_SPEC, spec, patch)
    assert (spec, patch) == before


@given(SPECS)
def test_an_empty_patch_changes_nothing(spec: dict[str, Any]) -> None:
    assert strategic_merge(POD_SPEC, spec, {}) == spec
