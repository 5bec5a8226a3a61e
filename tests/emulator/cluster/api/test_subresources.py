import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.emulator.cluster.api.serving import Served, pod, serve

PODS = "/api/v1/namespaces/shop/pods"
ACCOUNTS = "/api/v1/namespaces/shop/serviceaccounts"


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve(tmp_path_factory.mktemp("api")) as served:
        served.add(pod("web", nodeName="n1"))
        served.add(pod("waiting"))
        two = [{"name": "main", "image": "a"}, {"name": "side", "image": "b"}]
        served.add(
            pod("two", nodeName="n1", containers=two, initContainers=[{"name": "first", "image": "c"}])
        )
        chosen = pod("chosen", nodeName="n1", containers=two)
        chosen["metadata"]["annotations"] = {"kubectl.kubernetes.io/default-container": "side"}
        served.add(chosen)
        served.add(
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "web", "namespace": "shop"}}
        )
        yield served


def test_a_log_is_plain_text(api: Served) -> None:
    query = "follow=true&tailLines=5&timestamps=true&sinceSeconds=60&limitBytes=1000"
    answered = api.request("GET", f"{PODS}/web/log?{query}")
    assert (answered.status, answered.headers["Content-Type"].split(";")[0]) == (200, "text/plain")
    which, asked = answered.data.decode().splitlines()
    assert which == "shop/web/main"
    assert json.loads(asked) == {
        "follow": True,
        "tail_lines": 5,
        "previous": False,
        "timestamps": True,
        "since_seconds": 60,
        "limit_bytes": 1000,
    }


def test_a_log_since_a_time(api: Served) -> None:
    moment = (datetime.now(UTC) - timedelta(minutes=5)).strftime("%Y-%m-%dT%H:%M:%SZ")
    answered = api.request("GET", f"{PODS}/web/log?sinceTime={moment}")
    assert 300 <= json.loads(answered.data.splitlines()[1])["since_seconds"] < 400


@pytest.mark.parametrize(
    ("path", "container"),
    [("two/log?container=side", "side"), ("two/log?container=first", "first"), ("chosen/log", "side")],
)
def test_which_container_is_logged(api: Served, path: str, container: str) -> None:
    assert api.request("GET", f"{PODS}/{path}").data.splitlines()[0].decode().endswith(f"/{container}")


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        ("nobody/log", 404, 'pods "nobody" not found'),
        (
            "two/log",
            400,
            "a container name must be specified for pod two, choose one of: [main side] "
            "or one of the init containers: [first]",
        ),
        ("web/log?container=none", 400, "container none is not valid for pod web"),
        ("waiting/log", 400, "pod waiting does not have a host assigned"),
        ("web/log?previous=true", 400, 'previous terminated container "main" in pod "web" not found'),
        ("web/log?tailLines=many", 400, 'tailLines: Invalid value: "many"'),
        ("web/log?sinceTime=yesterday", 400, 'sinceTime: Invalid value: "yesterday"'),
        ("web/log?sinceTime=2026-01-01T00:00:00", 400, "must be a time of RFC 3339"),
    ],
)
def test_logs_that_there_are_not(api: Served, path: str, status: int, message: str) -> None:
    refused = api.request("GET", f"{PODS}/{path}")
    assert (refused.status, refused.json["kind"]) == (status, "Status")
    assert message in refused.json["message"]


def test_a_pod_is_bound_once(api: Served) -> None:
    api.add(pod("unbound"))
    binding = {"apiVersion": "v1", "kind": "Binding", "target": {"kind": "Node", "name": "n7"}}
    assert api.request("POST", f"{PODS}/unbound/binding", binding).status == 201
    bound = api.get(f"{PODS}/unbound")
    assert bound["spec"]["nodeName"] == "n7"
    assert [(c["type"], c["status"]) for c in bound["status"]["conditions"]] == [("PodScheduled", "True")]
    again = api.request("POST", f"{PODS}/unbound/binding", binding)
    assert again.status == 409
    assert 'pod unbound is already assigned to node "n7"' in again.json["message"]


@pytest.mark.parametrize("binding", [{}, {"target": {}}, {"target": "n1"}])
def test_a_binding_names_a_node(api: Served, binding: dict[str, Any]) -> None:
    assert api.request("POST", f"{PODS}/waiting/binding", binding).status == 400


