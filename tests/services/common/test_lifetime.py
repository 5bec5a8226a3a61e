"""A real process from start to SIGTERM: nothing that was begun is lost."""

import socket
import threading
from collections.abc import Callable

import grpc
import httpx
import pytest

from services.api.ml.v1 import ml_pb2, ml_pb2_grpc
from services.common.grpc_client import channel
from tests.services.common.conftest import Running
from tests.waiting import until

Service = Callable[..., Running]


def test_it_is_alive_and_ready_and_tells_its_metrics(service: Service) -> None:
    running = service("http")
    running.wait_until_ready()
    operations = running.url("operations")
    assert httpx.get(f"{operations}/livez").text == "ok\n"
    httpx.get(f"{running.url()}/things/7")
    httpx.get(f"{running.url()}/nowhere/at/all")
    metrics = httpx.get(f"{operations}/metrics").text
    assert 'requests_total{method="GET",protocol="http",route="/things/{number}",status="200"} 1.0' in metrics
    assert 'requests_total{method="GET",protocol="http",route="unmatched",status="404"} 1.0' in metrics
    assert 'requests_in_flight{protocol="http"} 0.0' in metrics
    assert httpx.get(f"{operations}/else").status_code == 404
    assert httpx.head(f"{operations}/livez").text == ""


def test_no_request_is_lost_when_it_is_told_to_end_under_load(service: Service) -> None:
    running = service("http", SHUTDOWN_DRAIN_SECONDS="0.5")
    running.wait_until_ready()
    url, operations = running.url(), running.url("operations")
    told, outcomes = threading.Event(), []

    def client() -> None:
        with httpx.Client(timeout=10) as connection:
            while True:
                try:
                    answer = connection.get(f"{url}/slow")
                except httpx.ConnectError:
                    outcomes.append("gone")  # its port is closed: a load balancer has long gone elsewhere
                    return
                outcomes.append(answer.status_code)
                if answer.headers.get("connection") == "close" and told.is_set():
                    return  # and comes back by another pod

    clients = [threading.Thread(target=client) for _ in range(8)]
    for each in clients:
        each.start()
    until(lambda: len(outcomes) > 50)
    told.set()
    running.process.terminate()
    until(lambda: httpx.get(f"{operations}/readyz").status_code == 503)
    for each in clients:
        each.join(20)
    assert set(outcomes) == {200}
    assert running.process.wait(20) == 0
    assert [log["event"] for log in running.logs][-1] == "leaving"


def test_a_request_in_flight_is_finished_after_the_drain(service: Service) -> None:
    running = service("http", SHUTDOWN_DRAIN_SECONDS="0")
    running.wait_until_ready()
    host, _, port = running.address("http").partition(":")
    body = b'{"name": "late"}'
    with socket.create_connection((host, int(port)), 20) as client:
        head = f"POST /things HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
        client.sendall(head.encode() + b"x-pinwheel-subject: me\r\n\r\n" + body[:5])
        metrics = running.url("operations") + "/metrics"
        until(lambda: 'requests_in_flight{protocol="http"} 1.0' in httpx.get(metrics).text)
        running.process.terminate()
        until(lambda: any(log["event"] == "leaving" for log in running.logs))
        client.sendall(body[5:])
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 201")
    assert b"connection: close" in answer
    assert running.process.wait(20) == 0


def test_no_call_is_lost_when_a_grpc_server_is_told_to_end_under_load(service: Service) -> None:
    running = service("grpc", SHUTDOWN_DRAIN_SECONDS="0.3")
    running.wait_until_ready()
    codes: list[grpc.StatusCode] = []
    with channel(running.address("grpc"), attempts=1) as connection:
        stub = ml_pb2_grpc.EmbeddingServiceStub(connection)

        def client() -> None:
            while True:
                try:
                    stub.EmbedTexts(ml_pb2.EmbedTextsRequest(texts=["a"]))
                    codes.append(grpc.StatusCode.OK)
                except grpc.RpcError as error:
                    codes.append(error.code())  # pyright: ignore
                    return

        clients = [threading.Thread(target=client) for _ in range(4)]
        for each in clients:
            each.start()
        until(lambda: len(codes) > 20)
        assert running.terminate() == 0
        for each in clients:
            each.join(20)
    # Only after its port was closed, and what a client may send again, because nothing was begun: CANCELLED is what
    # gRPC says of a call that had come and was not taken up.
    not_begun = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}
    assert set(codes) <= {grpc.StatusCode.OK, *not_begun}
    assert sum(code in not_begun for code in codes) == 4


def test_what_cannot_start_ends_with_1_and_says_why(service: Service) -> None:
    running = service("http", "broken")
    assert running.process.wait(30) == 1
    until(lambda: any(log["event"] == "could not start" for log in running.logs))
    (log,) = [log for log in running.logs if log["event"] == "could not start"]
    assert log["exception"][0]["exc_value"] == "it cannot start"


def test_a_port_that_is_taken_is_not_shared(service: Service) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        running = service("http", HTTP_PORT=str(taken.getsockname()[1]))
        assert running.process.wait(30) == 1
    first = service("http")
    second = service("http", HTTP_PORT=first.address("http").rpartition(":")[2])
    assert second.process.wait(30) == 1


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("HTTP_PORT", "eighty", "HTTP_PORT: Input should be a valid integer"),
        ("HTTP_PORT", "70000", "HTTP_PORT: Input should be less than or equal to 65535"),
        ("LOG_LEVEL", "loud", "LOG_LEVEL: Input should be 'debug', 'info', 'warning' or 'error'"),
        ("POD_IP", "everywhere", "POD_IP: value is not a valid IPv4 or IPv6 address"),
        (
            "SHUTDOWN_DRAIN_SECONDS",
            "30",
            "SHUTDOWN_DRAIN_SECONDS (30) is part of SHUTDOWN_GRACE_SECONDS (20)",
        ),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector", "is not a URL that begins with http:// or https://"),
    ],
)
def test_a_wrong_environment_ends_it_with_2_and_what_would_be_right(
    service: Service, variable: str, value: str, told: str
) -> None:
    running = service("http", **{variable: value})
    assert running.process.wait(30) == 2
    until(lambda: told in "".join(running.errors))
    assert running.logs == []
