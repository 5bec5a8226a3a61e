"""Who asks, where only the token's subject is known: a number that services keep and compare instead of it."""

import hashlib
from typing import Final

_BITS: Final = 63
"""Protobuf's and MySQL's integers have a sign."""


def subject_key(subject: str) -> int:
    """From 1 to 2^63 - 1; the same subject has the same key everywhere and for ever."""
    digest = hashlib.sha256(subject.encode()).digest()
    return (int.from_bytes(digest[:8], "big") >> (64 - _BITS)) or 1
