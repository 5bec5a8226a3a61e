"""Waiting for what another process or thread does, where nothing can be awaited."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
_POLL_SECONDS = 0.02


def until(look: Callable[[], T | None], seconds: float = 30) -> T:
    """The first truthy result of `look`; what it raises or returns instead is told when time is up."""
    deadline = time.monotonic() + seconds
    while True:
        seen: object
        try:
            seen = found = look()
        except Exception as error:
            seen, found = error, None
        if found:
            return found
        assert time.monotonic() < deadline, f"still not so: {seen!r}"
        time.sleep(_POLL_SECONDS)
