"""Identifiers of 63 bits that any pod makes without asking: milliseconds since 2020, then 22 random bits.

They rise with time, so that new rows go to the end of an index and a list in order of identifiers is one in order of
creation. Two pods that draw the same number in the same millisecond meet at the primary key: the second gets an
IntegrityError, and draws again when the client does.
"""

import secrets
import threading
import time
from typing import Final

EPOCH_MS: Final = 1_577_836_800_000
"""2020-01-01T00:00:00Z; 41 bits of milliseconds reach to 2089."""
_RANDOM_BITS: Final = 22
LARGEST: Final = 2**63 - 1

_lock = threading.Lock()
_last = 0


def new_identifier() -> int:
    """Larger than all that this process has made."""
    global _last  # noqa: PLW0603 - what makes it rise
    drawn = (time.time_ns() // 1_000_000 - EPOCH_MS) << _RANDOM_BITS | secrets.randbits(_RANDOM_BITS)
    with _lock:
        _last = max(drawn, _last + 1)
        return _last


def parse_identifier(text: str) -> int | None:
    """The number that digits stand for; None when it is none that can have been made here."""
    if not text.isascii() or not text.isdigit():
        return None
    number = int(text[:20])
    return number if 0 < number <= LARGEST else None
