# ruff: noqa: T201 - it prints a table
"""What a call from root to leaf costs, by transport: `python -m services.search.rpc.benchmark`.

One leaf process answers with ten hits after a little native work (a hash, which releases the GIL as tantivy does);
the root's side keeps a number of calls in flight from one event loop, as a root does. CPU time of both processes
a call is the figure to trust: it hardly moves with what else the machine does. Decision 14 draws the conclusion.
"""

import argparse
import asyncio
import hashlib
import multiprocessing
import resource
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from multiprocessing.connection import Connection as Pipe
from typing import Final

import grpc
import grpc.aio
import uvloop

from services.api.search.v1 import search_pb2_grpc
from services.api.search.v1.search_pb2 import PinHit, SearchPinsRequest, SearchPinsResponse
from services.search.rpc.client import Connection
from services.search.rpc.server import Method, Server

Call = Callable[[SearchPinsRequest], Awaitable[SearchPinsResponse]]

_THREADS: Final = 4
_HASH_ROUNDS: Final = 400
_TIMEOUT_SECONDS: Final = 10
_WARM_CALLS: Final = 50


def answer(request: SearchPinsRequest) -> SearchPinsResponse:
    """What every transport carries."""
    hashlib.pbkdf2_hmac("sha256", request.text.encode(), b"salt", _HASH_ROUNDS)
    hits = [
        PinHit(
            pin_id=10**17 + rank,
            board_id=10**16 + rank,
            owner_id=10**15 + rank,
            score=1 / (rank + 1),
            title="Scandinavian living room with warm lights",
            link="https://example.com/a/page/of/some/length",
            image_key="originals/ab/cd/0123456789abcdef.jpg",
            board_name="Home ideas",
            saves=rank,
        )
        for rank in range(request.limit)
    ]
    return SearchPinsResponse(hits=hits, total=1_000, total_exact=True)


class _SyncLeaf(search_pb2_grpc.SearchLeafServiceServicer):
    def SearchPins(  # noqa: N802 - gRPC's name
        self, request: SearchPinsRequest, context: grpc.ServicerContext
    ) -> SearchPinsResponse:
        del context
        return answer(request)


class _AsyncLeaf(search_pb2_grpc.SearchLeafServiceServicer):
    def __init__(self) -> None:
        self._executor = ThreadPoolExecutor(_THREADS)

    async def SearchPins(  # noqa: N802  # pyright: ignore[reportIncompatibleMethodOverride]
        self, request: SearchPinsRequest, context: grpc.ServicerContext
    ) -> SearchPinsResponse:
        del context
        return await asyncio.get_running_loop().run_in_executor(self._executor, answer, request)


def serve(transport: str, pipe: Pipe) -> None:
    """The leaf's process: sends its port, and at the end the CPU time that it used."""
    uvloop.run(_serve(transport, pipe))
    pipe.send(_cpu_seconds())


async def _serve(transport: str, pipe: Pipe) -> None:
    if transport == "frames":
        server = Server({"SearchPins": Method(SearchPinsRequest, answer)}, threads=_THREADS)
        pipe.send(await server.start("127.0.0.1", 0))
        await asyncio.to_thread(pipe.recv)
        await server.stop(0)
    elif transport == "grpc threads":
        threaded = grpc.server(ThreadPoolExecutor(_THREADS))
        search_pb2_grpc.add_SearchLeafServiceServicer_to_server(
            _SyncLeaf(),  # pyright: ignore[reportAbstractUsage] - one method is enough here
            threaded,
        )
        pipe.send(threaded.add_insecure_port("127.0.0.1:0"))
        threaded.start()
        await asyncio.to_thread(pipe.recv)
        threaded.stop(None)
    else:
        concurrent = grpc.aio.server()
        search_pb2_grpc.add_SearchLeafServiceServicer_to_server(
            _AsyncLeaf(),  # pyright: ignore[reportAbstractUsage]
            concurrent,
        )
        pipe.send(concurrent.add_insecure_port("127.0.0.1:0"))
        await concurrent.start()
        await asyncio.to_thread(pipe.recv)
        await concurrent.stop(None)


async def ask(transport: str, port: int, in_flight: int, calls: int) -> tuple[float, float, float, float]:
    """Calls a second, 50th and 99th percentile in ms, and CPU seconds of the root's side."""
    if transport == "frames":
        _, connection = await asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", port)

        async def call(request: SearchPinsRequest) -> SearchPinsResponse:
            return await connection.call("SearchPins", request, SearchPinsResponse, _TIMEOUT_SECONDS)
    else:
        stub = search_pb2_grpc.SearchLeafServiceStub(grpc.aio.insecure_channel(f"127.0.0.1:{port}"))

        async def call(request: SearchPinsRequest) -> SearchPinsResponse:
            return await stub.SearchPins(request, timeout=_TIMEOUT_SECONDS)

    await _repeat(call, _WARM_CALLS)
    began, cpu = time.perf_counter(), _cpu_seconds()
    workers = await asyncio.gather(*(_repeat(call, calls // in_flight) for _ in range(in_flight)))
    took = sorted(chain.from_iterable(workers))
    elapsed, used = time.perf_counter() - began, _cpu_seconds() - cpu
    return len(took) / elapsed, took[len(took) // 2] * 1e3, took[int(len(took) * 0.99)] * 1e3, used


async def _repeat(call: Call, count: int) -> list[float]:
    """Seconds of each call."""
    request = SearchPinsRequest(text="warm living room", limit=10)
    took: list[float] = []
    for _ in range(count):
        began = time.perf_counter()
        await call(request)
        took.append(time.perf_counter() - began)
    return took


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(prog="services.search.rpc.benchmark")
    parser.add_argument("--calls", type=int, default=6_400, help="of each row")
    calls = parser.parse_args().calls
    began = time.process_time()
    for _ in range(calls // 10):
        answer(SearchPinsRequest(text="x", limit=10)).SerializeToString()
    print(f"the answer itself takes {(time.process_time() - began) / (calls // 10) * 1e6:.0f} us")
    print("transport      in flight  calls/s  p50 ms  p99 ms  CPU root us  CPU leaf us")
    context = multiprocessing.get_context("spawn")
    for in_flight in (1, 8, 32):
        for transport in ("grpc.aio", "grpc threads", "frames"):
            ours, theirs = context.Pipe()
            leaf = context.Process(target=serve, args=(transport, theirs))
            leaf.start()
            rate, p50, p99, root_cpu = uvloop.run(ask(transport, ours.recv(), in_flight, calls))
            ours.send(None)
            leaf_cpu = ours.recv()
            leaf.join()
            costs = f"{root_cpu / calls * 1e6:11.0f}  {leaf_cpu / calls * 1e6:11.0f}"
            print(f"{transport:14} {in_flight:9}  {rate:7.0f}  {p50:6.2f}  {p99:6.2f}  {costs}", flush=True)


if __name__ == "__main__":
    main()
