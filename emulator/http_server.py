"""A small threaded HTTP/1.1 server for one WSGI application.

Werkzeug's development server, which moto uses, closes the connection after every response and then waits
for the client to hang up; boto3 keeps connections, so most of a small request's time went there. This one
keeps connections open, which needs one rule that werkzeug does not have: a request's body is read wholly
before the application runs, so that what the application leaves unread can never be taken for the next
request.
"""

import io
import re
import socket
import socketserver
import sys
from collections.abc import Callable, Iterable
from http.server import BaseHTTPRequestHandler
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from emulator.errors import error_body

MAX_BODY_BYTES: Final = 64 * 1024 * 1024
"""Larger requests are answered 413. An S3 client splits uploads into parts far smaller than this."""

WsgiApplication = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

_CHUNK_SIZE: Final = re.compile(rb"([0-9a-fA-F]{1,15})[ \t]*(?:;[^\r\n]*)?\r?\n")
_DRAIN_BYTES: Final = 16 * 1024 * 1024


class BodyError(Exception):
    """A request whose body cannot be read; `status` is the answer, after which the connection closes."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class Server(socketserver.ThreadingTCPServer):
    """Serves `application` on a socket that already listens: one daemon thread a connection."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, listener: socket.socket, application: WsgiApplication) -> None:
        super().__init__(listener.getsockname()[:2], Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self.server_address = listener.getsockname()[:2]
        self.application = application

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hung up is no news; anything else goes to stderr, which is the emulator's log."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """Turns one HTTP request into a WSGI call and back."""

    protocol_version = "HTTP/1.1"
    server: Server  # pyright: ignore[reportIncompatibleVariableOverride]
    # Header and body leave in one write; without this Nagle's algorithm holds the second back for 40 ms.
    disable_nagle_algorithm = True
    wbufsize = 64 * 1024

    def handle_one_request(self) -> None:
        """Read one request, answer it, and say by `close_connection` whether another may follow."""
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline:
            self.close_connection = True
            return
        if len(self.raw_requestline) > 65536:  # noqa: PLR2004
            self.requestline, self.request_version, self.command = "", "HTTP/1.1", ""
            self._answer_error(
                BodyError(414, "RequestUriTooLong", "the request line is longer than 65536 bytes")
            )
            return
        if not self.parse_request():  # answers bad request lines and headers itself, by send_error
            self.close_connection = True
            return
        try:
            body = self._read_body()
        except BodyError as error:
            self._answer_error(error)
            return
        self._run_application(body)
        self.wfile.flush()

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What the base class has against a request line or a header, as an AWS error."""
        self.request_version = "HTTP/1.1"  # for a broken request line it still says HTTP/0.9
        reason = message or explain or "the request is not HTTP"
        self._answer_error(BodyError(int(code), "MalformedRequest", reason))

    def handle_expect_100(self) -> bool:
        """The client waits for this line before it sends the body (S3 uploads): it must leave at once."""
        allowed = super().handle_expect_100()
        self.wfile.flush()
        return allowed

    def _read_body(self) -> bytes:
        length = self.headers.get("Content-Length")
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            return self._read_chunked_body()
        if length is None:
            return b""
        if not length.strip().isdecimal():
            raise BodyError(
                400, "InvalidContentLength", f"Content-Length is {length!r}: not a number of bytes"
            )
        if int(length) > MAX_BODY_BYTES:
            raise BodyError(
                413,
                "EntityTooLarge",
                f"the body has {length} bytes; the emulator takes at most {MAX_BODY_BYTES}",
            )
        body = self.rfile.read(int(length))
        if len(body) < int(length):
            raise BodyError(400, "IncompleteBody", f"the body ended after {len(body)} of {length} bytes")
        return body

    def _read_chunked_body(self) -> bytes:
        body = io.BytesIO()
        while True:
            header = _CHUNK_SIZE.fullmatch(self.rfile.readline(1024))
            if header is None:
                raise BodyError(400, "InvalidChunk", "a chunk of the body does not start with its size")
            size = int(header[1], 16)
            if body.tell() + size > MAX_BODY_BYTES:
                raise BodyError(
                    413,
                    "EntityTooLarge",
                    f"the body is larger than the {MAX_BODY_BYTES} bytes the emulator takes",
                )
            if size == 0:
                while self.rfile.readline(65537) not in {b"\r\n", b"\n", b""}:
                    pass  # trailers
                return body.getvalue()
            data = self.rfile.read(size)
            if len(data) < size:
                raise BodyError(400, "IncompleteBody", "the body ended in the middle of a chunk")
            body.write(data)
            self.rfile.readline(3)

    def _run_application(self, body: bytes) -> None:
        sent: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]], _exc_info: Any = None) -> None:
            sent[:] = [status, headers]

        parts = self.server.application(self._environ(body), start_response)
        try:
            content = b"".join(parts)
        finally:
            close = getattr(parts, "close", None)
            if close is not None:
                close()
        status, headers = sent
        code, _, reason = status.partition(" ")
        self._send(int(code), reason, headers, content)

    def _environ(self, body: bytes) -> dict[str, Any]:
        path, _, query = self.path.partition("?")
        if "://" in path:  # an absolute URL, as clients send to a proxy
            path = "/" + path.split("://", 1)[1].partition("/")[2]
        environ: dict[str, Any] = {
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            "wsgi.input_terminated": True,
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            "REQUEST_METHOD": self.command,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote_to_bytes(path.encode("latin-1")).decode("latin-1"),
            "QUERY_STRING": query,
            "RAW_URI": path + ("?" + query if query else ""),
            "REMOTE_ADDR": self.client_address[0],
            "SERVER_NAME": self.server.server_address[0],
            "SERVER_PORT": str(self.server.server_address[1]),
            "SERVER_PROTOCOL": self.request_version,
        }
        # moto asks for the original spelling of metadata headers with an underscore (S3 tells a_b from a-b).
        preserved: dict[str, str] = {}
        for name, value in self.headers.items():
            key = "HTTP_" + name.upper().replace("-", "_")
            if "_" in name:
                if not name.lower().startswith("x-amz-meta-"):
                    continue
                preserved[key] = name
            environ[key] = f"{environ[key]},{value}" if key in environ else value
        environ["moto.preserved_header_names"] = preserved
        environ["CONTENT_LENGTH"] = str(len(body))
        environ.pop("HTTP_CONTENT_LENGTH", None)
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        if "HTTP_CONTENT_TYPE" in environ:
            environ["CONTENT_TYPE"] = environ.pop("HTTP_CONTENT_TYPE")
        return environ

    def _send(self, code: int, reason: str, headers: Iterable[tuple[str, str]], content: bytes) -> None:
        self.send_response(code, reason or None)
        has_length = False
        for name, value in headers:
            lower = name.lower()
            if lower in {"connection", "transfer-encoding", "date", "server"}:
                continue
            has_length = has_length or lower == "content-length"
            self.send_header(name, value)
        if not has_length and code not in {204, 304}:
            self.send_header("Content-Length", str(len(content)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD" and code not in {204, 304}:
            self.wfile.write(content)

    def _answer_error(self, error: BodyError) -> None:
        """Answer a request whose end is not known: the connection cannot be used again."""
        self.close_connection = True
        headers, content = error_body(None, error.status, error.code, str(error))
        self._send(error.status, "", headers, content)
        self.wfile.flush()
        # A client still sending would see a reset instead of the answer: take some of the rest.
        self.connection.shutdown(socket.SHUT_WR)
        self.connection.settimeout(1.0)
        left = _DRAIN_BYTES
        while left > 0 and (data := self.rfile.read1(65536)):  # pyright: ignore[reportAttributeAccessIssue]
            left -= len(data)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """No line per request: stderr is for what a person should read."""
