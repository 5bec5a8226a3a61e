"""The gateway as a process: its environment, its operations port, and its end."""

import json
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
import pytest

from infra.workloads.service import Route
from tests.services.gateway.world import (
    Answer,
    Gateway,
    Pool,
    Seen,
    Server,
    generated,
    running,
)
from tests.waiting import until

pytestmark = pytest.mark.xdist_group("gateway")

ROUTES = [Route(("/v1/pins",))]


def started(tmp_path: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """`python -m services.gateway serve`, of which nothing is expected but that it ends at once."""
    return subprocess.run(
        [sys.executable, "-m", "services.gateway", "serve"],
        check=False,
        env={"PATH": os.environ["PATH"], **variables},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_operations_show_three_pages_and_no_more(gateway: Gateway):
    def status(path: str, method: str = "GET") -> int:
        return httpx.request(method, gateway.operations + path).status_code

    assert [status(path) for path in ("/livez", "/readyz", "/metrics")] == [200, 200, 200]
    assert "envoy_http_downstream_rq_total" in httpx.get(f"{gateway.operations}/metrics").text
    for path in ("/", "/config_dump", "/stats", "/server_info", "/quitquitquit", "/metrics/../config_dump"):
        assert status(path) == 404
    for path in ("/livez", "/readyz", "/metrics", "/quitquitquit", "/healthcheck/fail"):
        assert status(path, "POST") == 404
    assert status("/readyz") == 200


def test_the_administration_has_no_port(gateway: Gateway):
    (envoy,) = psutil.Process(gateway.process.pid).children()
    listening = {
        each.laddr.port for each in envoy.net_connections("tcp") if each.status == psutil.CONN_LISTEN
    }

    assert listening == {int(url.rpartition(":")[2]) for url in (gateway.url, gateway.operations)}


def test_it_drains_without_losing_a_request(tmp_path: Path, pool: Pool):
    """Told to end while some requests are on their way and others still come, it answers all of them."""
    released, arrived = threading.Event(), threading.Event()

    def answer(seen: Seen) -> Answer:
        if "slow" in seen.path:
            arrived.set()
            released.wait(30)
        return Answer(body=b'{"done": true}')

    service = Server(answer)
    generated_ = generated({"pin": ROUTES}, {"pin": service.port})
    with (
        running(tmp_path, generated_, pool, SHUTDOWN_DRAIN_SECONDS="1") as gateway,
        httpx.Client(base_url=gateway.url, timeout=30) as client,
        ThreadPoolExecutor(1) as threads,
    ):
        assert "connection" not in client.get("/v1/pins/before").headers
        slow = threads.submit(httpx.get, f"{gateway.url}/v1/pins/slow", timeout=60)
        assert arrived.wait(30)
        gateway.process.send_signal(signal.SIGTERM)
        until(lambda: httpx.get(f"{gateway.operations}/readyz").status_code == 503)

        late = client.post("/v1/pins/late")
        assert httpx.get(f"{gateway.operations}/livez").status_code == 200
        released.set()

        assert slow.result().json() == {"done": True}
        assert (late.status_code, late.headers["connection"]) == (200, "close")
        assert gateway.process.wait(30) == 0
    service.stop()
    assert [line["event"] for line in gateway.lines() if line.get("logger_name") == "gateway"][
        -1
    ] == "draining"


def test_it_ends_within_its_grace_whatever_hangs(tmp_path: Path, pool: Pool):
    released, arrived = threading.Event(), threading.Event()

    def hang(seen: Seen) -> Answer:
        arrived.set()
        released.wait(60)
        return Answer()

    service = Server(hang)
    generated_ = generated({"pin": [Route(("/v1/pins",), timeout_seconds=120)]}, {"pin": service.port})
    grace = {"SHUTDOWN_GRACE_SECONDS": "3", "SHUTDOWN_DRAIN_SECONDS": "0"}
    try:
        with running(tmp_path, generated_, pool, **grace) as gateway, ThreadPoolExecutor(1) as threads:
            hanging = threads.submit(httpx.get, f"{gateway.url}/v1/pins/hang", timeout=60)
            assert arrived.wait(30)
            assert gateway.stop() == 0
            with pytest.raises(httpx.HTTPError):
                hanging.result()
    finally:
        released.set()
        service.stop()
    assert any(line.get("active") == 1 for line in gateway.lines())


def test_a_killed_envoy_ends_the_process_so_that_it_is_started_again(tmp_path: Path, pool: Pool, pin: Server):
    with running(tmp_path, generated({"pin": ROUTES}, {"pin": pin.port}), pool) as gateway:
        (envoy,) = psutil.Process(gateway.process.pid).children()
        envoy.kill()

        assert gateway.process.wait(30) != 0


def test_several_run_side_by_side(gateway: Gateway, tmp_path: Path, pool: Pool, pin: Server):
    with running(tmp_path, generated({"pin": ROUTES}, {"pin": pin.port}), pool) as other:
        assert other.url != gateway.url
        assert [httpx.get(f"{each.url}/v1/pins/side").status_code for each in (gateway, other)] == [200, 200]


def test_a_temporary_folder_with_a_long_path_is_no_obstacle(tmp_path: Path, pool: Pool, pin: Server):
    """As a pod's on the laptop: longer than the name of a Unix socket may be."""
    deep = tmp_path / ("a" * 100)
    deep.mkdir()
    with running(deep, generated({"pin": ROUTES}, {"pin": pin.port}), pool) as gateway:
        assert httpx.get(f"{gateway.operations}/readyz").status_code == 200
    assert [each.name for each in deep.iterdir() if each.is_dir()] == []


def test_keys_that_cannot_be_had_yet_are_asked_for_again(tmp_path: Path, pool: Pool, pin: Server):
    """No token is believed without them, and nobody is let in by default."""
    wanted = threading.Event()
    away = Server(lambda seen: pool.answer(seen) if wanted.is_set() else Answer(503))
    generated_ = generated({"pin": ROUTES}, {"pin": pin.port})
    try:
        with running(tmp_path, generated_, pool, AWS_ENDPOINT_URL=away.url) as gateway:
            url = f"{gateway.url}/v1/pins/keys"
            refused = httpx.get(url, headers=pool.bearer())
            assert refused.status_code in {401, 503}
            assert httpx.get(url).status_code == 200

            wanted.set()
            until(lambda: httpx.get(url, headers=pool.bearer()).status_code == 200)
    finally:
        away.stop()


def test_spans_are_exported_when_there_is_a_collector(tmp_path: Path, pool: Pool, pin: Server):
    collector = Server()
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    sent = {"traceparent": f"00-{trace}-00f067aa0ba902b7-01"}
    endpoint = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
    try:
        with running(tmp_path, generated({"pin": ROUTES}, {"pin": pin.port}), pool, **endpoint) as gateway:
            httpx.get(f"{gateway.url}/v1/pins/spanned", headers=sent)
            exported = until(lambda: collector.of("/v1/traces"))
            assert gateway.access_log("/v1/pins/spanned")["trace_id"] == trace
    finally:
        collector.stop()

    assert bytes.fromhex(trace) in exported[0].body
    (seen,) = pin.of("/v1/pins/spanned")
    assert seen.headers["traceparent"].startswith(f"00-{trace}-")
    assert seen.headers["traceparent"] != sent["traceparent"]


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({}, "GATEWAY_CONFIGURATION: is not set"),
        ({"GATEWAY_CONFIGURATION": "/nowhere/envoy.json"}, "cannot be read"),
        ({"GATEWAY_CONFIGURATION": "EMPTY"}, "has none called 'edge'"),
        ({"GATEWAY_CONFIGURATION": "BROKEN"}, "is not JSON"),
        ({"GATEWAY_CONFIGURATION": "EMPTY", "HTTP_PORT": "99999"}, "HTTP_PORT"),
        ({"GATEWAY_CONFIGURATION": "EMPTY", "AWS_ENDPOINT_URL": "ftp://x"}, "AWS_ENDPOINT_URL"),
    ],
)
def test_a_wrong_environment_ends_it_with_a_reason(tmp_path: Path, variables: dict[str, str], said: str):
    contents = {"EMPTY": json.dumps({"static_resources": {}}), "BROKEN": "{"}
    for name, content in contents.items():
        (tmp_path / name).write_text(content)
    given = {name: str(tmp_path / value) if value in contents else value for name, value in variables.items()}

    ended = started(tmp_path, **given)

    assert ended.returncode == 2
    assert said in ended.stderr
    assert "Traceback" not in ended.stderr
