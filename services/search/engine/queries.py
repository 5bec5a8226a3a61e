"""Queries are looked at before they run: what a person sent must not fail somewhere inside."""

import re
from typing import Final

import numpy as np

from services.search.engine.types import (
    MAX_WINDOW,
    EngineSettings,
    GroupKind,
    GroupPredicate,
    Query,
    QueryError,
    Vector,
)

_LARGEST: Final = 2**63 - 1
_KINDS: Final = frozenset(int(kind) for kind in GroupKind)
_COUNTRY: Final = re.compile(r"([A-Z]{2})?")
_MOST_IDS: Final = 65_536
_MOST_EXCLUDED: Final = 1000


def check(query: Query, settings: EngineSettings) -> None:
    """Raises QueryError for what cannot be answered."""
    if query.limit < 1 or query.offset < 0 or query.limit + query.offset > MAX_WINDOW:
        raise QueryError(
            f"limit {query.limit}, offset {query.offset}: expected at least 1 and 0, together at most {MAX_WINDOW}"
        )
    if not query.text and query.vector is None and (query.groups is None or query.groups.empty):
        raise QueryError("the query asks for nothing; expected a text, a vector or groups")
    if query.vector is not None and query.vector.shape != (settings.dimension,):
        raise QueryError(f"the vector's shape is {query.vector.shape}; expected ({settings.dimension},)")
    _ids("exclude_pins", query.exclude_pins, _MOST_EXCLUDED)
    if query.groups is not None:
        _predicate(query.groups)


def unit(vector: Vector) -> Vector:
    """The vector with length 1, in float32.

    Raises QueryError for one without a direction.
    """
    vector = np.ascontiguousarray(vector, np.float32)
    squares = float(vector @ vector)
    if not 0 < squares < float("inf"):  # neither for a value that is not a number
        raise QueryError("the vector has no direction; expected finite values that are not all zero")
    return vector / np.float32(squares**0.5)


def _predicate(groups: GroupPredicate) -> None:
    if not _COUNTRY.fullmatch(groups.country):
        raise QueryError(f"country is {groups.country!r:.40}; expected two capital letters (ISO 3166-1)")
    if any(kind not in _KINDS for kind in groups.kinds):
        raise QueryError(f"kinds are {groups.kinds!r:.40}; expected some of {sorted(_KINDS)}")
    if groups.owner is not None:
        _ids("owner", [groups.owner], 1)
    _ids("group ids", groups.ids, _MOST_IDS)


def _ids(what: str, ids: object, most: int) -> None:
    if not isinstance(ids, list | tuple) or len(ids) > most:
        raise QueryError(f"{what}: expected a list of at most {most}")
    for number in ids:
        if type(number) is not int or not 0 <= number <= _LARGEST:
            raise QueryError(f"{what}: {number!r:.40} is no identifier; expected 0 to 2**63 - 1")
