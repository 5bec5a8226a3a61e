"""Runs the controllers: each change of the store queues the objects that it concerns, and each is looked at once.

A controller never waits: `reconcile` reads the store, writes it, and returns. It is called again whenever
something that concerns the object changes, or after the seconds that it asked for. So it must be
level-triggered: it looks at what is, not at what happened.
"""

import asyncio
import contextlib
import heapq
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from emulator.cluster.status import ApiError
from emulator.cluster.store import Event, Key, Store

_LOG = logging.getLogger(__name__)
_RETRY_SECONDS = 1.0


class Controller(Protocol):
    """One controller."""

    def concerned(self, event: Event) -> Iterable[Key]:
        """The keys of this controller's own objects that a change concerns."""
        ...

    def reconcile(self, key: Key) -> float | None:
        """Bring one object a step closer to what it says; returns after how many seconds to look again."""
        ...


class Manager:
    """The queue of all controllers. `monotonic` is a clock in seconds."""

    def __init__(
        self, store: Store, controllers: Sequence[Controller], monotonic: Callable[[], float]
    ) -> None:
        self._controllers = controllers
        self._monotonic = monotonic
        self._queue: dict[tuple[int, Key], None] = {}
        """In the order of arrival, each once."""
        self._timers: list[tuple[float, int, Key]] = []
        self._due: dict[tuple[int, Key], float] = {}
        """The time that the last look at an object asked for; its other timers are void."""
        self._wake = asyncio.Event()
        store.subscribe(self._note)

    def _note(self, event: Event) -> None:
        for place, controller in enumerate(self._controllers):
            try:
                for key in controller.concerned(event):
                    self._queue.setdefault((place, key))
            except Exception:  # whoever has made the change is not to blame
                _LOG.exception("%s, told of %s", type(controller).__name__, event.key)
        if self._queue:
            self._wake.set()

    def settle(self) -> None:
        """Work until nothing is queued. Timers that are due count."""
        while True:
            self._queue_due()
            if not self._queue:
                return
            self.step()

    def step(self) -> None:
        """Reconcile the object that has waited longest."""
        place, key = next(iter(self._queue))
        del self._queue[place, key]
        try:
            again = self._controllers[place].reconcile(key)
        except ApiError as refusal:  # somebody was faster, or what it refers to is not there yet
            _LOG.debug("%s %s: %s", type(self._controllers[place]).__name__, key, refusal.message)
            again = _RETRY_SECONDS
        except Exception:
            _LOG.exception("%s %s", type(self._controllers[place]).__name__, key)
            again = _RETRY_SECONDS
        self._due.pop((place, key), None)
        if again is not None:
            self._due[place, key] = due = self._monotonic() + again
            heapq.heappush(self._timers, (due, place, key))

    async def run(self) -> None:
        """Work for ever, giving way to requests after each object."""
        while True:
            while self._queue:
                self.step()
                await asyncio.sleep(0)
                self._queue_due()
            self._wake.clear()
            timeout = max(0.0, self._timers[0][0] - self._monotonic()) if self._timers else None
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), timeout)
            self._queue_due()

    def _queue_due(self) -> None:
        now = self._monotonic()
        while self._timers and self._timers[0][0] <= now:
            due, place, key = heapq.heappop(self._timers)
            if self._due.get((place, key)) == due:
                self._queue.setdefault((place, key))
