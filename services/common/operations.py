"""What a deployable tells those who operate it: `/livez`, `/readyz` and `/metrics` on a port of their own.

They are answered by threads, so that a busy event loop or a long call of a native engine does not look like death.
"""

import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from typing_extensions import override

from services.common.logs import logger
from services.common.settings import CommonSettings

Check = Callable[[], str | None]
"""None when all is well, else what is wrong. Quick: a probe waits for it. Called in any thread."""

_CLIENT_SECONDS: Final = 10.0
_log = logger(__name__)


class Operations:
    """The checks of one process, and the server that answers with them.

    Not ready means: send nobody here. Not alive means: start it again, because it will not recover by itself. A
    database or a broker that is away makes a service unready at most.
    """

    def __init__(self, settings: CommonSettings) -> None:
        self._settings = settings
        self._ready: dict[str, Check] = {"starting": lambda: "it is starting"}
        self._alive: dict[str, Check] = {}
        self._server: ThreadingHTTPServer | None = None

    @property
    def address(self) -> str:
        """`host:port` that is listened on."""
        if self._server is None:
            raise RuntimeError("operations do not listen yet")
        host, port = self._server.server_address[:2]
        return f"{host}:{port}"

    def ready_when(self, name: str, check: Check) -> None:
        """Take traffic only while `check` finds nothing wrong. The same name again replaces it."""
        self._ready[name] = check

    def alive_when(self, name: str, check: Check) -> None:
        """Live only while `check` finds nothing wrong. The same name again replaces it."""
        self._alive[name] = check

    def started(self) -> None:
        """What had to be done before the first request is done."""
        self._ready.pop("starting", None)

    def unready(self) -> list[str]:
        """Why it takes no traffic; empty when it does."""
        return _wrong(self._ready)

    def dead(self) -> list[str]:
        """Why it should be started again."""
        return _wrong(self._alive)

    def start(self) -> None:
        """Listen. Raises OSError when the port is taken."""

        class Handler(_Handler):
            operations = self

        server = _Server((self._settings.host, self._settings.operations_port), Handler)
        self._server = server
        threading.Thread(target=server.serve_forever, name="operations", daemon=True).start()
        _log.info("operations listen", address=self.address)

    def stop(self) -> None:
        """Listen no longer."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 32

    @override
    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is no error of the service."""
        _log.debug("a client of operations went away", exc_info=True)


class _Handler(BaseHTTPRequestHandler):
    operations: Operations
    protocol_version = "HTTP/1.1"
    timeout = _CLIENT_SECONDS
    server_version = "operations"
    sys_version = ""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/livez":
            self._judge(self.operations.dead())
        elif path == "/readyz":
            self._judge(self.operations.unready())
        elif path == "/metrics":
            self._answer(200, generate_latest(), CONTENT_TYPE_LATEST)
        else:
            self._answer(404, b"there are /livez, /readyz and /metrics\n")

    do_HEAD = do_GET  # noqa: N815 - the base class's name

    def _judge(self, wrong: list[str]) -> None:
        self._answer(503 if wrong else 200, ("\n".join(wrong) or "ok").encode() + b"\n")

    def _answer(self, status: int, body: bytes, content_type: str = "text/plain; charset=utf-8") -> None:
        self.send_response(status)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    @override
    def setup(self) -> None:
        super().setup()
        # Status line and body are written apart: without this an answer waits 40 ms for an acknowledgement.
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    @override
    def log_message(self, format: str, *args: object) -> None:
        """Probes come every second: nobody reads that."""


def _wrong(checks: dict[str, Check]) -> list[str]:
    found: list[str] = []
    for name, check in list(checks.items()):
        try:
            reason = check()
        except Exception as error:  # a check that fails is a finding
            reason = f"the check failed: {type(error).__name__}"
            _log.warning("a check failed", check=name, exc_info=True)
        if reason is not None:
            found.append(f"{name}: {reason}")
    return found