@pytest.mark.parametrize(
    "eviction", [{"metadata": "evicted"}, {"deleteOptions": []}, {"deleteOptions": {"dryRun": 1}}]
)
def test_an_eviction_has_its_types(api: Served, eviction: dict[str, Any]) -> None:
    refused = api.request("POST", f"{PODS}/waiting/eviction", eviction)
    assert (refused.status, refused.json["reason"]) == (400, "BadRequest")


def test_a_pod_is_evicted(api: Served) -> None:
    api.add(pod("evicted"))
    eviction = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": "evicted", "namespace": "shop"},
    }
    answered = api.request("POST", f"{PODS}/evicted/eviction", eviction)
    assert (answered.status, answered.json["status"]) == (201, "Success")
    left = api.request("GET", f"{PODS}/evicted")
    assert left.status == 404 or "deletionTimestamp" in left.json["metadata"]


def test_an_eviction_that_a_budget_forbids_is_to_be_tried_again(api: Served) -> None:
    running = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    api.add({**pod("kept", labels={"app": "kept"}), "status": running})
    api.add(
        {
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": {"name": "kept", "namespace": "shop"},
            "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "kept"}}},
            "status": {"observedGeneration": 1, "currentHealthy": 1, "desiredHealthy": 1},
        }
    )
    refused = api.request("POST", f"{PODS}/kept/eviction", {"metadata": {"name": "kept"}})
    assert (refused.status, refused.json["reason"]) == (429, "TooManyRequests")
    assert "disruption budget" in refused.json["message"]


@pytest.mark.parametrize(
    "path", [f"{PODS}/web/exec?command=ls", f"{PODS}/web/portforward", f"{PODS}/web/proxy/a/b"]
)
def test_what_is_not_served_says_so(api: Served, path: str) -> None:
    refused = api.request("POST", path)
    assert (refused.status, refused.json["reason"]) == (501, "NotImplemented")
    assert "is not served by the emulated cluster" in refused.json["message"]


def test_a_service_accounts_token_is_known(api: Served) -> None:
    answered = api.request("POST", f"{ACCOUNTS}/web/token", {"spec": {"expirationSeconds": 1200}})
    assert (answered.status, answered.json["kind"]) == (201, "TokenRequest")
    token = answered.json["status"]["token"]
    who = api.request("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", {}, token=token)
    assert who.json["status"]["userInfo"]["username"] == "system:serviceaccount:shop:web"

    review = {"spec": {"token": token}}
    told = api.request("POST", "/apis/authentication.k8s.io/v1/tokenreviews", review).json["status"]
    assert (told["authenticated"], told["user"]["username"]) == (True, "system:serviceaccount:shop:web")


@pytest.mark.parametrize(
    ("name", "body", "status"),
    [
        ("nobody", {}, 404),
        ("web", {"spec": {"expirationSeconds": 5}}, 422),
        ("web", {"spec": {"expirationSeconds": 2**40}}, 422),
        ("web", {"spec": {"expirationSeconds": "long"}}, 400),
        ("web", {"spec": []}, 400),
        ("web", {"spec": "x"}, 400),
    ],
)
def test_token_requests(api: Served, name: str, body: dict[str, Any], status: int) -> None:
    assert api.request("POST", f"{ACCOUNTS}/{name}/token", body).status == status


def test_an_unknown_token_is_reviewed_as_such(api: Served) -> None:
    review = {"kind": "TokenReview", "spec": {"token": "made up"}}
    told = api.request("POST", "/apis/authentication.k8s.io/v1/tokenreviews", review).json["status"]
    assert told["authenticated"] is False
    assert told["error"]


def test_may_i(api: Served) -> None:
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    spec = {"resourceAttributes": {"verb": "delete", "resource": "pods"}}
    answered = api.request("POST", path, {"kind": "SelfSubjectAccessReview", "spec": spec}).json
    assert (answered["spec"], answered["status"]["allowed"]) == (spec, True)
    rules = api.request("POST", "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", {}).json
    assert rules["status"]["resourceRules"][0]["verbs"] == ["*"]
    assert api.request("POST", path, {"kind": "Pod"}).status == 400


@pytest.mark.parametrize("token", ["wrong", ""])
def test_nobody_else_is_let_in(api: Served, token: str) -> None:
    refused = api.request("GET", PODS, token=token)
    assert (refused.status, refused.json["reason"]) == (401, "Unauthorized")


@pytest.mark.parametrize("path", ["/healthz", "/livez", "/readyz", "/livez/ping", "/version"])
def test_health_and_version_need_no_token(api: Served, path: str) -> None:
    assert api.request("GET", path, token="").status == 200
