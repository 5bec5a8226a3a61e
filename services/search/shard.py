"""One shard as the root sees it: connections to its replicas, deadlines, and a second request when one is slow."""

import asyncio
import bisect
from collections import deque
from typing import Final, TypeVar

from google.protobuf.message import Message
from prometheus_client import Counter, Histogram

from services.api.search.v1.search_pb2 import (
    CODE_DEADLINE_EXCEEDED,
    CODE_INTERNAL,
    CODE_RESOURCE_EXHAUSTED,
    CODE_UNAVAILABLE,
    DescribeRequest,
    DescribeResponse,
)
from services.common import logs
from services.search.rpc.client import Connection, Connections
from services.search.rpc.frames import RpcError

SHARD_SECONDS: Final = Histogram(
    "search_shard_seconds",
    "From a call to a shard to its first answer, hedged or not.",
    ["shard"],
    buckets=(0.0005, 0.001, 0.002, 0.004, 0.006, 0.01, 0.02, 0.05, 0.1, 0.25, 1.0),
)
HEDGES: Final = Counter(
    "search_hedged_calls", "Second requests to another replica, by who answered first.", ["won"]
)
SHARD_FAILURES: Final = Counter(
    "search_shard_failures", "Shards missing from an answer, by why.", ["shard", "code"]
)
TRANSIENT: Final = (CODE_UNAVAILABLE, CODE_DEADLINE_EXCEEDED, CODE_RESOURCE_EXHAUSTED, CODE_INTERNAL)
"""The shard is missing; any other code is about the request."""
_GREETING_SECONDS: Final = 2.0
_HEDGE_QUANTILE: Final = 0.95
_HEDGE_BUDGET: Final = 0.1
"""Second requests, as a share of the first at most: hedging must not double the load of slow leaves."""
R = TypeVar("R", bound=Message)
_log = logs.logger(__name__)


class SlowAnswers:
    """When an answer counts as slow: the 95th percentile of the last ones."""

    def __init__(self, window: int = 512, least: int = 32) -> None:
        self._recent: Final[deque[float]] = deque()
        self._sorted: Final[list[float]] = []
        self._window: Final = window
        self._least: Final = least

    def add(self, seconds: float) -> None:
        """An answer came after so long."""
        if len(self._recent) == self._window:
            del self._sorted[bisect.bisect_left(self._sorted, self._recent.popleft())]
        self._recent.append(seconds)
        bisect.insort(self._sorted, seconds)

    @property
    def after(self) -> float | None:
        """Seconds; None while too few are known."""
        if len(self._sorted) < self._least:
            return None
        return self._sorted[int(len(self._sorted) * _HEDGE_QUANTILE)]


class Shard:
    """Calls one shard.

    Args:
        number: which shard it is; a leaf that says it is another is not used.
        shards: how many there are.
        address: `host:port` of its leaf, or of the Service before several.
    """

    def __init__(self, number: int, shards: int, address: str, *, connections: int, hedge: bool) -> None:
        self.number: Final = number
        self._shards: Final = shards
        self._connections: Final = Connections(address, minimum=connections, greet=self._greet)
        self._hedge: Final = hedge
        self._slow: Final = SlowAnswers()
        self._calls = 0
        self.hedged = 0
        """Second requests of late, made because a first was slow."""
        self._seconds = SHARD_SECONDS.labels(str(number))

    def start(self) -> None:
        """Begin to connect."""
        self._connections.start()

    async def close(self) -> None:
        """Close connections."""
        await self._connections.close()

    def connected(self) -> set[str]:
        """The replicas that can be called now."""
        return {connection.replica for connection in self._connections.usable()}

    def unready(self) -> str | None:
        """Why it cannot be called now."""
        if self._connections.usable():
            return None
        return f"shard {self.number} at {self._connections.address}: {self._connections.last_error}"

    async def call(self, method: str, request: Message, response: type[R], timeout_seconds: float) -> R:
        """Call one replica, and another one too if it is slow. Raises RpcError; counts what is transient."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            answer = await self._call(method, request, response, timeout_seconds)
        except RpcError as error:
            if error.code in TRANSIENT:
                SHARD_FAILURES.labels(str(self.number), str(error).partition(":")[0]).inc()
            raise
        seconds = loop.time() - began
        self._slow.add(seconds)
        self._seconds.observe(seconds)
        return answer

    async def _call(self, method: str, request: Message, response: type[R], timeout_seconds: float) -> R:
        usable = self._connections.usable()
        if not usable:
            raise RpcError(CODE_UNAVAILABLE, self._connections.last_error)
        first = usable[0]
        second = next((each for each in usable if each.replica != first.replica), None)
        self._calls += 1
        if second is None:
            return await first.call(method, request, response, timeout_seconds)
        return await self._call_either(first, second, method, request, response, timeout_seconds)

    async def _call_either(  # noqa: PLR0917 - a call, and whom to ask
        self,
        first: Connection,
        second: Connection,
        method: str,
        request: Message,
        response: type[R],
        timeout_seconds: float,
    ) -> R:
        """The first good answer: the second is asked when the first fails, or is slow and the budget allows."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_seconds
        patience = self._slow.after if self._hedge and self._within_budget() else None
        calls = {loop.create_task(first.call(method, request, response, timeout_seconds)): first}
        try:
            wait = timeout_seconds if patience is None else min(patience, timeout_seconds)
            await asyncio.wait(calls, timeout=wait)
            ((task, _),) = calls.items()
            if task.done() and not _failed(task):
                return task.result()
            if not task.done():
                self.hedged += 1
            left = max(0.001, deadline - loop.time())
            calls[loop.create_task(second.call(method, request, response, left))] = second
            answer, winner = await _first_good(calls)
        finally:
            for task in calls:
                if not task.done():
                    task.cancel()
        if winner is second:
            HEDGES.labels("second").inc()
        else:
            HEDGES.labels("first").inc()
        return answer

    def _within_budget(self) -> bool:
        if self._calls > 1_000:  # noqa: PLR2004 - forget what was long ago
            self._calls //= 2
            self.hedged //= 2
        return self.hedged <= self._calls * _HEDGE_BUDGET

    async def _greet(self, connection: Connection) -> None:
        """Find out who is there. Raises RpcError when it is not a replica of this shard."""
        about = await connection.call("Describe", DescribeRequest(), DescribeResponse, _GREETING_SECONDS)
        if (about.shard, about.shards) != (self.number, self._shards):
            error = (
                f"the leaf at {self._connections.address} is shard {about.shard} of {about.shards}, but "
                f"SEARCH_LEAVES has it as shard {self.number} of {self._shards}"
            )
            _log.error("a leaf is not the one that was named", reason=error)
            raise RpcError(CODE_UNAVAILABLE, error)
        connection.replica = about.replica


def _failed(task: "asyncio.Task[R]") -> bool:
    error = task.exception()
    return isinstance(error, RpcError) and error.code in TRANSIENT


async def _first_good(calls: "dict[asyncio.Task[R], Connection]") -> tuple[R, Connection]:
    """The first answer that did not fail for a passing reason; else the last failure is raised."""
    pending = set(calls)
    task = next(iter(calls))
    while pending:
        done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            if not _failed(task):
                return task.result(), calls[task]
    return task.result(), calls[task]
