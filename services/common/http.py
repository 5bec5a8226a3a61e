"""HTTP: a Litestar application in which every error is a problem (RFC 9457), and its server.

    app = create_app([PinController], title="Pins")
    await serve(app, lifetime)

Handlers raise `Problem(404, "there is no such pin")`; what else is raised is a 500 without details, logged with the
request's id. Handlers that wait are `async`; those that compute are plain functions with `sync_to_thread=True`.
"""

import asyncio
import re
import socket
from collections.abc import Mapping, Sequence
from typing import Any, Final

from granian.constants import HTTPModes, Interfaces
from granian.log import LogLevels
from granian.server.embed import Server
from litestar import Litestar, Request
from litestar.connection import ASGIConnection
from litestar.di import NamedDependency, Provide
from litestar.handlers.base import BaseRouteHandler
from litestar.plugins import PluginProtocol
from litestar.types import ASGIApp, ControllerRouterHandler, Guard, Message, Receive, Scope, Send

from services.common import logs, openapi, problems
from services.common.bodies import StrictRequest
from services.common.lifetime import Lifetime
from services.common.observed import InFlight, observed
from services.common.problems import Problem

SUBJECT: Final = "x-pinwheel-subject"
"""The token's `sub`, from the gateway, which removes what a client sends under this name."""
MAX_BODY_BYTES: Final = 1_048_576
_SUBJECT: Final = re.compile(r"[\x21-\x7e]{1,255}")
_JSON: Final = re.compile(r"application/(?:[\w.-]+\+)?json\s*(?:;.*)?", re.IGNORECASE)
_BODIES: Final = frozenset({"POST", "PUT", "PATCH"})
_BACKLOG: Final = 1024
_START_SECONDS: Final = 10.0
_POLL_SECONDS: Final = 0.01
_GRANIAN_LOGS: Final = {"handlers": {}, "loggers": {"_granian": {"propagate": True}}}
"""Its errors go where all logs go; the golden signals stand for its access log."""
_log = logs.logger(__name__)

Subject = NamedDependency[str]
"""The parameter `subject: Subject` of a handler is the person who asks; without one the answer is a 401."""
Connection = ASGIConnection[Any, Any, Any, Any]


def create_app(
    route_handlers: Sequence[ControllerRouterHandler],
    *,
    title: str,
    version: str = "1.0.0",
    description: str = "",
    dependencies: Mapping[str, Provide] | None = None,
    max_body_bytes: int = MAX_BODY_BYTES,
    guards: Sequence[Guard] = (),
    plugins: Sequence[PluginProtocol] = (),
    request_class: type[Request[Any, Any, Any]] = StrictRequest,
    **litestar: Any,
) -> Litestar:
    """An application with problems, request ids, traces, golden signals and /openapi.json.

    A handler that takes other bodies than JSON says which: `opt={"media_types": ("image/jpeg", "image/png")}`.

    Args:
        route_handlers: controllers and handlers.
        max_body_bytes: a larger body is a 413; handlers may set `request_max_body_size` for themselves.
        litestar: whatever else Litestar takes.
    """
    app = Litestar(
        route_handlers=route_handlers,
        dependencies={"subject": Provide(subject, sync_to_thread=False), **(dependencies or {})},
        exception_handlers=problems.handlers(),
        openapi_config=openapi.configuration(title, version, description),
        request_max_body_size=max_body_bytes,
        guards=[require_media_type, *guards],
        plugins=[openapi.StrictStructs(), *plugins],
        request_class=request_class,
        logging_config=None,
        **litestar,
    )
    app.asgi_handler = observed(app.asgi_handler, in_flight(app))
    return app


def in_flight(app: Litestar) -> InFlight:
    """The application's requests that are being answered."""
    return app.state.setdefault("in_flight", InFlight())


