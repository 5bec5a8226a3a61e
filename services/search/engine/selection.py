"""The first of two stages: which groups a predicate asks for, and how well their words fit."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.search.engine.ids import Rows
from services.search.engine.tables import GroupTable, Mask, country_code
from services.search.engine.text import GroupIndex, terms_of
from services.search.engine.types import GroupPredicate


@dataclass(frozen=True, slots=True)
class Selection:
    """Groups, best first."""

    rows: Rows
    scores: NDArray[np.float32]
    """BM25 of their words; zeros if no words were asked for."""
    mask: Mask
    """Of all groups, and False for NONE."""
    lifts: NDArray[np.float32]
    """The score of each group, by row, and 0 for NONE."""


def select(
    predicate: GroupPredicate, viewer: int | None, table: GroupTable, index: GroupIndex, limit: int
) -> Selection:
    """The groups that a predicate asks for and the viewer may see: of those with words the `limit` best."""
    if predicate.text:
        rows, scores = _by_words(predicate, table, index, limit)
    else:
        rows = _by_columns(predicate, table)
        scores = np.zeros(len(rows), np.float32)
    seen = table.visible(rows, viewer) & _fits(rows, predicate, table)
    rows, scores = rows[seen], scores[seen]
    count = len(table)
    mask = np.zeros(count + 1, np.bool_)
    mask[rows] = True
    lifts = np.zeros(count + 1, np.float32)
    lifts[rows] = scores
    return Selection(rows, scores, mask, lifts)


def _by_words(
    predicate: GroupPredicate, table: GroupTable, index: GroupIndex, limit: int
) -> tuple[Rows, NDArray[np.float32]]:
    terms = terms_of(predicate.text)
    if not terms:
        return np.empty(0, np.int32), np.empty(0, np.float32)
    needed = {
        "country": [country_code(predicate.country)] if predicate.country else [],
        "group_id": list(predicate.ids),
        "owner_id": [] if predicate.owner is None else [predicate.owner],
        "kind": [int(kind) for kind in predicate.kinds],
    }
    query = index.any_of(terms, {field: values for field, values in needed.items() if values})
    ids, scores = index.search(query, limit)
    rows = table.index.rows(ids)
    return rows, scores


def _by_columns(predicate: GroupPredicate, table: GroupTable) -> Rows:
    if predicate.ids:
        rows = table.index.rows(np.unique(np.array(predicate.ids, np.int64)))
        return rows[rows >= 0]
    return np.arange(len(table), dtype=np.int32)


def _fits(rows: Rows, predicate: GroupPredicate, table: GroupTable) -> Mask:
    """Which rows have what is asked for beside words: the table is newer than what was committed."""
    data = table.data
    fits = np.ones(len(rows), np.bool_)
    if predicate.country:
        fits &= data["country"][rows] == country_code(predicate.country)
    if predicate.owner is not None:
        fits &= data["owner"][rows] == predicate.owner
    if predicate.kinds:
        fits &= np.isin(data["kind"][rows], [int(kind) for kind in predicate.kinds])
    return fits
