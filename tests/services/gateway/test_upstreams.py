"""What becomes of requests when the services behind fail, are slow, or are too many at once."""

import itertools
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from infra.workloads.service import Route
from tests.services.gateway.world import Answer, Gateway, Pool, Seen, Server, generated, problem, running
from tests.waiting import until

pytestmark = pytest.mark.xdist_group("gateway")

ROUTES = [Route(("/v1/pins",), timeout_seconds=60)]


@pytest.fixture
def service() -> Iterator[Server]:
    server = Server()
    yield server
    server.stop()


@pytest.fixture
def alone(tmp_path: Path, pool: Pool, service: Server) -> Iterator[Gateway]:
    """A gateway of the test's own, which has ejected nobody and broken no circuit."""
    with running(tmp_path, generated({"pin": ROUTES}, {"pin": service.port}), pool) as gateway:
        yield gateway


def cluster(configuration: dict[str, Any], name: str) -> dict[str, Any]:
    return next(each for each in configuration["static_resources"]["clusters"] if each["name"] == name)


def and_also(configuration: dict[str, Any], port: int) -> dict[str, Any]:
    """A second pod of the service."""
    endpoints = cluster(configuration, "pin")["load_assignment"]["endpoints"][0]["lb_endpoints"]
    endpoints.append(
        {"endpoint": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": port}}}}
    )
    return configuration


def test_a_slow_service_is_not_waited_for(client: httpx.Client, pin: Server):
    released = threading.Event()

    def slow(seen: Seen) -> Answer:
        released.wait(30)
        return Answer()

    pin.answer = slow
    try:
        answer = client.get("/v1/short/slow")
    finally:
        released.set()
        pin.answer = lambda seen: Answer()

    assert "did not answer in time" in problem(answer, 504)["detail"]


def test_a_service_that_is_down_is_unavailable(tmp_path: Path, pool: Pool):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with running(tmp_path, generated({"pin": ROUTES}, {"pin": port}), pool) as gateway:
        for method in ("GET", "POST"):
            answer = httpx.request(method, f"{gateway.url}/v1/pins/1")
            assert "try again soon" in problem(answer, 503)["detail"]


def test_a_services_own_errors_pass_as_they_are(client: httpx.Client, pin: Server):
    own = b'{"type":"about:blank","status":404,"title":"Not Found","detail":"there is no pin 9"}'
    pin.answer = lambda seen: Answer(404, own, {"content-type": "application/problem+json"})
    try:
        answer = client.get("/v1/pins/9")
    finally:
        pin.answer = lambda seen: Answer()

    assert problem(answer, 404)["detail"] == "there is no pin 9"


@pytest.mark.parametrize("status", [502, 503])
def test_what_only_reads_is_tried_again(alone: Gateway, service: Server, status: int):
    answers = iter([Answer(status), Answer()])
    service.answer = lambda seen: next(answers)

    assert httpx.get(f"{alone.url}/v1/pins/again").status_code == 200
    assert len(service.seen) == 2


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_what_writes_is_not_tried_again(alone: Gateway, service: Server, method: str):
    service.answer = lambda seen: Answer(503)

    assert httpx.request(method, f"{alone.url}/v1/pins/once").status_code == 503
    assert len(service.seen) == 1


@pytest.mark.parametrize(("method", "times"), [("GET", 3), ("POST", 1)])
def test_a_connection_that_breaks_says_nothing_of_what_was_done(
    alone: Gateway, service: Server, method: str, times: int
):
    def breaks(seen: Seen) -> Answer:
        raise ConnectionError

    service.answer = breaks

    problem(httpx.request(method, f"{alone.url}/v1/pins/broken"), 503)
    assert len(service.seen) == times


@pytest.mark.parametrize("status", [400, 404, 409, 429, 500])
def test_what_trying_again_does_not_help_is_not_tried_again(alone: Gateway, service: Server, status: int):
    service.answer = lambda seen: Answer(status)

    assert httpx.get(f"{alone.url}/v1/pins/no").status_code == status
    assert len(service.seen) == 1


def test_a_service_in_trouble_is_not_buried_by_second_tries(alone: Gateway, service: Server):
    """All first tries are held until they are there: then 20 % of what goes on may be second ones, not 200 %."""
    many = 40
    together = threading.Barrier(many, timeout=30)
    arrivals = itertools.count()

    def failing(seen: Seen) -> Answer:
        if next(arrivals) < many:
            together.wait()
        return Answer(503)

    service.answer = failing
    with ThreadPoolExecutor(many) as threads:
        answers = list(threads.map(lambda _: httpx.get(f"{alone.url}/v1/pins/hard", timeout=60), range(many)))

    assert {answer.status_code for answer in answers} == {503}
    assert alone.statistic("envoy_cluster_upstream_rq_retry_overflow") > 0
    assert len(service.seen) < many * 2


def test_a_pod_that_keeps_failing_is_left_alone(tmp_path: Path, pool: Pool, service: Server):
    broken = Server(lambda seen: Answer(500))
    configuration = and_also(generated({"pin": ROUTES}, {"pin": service.port}), broken.port)
    try:
        with running(tmp_path, configuration, pool) as gateway, httpx.Client(base_url=gateway.url) as client:

            def ejected() -> bool:
                client.post("/v1/pins/1")
                return gateway.statistic("envoy_cluster_outlier_detection_ejections_active") == 1

            until(ejected)
            before = len(broken.seen)
            answers = [client.post("/v1/pins/2").status_code for _ in range(40)]
    finally:
        broken.stop()

    assert set(answers) == {200}
    assert len(broken.seen) == before


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_pod_that_is_gone_is_passed_over(tmp_path: Path, pool: Pool, service: Server, method: str):
    """Even by what writes: nobody has seen the request."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        gone = free.getsockname()[1]
    configuration = and_also(generated({"pin": ROUTES}, {"pin": service.port}), gone)
    with running(tmp_path, configuration, pool) as gateway, httpx.Client(base_url=gateway.url) as client:
        answers = [client.request(method, f"/v1/pins/{index}").status_code for index in range(20)]

    assert set(answers) == {200}


def test_what_a_service_cannot_take_is_refused_at_once(tmp_path: Path, pool: Pool, service: Server):
    configuration = generated({"pin": ROUTES}, {"pin": service.port})
    limits = cluster(configuration, "pin")["circuit_breakers"]["thresholds"][0]
    limits |= {"max_connections": 2, "max_pending_requests": 1}
    released, arrived = threading.Event(), threading.Semaphore(0)

    def held(seen: Seen) -> Answer:
        arrived.release()
        released.wait(30)
        return Answer()

    service.answer = held
    with running(tmp_path, configuration, pool) as gateway, ThreadPoolExecutor(3) as threads:

        def send() -> Future[httpx.Response]:
            return threads.submit(httpx.post, f"{gateway.url}/v1/pins/held", timeout=60)

        taken = [send()]
        assert arrived.acquire(timeout=30)
        taken.append(send())
        assert arrived.acquire(timeout=30)
        taken.append(send())
        until(lambda: gateway.statistic("envoy_cluster_upstream_rq_pending_active") == 1)
        refused = httpx.post(f"{gateway.url}/v1/pins/more")
        released.set()
        assert [each.result().status_code for each in taken] == [200, 200, 200]

    problem(refused, 503)
    assert service.of("more") == []


def test_an_answer_that_breaks_off_is_no_success(alone: Gateway, service: Server):
    service.answer = lambda seen: Answer(
        body=b"half", headers={"content-length": "1000", "connection": "close"}
    )

    with pytest.raises(httpx.HTTPError):
        httpx.post(f"{alone.url}/v1/pins/half", timeout=30)
