"""Changes are looked at before anything is touched: a wrong one that reached tantivy would end its writer."""

import re
from collections.abc import Mapping, Sequence
from typing import Final, cast

import numpy as np

from services.search.engine.types import (
    Change,
    ChangeError,
    GroupChanged,
    GroupKind,
    PinChanged,
    Vector,
    VectorChanged,
)

_LARGEST: Final = 2**63 - 1
_KINDS: Final = frozenset(int(kind) for kind in GroupKind)
_COUNTRY: Final = re.compile(r"([A-Z]{2})?")
_LONGEST_TEXT: Final = 100_000
"""Characters; far above what the pin service lets through."""


def check(changes: Sequence[Change], dimension: int) -> None:
    """Raises ChangeError for the first change that cannot be indexed."""
    for change in changes:
        if isinstance(change, PinChanged):
            _pin(change)
        elif isinstance(change, VectorChanged):
            vector_of(change, dimension)
        else:
            _group(change)


def check_positions(positions: Mapping[tuple[str, int], int]) -> None:
    """Raises ChangeError for a position that is none."""
    for (topic, partition), offset in positions.items():
        if not topic or partition < 0 or not 0 <= offset <= _LARGEST:
            raise ChangeError(
                f"position {topic!r}[{partition}] = {offset}: expected a topic and numbers from 0"
            )


def vector_of(change: VectorChanged, dimension: int) -> Vector | None:
    """The vector of unit length; None if the pin has none.

    Raises ChangeError.
    """
    _number(change, "pin_id", change.pin_id, 1)
    _number(change, "version", change.version, 0)
    if change.vector is None:
        return None
    if isinstance(change.vector, bytes):
        if len(change.vector) != dimension * 4:
            raise _error(change, f"vector has {len(change.vector)} bytes", f"{dimension * 4}")
        vector = np.frombuffer(change.vector, "<f4")
    else:
        vector = change.vector
    if vector.shape != (dimension,) or vector.dtype != np.float32:
        raise _error(change, f"vector is {vector.dtype}{vector.shape}", f"float32({dimension},)")
    squares = float(vector @ vector)
    if not 0 < squares < float("inf"):  # neither for a value that is not a number
        raise _error(change, "vector has no length", "finite values that are not all zero")
    return vector / np.float32(squares**0.5)


def _pin(change: PinChanged) -> None:
    _number(change, "pin_id", change.pin_id, 1)
    _number(change, "version", change.version, 0)
    _number(change, "group_id", change.group_id, 0)
    _text(change, "title", change.title)
    _text(change, "description", change.description)


def _group(change: GroupChanged) -> None:
    _number(change, "group_id", change.group_id, 1)
    _number(change, "version", change.version, 0)
    _number(change, "owner_id", change.owner_id, 0)
    _number(change, "reader", change.reader, 0)
    _text(change, "name", change.name)
    _text(change, "description", change.description)
    if not _COUNTRY.fullmatch(change.country):
        raise _error(
            change, f"country is {change.country!r:.40}", "two capital letters (ISO 3166-1) or nothing"
        )
    if change.kind not in _KINDS:
        raise _error(change, f"kind is {change.kind!r:.40}", f"one of {sorted(_KINDS)}")


def _number(change: Change, field: str, value: object, least: int) -> None:
    if type(value) is not int or not least <= value <= _LARGEST:
        raise _error(change, f"{field} is {value!r:.40}", f"a whole number from {least} to 2**63 - 1")


def _text(change: Change, field: str, value: object) -> None:
    if not isinstance(value, str):
        raise _error(change, f"{field} is {type(value).__name__}", "a text")
    if len(value) > _LONGEST_TEXT:
        raise _error(change, f"{field} has {len(value)} characters", f"at most {_LONGEST_TEXT}")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise _error(
                change, f"{field} is not Unicode at character {error.start}", "no lone surrogates"
            ) from None


def _error(change: Change, wrong: str, right: str) -> ChangeError:
    named = cast("object", change.group_id if isinstance(change, GroupChanged) else change.pin_id)
    return ChangeError(f"{type(change).__name__} {named!r:.40}: {wrong}; expected {right}")
