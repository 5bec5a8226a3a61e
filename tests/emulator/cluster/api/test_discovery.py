from collections.abc import Iterator
from typing import Any

import pytest

from emulator.cluster.store import Object
from tests.emulator.cluster.api.serving import Served

AGGREGATED = (
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,"
    "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json"
)


@pytest.fixture
def boards(api: Served) -> Iterator[Object]:
    """A CustomResourceDefinition."""
    schema = {
        "type": "object",
        "properties": {"spec": {"type": "object", "properties": {"size": {"type": "integer"}}}},
    }
    definition = api.add(
        {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": "boards.example.com"},
            "spec": {
                "group": "example.com",
                "scope": "Namespaced",
                "names": {"kind": "Board", "plural": "boards", "shortNames": ["bd"], "categories": ["all"]},
                "versions": [
                    {
                        "name": name,
                        "served": True,
                        "schema": {"openAPIV3Schema": schema},
                        "subresources": {"status": {}, "scale": {}},
                    }
                    for name in ("v1alpha1", "v1", "v1beta2", "v2")
                ],
            },
        }
    )
    api.call(lambda: api.cluster.resources.define(definition))
    yield definition
    api.call(lambda: api.cluster.resources.forget("boards.example.com"))
    definitions = api.cluster.resources["customresourcedefinitions.apiextensions.k8s.io"]
    api.call(lambda: api.store.delete(definitions, "", "boards.example.com"))


def by(items: list[Any], name: str, value: str) -> Any:
    return next(each for each in items if each[name] == value)


def test_the_version(api: Served) -> None:
    told = api.get("/version")
    assert (told["major"], told["minor"], told["gitVersion"]) == ("1", "35", "v1.35.0-eks-pinwheel")


def test_all_resources_at_once(api: Served) -> None:
    (core,) = api.get("/api", Accept=AGGREGATED)["items"]
    assert core["metadata"]["name"] == ""
    pods = by(core["versions"][0]["resources"], "resource", "pods")
    assert pods["responseKind"] == {"group": "", "version": "v1", "kind": "Pod"}
    assert (pods["scope"], pods["shortNames"], pods["categories"]) == ("Namespaced", ["po"], ["all"])
    assert "watch" in pods["verbs"]
    eviction = by(pods["subresources"], "subresource", "eviction")
    assert eviction["responseKind"] == {"group": "policy", "version": "v1", "kind": "Eviction"}

    answered = api.request("GET", "/apis", Accept=AGGREGATED)
    assert answered.headers["Content-Type"].endswith("as=APIGroupDiscoveryList")
    groups = [each["metadata"]["name"] for each in answered.json["items"]]
    assert "" not in groups
    assert {"apps", "batch", "authorization.k8s.io", "apiextensions.k8s.io"} <= set(groups)


def test_the_older_discovery(api: Served) -> None:
    assert api.get("/api")["versions"] == ["v1"]
    apps = by(api.get("/apis")["groups"], "name", "apps")
    assert apps["preferredVersion"] == {"groupVersion": "apps/v1", "version": "v1"}
    assert api.get("/apis/apps") == {"kind": "APIGroup", "apiVersion": "v1", **apps}
    core = api.get("/api/v1")["resources"]
    assert by(core, "name", "nodes")["namespaced"] is False
    assert by(core, "name", "pods/eviction") == {
        "name": "pods/eviction",
        "singularName": "",
        "namespaced": True,
        "group": "policy",
        "version": "v1",
        "kind": "Eviction",
        "verbs": ["create"],
    }
    assert by(core, "name", "serviceaccounts/token")["kind"] == "TokenRequest"
    deployments = api.get("/apis/apps/v1")["resources"]
    assert by(deployments, "name", "deployments/scale")["kind"] == "Scale"


