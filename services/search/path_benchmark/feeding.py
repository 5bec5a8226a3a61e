"""Events for a leaf at a steady rate, and what it answers meanwhile."""

import json
import threading
import time
import urllib.request
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any, Final

from confluent_kafka import Producer

from services.api.events.v1.events_pb2 import PinEvent

UPSERTS_A_SECOND: Final = 500
_TICK_SECONDS: Final = 0.01
_FLUSH_SECONDS: Final = 10


@contextmanager
def publishing(kafka: str, events: Iterator[PinEvent], rate: int) -> Generator[None]:
    """So many events a second, in the background. Kafka has them all when the block ends."""
    stop = threading.Event()
    publisher = producer(kafka)

    def publish() -> None:
        began = time.perf_counter()
        sent = 0
        while not stop.wait(_TICK_SECONDS):
            due = int((time.perf_counter() - began) * rate)
            for _ in range(sent, due):
                event = next(events)
                publisher.produce("pins", event.SerializeToString(), str(event.pin_id))
            sent = max(sent, due)
            publisher.poll(0)

    thread = threading.Thread(target=publish, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        publisher.flush(_FLUSH_SECONDS)


def producer(kafka: str) -> Producer:
    """As the pin service's relay has one."""
    return Producer(
        {"bootstrap.servers": kafka, "linger.ms": 1, "partitioner": "murmur2_random", "log_level": 0}
    )


def get(url: str) -> Any:
    """The JSON of an answer."""
    with urllib.request.urlopen(url, timeout=30) as response:  # noqa: S310 - our own
        return json.load(response)
