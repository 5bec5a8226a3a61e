"""What becomes of requests: identifiers, hostile paths and headers, sizes, preflights, what the log says."""

import http.client
import json
import re
import socket

import httpx
import pytest

from tests.services.gateway.world import ORIGIN, Answer, Gateway, Pool, Server, problem

pytestmark = pytest.mark.xdist_group("gateway")


def raw(gateway: Gateway, request: str) -> tuple[int, str]:
    """Status and media type of the answer to bytes that no client library would send."""
    host, _, port = gateway.url.removeprefix("http://").rpartition(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(request.encode("latin-1"))
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        return answer.status, answer.headers.get_content_type()


def test_every_answer_names_its_request(client: httpx.Client, pin: Server):
    answer = client.get("/v1/pins/named")

    (seen,) = pin.of("/v1/pins/named")
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", answer.headers["x-request-id"])
    assert seen.headers["x-request-id"] == answer.headers["x-request-id"]


def test_a_sane_identifier_of_the_clients_is_kept(client: httpx.Client, pin: Server):
    answer = client.get("/v1/pins/kept", headers={"x-request-id": "client.7-ABCDEF"})

    assert answer.headers["x-request-id"] == "client.7-ABCDEF"
    assert pin.of("/v1/pins/kept")[0].headers["x-request-id"] == "client.7-ABCDEF"


@pytest.mark.parametrize("sent", ["short", "a" * 65, "with blank inside", 'quote"d-quoted', "line;drop", ""])
def test_any_other_is_replaced(client: httpx.Client, pin: Server, sent: str):
    answer = client.get("/v1/pins/replaced", headers={"x-request-id": sent})

    assert answer.headers["x-request-id"] != sent
    seen = pin.of("/v1/pins/replaced")[-1]
    assert seen.headers["x-request-id"] == answer.headers["x-request-id"]
    assert not [name for name in seen.headers if name.startswith("x-pinwheel")]


def test_a_problem_names_its_request(client: httpx.Client):
    answer = client.get("/nowhere")

    assert problem(answer, 404)["request_id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize(
    "path",
    [
        "/v1/pins/..%2fadmin",
        "/v1/pins/%2e%2e%2fadmin",
        "/v1/pins%5cadmin",
        "/..%2f..%2fetc/passwd",
        "/v1/pins/%00",
    ],
)
def test_escaped_ways_out_are_refused(gateway: Gateway, pin: Server, path: str):
    before = len(pin.seen)

    status, media_type = raw(gateway, f"GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")

    assert status == 400
    assert media_type == "application/problem+json"
    assert len(pin.seen) == before


@pytest.mark.parametrize(
    ("path", "becomes"),
    [
        ("//v1///pins//slashes", "/v1/pins/slashes"),
        ("/v1/nothing/../pins/dots", "/v1/pins/dots"),
        ("/v1/./pins/dot", "/v1/pins/dot"),
        ("/v1/%70ins/letters", "/v1/pins/letters"),
    ],
)
def test_paths_are_made_normal_before_they_are_judged(gateway: Gateway, pin: Server, path: str, becomes: str):
    status, _ = raw(gateway, f"GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")

    assert status == 200
    assert pin.seen[-1].path == becomes


@pytest.mark.parametrize(
    "path", ["/v1/../../mine", "/v1/pins/../mine", "//v1/mine", "/v1/mine/.", "/v1/%6dine"]
)
def test_no_spelling_of_a_path_gets_around_its_token(gateway: Gateway, path: str):
    status, _ = raw(gateway, f"GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")

    assert status in {400, 401, 404}


@pytest.mark.parametrize(
    "path", ["/", "/v1", "/v1/pinsetters", "/v1/users", "/openapi.json", "/livez", "/metrics"]
)
def test_what_no_service_declared_is_not_there(client: httpx.Client, path: str):
    problem(client.get(path), 404)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"x-big": "a" * 17_000}, 431),
        ({f"x-{index}": "a" for index in range(70)}, 431),
        ({"x_underscore": "a"}, 400),
    ],
    ids=["large", "many", "underscores"],
)
def test_headers_have_bounds(client: httpx.Client, headers: dict[str, str], status: int):
    problem(client.get("/v1/pins/headers", headers=headers), status)


@pytest.mark.parametrize(
    "request_",
    [
        "GET /v1/pins/x HTTP/1.1\r\n\r\n",
        "POST /v1/pins HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /v1/pins HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
        "GET /v1/pins HTTP/1.1\r\nhost: x\r\nbad header: y\r\n\r\n",
        "NONSENSE\r\n\r\n",
        "CONNECT internal:80 HTTP/1.1\r\nhost: internal:80\r\n\r\n",
    ],
    ids=["no host", "two lengths", "negative length", "bad name", "nonsense", "connect"],
)
def test_malformed_requests_reach_no_service(gateway: Gateway, pin: Server, request_: str):
    before = len(pin.seen)

    status, _ = raw(gateway, request_)

    assert 400 <= status < 500
    assert len(pin.seen) == before


def test_a_body_has_a_bound(client: httpx.Client, pin: Server):
    taken = client.post("/v1/pins/body", content=b"a" * 4096)
    refused = client.post("/v1/pins/body", content=b"a" * 4097)

    assert taken.status_code == 200
    problem(refused, 413)
    assert [len(seen.body) for seen in pin.of("/v1/pins/body")] == [4096]


