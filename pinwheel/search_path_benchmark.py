"""Search, the whole path: gateway, root, leaf, Kafka. `python -m pinwheel.search_path_benchmark --pins 1000000`.

What `services.search.path_benchmark` measures, asked of the gateway as it is deployed, with its limits lifted.
"""

import dataclasses
import gzip
import importlib.resources
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

import psutil

from infra.workloads.gateway.bootstrap import configuration
from infra.workloads.gateway.inputs import Identity, Upstream
from infra.workloads.service import Route
from services.search.path_benchmark.__main__ import main
from services.search.path_benchmark.world import World

_ROUTE: Final = Route(("/v1/search",), requests_per_second=10_000_000, requests_per_minute_each=60_000_000)
_POOL: Final = Identity("https://cognito-idp.us-east-1.amazonaws.com/us-east-1_benchmark", "benchmark")


@contextmanager
def gateway(world: World) -> Generator[World]:
    """The world as it looks from before a gateway."""
    host, _, port = world.url.removeprefix("http://").partition(":")
    generated = configuration([Upstream("search-root", host, int(port), (_ROUTE,))], _POOL)
    with tempfile.TemporaryDirectory() as name, _keys() as keys:
        file = Path(name, "envoy.json")
        file.write_text(json.dumps(generated), encoding="utf-8")
        variables = {
            **{key: value for key, value in os.environ.items() if key in {"PATH", "HOME", "TMPDIR"}},
            "GATEWAY_CONFIGURATION": str(file),
            "GATEWAY_CONCURRENCY": "2",
            "AWS_ENDPOINT_URL": keys,
            "HTTP_PORT": "0",
            "OPERATIONS_PORT": "0",
            "SHUTDOWN_DRAIN_SECONDS": "0",
        }
        command = [sys.executable, "-m", "services.gateway", "serve"]
        process = subprocess.Popen(command, env=variables, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own
        try:
            url = f"http://{_listening(process)}"
            (envoy,) = psutil.Process(process.pid).children()
            yield dataclasses.replace(world, url=url, processes={"gateway": envoy, **world.processes})
        finally:
            process.terminate()
            process.wait()


def _listening(process: "subprocess.Popen[str]") -> str:
    """Where; what it says after that, a line a request, is read away."""
    output = process.stdout
    if output is None:
        raise RuntimeError("the gateway's output is not read")
    for line in output:
        said = json.loads(line) if line.startswith("{") else {}
        if said.get("event") == "listening":
            threading.Thread(target=deque, args=(output, 0), daemon=True).start()
            return said["edge"]
    raise RuntimeError(f"the gateway ended with status {process.wait()}")


@contextmanager
def _keys() -> Generator[str]:
    """The URL of a user pool that has nothing but public keys: those of moto."""
    file = importlib.resources.files("moto.cognitoidp") / "resources" / "jwks-public.json.gz"
    keys = gzip.decompress(file.read_bytes())

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            """Always the same."""
            self.send_response(200)
            self.send_header("content-length", str(len(keys)))
            self.end_headers()
            self.wfile.write(keys)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


if __name__ == "__main__":
    main(gateway, "pinwheel.search_path_benchmark")
