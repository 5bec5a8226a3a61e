import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.emulator.cluster.api.serving import Served, pod

PODS = "/api/v1/namespaces/shop/pods"
DEPLOYMENTS = "/apis/apps/v1/namespaces/shop/deployments"
CONFIG_MAPS = "/api/v1/namespaces/shop/configmaps"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"


@pytest.fixture(autouse=True)
def emptied(api: Served) -> Iterator[None]:
    yield
    for name in ("pods", "configmaps", "secrets", "serviceaccounts", "nodes", "deployments.apps"):
        resource = api.cluster.resources[name]
        for obj in api.store.list(resource):
            key = obj["metadata"].get("namespace") or "", obj["metadata"]["name"]
            api.call(lambda resource=resource, key=key: api.store.delete(resource, *key))


def names(listed: Any) -> list[str]:
    return [each["metadata"]["name"] for each in listed["items"]]


def config_map(name: str, **more: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, **more}


def test_an_object_is_created_read_changed_and_deleted(api: Served) -> None:
    created = api.request("POST", CONFIG_MAPS, config_map("settings", data={"color": "red"}))
    assert created.status == 201
    assert created.json["metadata"]["uid"]

    read = api.get(f"{CONFIG_MAPS}/settings")
    assert read == created.json

    changed = api.request("PUT", f"{CONFIG_MAPS}/settings", {**read, "data": {"color": "blue"}})
    assert (changed.status, changed.json["data"]) == (200, {"color": "blue"})

    stale = api.request("PUT", f"{CONFIG_MAPS}/settings", {**read, "data": {"color": "green"}})
    assert (stale.status, stale.json["reason"]) == (409, "Conflict")

    patched = api.request(
        *("PATCH", f"{CONFIG_MAPS}/settings", {"data": {"size": "1"}}),
        content_type="application/merge-patch+json",
    )
    assert (patched.status, patched.json["data"]) == (200, {"color": "blue", "size": "1"})

    assert api.request("DELETE", f"{CONFIG_MAPS}/settings").status == 200
    gone = api.request("GET", f"{CONFIG_MAPS}/settings")
    assert gone.status == 404
    assert gone.json["message"] == 'configmaps "settings" not found'
    assert gone.json["details"] == {"name": "settings", "kind": "configmaps"}


def test_an_object_may_come_as_yaml(api: Served) -> None:
    body = b"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: from-yaml\ndata:\n  color: red\n"
    created = api.request("POST", CONFIG_MAPS, body, content_type="application/yaml")
    assert (created.status, created.json["data"]) == (201, {"color": "red"})


def test_a_server_side_apply_says_whether_it_created(api: Served) -> None:
    path, body = f"{CONFIG_MAPS}/applied?fieldManager=tests", config_map("applied", data={"a": "1"})
    kind = "application/apply-patch+yaml"
    assert api.request("PATCH", path, body, content_type=kind).status == 201
    assert api.request("PATCH", path, body, content_type=kind).status == 200


def test_a_server_side_apply_names_its_manager(api: Served) -> None:
    refused = api.request(
        "PATCH", f"{CONFIG_MAPS}/applied", config_map("applied"), content_type="application/apply-patch+yaml"
    )
    assert (refused.status, refused.json["reason"]) == (422, "Invalid")
    assert refused.json["details"]["causes"][0]["field"] == "fieldManager"


def test_the_scale_of_a_deployment(api: Served) -> None:
    template = {"metadata": {"labels": {"app": "web"}}, "spec": pod("x")["spec"]}
    spec = {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": template}
    deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec}
    assert api.request("POST", DEPLOYMENTS, deployment).status == 201
    scale = api.get(f"{DEPLOYMENTS}/web/scale")
    assert (scale["kind"], scale["spec"]["replicas"]) == ("Scale", 2)
    scaled = api.request("PUT", f"{DEPLOYMENTS}/web/scale", {**scale, "spec": {"replicas": 5}})
    assert (scaled.status, scaled.json["kind"], scaled.json["spec"]["replicas"]) == (200, "Scale", 5)
    patched = api.request(
        *("PATCH", f"{DEPLOYMENTS}/web/scale", {"spec": {"replicas": 1}}),
        content_type="application/merge-patch+json",
    )
    assert patched.json["spec"]["replicas"] == 1
    assert api.get(f"{DEPLOYMENTS}/web")["spec"]["replicas"] == 1


