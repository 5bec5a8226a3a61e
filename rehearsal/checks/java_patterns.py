"""The regular expressions of the AWS service models, translated from Java's dialect to Python's.

The models are generated from Java services: they write `\\p{L}` for letters, surrogate pairs for characters
beyond U+FFFF, and `\\w-_` in a class. Their `\\w` and `\\d` are ASCII, as in Java. Most carry no anchors and
all are meant for the whole value.
"""

import re
import unicodedata
from collections.abc import Callable
from functools import cache

Matches = Callable[[str], object]

_POSIX = {
    "ASCII": r"\x00-\x7f",
    "Print": r"\x20-\x7e",
    "Alnum": "0-9A-Za-z",
    "Alpha": "A-Za-z",
    "Digit": "0-9",
    "XDigit": "0-9A-Fa-f",
}
_CLASS = re.compile(r"\\p\{(\w+)\}")
_BEYOND_BMP = "\\uD800\\uDC00-\\uDBFF\\uDFFF"
_LAST = 0x110000


@cache
def matcher(pattern: str) -> Matches | None:
    """Return a function that says whether a whole string matches, or None for a pattern Python cannot run.

    None means that the value cannot be judged, never that it is wrong.
    """
    ascii_only = _compile(pattern, 0x80)
    if ascii_only is None:
        return None
    if not _CLASS.search(pattern):
        return ascii_only.fullmatch

    def match(value: str) -> object:
        # The classes of all of Unicode take a while to collect and are seldom needed.
        compiled = ascii_only if value.isascii() else _compile(pattern, _LAST)
        return compiled is None or compiled.fullmatch(value)

    return match


@cache
def _compile(pattern: str, limit: int) -> re.Pattern[str] | None:
    python = pattern.replace(_BEYOND_BMP, "\U00010000-\U0010ffff")
    # A hyphen after a class stands for itself: Python takes it for a range and refuses.
    python = re.sub(r"(\\[wdsWDS]|\\p\{\w+\})-(?=[^\]])", r"\1\\-", python)
    outside = _outside_brackets(python)

    def expand(found: re.Match[str]) -> str:
        characters = _POSIX.get(found[1]) or _category(found[1], limit)
        return f"[{characters}]" if found.start() in outside else characters

    try:
        # DOTALL is lenient: `.+` in the models is meant for "not blank" and policies have line breaks.
        return re.compile(_CLASS.sub(expand, python), re.ASCII | re.DOTALL)
    except re.error:
        return None


def _outside_brackets(pattern: str) -> set[int]:
    """Return the places of the characters that stand outside any [...]."""
    outside: set[int] = set()
    inside = escaped = False
    for place, character in enumerate(pattern):
        if not inside:
            outside.add(place)
        if escaped:
            escaped = False
        elif character == "\\":
            escaped = True
        elif character == "[":
            inside = True
        elif character == "]":
            inside = False
    return outside


@cache
def _category(name: str, limit: int) -> str:
    """Return the ranges, for use in a [...], of the characters below `limit` of one Unicode category."""
    ranges: list[str] = []
    first: int | None = None
    for code in range(limit + 1):
        belongs = code < limit and unicodedata.category(chr(code)).startswith(name)
        if belongs and first is None:
            first = code
        elif not belongs and first is not None:
            ranges.append(f"\\U{first:08x}-\\U{code - 1:08x}")
            first = None
    return "".join(ranges)
