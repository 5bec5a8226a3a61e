"""The life of a service's process: start, serve until SIGTERM, drain, stop what was started, end.

    async def start(lifetime: Lifetime) -> None:
        database = await connect(settings)
        lifetime.on_stop("database", database.close)
        lifetime.operations.ready_when("database", database.check)
        await http.serve(create(database), lifetime)

    run(settings, start)

What was started last is stopped first, as in a stack of context managers: servers finish their requests while what
they need still runs.
"""

import asyncio
import inspect
import signal
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Final, NoReturn

import uvloop

from services.common import logs, traces
from services.common.operations import Operations
from services.common.settings import CommonSettings

Stop = Callable[[], Awaitable[None] | None]
"""Returns when everything of it has ended."""

EXIT_FAILED = 1
_BEAT_SECONDS: Final = 1.0
_LOOP_HANGS_SECONDS: Final = 30.0
_log = logs.logger(__name__)


class Lifetime:
    """What runs in one process, and how it ends."""

    def __init__(self, settings: CommonSettings, operations: Operations | None = None) -> None:
        self.settings = settings
        self.operations = operations or Operations(settings)
        self.stopping = threading.Event()
        """Set at SIGTERM: threads that loop look at it."""
        self._loop = asyncio.get_running_loop()
        self._told = asyncio.Event()
        self._told_at = 0.0
        self._failure: str | None = None
        self._stops: list[tuple[str, Stop]] = []
        self._drain: asyncio.Future[None] | None = None

    def on_stop(self, name: str, stop: Stop) -> None:
        """Call `stop` at the end, before those that were added earlier."""
        self._stops.append((name, stop))

    def fail(self, reason: str) -> None:
        """End the process with 1, in good order: something that must run has ended. From any thread."""
        self._loop.call_soon_threadsafe(self._tell, reason)

    def stop(self) -> None:
        """End the process as SIGTERM does. From any thread."""
        self._loop.call_soon_threadsafe(self._tell, None)

    async def told(self) -> None:
        """Wait until the process is told to end."""
        await self._told.wait()

    async def drain(self) -> None:
        """Wait until nobody sends anything new: what forwards requests here has seen that it is not ready.

        A server awaits this before it closes its port. However many servers do, it is waited for once.
        """
        if self._drain is None:
            self._drain = asyncio.ensure_future(asyncio.sleep(self.settings.shutdown_drain_seconds))
        await asyncio.shield(self._drain)

    def seconds_left(self) -> float:
        """Of the grace; what is in flight may take as long."""
        if not self._told.is_set():
            return self.settings.shutdown_grace_seconds
        return max(0.0, self._told_at + self.settings.shutdown_grace_seconds - time.monotonic())

    async def live(self, start: Callable[["Lifetime"], Awaitable[None]]) -> int:
        """Start, serve until told, stop. Returns the process's exit status."""
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._tell, None)
        beat = asyncio.ensure_future(self._watch_loop())
        self.operations.start()
        try:
            starting = asyncio.ensure_future(start(self))
            told = asyncio.ensure_future(self._told.wait())
            await asyncio.wait({starting, told}, return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                starting.result()
                self.operations.started()
                _log.info("started")
                await told
            else:
                starting.cancel()
                await asyncio.wait({starting})
        except Exception as error:
            _log.exception("could not start")
            self._tell(f"could not start: {type(error).__name__}")
        await self._stop()
        beat.cancel()
        self.operations.stop()
        return 0 if self._failure is None else EXIT_FAILED

    def _tell(self, failure: str | None) -> None:
        if self._told.is_set():
            return
        self._failure = failure
        self._told_at = time.monotonic()
        self.operations.ready_when("leaving", lambda: "it is leaving")
        _log.info("leaving", reason=failure or "told to")
        self.stopping.set()
        self._told.set()

    async def _stop(self) -> None:
        for name, stop in reversed(self._stops):
            try:
                async with asyncio.timeout(self.seconds_left()):
                    await _called(stop)
            except TimeoutError:
                self._failure = f"{name} did not stop within the grace"
                _log.error("did not stop within SHUTDOWN_GRACE_SECONDS", what=name)
            except Exception:
                self._failure = f"{name} failed to stop"
                _log.exception("failed to stop", what=name)

    async def _watch_loop(self) -> None:
        beat = time.monotonic()

        def check() -> str | None:
            late = time.monotonic() - beat
            return f"nothing ran for {late:.0f} s" if late > _LOOP_HANGS_SECONDS else None

        self.operations.alive_when("event loop", check)
        while True:
            beat = time.monotonic()
            await asyncio.sleep(_BEAT_SECONDS)


async def _called(stop: Stop) -> None:
    if inspect.iscoroutinefunction(stop):
        await stop()
        return
    # What blocks must not keep the loop from serving what else still runs.
    result = await asyncio.to_thread(stop)
    if result is not None:
        await result


def run(settings: CommonSettings, start: Callable[[Lifetime], Awaitable[None]]) -> NoReturn:
    """Be a service: logs, traces, operations, `start`, until SIGTERM. Ends the process: 0, or 1 after a failure."""
    logs.configure(settings)
    traces.configure(settings)

    async def live() -> int:
        return await Lifetime(settings).live(start)

    status = uvloop.run(live())
    traces.stop()
    sys.exit(status)