def test_unknown_fields_are_warned_of(api: Served) -> None:
    answered = api.request("POST", CONFIG_MAPS, config_map("odd", colour="red"))
    assert answered.status == 201
    assert answered.headers["Warning"] == '299 - "unknown field \\"colour\\""'
    strict = api.request("POST", f"{CONFIG_MAPS}?fieldValidation=Strict", config_map("odd2", colour="red"))
    assert (strict.status, strict.json["reason"]) == (400, "BadRequest")


def test_a_list_is_of_a_namespace_or_of_all(api: Served) -> None:
    for name, namespace in (("b", "shop"), ("a", "shop"), ("c", "default")):
        api.add(pod(name, namespace))
    listed = api.get(PODS)
    assert (listed["kind"], listed["apiVersion"]) == ("PodList", "v1")
    assert listed["metadata"] == {"resourceVersion": str(api.store.version)}
    assert names(listed) == ["a", "b"]
    assert names(api.get("/api/v1/pods")) == ["c", "a", "b"]
    assert api.get("/api/v1/namespaces/nowhere/pods")["items"] == []


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("labelSelector=app%3Dweb", ["web-0", "web-1"]),
        ("labelSelector=app%20in%20(api),!canary", ["api-0"]),
        ("fieldSelector=spec.nodeName%3Dn1", ["api-0", "web-0"]),
        ("fieldSelector=metadata.name%3Dweb-1", ["web-1"]),
        ("fieldSelector=metadata.name%3Dweb-1&labelSelector=app%3Dapi", []),
        ("fieldSelector=status.phase!%3DRunning", ["api-0", "web-0", "web-1"]),
    ],
)
def test_selectors(api: Served, query: str, found: list[str]) -> None:
    api.add(pod("web-0", labels={"app": "web"}, nodeName="n1"))
    api.add(pod("web-1", labels={"app": "web"}, nodeName="n2"))
    api.add(pod("api-0", labels={"app": "api"}, nodeName="n1"))
    assert names(api.get(f"{PODS}?{query}")) == found


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("labelSelector=app%20is%20web", "unable to parse requirement: found 'is', expected: in, notin"),
        ("fieldSelector=spec.color%3Dred", "field label not supported: spec.color"),
        ("limit=-1", 'limit: Invalid value: "-1"'),
        ("resourceVersion=new", 'Invalid value: "new"'),
        ("continue=abc", "continue key is not valid"),
        ("includeObject=All", "includeObject: Unsupported value"),
        (f"limit={'9' * 5000}", "limit: Invalid value"),
        (f"watch=true&timeoutSeconds={'9' * 400}", "timeoutSeconds: Invalid value"),
        ("resourceVersion=%D9%A3", "Invalid value"),
    ],
)
def test_broken_queries_are_bad_requests(api: Served, query: str, message: str) -> None:
    refused = api.request("GET", f"{PODS}?{query}")
    assert (refused.status, refused.json["reason"]) == (400, "BadRequest")
    assert message in refused.json["message"]


def test_a_list_comes_in_pages_of_one_moment(api: Served) -> None:
    for number in range(5):
        api.add(pod(f"p{number}"))
    first = api.get(f"{PODS}?limit=2")
    assert names(first) == ["p0", "p1"]
    assert first["metadata"]["remainingItemCount"] == 3

    api.call(lambda: api.store.delete(api.cluster.resources["pods"], "shop", "p3"))
    api.add(pod("p2b"))

    second = api.get(f"{PODS}?limit=2&continue={first['metadata']['continue']}")
    third = api.get(f"{PODS}?limit=2&continue={second['metadata']['continue']}")
    assert names(second) + names(third) == ["p2", "p3", "p4"]
    assert third["metadata"] == {"resourceVersion": first["metadata"]["resourceVersion"]}


def test_a_list_of_an_exact_version(api: Served) -> None:
    api.add(pod("early"))
    version = api.store.version
    api.add(pod("late"))
    exact = f"resourceVersionMatch=Exact&resourceVersion={version}"
    assert names(api.get(f"{PODS}?{exact}")) == ["early"]
    assert names(api.get(f"{PODS}?resourceVersion={version}")) == ["early", "late"]


