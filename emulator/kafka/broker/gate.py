"""The door to a broker: the one address that clients are given, whatever port the broker itself has.

The gate keeps the address when the broker is started again, lets clients wait at the door until the topics are
there, and makes up for a few of the tansu broker's shortcomings in the requests it passes on: see
`emulator.kafka.broker.requests`.
"""

import asyncio
import socket
import threading
from typing import Final

import uvloop

from emulator.kafka.broker.fetches import Arrivals, HeldFetches
from emulator.kafka.broker.requests import Changes, NotKafkaError, Onward, Requests

_BACKLOG: Final = 512
_WRITE_BUFFER_BYTES: Final = 1 << 20


class Gate:
    """Listens on loopback from its making to `close`, in a thread of its own.

    Args:
        listener: a bound socket.
        insider: the Kafka client id that is let in before `open`.
        changes: made to requests.
    """

    def __init__(self, listener: socket.socket, insider: str, changes: Changes) -> None:
        self.port: int = listener.getsockname()[1]
        self.insider = insider
        self.changes = changes
        self.arrivals = Arrivals()
        self.broker_port = 0
        self.connections: set[Connection] = set()
        self.reachable, self.opened = asyncio.Event(), asyncio.Event()
        listener.listen(_BACKLOG)
        self._listener = listener
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._run, name=f"gate {self.port}", daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        """`host:port` for clients."""
        return f"127.0.0.1:{self.port}"

    def reach(self, broker_port: int) -> None:
        """The broker listens at this port of loopback: let the insider in."""
        self.broker_port = broker_port
        self._loop.call_soon_threadsafe(self.reachable.set)

    def open(self) -> None:
        """Let everybody in."""
        self._loop.call_soon_threadsafe(self.opened.set)

    def shut(self) -> None:
        """The broker is gone: who comes now, waits."""
        self._loop.call_soon_threadsafe(self.reachable.clear)
        self._loop.call_soon_threadsafe(self.opened.clear)

    def close(self) -> None:
        """Stop listening and hang up on everybody."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(
            self._loop.create_server(lambda: Connection(self, self._loop), sock=self._listener)
        )
        self._loop.run_forever()
        server.close()
        for connection in list(self.connections):
            connection.hang_up()
        self._loop.run_until_complete(server.wait_closed())
        self._loop.close()


class Connection(asyncio.Protocol):
    """A client's connection."""

    def __init__(self, gate: Gate, loop: asyncio.AbstractEventLoop) -> None:
        self.transport: asyncio.Transport
        self._gate = gate
        self._loop = loop
        self._requests = Requests(gate.changes)
        self._broker: asyncio.Transport | None = None
        self._fetches: HeldFetches | None = None
        self._waiting: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The client is there; what it wants, its first request will say."""
        self.transport = transport  # pyright: ignore[reportAttributeAccessIssue] - a TCP server's is a Transport
        self.transport.set_write_buffer_limits(_WRITE_BUFFER_BYTES)
        self._gate.connections.add(self)

    def data_received(self, data: bytes) -> None:
        """Pass on what may go on."""
        try:
            requests = self._requests.feed(data)
        except NotKafkaError:
            self.hang_up()
            return
        if self._fetches is not None:
            self._fetches.send(requests)
        elif requests:
            self.transport.pause_reading()
            self._waiting = self._loop.create_task(self._enter(requests))

    def answered(self, data: bytes) -> None:
        """Pass on what the broker answers."""
        self.transport.write(data)
        if self._fetches is not None:
            self._fetches.answered(len(data))
        if self._requests.produces:
            self._gate.arrivals.tell()

    async def _enter(self, requests: list[Onward]) -> None:
        inside = self._requests.client_id == self._gate.insider
        await (self._gate.reachable if inside else self._gate.opened).wait()
        try:
            broker, _ = await self._loop.create_connection(
                lambda: _BrokerSide(self), "127.0.0.1", self._gate.broker_port
            )
        except OSError:  # it has just died; clients try again by themselves
            self.hang_up()
            return
        broker.set_write_buffer_limits(_WRITE_BUFFER_BYTES)
        self._broker = broker
        self._fetches = HeldFetches(self._loop, self._gate.arrivals, broker.write)
        self._fetches.send(requests)
        self.transport.resume_reading()

    def pause_writing(self) -> None:
        """The client reads slowly: so do we."""
        if self._broker is not None:
            self._broker.pause_reading()

    def resume_writing(self) -> None:
        """The client has caught up."""
        if self._broker is not None:
            self._broker.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's interface
        """The client is gone."""
        self._gate.connections.discard(self)
        if self._waiting is not None:
            self._waiting.cancel()
        if self._fetches is not None:
            self._fetches.close()
        if self._broker is not None:
            self._broker.close()

    def hang_up(self) -> None:
        """End the connection at once."""
        self.transport.abort()
        if self._broker is not None:
            self._broker.abort()


class _BrokerSide(asyncio.Protocol):
    """The connection to the broker on behalf of a client."""

    def __init__(self, client: Connection) -> None:
        self._client = client

    def data_received(self, data: bytes) -> None:
        self._client.answered(data)

    def pause_writing(self) -> None:
        self._client.transport.pause_reading()

    def resume_writing(self) -> None:
        self._client.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's interface
        self._client.transport.close()
