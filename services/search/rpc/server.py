"""The leaf's side: calls from any number of connections, handled on a few threads.

Handlers spend their time in native code that releases the GIL, so that threads of their own, rather than the
event loop, are a third faster (reference, "Search"); the loop only moves bytes.
"""

import asyncio
import queue
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple, cast

from google.protobuf.message import DecodeError, Message

from services.api.search.v1.search_pb2 import (
    CODE_DEADLINE_EXCEEDED,
    CODE_INTERNAL,
    CODE_INVALID_ARGUMENT,
    CODE_RESOURCE_EXHAUSTED,
    CODE_UNIMPLEMENTED,
    CODE_UNSPECIFIED,
    Call,
    Code,
    Reply,
)
from services.common import logs, metrics, traces
from services.search.rpc.frames import FrameReader, FrameTooLargeError, RpcError, frame

_log = logs.logger(__name__)
_PROTOCOL: Final = "rpc"
_DRAIN_POLL_SECONDS: Final = 0.01


class Method(NamedTuple):
    """What answers one kind of call, on one of the server's threads. It may raise RpcError."""

    request: type[Message]
    handle: Callable[[Any], Message]


class _Waiting(NamedTuple):
    call: Call
    arrived: float
    send: Callable[[Reply], None]


class Server:
    """Answers calls.

    Args:
        methods: by name.
        threads: how many calls are handled at once.
        waiting: how many more may wait for a thread; further ones are refused at once, because an answer that
            comes after its deadline only costs.
    """

    def __init__(self, methods: Mapping[str, Method], *, threads: int, waiting: int = 256) -> None:
        self._methods: Final = dict(methods)
        self._waiting_limit: Final = waiting
        self._queue: Final[queue.SimpleQueue[_Waiting | None]] = queue.SimpleQueue()
        self._in_flight = metrics.REQUESTS_IN_FLIGHT.labels(_PROTOCOL)
        self._pending = 0
        self._connections: set[_Connection] = set()
        self._server: asyncio.Server | None = None
        self.port = 0
        """That is listened on."""
        self._threads = [
            threading.Thread(target=self._work, name=f"search-{number}", daemon=True)
            for number in range(threads)
        ]

    async def start(self, host: str, port: int) -> int:
        """Listen; returns the port, which is another where `port` is 0."""
        loop = asyncio.get_running_loop()
        for thread in self._threads:
            thread.start()
        self._server = await loop.create_server(lambda: _Connection(self, loop), host, port, backlog=512)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self.port

    async def stop(self, grace_seconds: float) -> None:
        """Ask callers to go elsewhere, answer what is under way for at most the grace, then close."""
        if self._server is not None:
            self._server.close()
        for connection in self._connections:
            connection.send(Reply(id=0))
        deadline = time.monotonic() + grace_seconds
        while self._pending and time.monotonic() < deadline:
            await asyncio.sleep(_DRAIN_POLL_SECONDS)
        for connection in list(self._connections):
            connection.close()
        for _ in self._threads:
            self._queue.put(None)

    def connected(self, connection: "_Connection") -> None:
        """A caller came."""
        self._connections.add(connection)

    def disconnected(self, connection: "_Connection") -> None:
        """A caller went."""
        self._connections.discard(connection)

    def accept(self, call: Call, connection: "_Connection", loop: asyncio.AbstractEventLoop) -> None:
        """Queue a call, or refuse it. In the event loop, which alone counts what is pending."""
        if self._pending >= self._waiting_limit + len(self._threads):
            error = f"{self._pending} calls wait already"
            connection.send(Reply(id=call.id, code=CODE_RESOURCE_EXHAUSTED, error=error))
            metrics.REQUESTS.labels(_PROTOCOL, self._known(call), "", _status(CODE_RESOURCE_EXHAUSTED)).inc()
            return
        self._pending += 1
        self._in_flight.inc()

        def send(reply: Reply) -> None:
            self._pending -= 1
            self._in_flight.dec()
            connection.send(reply)

        def send_from_thread(reply: Reply) -> None:
            loop.call_soon_threadsafe(send, reply)

        self._queue.put(_Waiting(call, time.monotonic(), send_from_thread))

    def _work(self) -> None:
        while (waiting := self._queue.get()) is not None:
            call, arrived, send = waiting
            reply = self._answer(call, arrived)
            method = self._known(call)
            metrics.REQUESTS.labels(_PROTOCOL, method, "", _status(reply.code)).inc()
            metrics.REQUEST_SECONDS.labels(_PROTOCOL, method, "").observe(time.monotonic() - arrived)
            send(reply)

    def _known(self, call: Call) -> str:
        """The method, as a label: callers must not be able to make new ones."""
        return call.method if call.method in self._methods else "unknown"

    def _answer(self, call: Call, arrived: float) -> Reply:
        """Never raises: a thread that ends is one that no longer answers."""
        if time.monotonic() - arrived > call.timeout_ms / 1_000:
            return Reply(id=call.id, code=CODE_DEADLINE_EXCEEDED, error="its time was over before its turn")
        method = self._methods.get(call.method)
        if method is None:
            return Reply(id=call.id, code=CODE_UNIMPLEMENTED, error=f"there is no method {call.method!r}")
        logs.request_id.set(call.request_id)
        carrier = {traces.TRACEPARENT: call.traceparent} if call.traceparent else {}
        try:
            with traces.span(call.method, traces.SpanKind.SERVER, carrier):
                response = method.handle(method.request.FromString(call.body))
            return Reply(id=call.id, code=CODE_UNSPECIFIED, body=response.SerializeToString())
        except RpcError as error:
            return Reply(id=call.id, code=error.code, error=error.message)
        except DecodeError:
            name = method.request.DESCRIPTOR.full_name
            return Reply(id=call.id, code=CODE_INVALID_ARGUMENT, error=f"the body is no {name}")
        except Exception:
            _log.exception("a call failed", method=call.method)
            return Reply(id=call.id, code=CODE_INTERNAL, error="the leaf failed; its log says why")


def _status(code: Code.ValueType) -> str:
    """As gRPC's codes are called in the metrics of the other services."""
    return "OK" if code == CODE_UNSPECIFIED else Code.Name(code).removeprefix("CODE_")


class _Connection(asyncio.Protocol):
    """One caller's connection."""

    def __init__(self, server: Server, loop: asyncio.AbstractEventLoop) -> None:
        self._server = server
        self._loop = loop
        self._frames = FrameReader()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._server.connected(self)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._transport = None
        self._server.disconnected(self)

    def data_received(self, data: bytes) -> None:
        try:
            for body in self._frames.feed(data):
                self._server.accept(Call.FromString(body), self, self._loop)
        except (FrameTooLargeError, DecodeError) as error:
            _log.warning("closed the connection of who does not speak our protocol", reason=str(error))
            self.close()

    def send(self, reply: Reply) -> None:
        """Send it, if somebody is still there to read it."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(frame(reply))

    def close(self) -> None:
        """Close it once what was written is sent."""
        if self._transport is not None:
            self._transport.close()
