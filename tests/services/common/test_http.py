"""What clients are told by a real server: problems (RFC 9457) for whatever is wrong with what they sent."""

import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from litestar import Litestar
from litestar.types import Receive, Scope, Send

from services.common import http
from tests.services.common.conftest import Running
from tests.services.common.example_service import HANDLERS
from tests.waiting import until

ME = {"x-pinwheel-subject": "me"}


@pytest.fixture(scope="module")
def client(example: Running) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=example.url(), timeout=20) as made:
        yield made


def problem(answer: httpx.Response) -> dict[str, Any]:
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert {"type", "title", "status", "detail", "instance", "request_id"} <= set(told)
    assert told["status"] == answer.status_code
    assert told["detail"]
    assert told["request_id"] == answer.headers["x-request-id"]
    return told


def test_a_request_that_is_right_is_answered(client: httpx.Client) -> None:
    assert client.get("/things/7?copies=3").json() == {"name": "xxx", "parts": [], "count": 0}
    made = client.post("/things", json={"name": "n"}, headers=ME)
    assert (made.status_code, made.json()) == (201, {"name": "n", "parts": [], "count": 0})


def test_a_problem_of_the_handler_says_what_it_says(client: httpx.Client) -> None:
    answer = client.get("/things/404", headers={"x-request-id": "r-1"})
    assert problem(answer) == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": "there is no thing 404",
        "instance": "/things/404",
        "request_id": "r-1",
    }


@pytest.mark.parametrize(
    ("method", "path", "status", "detail"),
    [
        ("GET", "/nothing", 404, "there is nothing at this path"),
        ("GET", "/", 404, "there is nothing at this path"),
        ("GET", "/things/seven", 404, "there is nothing at this path"),
        ("GET", "/things/%00", 404, "there is nothing at this path"),
        ("GET", "/things/%ff%fe", 404, "there is nothing at this path"),
        ("GET", "/things/" + "9" * 5000, 404, "there is nothing at this path"),
        ("DELETE", "/things/7", 405, "this path takes GET, OPTIONS"),
        ("BREW", "/things/7", 405, "this path takes GET, OPTIONS"),
    ],
)
def test_an_unknown_path_or_method(
    client: httpx.Client, method: str, path: str, status: int, detail: str
) -> None:
    answer = client.request(method, path)
    assert (answer.status_code, problem(answer)["detail"]) == (status, detail)
    if status == 405:
        assert answer.headers["allow"] == "GET, OPTIONS"


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("copies=6", "Expected `int` <= 5"),
        ("copies=many", "Expected `int`, got `str`"),
        ("copies=", "Expected `int`, got `str`"),
        ("copies=%00", "Expected `int`, got `str`"),
        ("copies=%ff", "Expected `int`, got `str`"),
        ("copies=" + "9" * 5000, "Integer value out of range"),
    ],
)
def test_a_wrong_query(client: httpx.Client, query: str, told: str) -> None:
    answer = client.get(f"/things/7?{query}")
    assert answer.status_code == 400
    (error,) = problem(answer)["errors"]
    assert error["field"] == "copies"
    assert error["location"] == "query"
    assert told in error["detail"]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"", "a JSON body is needed"),
        (b"{", "truncated"),
        (b"null", "Expected `object`, got `null`"),
        (b"[]", "Expected `object`, got `array`"),
        (b'{"name": 7}', "Expected `str`, got `int`"),
        (b'{"name": ""}', "Expected `str` of length >= 1"),
        (b'{"name": "n", "parts": [{"name": 7}]}', "Expected `str`, got `int`"),
        (b'{"name": "n", "count": "7"}', "Expected `int`, got `str`"),
        (b'{"name": "n", "else": 1}', "unknown field `else`"),
        (b"{}", "missing required field `name`"),
        (b'{"name": "\xff\xfe"}', "not UTF-8"),
        (b'{"name": "\\ud800"}', "truncated"),
        (b'{"name": "n", "parts": ' + b"[" * 4000 + b"]" * 4000 + b"}", "Expected `object`, got `array`"),
        (b'{"parts": [' * 700 + b"]}" * 700 + b"}", "nested too deeply"),
        (b"[" * 9000, "Expected `object`, got `array`"),
        (b'{"name": ' + b"9" * 5000 + b"}", "Number out of range"),
        (b'{"name": NaN}', "invalid"),
    ],
)
def test_a_wrong_body(client: httpx.Client, body: bytes, told: str) -> None:
    answer = client.post("/things", content=body, headers={**ME, "content-type": "application/json"})
    assert answer.status_code == 400
    details = problem(answer)
    text = " ".join([details["detail"], *(each["detail"] for each in details.get("errors", []))])
    assert told.lower() in text.lower()


@pytest.mark.parametrize(
    "media_type", ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""]
)
def test_a_body_of_another_type(client: httpx.Client, media_type: str) -> None:
    answer = client.post("/things", content=b'{"name": "n"}', headers={**ME, "content-type": media_type})
    assert (answer.status_code, answer.headers["accept"]) == (415, "application/json")
    assert problem(answer)["detail"] == "the content-type of the body must be application/json"