def test_a_version_yet_to_come_is_a_timeout_to_try_again_after(api: Served) -> None:
    refused = api.request("GET", f"{PODS}?resourceVersion=999999999")
    assert (refused.status, refused.json["reason"]) == (504, "Timeout")
    assert refused.headers["Retry-After"] == "1"
    assert "Too large resource version: 999999999" in refused.json["message"]


def test_a_table_for_kubectl(api: Served) -> None:
    api.add(pod("web-0"))
    listed = api.get(PODS, Accept=TABLE)
    assert listed["kind"] == "Table"
    assert listed["metadata"]["resourceVersion"] == str(api.store.version)
    assert listed["columnDefinitions"][0]["name"] == "Name"
    assert [row["cells"][0] for row in listed["rows"]] == ["web-0"]
    assert listed["rows"][0]["object"]["kind"] == "PartialObjectMetadata"
    single = api.get(f"{PODS}/web-0?includeObject=Object", Accept=TABLE)
    assert single["rows"][0]["object"]["kind"] == "Pod"


def test_metadata_only(api: Served) -> None:
    api.add(pod("web-0"))
    accept = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
    listed = api.get(PODS, Accept=accept)
    assert listed["kind"] == "PartialObjectMetadataList"
    assert [set(item) for item in listed["items"]] == [{"kind", "apiVersion", "metadata"}]


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("application/vnd.kubernetes.protobuf, application/json", 200),
        ("application/vnd.kubernetes.protobuf, */*", 200),
        ("application/json;as=Table;v=v9;g=meta.k8s.io", 406),
        ("application/vnd.kubernetes.protobuf", 406),
        ("text/html", 406),
        ("application/json;q=0", 406),
    ],
)
def test_negotiation(api: Served, accept: str, status: int) -> None:
    assert api.request("GET", PODS, Accept=accept).status == status


def test_nothing_is_written_when_no_answer_would_be_taken(api: Served) -> None:
    assert api.request("POST", CONFIG_MAPS, config_map("unwanted"), Accept="text/html").status == 406
    assert api.get(CONFIG_MAPS)["items"] == []


@pytest.mark.parametrize(
    ("body", "content_type", "status", "reason"),
    [
        (b"{broken", "application/json", 400, "BadRequest"),
        (b"a: [", "application/yaml", 400, "BadRequest"),
        (b'{"data":' * 900 + b"1" + b"}" * 900, "application/json", 400, "BadRequest"),
        (b"[]", "application/json", 400, "BadRequest"),
        (b"", "application/json", 400, "BadRequest"),
        (b"<pod/>", "application/xml", 415, "UnsupportedMediaType"),
        (b"k8s\x00", "application/vnd.kubernetes.protobuf", 400, "BadRequest"),
        (b'"' + b"x" * (3 * 1024 * 1024) + b'"', "application/json", 413, "RequestEntityTooLarge"),
    ],
    ids=["json", "yaml", "deep", "list", "empty", "xml", "protobuf", "too large"],
)
def test_broken_bodies(api: Served, body: bytes, content_type: str, status: int, reason: str) -> None:
    refused = api.request("POST", CONFIG_MAPS, body, content_type=content_type)
    assert (refused.status, refused.json["reason"], refused.json["kind"]) == (status, reason, "Status")


def test_an_unknown_kind_of_patch(api: Served) -> None:
    api.add(pod("web-0"))
    refused = api.request("PATCH", f"{PODS}/web-0", {}, content_type="application/json")
    assert (refused.status, refused.json["reason"]) == (415, "UnsupportedMediaType")


