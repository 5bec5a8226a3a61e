"""Short hashes in names and labels: `web-5d9c7b8f4`."""

import zlib
from typing import Final

import orjson

_ALPHABET: Final = "bcdfghjklmnpqrstvwxz2456789"
"""Of `k8s.io/apimachinery/pkg/util/rand`: without vowels, so that no words come about."""


def safe_hash(obj: object, collisions: int = 0) -> str:
    """A hash of JSON, the same whatever the order of its keys; another for each count of collisions."""
    told = orjson.dumps([obj, collisions] if collisions else obj, option=orjson.OPT_SORT_KEYS)
    return "".join(_ALPHABET[ord(digit) % len(_ALPHABET)] for digit in str(zlib.crc32(told)))
