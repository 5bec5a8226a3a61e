"""Patch requests of the three types that merge, and what is refused."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.cluster.writes.patches import merge_patched
from tests.emulator.cluster.writes.writing import CONFIG_MAP, DEPLOYMENT, Api, refusal


@pytest.mark.parametrize(
    ("original", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merge_patches_of_rfc_7386(original: Any, patch: Any, result: Any) -> None:
    assert merge_patched(original, patch) == result


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)


@given(JSON, JSON)
def test_a_merge_patch_applied_twice_changes_nothing_more(original: Any, patch: Any) -> None:
    once = merge_patched(original, patch)
    assert merge_patched(once, patch) == once


def test_a_merge_patch(api: Api) -> None:
    api.create(CONFIG_MAP)
    made = api.patch(CONFIG_MAP, {"data": {"a": None, "c": "3"}})
    assert made["data"] == {"b": "2", "c": "3"}
    assert api.get(CONFIG_MAP) == made


def test_a_json_patch(api: Api) -> None:
    api.create(CONFIG_MAP)
    operations = [{"op": "test", "path": "/data/a", "value": "1"}, {"op": "remove", "path": "/data/a"}]
    assert api.patch(CONFIG_MAP, operations, "json-patch+json")["data"] == {"b": "2"}


def test_a_strategic_merge_patch(api: Api) -> None:
    api.create(DEPLOYMENT)
    container = {"name": "search", "env": [{"name": "A", "value": "1"}]}
    patch = {"spec": {"template": {"spec": {"containers": [container]}}}}
    made = api.patch(DEPLOYMENT, patch, "strategic-merge-patch+json; charset=utf-8")
    (merged,) = made["spec"]["template"]["spec"]["containers"]
    assert merged["image"] == "search:1"
    assert merged["env"] == [{"name": "A", "value": "1"}]
    assert made["metadata"]["generation"] == 2


def test_a_patch_that_changes_nothing_stores_nothing(api: Api) -> None:
    made = api.create(DEPLOYMENT)
    api.tick()
    assert api.patch(DEPLOYMENT, {"spec": {"replicas": 3}}, field_manager="other") is made


def test_a_dry_run_of_a_patch(api: Api) -> None:
    made = api.create(CONFIG_MAP)
    would_be = api.patch(CONFIG_MAP, {"data": {"a": "9"}}, dry_run=True)
    assert would_be["data"]["a"] == "9"
    assert would_be["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]
    assert api.get(CONFIG_MAP) is made


def test_a_patch_conflicts_only_with_the_version_it_names(api: Api) -> None:
    api.create(CONFIG_MAP)
    assert refusal(api.patch, CONFIG_MAP, {"metadata": {"resourceVersion": "1"}}).body() == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": 'Operation cannot be fulfilled on configmaps "settings": the object has been modified; '
        "please apply your changes to the latest version and try again",
        "reason": "Conflict",
        "details": {"name": "settings", "kind": "configmaps"},
        "code": 409,
    }


def test_what_is_not_there_cannot_be_patched(api: Api) -> None:
    assert refusal(api.patch, CONFIG_MAP, {}).message == 'configmaps "settings" not found'


def test_a_failed_test_of_a_json_patch(api: Api) -> None:
    api.create(CONFIG_MAP)
    refused = refusal(
        api.patch, CONFIG_MAP, [{"op": "test", "path": "/data/a", "value": "2"}], "json-patch+json"
    )
    assert (refused.code, refused.reason) == (422, "Invalid")
    assert refused.message == "the server rejected our request due to an error in our request"


@pytest.mark.parametrize(
    ("patch", "kind"),
    [
        (b"{", "merge-patch+json"),
        ([1], "merge-patch+json"),
        (["x"], "strategic-merge-patch+json"),
        ({"op": "remove"}, "json-patch+json"),
        ([{"op": "dance", "path": "/a"}], "json-patch+json"),
        ([1], "json-patch+json"),
        (b"{", "json-patch+json"),
    ],
)
def test_what_is_no_patch(api: Api, patch: object, kind: str) -> None:
    api.create(CONFIG_MAP)
    refused = refusal(api.patch, CONFIG_MAP, patch, kind)
    assert (refused.code, refused.reason) == (400, "BadRequest")
    assert refused.message.startswith("error decoding patch: ")


@pytest.mark.parametrize(
    "operation", [{"op": "remove", "path": "/x/y"}, {"op": "replace", "path": "", "value": 1}]
)
def test_a_json_patch_that_does_not_fit(api: Api, operation: object) -> None:
    api.create(CONFIG_MAP)
    assert refusal(api.patch, CONFIG_MAP, [operation], "json-patch+json").code == 422


def test_a_patch_type_that_there_is_not(api: Api) -> None:
    api.create(CONFIG_MAP)
    refused = refusal(api.patch, CONFIG_MAP, {}, "json")
    assert (refused.code, refused.reason) == (415, "UnsupportedMediaType")
    assert "application/strategic-merge-patch+json" in refused.message


def test_a_patch_cannot_rename(api: Api) -> None:
    api.create(CONFIG_MAP)
    assert refusal(api.patch, CONFIG_MAP, {"metadata": {"name": "other"}}).message == (
        "the name of the object (other) does not match the name on the URL (settings)"
    )


def test_a_patch_to_a_wrong_type(api: Api) -> None:
    api.create(DEPLOYMENT)
    patch = {"spec": {"replicas": "many"}}
    refused = refusal(api.patch, DEPLOYMENT, patch, "strategic-merge-patch+json")
    assert (refused.code, refused.reason) == (422, "Invalid")
    assert refused.message == (
        ' "" is invalid: patch: Invalid value: "map[spec:map[replicas:many]]": json: cannot unmarshal string '
        "into Go struct field DeploymentSpec.spec.replicas of type int32"
    )


def test_a_patch_with_an_unknown_field(api: Api) -> None:
    api.create(DEPLOYMENT)
    patch = {"spec": {"replica": 1}}
    refused = refusal(api.patch, DEPLOYMENT, patch, "strategic-merge-patch+json", field_validation="Strict")
    assert 'strict decoding error: unknown field "spec.replica"' in refused.message
    api.patch(DEPLOYMENT, patch, "strategic-merge-patch+json")
    assert api.options.warnings == ['unknown field "spec.replica"']