def test_a_body_without_a_length_has_the_same_bound(client: httpx.Client, pin: Server):
    answer = client.post("/v1/pins/chunks", content=iter([b"a" * 1000] * 5))

    problem(answer, 413)
    assert pin.of("/v1/pins/chunks") == []


def test_clients_do_not_steer_envoy(client: httpx.Client, pin: Server):
    headers = {"x-envoy-upstream-rq-timeout-ms": "1", "x-envoy-retry-on": "5xx", "x-envoy-max-retries": "9"}

    assert client.post("/v1/pins/steer", headers=headers).status_code == 200
    assert client.get("/v1/pins/steer").status_code == 200
    for seen in pin.of("/v1/pins/steer"):
        assert not seen.headers.keys() & headers.keys()


def test_answers_say_nothing_of_what_runs_behind(client: httpx.Client):
    answer = client.get("/v1/pins/hidden")

    assert not answer.headers.keys() & {"server", "x-powered-by", "via"}
    assert not [name for name in answer.headers if name.startswith("x-envoy")]


@pytest.mark.parametrize("path", ["/v1/pins/secure", "/nowhere", "/v1/mine"])
def test_every_answer_is_secured_for_browsers(client: httpx.Client, path: str):
    answer = client.get(path)

    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["strict-transport-security"].startswith("max-age=31536000")
    assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers.get_list("x-content-type-options") == ["nosniff"]


def test_an_openapi_document_comes_from_its_service(client: httpx.Client, pin: Server):
    assert client.get("/openapi/pin.json").status_code == 200
    assert pin.seen[-1].path == "/openapi.json"
    problem(client.get("/openapi/other.json"), 404)


def test_a_browser_of_ours_may_ask_without_a_token_whether_it_may(client: httpx.Client):
    answer = client.options(
        "/v1/mine/preflight",
        headers={
            "origin": ORIGIN,
            "access-control-request-method": "DELETE",
            "access-control-request-headers": "authorization",
        },
    )

    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert "DELETE" in answer.headers["access-control-allow-methods"]
    assert "authorization" in answer.headers["access-control-allow-headers"]
    assert "access-control-allow-credentials" not in answer.headers


def test_a_browser_of_others_may_not(client: httpx.Client):
    for origin in ("https://evil.example", "null", f"{ORIGIN}.evil.example"):
        preflight = client.options(
            "/v1/pins/cors", headers={"origin": origin, "access-control-request-method": "POST"}
        )
        plain = client.get("/v1/pins/cors", headers={"origin": origin})
        assert "access-control-allow-origin" not in preflight.headers
        assert "access-control-allow-origin" not in plain.headers


def test_a_browser_of_ours_can_read_why_it_was_refused(client: httpx.Client):
    answer = client.get("/v1/mine/refused", headers={"origin": ORIGIN})

    problem(answer, 401)
    assert answer.headers["access-control-allow-origin"] == ORIGIN


def test_the_log_tells_what_happened_and_not_to_whom(client: httpx.Client, gateway: Gateway, pool: Pool):
    token = pool.token("a-person")
    client.get(
        "/v1/mine/logged?q=my-illness&access_token=secret",
        headers={
            "authorization": f"Bearer {token}",
            "user-agent": "somebodys-phone",
            "x-forwarded-for": "203.0.113.9",
            "referer": "https://private.example/letter",
            "traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        },
    )

    line = gateway.access_log("/v1/mine/logged")
    assert line["path"] == "/v1/mine/logged"
    assert line["route"] == "pin:/v1/mine"
    assert (line["method"], line["status"], line["upstream"]) == ("GET", 200, "pin")
    assert line["pod"] == "gateway-7"
    assert len(line["request_id"]) == 36
    text = json.dumps(line)
    for private in (
        "illness",
        "secret",
        "a-person",
        token[:20],
        "phone",
        "203.0.113",
        "letter",
        "127.0.0.1:5",
    ):
        assert private not in text.replace(str(line["upstream_host"]), "")


def test_a_trace_is_passed_on(client: httpx.Client, pin: Server):
    parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

    client.get("/v1/pins/traced", headers={"traceparent": parent})

    assert pin.of("/v1/pins/traced")[0].headers["traceparent"] == parent


def test_http_2_is_spoken_in_plain_text(gateway: Gateway):
    """By a client that knows beforehand, as the load balancer's target group does (RFC 9113, 3.4)."""
    settings = bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
    host, _, port = gateway.url.removeprefix("http://").rpartition(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + settings)
        answer = connection.recv(9)

    assert answer[3] == 4  # the server's own SETTINGS


def test_large_answers_are_compressed_for_who_asks(client: httpx.Client, pin: Server):
    text = json.dumps({"pins": ["the same again"] * 500}).encode()
    pin.answer = lambda seen: Answer(body=text)
    try:
        packed = client.get("/v1/pins/packed", headers={"accept-encoding": "gzip"})
        plain = client.get("/v1/pins/plain", headers={"accept-encoding": "identity"})
    finally:
        pin.answer = lambda seen: Answer()

    assert packed.headers["content-encoding"] == "gzip"
    assert packed.content == plain.content == text
    assert "content-encoding" not in plain.headers
