"""The synchronous client: against a server of a few canned answers, and against the real one."""

import json
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import trustme

from emulator.cluster.client import JSON_PATCH, ClusterClient
from emulator.cluster.resources import Resource, Resources
from emulator.cluster.status import ApiError, Cause, invalid
from emulator.process import EmulatorError
from tests.emulator.cluster.harness import RunningCluster

RESOURCES = Resources()
PODS, CONFIG_MAPS, NODES = RESOURCES["pods"], RESOURCES["configmaps"], RESOURCES["nodes"]


@dataclass
class Canned:
    """An HTTPS server that answers by `METHOD path` and remembers what it was asked."""

    authority: trustme.CA = field(default_factory=trustme.CA)
    answers: dict[str, tuple[int, object]] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str], Any]] = field(default_factory=list)
    connections: set[Any] = field(default_factory=set)

    def client(self, port: int) -> ClusterClient:
        return ClusterClient(f"https://127.0.0.1:{port}", self.authority.cert_pem.bytes().decode(), "secret")

    def handler(self) -> type[BaseHTTPRequestHandler]:
        canned = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                asked = f"{self.command} {self.path}"
                canned.asked.append((asked, dict(self.headers), json.loads(body) if body else None))
                canned.connections.add(self.client_address)
                code, answer = canned.answers[asked]
                content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(code)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = answer  # noqa: N815 - names of http.server

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        return Handler


@pytest.fixture
def canned() -> Canned:
    return Canned()


@pytest.fixture
def client(canned: Canned) -> Iterator[ClusterClient]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), canned.handler())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    canned.authority.issue_cert("127.0.0.1").configure_cert(context)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield canned.client(server.server_port)
    server.shutdown()
    thread.join()
    server.server_close()


def test_every_request_carries_the_token_over_one_connection(client: ClusterClient, canned: Canned) -> None:
    canned.answers["GET /api/v1/namespaces/web/pods/a"] = 200, {"metadata": {"name": "a"}}
    for _ in range(3):
        assert client.get(PODS, "web", "a") == {"metadata": {"name": "a"}}
    assert {headers["Authorization"] for _, headers, _ in canned.asked} == {"Bearer secret"}
    assert len(canned.connections) == 1


def test_the_objects_of_a_list_say_what_they_are(client: ClusterClient, canned: Canned) -> None:
    canned.answers["GET /api/v1/pods?labelSelector=app+in+%28a%2Cb%29"] = 200, {"items": [{"metadata": {}}]}
    assert client.list(PODS, label_selector="app in (a,b)") == [
        {"apiVersion": "v1", "kind": "Pod", "metadata": {}}
    ]


def test_an_object_without_a_namespace_goes_to_the_default_one(client: ClusterClient, canned: Canned) -> None:
    canned.answers["POST /api/v1/namespaces/default/configmaps"] = 201, {}
    canned.answers["POST /api/v1/nodes"] = 201, {}
    client.create(CONFIG_MAPS, {"metadata": {"name": "a"}})
    client.create(NODES, {"metadata": {"name": "a", "namespace": "ignored"}})
    assert [asked for asked, _, _ in canned.asked] == list(canned.answers)


def test_apply_and_patch_say_how_the_body_is_to_be_read(client: ClusterClient, canned: Canned) -> None:
    path = "PATCH /api/v1/namespaces/web/configmaps/a"
    canned.answers = {
        f"{path}?fieldManager=me&force=true": (200, {}),
        f"{path}?fieldManager=me": (200, {}),
        path: (200, {}),
    }
    obj = {"metadata": {"name": "a", "namespace": "web"}}
    client.apply(CONFIG_MAPS, obj, "me")
    client.apply(CONFIG_MAPS, obj, "me", force=False)
    client.patch(CONFIG_MAPS, "web", "a", {"data": None})
    client.patch(CONFIG_MAPS, "web", "a", [], content_type=JSON_PATCH)
    assert [headers["Content-Type"] for _, headers, _ in canned.asked] == [
        *["application/apply-patch+yaml"] * 2,
        "application/merge-patch+json",
        "application/json-patch+json",
    ]


def test_options_of_a_deletion(client: ClusterClient, canned: Canned) -> None:
    canned.answers["DELETE /api/v1/nodes/a"] = 200, {"kind": "Status", "status": "Success"}
    client.delete(NODES, "", "a")
    client.delete(NODES, "", "a", propagationPolicy="Orphan")
    options = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Orphan"}
    assert [body for _, _, body in canned.asked] == [None, options]