def test_a_handler_says_which_other_types_it_takes(client: httpx.Client) -> None:
    assert client.post("/pictures", content=b"12345", headers={"content-type": "image/png"}).json() == 5
    refused = client.post("/pictures", content=b"12345", headers={"content-type": "application/json"})
    assert problem(refused)["detail"] == "the content-type of the body must be image/png"


def test_a_body_that_is_too_large(client: httpx.Client) -> None:
    json = {**ME, "content-type": "application/json"}
    assert problem(client.post("/things", content=b" " * 10_001, headers=json))["status"] == 413
    chunks = (b" " * 1000 for _ in range(50))
    assert problem(client.post("/things", content=chunks, headers=json))["status"] == 413
    image = {"content-type": "image/png"}
    assert problem(client.post("/pictures", content=b"1" * 1001, headers=image))["status"] == 413
    assert client.post("/pictures", content=b"1" * 1000, headers=image).json() == 1000


@pytest.mark.parametrize("subject", [None, "", "a b", "x" * 256, "caf\xe9"])
def test_nobody_is_somebody(client: httpx.Client, subject: str | None) -> None:
    headers = {} if subject is None else {"x-pinwheel-subject": subject.encode("latin-1")}
    answer = client.post("/things", json={"name": "n"}, headers=headers)
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    problem(answer)


def test_what_fails_here_is_told_without_details_and_logged_with_the_request_id(
    client: httpx.Client, example: Running
) -> None:
    answer = client.get("/fails", headers={"x-request-id": "the-one"})
    assert problem(answer)["status"] == 500
    assert "secret" not in answer.text
    log = until(lambda: next((each for each in example.logs if each.get("request_id") == "the-one"), None))
    assert log["exception"][0]["exc_type"] == "ValueError"
    assert (log["event"], log["route"], log["service"]) == ("a request failed", "/fails", "example")


@pytest.mark.parametrize("given", ["x" * 129, "a b", 'a"b', "caf\xe9", ""])
def test_a_request_id_that_may_not_stand_in_logs_is_replaced(client: httpx.Client, given: str) -> None:
    answer = client.get("/things/7", headers={"x-request-id": given.encode("latin-1")})
    assert answer.status_code == 200
    assert len(answer.headers["x-request-id"]) == 32


@pytest.mark.parametrize(
    "lines",
    [
        b"GET /things/7 HTTP/1.1\r\nhost: \xff\xfe\r\n",
        b"GET /things/7 HTTP/1.1\r\n",
        b"GET /things/7 HTTP/1.1\r\nhost: x\r\nbad header\r\n",
        b"GET /things/7 HTTP/1.1\r\nhost: x\r\nx: a\x00b\r\n",
        b"GET /things/\xff HTTP/1.1\r\nhost: x\r\n",
        b"GET /things/7 HTTP/1.1\r\nhost: x\r\nbig: " + b"x" * 600_000 + b"\r\n",
        b"POST /things HTTP/1.1\r\nhost: x\r\ncontent-length: many\r\n",
        b"POST /things HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n",
    ],
)
def test_what_is_no_http_is_refused(client: httpx.Client, example: Running, lines: bytes) -> None:
    host, _, port = example.address("http").partition(":")
    with socket.create_connection((host, int(port)), 20) as raw:
        try:
            raw.sendall(lines + b"connection: close\r\n\r\n")
            answer = b"".join(iter(lambda: raw.recv(65536), b""))
        except ConnectionError:  # it hung up while we were still sending
            answer = b""
    assert not answer.startswith(b"HTTP/1.1 5")
    assert client.get("/things/7").status_code == 200


def test_the_document_tells_of_problems(client: httpx.Client) -> None:
    document = client.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    responses = document["paths"]["/things"]["post"]["responses"]
    assert set(responses) == {"201", "400", "401", "413", "415", "default"}
    for status in ("400", "401", "413", "415", "default"):
        schema = responses[status]["content"]["application/problem+json"]["schema"]
        assert schema == {"$ref": "#/components/schemas/Problem"}
    assert set(document["components"]["schemas"]["Problem"]["required"]) >= {
        "type",
        "title",
        "status",
        "detail",
    }


def behind_a_gateway(app: Litestar) -> Any:
    """Turns a token into its subject, as Envoy does; here every token's subject is `me`."""

    async def gateway(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = [(name, value) for name, value in scope["headers"] if name != b"x-pinwheel-subject"]
            if any(name == b"authorization" and value == b"Bearer token" for name, value in headers):
                headers.append((b"x-pinwheel-subject", b"me"))
            scope["headers"] = headers
        await app(scope, receive, send)

    return gateway


schema = schemathesis.openapi.from_asgi(
    "/openapi.json", behind_a_gateway(http.create_app(HANDLERS, title="Things", max_body_bytes=10_000))
)


@schema.auth()
class Token:
    """What a person has who may do everything."""

    def get(self, case: Any, context: Any) -> str:
        return "token"

    def set(self, case: Any, data: str, context: Any) -> None:
        case.headers = {**(case.headers or {}), "Authorization": f"Bearer {data}"}


@schema.parametrize()
@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_nothing_that_a_fuzzer_sends_is_answered_otherwise_than_documented(case: Any) -> None:
    case.call_and_validate()