@pytest.mark.parametrize(
    "path",
    ["/", "/nothing", "/api/v2/pods", "/apis/nothing.example.com/v1/things", "/apis/apps/v9/deployments"],
)
def test_where_nothing_is_served(api: Served, path: str) -> None:
    answered = api.request("GET", path)
    assert (answered.status, answered.data) == (404, b"404 page not found\n")


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/things",
        "/api/v1/pods/web-0",
        "/api/v1/namespaces/shop/nodes",
        f"{PODS}/web-0/nothing",
        f"{PODS}/web-0/log/further",
        "/apis/apps/v1/namespaces/shop/deployments/web/exec",
    ],
)
def test_resources_that_are_not_there(api: Served, path: str) -> None:
    answered = api.request("GET", path)
    assert answered.status == 404
    assert answered.json["message"] == "the server could not find the requested resource"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/v1/pods"),
        ("DELETE", "/api/v1/pods"),
        ("PUT", PODS),
        ("POST", f"{PODS}/web-0"),
        ("OPTIONS", PODS),
        ("POST", "/version"),
        ("GET", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"),
        ("DELETE", f"{PODS}/web-0/log"),
        ("DELETE", f"{PODS}/web-0/status"),
    ],
)
def test_methods_that_are_not_allowed(api: Served, method: str, path: str) -> None:
    answered = api.request(method, path)
    assert (answered.status, answered.json["reason"]) == (405, "MethodNotAllowed")


def test_a_collection_is_deleted_by_selector(api: Served) -> None:
    for name, color in (("a", "red"), ("b", "blue"), ("c", "red")):
        metadata = {"name": name, "labels": {"color": color}}
        api.request("POST", CONFIG_MAPS, {"kind": "ConfigMap", "apiVersion": "v1", "metadata": metadata})
    answered = api.request("DELETE", f"{CONFIG_MAPS}?labelSelector=color%3Dred")
    assert (answered.status, names(answered.json)) == (200, ["a", "c"])
    assert names(api.get(CONFIG_MAPS)) == ["b"]


def test_namespaces_are_objects_and_places(api: Served) -> None:
    assert api.get("/api/v1/namespaces/shop")["kind"] == "Namespace"
    assert "shop" in names(api.get("/api/v1/namespaces"))
    assert names(api.get("/api/v1/namespaces?fieldSelector=status.phase%3DTerminating")) == []


def test_namespaces_are_finalized(api: Served) -> None:
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "short"}}
    api.add({**namespace, "spec": {"finalizers": ["kubernetes"]}})
    answered = api.request("PUT", "/api/v1/namespaces/short/finalize", {**namespace, "spec": {}})
    assert (answered.status, answered.json["spec"]) == (200, {"finalizers": []})


def test_a_status_is_written_by_itself(api: Served) -> None:
    api.add(pod("web-0"))
    answered = api.request(
        *("PATCH", f"{PODS}/web-0/status", {"status": {"phase": "Running"}}),
        content_type="application/merge-patch+json",
    )
    assert (answered.status, answered.json["status"]["phase"]) == (200, "Running")
    assert api.get(f"{PODS}/web-0/status")["status"]["phase"] == "Running"


def test_a_custom_resource_is_served_at_each_of_its_versions(api: Served) -> None:
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "boards.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"kind": "Board", "plural": "boards"},
            "versions": [{"name": "v1", "served": True}, {"name": "v1beta1", "served": True}],
        },
    }
    api.call(lambda: api.cluster.resources.define(definition))
    api.add({"apiVersion": "example.com/v1", "kind": "Board", "metadata": {"name": "b", "namespace": "shop"}})
    path = "/apis/example.com/{}/namespaces/shop/boards"
    assert [api.get(path.format(v) + "/b")["apiVersion"] for v in ("v1", "v1beta1")] == [
        "example.com/v1",
        "example.com/v1beta1",
    ]
    assert api.get(path.format("v1beta1"))["items"][0]["apiVersion"] == "example.com/v1beta1"
    api.call(lambda: api.cluster.resources.forget("boards.example.com"))
    assert api.request("GET", path.format("v1")).status == 404


def test_an_error_of_the_server_is_told_without_its_trace(
    api: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(api.cluster.store, "list", fail)
    answered = api.request("GET", PODS)
    assert (answered.status, answered.json["reason"]) == (500, "InternalError")
    assert "secret detail" not in json.dumps(answered.json)


@pytest.mark.parametrize("dry_run", ["None", ""])
def test_a_dry_run_is_all_or_nothing(api: Served, dry_run: str) -> None:
    refused = api.request("POST", f"{CONFIG_MAPS}?dryRun={dry_run}", config_map("x"))
    assert (refused.status, refused.json["reason"]) == (400, "BadRequest")
