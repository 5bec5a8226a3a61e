"""The root's side: one connection that carries many calls at once, and what keeps a leaf's connections up."""

import asyncio
import itertools
import socket
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar, cast

from google.protobuf.message import DecodeError, Message

from services.api.search.v1.search_pb2 import (
    CODE_DEADLINE_EXCEEDED,
    CODE_INTERNAL,
    CODE_UNAVAILABLE,
    CODE_UNSPECIFIED,
    Call,
    Reply,
)
from services.common import logs, traces
from services.search.rpc.frames import FrameReader, FrameTooLargeError, RpcError, frame

_log = logs.logger(__name__)
_CONNECT_SECONDS: Final = 2.0
_BACKOFF_SECONDS: Final = (0.05, 0.1, 0.2, 0.5, 1.0)
R = TypeVar("R", bound=Message)


class Connection(asyncio.Protocol):
    """A connection to one replica of a leaf. `usable` ends when either side closes it or the leaf says goodbye."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._frames = FrameReader()
        self._ids = itertools.count(1)
        self._calls: dict[int, asyncio.Future[Reply]] = {}
        self._loop = asyncio.get_running_loop()
        self.usable = False
        self.retired: Final = asyncio.Event()
        """Set when it stops being usable: time to connect anew."""
        self.replica = ""
        """Who is at the other end, once it was asked."""

    @property
    def in_flight(self) -> int:
        """Calls that wait for their answers."""
        return len(self._calls)

    async def call(self, method: str, request: Message, response: type[R], timeout_seconds: float) -> R:
        """Call a method. Raises RpcError, of code UNAVAILABLE when the connection breaks."""
        if self._transport is None or not self.usable:
            raise RpcError(CODE_UNAVAILABLE, "the connection is closed")
        headers: dict[str, str] = {}
        traces.inject(headers)
        identifier = next(self._ids) & 0xFFFF_FFFF
        call = Call(
            id=identifier,
            method=method,
            timeout_ms=max(1, int(timeout_seconds * 1_000)),
            request_id=logs.request_id.get(),
            traceparent=headers.get(traces.TRACEPARENT, ""),
            body=request.SerializeToString(),
        )
        answered: asyncio.Future[Reply] = self._loop.create_future()
        self._calls[identifier] = answered
        timer = self._loop.call_later(timeout_seconds, _time_out, answered, timeout_seconds)
        try:
            self._transport.write(frame(call))
            reply = await answered
        finally:
            timer.cancel()
            self._calls.pop(identifier, None)
        if reply.code != CODE_UNSPECIFIED:
            raise RpcError(reply.code, reply.error)
        try:
            return response.FromString(reply.body)
        except DecodeError:
            raise RpcError(CODE_INTERNAL, f"the answer is no {response.DESCRIPTOR.full_name}") from None

    def close(self) -> None:
        """Close it; calls under way fail."""
        self.usable = False
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio's."""
        self._transport = cast("asyncio.Transport", transport)
        self.usable = True

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio's."""
        self._retire()
        self._transport = None
        for answered in self._calls.values():
            if not answered.done():
                reason = f"the connection broke: {exc}" if exc else "the leaf closed the connection"
                answered.set_exception(RpcError(CODE_UNAVAILABLE, reason))

    def data_received(self, data: bytes) -> None:
        """asyncio's."""
        try:
            for body in self._frames.feed(data):
                self._take(Reply.FromString(body))
        except (FrameTooLargeError, DecodeError) as error:
            _log.warning("closed a connection to what is no leaf", reason=str(error))
            self.close()

    def _take(self, reply: Reply) -> None:
        if reply.id == 0:  # it is going away: what is under way will still be answered
            self._retire()
            return
        answered = self._calls.get(reply.id)
        if answered is not None and not answered.done():
            answered.set_result(reply)

    def _retire(self) -> None:
        self.usable = False
        self.retired.set()


def _time_out(answered: asyncio.Future[Reply], seconds: float) -> None:
    if not answered.done():
        error = RpcError(CODE_DEADLINE_EXCEEDED, f"no answer within {seconds * 1_000:.0f} ms")
        answered.set_exception(error)


class Connections:
    """What keeps connections to a leaf's address up, in the background, for as long as it is open.

    Args:
        address: `host:port`. A name with several addresses (a headless Service) gets a connection to each; one
            with a single address gets `minimum`, which a Service spreads over its replicas.
        greet: is called on every new connection before it is used; what it raises closes the connection.
    """

    def __init__(self, address: str, *, minimum: int, greet: Callable[[Connection], Awaitable[None]]) -> None:
        host, _, port = address.rpartition(":")
        self.address: Final = address
        self._host: Final = host.strip("[]")
        self._port: Final = int(port)
        self._minimum: Final = minimum
        self._greet: Final = greet
        self._live: list[Connection] = []
        self._tasks: list[asyncio.Task[None]] = []
        self.last_error = "not connected yet"

    def start(self) -> None:
        """Begin to connect."""
        self._tasks = [asyncio.create_task(self._keep_up(number)) for number in range(self._minimum)]

    def usable(self) -> list[Connection]:
        """Those that take calls now, the least busy first."""
        return sorted((each for each in self._live if each.usable), key=lambda each: each.in_flight)

    async def close(self) -> None:
        """Close all."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for connection in self._live:
            connection.close()

    async def _keep_up(self, number: int) -> None:
        """Connect, wait until the connection is closed or said goodbye to, and begin again."""
        loop = asyncio.get_running_loop()
        failures = 0
        while True:
            try:
                host = await self._resolve(number)
                async with asyncio.timeout(_CONNECT_SECONDS):
                    _, connection = await loop.create_connection(Connection, host, self._port)
                try:
                    await self._greet(connection)
                except BaseException:
                    connection.close()
                    raise
            except (OSError, TimeoutError, RpcError) as error:
                self.last_error = str(error) or type(error).__name__
                await asyncio.sleep(_BACKOFF_SECONDS[min(failures, len(_BACKOFF_SECONDS) - 1)])
                failures += 1
                continue
            failures = 0
            self._live.append(connection)
            try:
                await connection.retired.wait()
            finally:
                self._live.remove(connection)
            self.last_error = "the connection was closed"

    async def _resolve(self, number: int) -> str:
        """The host's addresses in turn: connection 0 to the first, 1 to the second, ..."""
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        addresses = sorted({str(entry[4][0]) for entry in found})
        return addresses[number % len(addresses)]
