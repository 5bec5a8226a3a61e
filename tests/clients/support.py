"""What tests with real clients share: waiting for what another process does, and what may not be there."""

import shutil
import time
from collections.abc import Callable
from typing import TypeVar

import pytest

T = TypeVar("T")

needs_mysql = pytest.mark.skipif(
    not shutil.which("mariadbd", path="/usr/sbin:/usr/local/bin:/usr/bin:/opt/homebrew/bin"),
    reason="there is no MySQL server here; `make test` installs one on Debian as root",
)


def until(look: Callable[[], T], seconds: float = 30) -> T:
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
        time.sleep(0.1)