def test_a_refusal_is_the_error_that_the_server_raised(client: ClusterClient, canned: Canned) -> None:
    told = invalid(RESOURCES["deployments.apps"], "web", [Cause("spec.replicas", "must be positive")])
    told.retry_after = 3
    canned.answers["GET /api/v1/nodes/a"] = 422, told.body()
    with pytest.raises(ApiError) as raised:
        client.get(NODES, "", "a")
    assert raised.value.body() == told.body()


def test_a_refusal_that_is_no_status(client: ClusterClient, canned: Canned) -> None:
    canned.answers["GET /api/v1/nodes/a"] = 502, b"<html>bad gateway</html>"
    with pytest.raises(ApiError, match="bad gateway") as raised:
        client.get(NODES, "", "a")
    assert (raised.value.code, raised.value.reason) == (502, "InternalError")


WIDGET = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "a"}}


def test_custom_kinds_are_discovered_once(client: ClusterClient, canned: Canned) -> None:
    described = [
        {"name": "widgets", "kind": "Widget", "namespaced": True, "shortNames": ["wg"]},
        {"name": "widgets/status", "kind": "Widget", "namespaced": True},
    ]
    canned.answers["GET /apis/example.com/v1"] = 200, {"resources": described}
    expected = Resource("example.com", "v1", "Widget", "widgets", short_names=("wg",))
    assert client.resource_of(WIDGET) == client.resource_of(WIDGET) == expected
    assert len(canned.asked) == 1
    assert client.resource_of({"apiVersion": "v1", "kind": "Pod"}) is PODS


def test_a_kind_that_is_not_there(client: ClusterClient, canned: Canned) -> None:
    canned.answers["GET /apis/example.com/v1"] = 404, {"kind": "Status", "code": 404}
    with pytest.raises(ApiError, match='no matches for kind "Widget"'):
        client.resource_of(WIDGET)


def test_nothing_answers(canned: Canned) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        client = canned.client(taken.getsockname()[1])
        with pytest.raises(EmulatorError, match="does not answer") as raised:
            client.get(NODES, "", "a")
    assert "pinwheel status" in raised.value.remedy


def test_another_server_is_not_trusted(client: ClusterClient) -> None:
    other = ClusterClient(client.endpoint, trustme.CA().cert_pem.bytes().decode(), "secret")
    with pytest.raises(EmulatorError, match="certificate authority"):
        other.get(NODES, "", "a")


def test_no_proxy_of_the_environment_is_asked(
    client: ClusterClient, canned: Canned, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    canned.answers["GET /api/v1/nodes/a"] = 200, {}
    assert client.get(NODES, "", "a") == {}


def test_the_certificate_authority_may_be_a_file(
    client: ClusterClient, canned: Canned, tmp_path: Path
) -> None:
    canned.answers["GET /api/v1/nodes/a"] = 200, {}
    file = tmp_path / "ca.pem"
    canned.authority.cert_pem.write_to_path(file)
    assert ClusterClient(client.endpoint, file, "secret").get(NODES, "", "a") == {}
    assert ClusterClient(client.endpoint, str(file), "secret").get(NODES, "", "a") == {}


@pytest.mark.xdist_group("cluster")
def test_the_life_of_an_object_on_a_real_server(cluster: RunningCluster, namespace: str) -> None:
    client = cluster.client
    obj = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "a", "namespace": namespace, "labels": {"app": "a"}},
        "data": {"x": "1"},
    }
    created = client.create(CONFIG_MAPS, obj)
    assert client.list(CONFIG_MAPS, namespace, "app=a") == [created]
    with pytest.raises(ApiError) as raised:
        client.create(CONFIG_MAPS, obj)
    assert (raised.value.code, raised.value.reason) == (409, "AlreadyExists")

    client.apply(CONFIG_MAPS, {**obj, "data": {"y": "2"}}, "me")
    assert client.patch(CONFIG_MAPS, namespace, "a", {"data": {"x": None}})["data"] == {"y": "2"}
    with pytest.raises(ApiError) as raised:
        client.replace(CONFIG_MAPS, {**created, "data": {}})
    assert (raised.value.code, raised.value.reason) == (409, "Conflict")

    client.delete(CONFIG_MAPS, namespace, "a")
    with pytest.raises(ApiError) as raised:
        client.get(CONFIG_MAPS, namespace, "a")
    assert (raised.value.code, raised.value.name) == (404, "a")


@pytest.mark.xdist_group("cluster")
def test_the_wrong_token_is_refused(cluster: RunningCluster) -> None:
    stranger = ClusterClient(cluster.endpoint, cluster.certificate_authority, "guessed")
    with pytest.raises(ApiError) as raised:
        stranger.list(NODES)
    assert (raised.value.code, raised.value.reason) == (401, "Unauthorized")
