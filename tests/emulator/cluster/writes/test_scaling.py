"""The `scale` subresource."""

import pytest

from emulator.cluster.writes.scale import selector_text
from tests.emulator.cluster.writes.writing import DEPLOYMENT, NAMESPACE, Api, changed, node_pool, refusal


def test_the_scale_of_a_deployment(api: Api) -> None:
    made = api.create(DEPLOYMENT)
    told = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    assert api.writes.scale(api.resource(DEPLOYMENT), NAMESPACE, "search") == {
        "apiVersion": "autoscaling/v1",
        "kind": "Scale",
        "metadata": {name: made["metadata"][name] for name in told},
        "spec": {"replicas": 3},
        "status": {"replicas": 0, "selector": "app=search"},
    }


def test_scaling_by_a_patch(api: Api) -> None:
    api.create(DEPLOYMENT)
    told = api.patch(DEPLOYMENT, {"spec": {"replicas": 5}}, subresource="scale", field_manager="kubectl")
    stored = api.get(DEPLOYMENT) or {}
    assert (told["kind"], told["spec"], stored["spec"]["replicas"]) == ("Scale", {"replicas": 5}, 5)
    (entry,) = (e for e in stored["metadata"]["managedFields"] if e["manager"] == "kubectl")
    assert (entry["subresource"], entry["fieldsV1"]) == ("scale", {"f:spec": {"f:replicas": {}}})


def test_scaling_by_a_put(api: Api) -> None:
    api.create(DEPLOYMENT)
    now = api.writes.scale(api.resource(DEPLOYMENT), NAMESPACE, "search")
    resource = api.resource(DEPLOYMENT)
    more = changed(now, "spec.replicas", 4)
    told = api.writes.update(resource, NAMESPACE, "search", more, api.options, "scale")
    assert told["spec"] == {"replicas": 4}
    refused = refusal(api.writes.update, resource, NAMESPACE, "search", more, api.options, "scale")
    assert (refused.code, refused.reason) == (409, "Conflict")


def test_scaling_below_nothing(api: Api) -> None:
    api.create(DEPLOYMENT)
    refused = refusal(api.patch, DEPLOYMENT, {"spec": {"replicas": -1}}, subresource="scale")
    assert (refused.code, refused.message) == (
        422,
        'Scale.autoscaling "search" is invalid: spec.replicas: Invalid value: -1: must be greater than or '
        "equal to 0",
    )


def test_a_custom_resource_says_where_its_replicas_are(custom_api: Api) -> None:
    custom_api.create(node_pool())
    told = custom_api.patch(node_pool(), {"spec": {"replicas": 4}}, subresource="scale")
    assert told["spec"] == {"replicas": 4}
    assert (custom_api.get(node_pool()) or {})["spec"]["size"] == 4


@pytest.mark.parametrize(
    ("selector", "text"),
    [
        ({"matchLabels": {"b": "2", "a": "1"}}, "a=1,b=2"),
        ({"app": "search"}, "app=search"),
        (
            {
                "matchLabels": {"a": "1"},
                "matchExpressions": [
                    {"key": "b", "operator": "In", "values": ["y", "x"]},
                    {"key": "c", "operator": "NotIn", "values": ["z"]},
                    {"key": "d", "operator": "Exists"},
                    {"key": "e", "operator": "DoesNotExist"},
                ],
            },
            "a=1,b in (x,y),c notin (z),d,!e",
        ),
    ],
)
def test_a_selector_as_in_a_query(selector: dict[str, object], text: str) -> None:
    assert selector_text(selector) == text
