"""What surrounds every HTTP request: its id, its trace, and the golden signals."""

import re
import time
import uuid
from collections.abc import Iterable, Mapping
from typing import Any, Final

from litestar.types import ASGIApp, Message, Receive, Scope, Send
from opentelemetry.trace import SpanKind

from services.common import logs, metrics, traces

REQUEST_ID: Final = "x-request-id"
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._=-]{1,128}")
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_CARRIED: Final = frozenset(
    {b"x-request-id", b"traceparent", b"tracestate", b"content-length", b"transfer-encoding"}
)
_SERVER_ERRORS: Final = 500
_READ_AWAY_BYTES: Final = 65_536
_DIGITS: Final = 12
_log = logs.logger(__name__)


class InFlight:
    """How many requests are being answered."""

    def __init__(self) -> None:
        self.count = 0


def observed(app: ASGIApp, in_flight: InFlight) -> ASGIApp:
    """The same application, observed."""
    saturation = metrics.REQUESTS_IN_FLIGHT.labels("http")

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        carrier = _carrier(scope["headers"])
        identifier = request_id(carrier.get(REQUEST_ID))
        token = logs.request_id.set(identifier)
        body: Body | None = Body(receive, carrier) if _has_body(carrier) else None
        status = 500

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                added = [(b"x-request-id", identifier.encode())]
                if body is not None and not await Body.read_away(body):
                    added.append((b"connection", b"close"))
                message["headers"] = [*message["headers"], *added]
            await send(message)

        in_flight.count += 1
        saturation.inc()
        began = time.perf_counter()
        try:
            if traces.exporting() or traces.TRACEPARENT in carrier:
                with traces.span(_method(scope), SpanKind.SERVER, carrier) as span:
                    await app(scope, body.receive if body else receive, send_with_id)
                    span.update_name(f"{_method(scope)} {_route(scope)}")
                    span.set_attributes({"http.route": _route(scope), "http.response.status_code": status})
                    if status >= _SERVER_ERRORS:
                        traces.fail(span, str(status))
            else:
                await app(scope, body.receive if body else receive, send_with_id)
        finally:
            in_flight.count -= 1
            saturation.dec()
            _count(_method(scope), _route(scope), status, time.perf_counter() - began)
            logs.request_id.reset(token)

    return answer


class Body:
    """A request's body, of which an answer may come before its end.

    A connection whose body was not read to the end cannot carry another request: the server closes it, and must say
    so, or the client's next request is lost.
    """

    def __init__(self, receive: Receive, carrier: Mapping[str, str]) -> None:
        self._receive = receive
        self._ended = False
        length = carrier.get("content-length", "")
        self._short = length.isdigit() and int(length[:_DIGITS]) <= _READ_AWAY_BYTES

    async def receive(self) -> Any:
        """ASGI's."""
        message = await self._receive()
        self._ended = message["type"] != "http.request" or not message.get("more_body")
        return message

    async def read_away(self) -> bool:
        """Read what is left if it is little. False: it is not."""
        while self._short and not self._ended:
            await self.receive()
        return self._ended


def request_id(given: str | None) -> str:
    """What the gateway gave, unless it is none that may stand in logs."""
    return given if given is not None and _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex


def _carrier(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in headers if name in _CARRIED}


def _has_body(carrier: Mapping[str, str]) -> bool:
    return "transfer-encoding" in carrier or carrier.get("content-length", "0") != "0"


def _method(scope: Scope) -> str:
    method = str(scope.get("method", ""))
    return method if method in _METHODS else "OTHER"


def _route(scope: Scope) -> str:
    return str(scope.get("path_template") or "unmatched")


def _count(method: str, route: str, status: int, seconds: float) -> None:
    metrics.REQUESTS.labels("http", method, route, str(status)).inc()
    metrics.REQUEST_SECONDS.labels("http", method, route).observe(seconds)
