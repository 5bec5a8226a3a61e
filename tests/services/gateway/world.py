"""The real Envoy as `python -m services.gateway` runs it, between a user pool and services of these tests."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from infra.workloads.gateway.bootstrap import configuration
from infra.workloads.gateway.inputs import Identity, Upstream
from infra.workloads.service import Route
from tests.waiting import until

DEADLINE_SECONDS = 60
ISSUER = "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_pool"
IDENTITY = Identity(ISSUER, "our-client")
ORIGIN = "https://www.pinwheel.example"


@dataclass
class Seen:
    """A request as a service saw it."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Answer:
    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict[str, str])


class Server:
    """An HTTP server on loopback which answers as it is told and remembers what came."""

    def __init__(self, answer: Callable[[Seen], Answer] | None = None) -> None:
        self.seen: list[Seen] = []
        self.answer = answer or (lambda seen: Answer())
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def handle_one_request(self) -> None:
                try:
                    super().handle_one_request()
                except ConnectionError:
                    self.close_connection = True

            def do_GET(self) -> None:
                headers = {name.lower(): value for name, value in self.headers.items()}
                seen = Seen(self.command, self.path, headers, self._body())
                outer.seen.append(seen)
                answer = outer.answer(seen)
                body = f"HTTP/1.1 {answer.status} X\r\nserver: test\r\nx-powered-by: tests\r\n"
                for name, value in {
                    "content-type": "application/json",
                    "content-length": str(len(answer.body)),
                    **answer.headers,
                }.items():
                    body += f"{name}: {value}\r\n"
                self.wfile.write(body.encode() + b"\r\n" + answer.body)
                self.close_connection = answer.headers.get("connection") == "close"

            def _body(self) -> bytes:
                if self.headers.get("transfer-encoding") != "chunked":
                    return self.rfile.read(int(self.headers.get("content-length") or 0))
                body = b""
                while size := int(self.rfile.readline(), 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
                return body

            do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = do_GET  # noqa: N815

            def log_message(self, *_: object) -> None: ...

        class Threads(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

        self._server = Threads(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def of(self, marker: str) -> list[Seen]:
        """What came with `marker` in its path."""
        return [each for each in self.seen if marker in each.path]

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class Pool(Server):
    """A user pool: its public keys, and tokens that it signs."""

    def __init__(self) -> None:
        self.key = rsa.generate_private_key(65537, 2048)
        self.other_key = rsa.generate_private_key(65537, 2048)
        public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key()))
        keys = json.dumps({"keys": [{**public, "kid": "one", "use": "sig", "alg": "RS256"}]}).encode()
        super().__init__(lambda seen: Answer(body=keys))

    def token(
        self,
        subject: str = "alice",
        *,
        key: Any = None,
        algorithm: str = "RS256",
        kid: str = "one",
        **claims: Any,
    ) -> str:
        now = int(time.time())
        payload = {
            "iss": ISSUER,
            "sub": subject,
            "client_id": IDENTITY.client_id,
            "token_use": "access",
            "iat": now,
            "exp": now + 3600,
            "username": subject,
            **claims,
        }
        payload = {name: value for name, value in payload.items() if value is not None}
        signing = "" if algorithm == "none" else key or self.key
        return jwt.encode(payload, signing, algorithm, headers={"kid": kid})

    def bearer(self, subject: str = "alice", **claims: Any) -> dict[str, str]:
        return {"authorization": f"Bearer {self.token(subject, **claims)}"}


class Gateway:
    """`python -m services.gateway serve` with a generated configuration."""

    def __init__(self, folder: Path, generated: dict[str, Any], pool: Pool, **variables: str) -> None:
        file = folder / "envoy.json"
        file.write_text(json.dumps(generated))
        self.output = folder / "output"
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "services.gateway", "serve"],
                cwd=Path(__file__).resolve().parents[3],
                env={
                    "PATH": os.environ["PATH"],
                    "TMPDIR": str(folder),
                    "GATEWAY_CONFIGURATION": str(file),
                    "GATEWAY_CONCURRENCY": "1",
                    "AWS_ENDPOINT_URL": pool.url,
                    "HTTP_PORT": "0",
                    "OPERATIONS_PORT": "0",
                    "POD_NAME": "gateway-7",
                    "SHUTDOWN_DRAIN_SECONDS": "0",
                    **variables,
                },
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def until_listening(self) -> "Gateway":
        said = until(self._listening, DEADLINE_SECONDS)
        self.url = f"http://{said['edge']}"
        self.operations = f"http://{said['operations']}"
        return self

    def lines(self) -> list[dict[str, Any]]:
        """What it said, where that is JSON."""
        found: list[dict[str, Any]] = []
        for line in self.output.read_text().splitlines():
            with contextlib.suppress(ValueError):
                found.append(json.loads(line))
        return found

    def access_log(self, marker: str) -> dict[str, Any]:
        """The access log's line of the one request with `marker` in its path."""
        return until(lambda: next((each for each in self.lines() if marker in str(each.get("path"))), None))

    def statistic(self, name: str) -> int:
        """One of Envoy's own counters or gauges, summed over its labels."""
        text = httpx.get(f"{self.operations}/metrics").text
        values = [
            line.split()[-1] for line in text.splitlines() if line.startswith((f"{name} ", f"{name}{{"))
        ]
        return sum(int(value) for value in values)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(DEADLINE_SECONDS)

    def _listening(self) -> dict[str, Any] | None:
        status = self.process.poll()
        assert status is None, self.output.read_text()
        return next((line for line in self.lines() if line.get("event") == "listening"), None)


@contextlib.contextmanager
def running(folder: Path, generated: dict[str, Any], pool: Pool, **variables: str) -> Iterator[Gateway]:
    gateway = Gateway(folder, generated, pool, **variables)
    try:
        yield gateway.until_listening()
    finally:
        if gateway.process.poll() is None:
            gateway.stop()


def generated(services: dict[str, Sequence[Route]], ports: dict[str, int]) -> dict[str, Any]:
    """The configuration for services at ports of 127.0.0.1."""
    upstreams = [Upstream(name, "127.0.0.1", ports[name], tuple(routes)) for name, routes in services.items()]
    return configuration(upstreams, IDENTITY, origins=[ORIGIN])


def problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    """The problem document of an answer that must be one."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    found = answer.json()
    assert found["status"] == status
    assert found["title"]
    assert found["detail"]
    return found