def test_both_tell_the_same(api: Served) -> None:
    for group in api.get("/apis", Accept=AGGREGATED)["items"]:
        for version in group["versions"]:
            listed = api.get(f"/apis/{group['metadata']['name']}/{version['version']}")["resources"]
            assert {each["name"] for each in listed if "/" not in each["name"]} == {
                each["resource"] for each in version["resources"]
            }


def test_a_custom_resource_is_discovered(api: Served, boards: Object) -> None:
    group = api.get("/apis/example.com")
    assert [each["version"] for each in group["versions"]] == ["v2", "v1", "v1beta2", "v1alpha1"]
    resources = api.get("/apis/example.com/v1")["resources"]
    assert [each["name"] for each in resources] == ["boards", "boards/status", "boards/scale"]
    assert resources[0]["shortNames"] == ["bd"]


def test_what_did_not_change_is_not_sent_again(api: Served) -> None:
    first = api.request("GET", "/apis/apps/v1")
    again = api.request("GET", "/apis/apps/v1", **{"If-None-Match": first.headers["ETag"]})
    assert (again.status, again.data) == (304, b"")


def test_the_schemas_of_a_group(api: Served) -> None:
    index = api.get("/openapi/v3")["paths"]
    url = index["apis/apps/v1"]["serverRelativeURL"]
    document = api.get(url)
    name = "io.k8s.api.apps.v1.Deployment"
    deployment = document["components"]["schemas"][name]
    assert deployment["x-kubernetes-group-version-kind"] == [
        {"group": "apps", "kind": "Deployment", "version": "v1"}
    ]
    containers = document["components"]["schemas"]["io.k8s.api.core.v1.PodSpec"]["properties"]["containers"]
    assert containers["x-kubernetes-patch-merge-key"] == "name"
    patch = document["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"]
    assert patch["x-kubernetes-group-version-kind"]["kind"] == "Deployment"
    assert {each["name"] for each in patch["parameters"]} >= {"fieldValidation", "dryRun", "fieldManager"}


def references(schema: Any) -> Iterator[str]:
    if isinstance(schema, list):
        for item in schema:
            yield from references(item)
    elif isinstance(schema, dict):
        if isinstance(schema.get("$ref"), str):
            yield schema["$ref"]
        for value in schema.values():
            yield from references(value)


def test_every_document_is_complete(api: Served, boards: Object) -> None:
    for entry in api.get("/openapi/v3")["paths"].values():
        document = api.get(entry["serverRelativeURL"])
        known = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
        assert set(references(document)) <= known
        assert document["paths"]


def test_the_schema_of_a_custom_resource_follows_its_definition(api: Served, boards: Object) -> None:
    url = api.get("/openapi/v3")["paths"]["apis/example.com/v1"]["serverRelativeURL"]
    schema = api.get(url)["components"]["schemas"]["com.example.v1.Board"]
    assert schema["properties"]["spec"]["properties"] == {"size": {"type": "integer"}}
    assert "metadata" in schema["properties"]

    definitions = api.cluster.resources["customresourcedefinitions.apiextensions.k8s.io"]
    changed = {**boards, "spec": {**boards["spec"], "versions": boards["spec"]["versions"][:2]}}
    changed["spec"]["versions"][1]["schema"] = {"openAPIV3Schema": {"type": "object"}}
    api.call(lambda: api.store.update(definitions, changed))
    moved = api.get("/openapi/v3")["paths"]["apis/example.com/v1"]["serverRelativeURL"]
    assert moved != url
    assert "spec" not in api.get(moved)["components"]["schemas"]["com.example.v1.Board"]["properties"]


@pytest.mark.parametrize("path", ["/openapi/v3/apis/nothing/v1", "/apis/nothing", "/api/v2"])
def test_what_is_not_described(api: Served, path: str) -> None:
    assert api.request("GET", path).status == 404


def test_schemas_come_as_json_only(api: Served) -> None:
    accept = "application/com.github.proto-openapi.spec.v3.v1.0+protobuf"
    assert api.request("GET", "/openapi/v3/apis/apps/v1", Accept=accept).status == 406
