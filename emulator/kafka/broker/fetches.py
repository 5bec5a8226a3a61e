"""Long polls for a broker that has none: a consumer that has read everything waits here until something comes.

A Fetch that asks for the same as the one before found nothing new. It is held until the broker has answered any
producer since that one went on, or until its wait is over. So an idle consumer costs two requests a second rather
than fifty, and what is produced is read at once. Under load a consumer is given a little more at a time.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

from emulator.kafka.broker.requests import Onward

_PAUSE_SECONDS: Final = 0.05
"""Between two fetches of one connection, unless it is catching up: each looks at all its partitions."""
_CATCHING_UP_BYTES: Final = 32_768
"""An answer of so many bytes says that there is more."""


class Arrivals:
    """What producers were told, on all connections of one broker."""

    def __init__(self) -> None:
        self.count = 0
        self.waiting: set[HeldFetches] = set()

    def tell(self) -> None:
        """A producer was answered: something may be there."""
        self.count += 1
        for held in list(self.waiting):
            held.arrived()


class HeldFetches:
    """One connection's way on, in order: what comes behind a Fetch that is held waits with it, as at a real broker."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, arrivals: Arrivals, write: Callable[[bytes], None]
    ) -> None:
        self._loop = loop
        self._arrivals = arrivals
        self._write = write
        self._queue: deque[Onward] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._seen = 0
        """Arrivals when the last Fetch went on."""
        self._sent_at = 0.0
        self._received = 0
        """Bytes that the broker has answered since."""

    def send(self, parts: list[Onward]) -> None:
        """Pass on what may go on now."""
        self._queue.extend(parts)
        if self._timer is None:
            self._drain()

    def answered(self, size: int) -> None:
        """The broker has answered so many bytes."""
        self._received += size

    def arrived(self) -> None:
        """What is held may go on soon."""
        self._hold(max(0.0, self._pause))
        self._arrivals.waiting.discard(self)

    def close(self) -> None:
        """The client is gone."""
        self._queue.clear()
        self._arrivals.waiting.discard(self)
        if self._timer is not None:
            self._timer.cancel()

    def _drain(self) -> None:
        while self._queue:
            patience = self._queue[0].patience
            if patience and self._arrivals.count == self._seen:
                self._arrivals.waiting.add(self)
                self._hold(patience)
                return
            if patience is not None and self._pause > 0:
                self._hold(self._pause)
                return
            self._pass_on()

    @property
    def _pause(self) -> float:
        """Seconds until the next fetch may go on."""
        if self._received >= _CATCHING_UP_BYTES:
            return 0.0
        return self._sent_at + _PAUSE_SECONDS - self._loop.time()

    def _hold(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(seconds, self._release)

    def _release(self) -> None:
        self._timer = None
        self._arrivals.waiting.discard(self)
        self._pass_on()
        self._drain()

    def _pass_on(self) -> None:
        part = self._queue.popleft()
        if part.patience is not None:
            self._seen, self._sent_at = self._arrivals.count, self._loop.time()
            self._received = 0
        self._write(part.data)
