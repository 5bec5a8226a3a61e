"""The connection between root and leaf: many calls at once, deadlines, overload, goodbyes, hedging."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import generate_latest

from services.api.search.v1.search_pb2 import (
    CODE_DEADLINE_EXCEEDED,
    CODE_INTERNAL,
    CODE_NOT_FOUND,
    CODE_RESOURCE_EXHAUSTED,
    CODE_UNAVAILABLE,
    CODE_UNIMPLEMENTED,
    Call,
    DescribeRequest,
    DescribeResponse,
    SearchPinsRequest,
    SearchPinsResponse,
)
from services.search.rpc.client import Connection
from services.search.rpc.frames import FrameReader, FrameTooLargeError, RpcError, frame
from services.search.rpc.server import Method, Server
from services.search.shard import Shard, SlowAnswers

Handler = Callable[[SearchPinsRequest], SearchPinsResponse]


def describe(shard: int = 0, shards: int = 1, replica: str = "a") -> Method:
    return Method(DescribeRequest, lambda _: DescribeResponse(shard=shard, shards=shards, replica=replica))


def echo(request: SearchPinsRequest) -> SearchPinsResponse:
    return SearchPinsResponse(total=request.limit)


@asynccontextmanager
async def serving(
    search: Handler, *, threads: int = 2, waiting: int = 256
) -> AsyncIterator[tuple[Server, Connection]]:
    server = Server(
        {"SearchPins": Method(SearchPinsRequest, search), "Describe": describe()},
        threads=threads,
        waiting=waiting,
    )
    port = await server.start("127.0.0.1", 0)
    _, connection = await asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", port)
    try:
        yield server, connection
    finally:
        connection.close()
        await server.stop(1)


async def ask(connection: Connection, limit: int = 1, timeout: float = 10) -> SearchPinsResponse:
    return await connection.call("SearchPins", SearchPinsRequest(limit=limit), SearchPinsResponse, timeout)


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(30):
            await scenario()

    asyncio.run(bounded())


@given(st.lists(st.binary(max_size=64), max_size=8), st.integers(1, 40))
def test_frames_come_out_as_they_went_in_however_they_are_cut(bodies: list[bytes], size: int) -> None:
    stream = b"".join(frame(Call(id=1, body=body)) for body in bodies)
    reader = FrameReader()
    pieces = (stream[start : start + size] for start in range(0, len(stream), size))
    assert [Call.FromString(found).body for piece in pieces for found in reader.feed(piece)] == bodies


def test_a_frame_that_is_announced_too_large_is_refused() -> None:
    with pytest.raises(FrameTooLargeError):
        list(FrameReader().feed(b"GET / HTTP/1.1\r\n"))


def test_many_calls_share_a_connection() -> None:
    async def scenario() -> None:
        async with serving(echo) as (_, connection):
            answers = await asyncio.gather(*(ask(connection, limit) for limit in range(1, 101)))
        assert [answer.total for answer in answers] == list(range(1, 101))

    run(scenario)


def test_what_a_handler_raises_comes_back_as_a_code() -> None:
    def search(request: SearchPinsRequest) -> SearchPinsResponse:
        if request.limit == 1:
            raise RpcError(CODE_NOT_FOUND, "not here")
        raise ValueError("internal things")

    async def scenario() -> None:
        async with serving(search) as (_, connection):
            with pytest.raises(RpcError) as not_found:
                await ask(connection, 1)
            with pytest.raises(RpcError) as internal:
                await ask(connection, 2)
            with pytest.raises(RpcError) as unknown:
                await connection.call("Nothing", DescribeRequest(), DescribeResponse, 1)
            assert (await connection.call("Describe", DescribeRequest(), DescribeResponse, 1)).replica == "a"
        assert (not_found.value.code, not_found.value.message) == (CODE_NOT_FOUND, "not here")
        assert internal.value.code == CODE_INTERNAL
        assert "internal things" not in internal.value.message
        assert unknown.value.code == CODE_UNIMPLEMENTED

    run(scenario)


def test_calls_end_at_their_deadline_and_are_not_begun_after_it() -> None:
    release = threading.Event()
    begun: list[int] = []

    def search(request: SearchPinsRequest) -> SearchPinsResponse:
        begun.append(request.limit)
        release.wait(10)
        return echo(request)

    async def scenario() -> None:
        async with serving(search, threads=1) as (_, connection):
            blocking = asyncio.create_task(ask(connection, 1))
            while not begun:
                await asyncio.sleep(0.001)
            with pytest.raises(RpcError) as late:
                await ask(connection, 2, timeout=0.05)
            release.set()
            assert (await blocking).total == 1
            assert (await ask(connection, 3)).total == 3
        assert late.value.code == CODE_DEADLINE_EXCEEDED
        assert begun == [1, 3]

    run(scenario)


def test_more_calls_than_may_wait_are_refused_at_once() -> None:
    release = threading.Event()

    def search(request: SearchPinsRequest) -> SearchPinsResponse:
        release.wait(10)
        return echo(request)

    async def scenario() -> None:
        async with serving(search, threads=1, waiting=2) as (_, connection):
            calls = [asyncio.create_task(ask(connection, n)) for n in range(1, 6)]
            done, _ = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
            while len(done) < 2:
                done, _ = await asyncio.wait(calls, timeout=0.01)
            release.set()
            outcomes = await asyncio.gather(*calls, return_exceptions=True)
        refused = [each for each in outcomes if isinstance(each, RpcError)]
        assert [each.code for each in refused] == [CODE_RESOURCE_EXHAUSTED] * 2
        assert sum(isinstance(each, SearchPinsResponse) for each in outcomes) == 3

    run(scenario)


def test_a_server_that_stops_says_so_and_answers_what_was_begun() -> None:
    begun, release = threading.Event(), threading.Event()

    def search(request: SearchPinsRequest) -> SearchPinsResponse:
        begun.set()
        release.wait(10)
        return echo(request)

    async def scenario() -> None:
        async with serving(search) as (server, connection):
            call = asyncio.create_task(ask(connection, 7))
            await asyncio.to_thread(begun.wait, 10)
            stopping = asyncio.create_task(server.stop(10))
            await connection.retired.wait()
            with pytest.raises(RpcError) as refused:
                await ask(connection)
            release.set()
            assert (await call).total == 7
            await stopping
        assert refused.value.code == CODE_UNAVAILABLE

    run(scenario)


def test_a_connection_that_breaks_fails_its_calls() -> None:
    begun = threading.Event()
    release = threading.Event()

    def search(request: SearchPinsRequest) -> SearchPinsResponse:
        begun.set()
        release.wait(10)
        return echo(request)

    async def scenario() -> None:
        async with serving(search) as (_, connection):
            call = asyncio.create_task(ask(connection))
            await asyncio.to_thread(begun.wait, 10)
            connection.close()
            with pytest.raises(RpcError) as broken:
                await call
            release.set()
        assert broken.value.code == CODE_UNAVAILABLE

    run(scenario)


def test_who_speaks_something_else_is_sent_away() -> None:
    async def scenario() -> None:
        async with serving(echo) as (server, _):
            port = server.port
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET / HTTP/1.1\r\nhost: leaf\r\n\r\n")
            assert await reader.read() == b""
            writer.close()

    run(scenario)


@asynccontextmanager
async def replicas(*searches: Handler, shard: int = 0) -> AsyncIterator[Shard]:
    """A shard whose address leads to several replicas in turn, as that of a Service does."""
    servers = [
        Server(
            {
                "SearchPins": Method(SearchPinsRequest, search),
                "Describe": describe(shard=shard, replica=f"replica-{number}"),
            },
            threads=2,
        )
        for number, search in enumerate(searches)
    ]
    ports = [await server.start("127.0.0.1", 0) for server in servers]
    turns = iter(range(1_000))

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        port = ports[next(turns) % len(ports)]
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", port)

        async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
            try:
                while data := await source.read(65_536):
                    sink.write(data)
            except ConnectionError:
                pass
            sink.close()

        await asyncio.gather(pump(reader, up_writer), pump(up_reader, writer))

    proxy = await asyncio.start_server(forward, "127.0.0.1", 0)
    address = f"127.0.0.1:{proxy.sockets[0].getsockname()[1]}"
    made = Shard(0, 1, address, connections=len(searches), hedge=True)
    made.start()
    try:
        yield made
    finally:
        await made.close()
        proxy.close()
        for server in servers:
            await server.stop(0)


async def up(shard: Shard, connections: int) -> None:
    while len(shard.connected()) < connections:
        await asyncio.sleep(0.001)


async def call(shard: Shard, limit: int = 1, timeout: float = 20) -> int:
    answer = await shard.call("SearchPins", SearchPinsRequest(limit=limit), SearchPinsResponse, timeout)
    return answer.total


def test_another_replica_is_asked_when_one_is_slow() -> None:
    slow, blocked, release = threading.Event(), threading.Event(), threading.Event()

    def search(request: SearchPinsRequest) -> SearchPinsResponse:
        if slow.is_set() and not blocked.is_set():
            blocked.set()
            release.wait(20)
        return echo(request)

    async def scenario() -> None:
        async with replicas(search, search) as shard:
            await up(shard, 2)
            for _ in range(64):
                assert await call(shard) == 1
            slow.set()
            assert await call(shard, 5) == 5
            assert not release.is_set()
            assert shard.hedged >= 1
            release.set()

    run(scenario)


def test_another_replica_is_asked_when_one_fails() -> None:
    def broken(_: SearchPinsRequest) -> SearchPinsResponse:
        raise RpcError(CODE_UNAVAILABLE, "not caught up")

    async def scenario() -> None:
        async with replicas(broken, echo) as shard:
            await up(shard, 2)
            assert [await call(shard, n) for n in range(1, 9)] == list(range(1, 9))

    run(scenario)


def test_a_leaf_of_another_shard_is_not_asked() -> None:
    async def scenario() -> None:
        async with replicas(echo, shard=3) as shard:
            while "SEARCH_LEAVES" not in (reason := shard.unready() or ""):
                await asyncio.sleep(0.001)
            assert "is shard 3 of 1" in reason
            with pytest.raises(RpcError):
                await call(shard)

    run(scenario)


def test_slow_is_what_takes_longer_than_95_of_100() -> None:
    answers = SlowAnswers(window=100, least=10)
    assert answers.after is None
    for milliseconds in [*range(1_000, 2_000), *range(100)]:
        answers.add(milliseconds / 1_000)
    assert answers.after == 0.095


def test_an_answer_counts_as_ok_and_a_caller_s_invention_as_unknown():
    async def go() -> None:
        async with serving(echo) as (_, connection):
            await ask(connection)
            with pytest.raises(RpcError):
                await connection.call("Invented", SearchPinsRequest(), SearchPinsResponse, 10)

    asyncio.run(go())
    told = generate_latest().decode()
    assert 'requests_total{method="SearchPins",protocol="rpc",route="",status="OK"}' in told
    assert 'requests_total{method="unknown",protocol="rpc",route="",status="UNIMPLEMENTED"}' in told
    assert "Invented" not in told
