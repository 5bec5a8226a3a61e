"""Micro-batching: what arrives within a few milliseconds goes through the model together.

On a GPU a batch of 16 takes little longer than one input; on a CPU a batch saves the calls, not the arithmetic. Under
load, what arrives while a batch runs is the next one. An input waits for others only while some are on their way (see
`MicroBatcher.coming`), so that a lone caller waits for nobody.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from services.ml import metrics

Item = TypeVar("Item")
Result = TypeVar("Result")


class OverloadedError(Exception):
    """More waits than can be done in time. The caller comes back later, with back-off."""


class ExpiredError(Exception):
    """The caller went away, or its deadline passed before its turn: the work was not done."""


class Admission:
    """How many inputs may be inside at once, from reading to answering: the bound of every queue here.

    Args:
        kind: of inputs, for metrics: images, texts.
        limit: more are refused.
    """

    def __init__(self, kind: str, limit: int) -> None:
        self.kind: Final = kind
        self._limit = limit
        self._inside = 0
        self._lock = threading.Lock()

    @contextmanager
    def of(self, count: int) -> Generator[None]:
        """Be inside with `count` inputs. Raises OverloadedError."""
        with self._lock:
            if self._inside + count > self._limit:
                metrics.refused.labels(self.kind).inc(count)
                raise OverloadedError(
                    f"{self._inside} {self.kind} wait, {count} more would be above {self._limit}: come back later"
                )
            self._add(count)
        try:
            yield
        finally:
            with self._lock:
                self._add(-count)

    def _add(self, count: int) -> None:
        self._inside += count
        metrics.waiting.labels(self.kind).set(self._inside)


@dataclass(slots=True, eq=False)
class _Waiting(Generic[Item, Result]):
    item: Item
    deadline: float
    since: float
    result: "Future[Result]"


class MicroBatcher(Generic[Item, Result]):
    """Collects inputs of many threads and runs them together, one batch at a time.

    Its thread ends with it: a model that was replaced goes with the last request that used it.

    Args:
        kind: of inputs, for metrics.
        run: a batch; results in the order of the items.
        largest: batch.
        wait_seconds: that the oldest input waits for others that are coming, at most.
    """

    def __init__(
        self, kind: str, run: Callable[[list[Item]], Sequence[Result]], *, largest: int, wait_seconds: float
    ) -> None:
        self._kind = kind
        self._run = run
        self._largest = largest
        self._wait_seconds = wait_seconds
        self._queue: deque[_Waiting[Item, Result]] = deque()
        self._changed = threading.Condition()
        self._coming = 0
        self._draining = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"batch-{kind}")

    @contextmanager
    def coming(self) -> Generator[None]:
        """What will be submitted is being prepared: those that are ready wait for it, but not for long."""
        with self._changed:
            self._coming += 1
        try:
            yield
        finally:
            with self._changed:
                self._coming -= 1
                self._changed.notify()

    def submit(self, items: Sequence[Item], deadline: float) -> "list[Future[Result]]":
        """Futures in the order of the items. Cancelling one takes it out of the queue.

        Args:
            items: they may be split over batches.
            deadline: on `time.monotonic()`'s clock; what has not begun by then fails with ExpiredError.
        """
        now = time.monotonic()
        waiting = [_Waiting[Item, Result](item, deadline, now, Future()) for item in items]
        with self._changed:
            self._queue.extend(waiting)
            if not self._draining:
                self._draining = True
                self._thread.submit(self._drain)
            elif len(self._queue) >= self._largest:
                self._changed.notify()
        return [each.result for each in waiting]

    def _drain(self) -> None:
        """Run batches until nothing waits."""
        while (batch := self._next()) is not None:
            if batch:
                self._answer(batch)

    def _next(self) -> list[_Waiting[Item, Result]] | None:
        """When the batch is full, nothing more comes or its oldest input has waited long enough; None without any."""
        with self._changed:
            if not self._queue:
                self._draining = False
                return None
            patience = self._queue[0].since + self._wait_seconds - time.monotonic()
            self._changed.wait_for(
                lambda: self._coming == 0 or len(self._queue) >= self._largest, max(0.0, patience)
            )
            return self._taken()

    def _taken(self) -> list[_Waiting[Item, Result]]:
        batch: list[_Waiting[Item, Result]] = []
        now = time.monotonic()
        while self._queue and len(batch) < self._largest:
            each = self._queue.popleft()
            if not each.result.set_running_or_notify_cancel():
                metrics.dropped.labels(self._kind).inc()
            elif each.deadline <= now:
                metrics.dropped.labels(self._kind).inc()
                each.result.set_exception(ExpiredError("the deadline passed while it waited"))
            else:
                batch.append(each)
        return batch

    def _answer(self, batch: list[_Waiting[Item, Result]]) -> None:
        metrics.batch_size.labels(self._kind).observe(len(batch))
        try:
            with metrics.batch_seconds.labels(self._kind).time():
                results = self._run([each.item for each in batch])
            for each, result in zip(batch, results, strict=True):
                each.result.set_result(result)
        except Exception as error:
            for each in batch:
                if not each.result.done():
                    each.result.set_exception(error)


def results_of(futures: "Sequence[Future[Result]]", deadline: float) -> list[Result]:
    """The results; when one fails or is late, the others are not begun. Raises ExpiredError, or what `run` raised."""
    try:
        return [future.result(max(0.0, deadline - time.monotonic())) for future in futures]
    except (TimeoutError, CancelledError):
        raise ExpiredError("the deadline passed, or the caller went away") from None
    finally:
        cancel(futures)


def cancel(futures: "Sequence[Future[Result]]") -> None:
    """Drop what has not begun."""
    for future in futures:
        future.cancel()