def subject(request: Connection) -> str:
    """Who asks, as the gateway found out. Raises a 401 when nobody is known."""
    found = request.headers.get(SUBJECT, "")
    if not _SUBJECT.fullmatch(found):
        raise Problem(401, "this needs a person: send a token", headers={"www-authenticate": "Bearer"})
    return found


async def require_media_type(connection: Connection, handler: BaseRouteHandler) -> None:
    """A body of another type than the handler takes is a 415, not a guess."""
    if connection.scope.get("method") not in _BODIES or not _has_body(connection):
        return
    given = connection.headers.get("content-type", "")
    taken: Sequence[str] | None = handler.opt.get("media_types")
    if not (given.partition(";")[0].strip().lower() in taken if taken else _JSON.fullmatch(given)):
        names = ", ".join(taken or ("application/json",))
        raise Problem(415, f"the content-type of the body must be {names}", headers={"accept": names})


def _has_body(connection: Connection) -> bool:
    length = connection.headers.get("content-length", "")
    return "transfer-encoding" in connection.headers or length not in ("", "0")


async def serve(app: Litestar, lifetime: Lifetime) -> str:
    """Answer on POD_IP:HTTP_PORT until the process ends; returns the `host:port` that is listened on.

    At the end it serves on while it drains, asks clients to close their connections, and finishes what has begun.
    Raises OSError when the port is taken.
    """
    await _start_application(app, lifetime)
    reserved = _reserve(lifetime.settings.host, lifetime.settings.http_port)
    host, port = reserved.getsockname()[:2]
    server = Server(
        _leaving(app, lifetime),
        host,
        port,
        interface=Interfaces.ASGINL,
        http=HTTPModes.http1,
        websockets=False,
        backlog=_BACKLOG,
        backpressure=_BACKLOG,
        log_level=LogLevels.error,
        log_dictconfig=_GRANIAN_LOGS,
    )
    serving = asyncio.create_task(server.serve())
    try:
        await _listening(host, port, serving)
    finally:
        reserved.close()
    serving.add_done_callback(lambda _: lifetime.fail("the HTTP server ended"))

    async def stop() -> None:
        await lifetime.drain()
        server.stop()
        await serving

    lifetime.on_stop("http", stop)
    _log.info("http listens", address=f"{host}:{port}")
    return f"{host}:{port}"


async def _start_application(app: Litestar, lifetime: Lifetime) -> None:
    """Litestar's lifespan begins and ends in one task."""
    started, end = asyncio.Event(), asyncio.Event()

    async def live() -> None:
        async with app.lifespan():
            started.set()
            await end.wait()

    living = asyncio.create_task(live())
    starting = asyncio.create_task(started.wait())
    await asyncio.wait({living, starting}, return_when=asyncio.FIRST_COMPLETED)
    starting.cancel()
    if not started.is_set():
        await living  # raises what went wrong

    async def stop() -> None:
        end.set()
        await living

    lifetime.on_stop("application", stop)


def _reserve(host: str, port: int) -> socket.socket:
    """The port, for granian to bind a second time.

    granian binds with SO_REUSEPORT, with which a port that another process has would silently be shared; without it
    the port is refused. 0 becomes a free one.
    """
    reserved = socket.socket()
    try:
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reserved.bind((host, port))
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    except OSError:
        reserved.close()
        raise
    return reserved


async def _listening(host: str, port: int, serving: asyncio.Task[None]) -> None:
    async with asyncio.timeout(_START_SECONDS):
        while True:
            if serving.done():
                raise RuntimeError("the HTTP server ended as it started") from serving.exception()
            try:
                _, writer = await asyncio.open_connection(host, port)
            except ConnectionRefusedError:
                await asyncio.sleep(_POLL_SECONDS)
            else:
                writer.close()
                return


def _leaving(app: Litestar, lifetime: Lifetime) -> ASGIApp:
    """Once told to end, ask every client to come back by a new connection: to another pod."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_and_close(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"connection", b"close")]
            await send(message)

        await app(scope, receive, send_and_close if lifetime.stopping.is_set() else send)

    return answer
