"""How one query runs.

*Text*: the pins with any of the terms, by BM25 over title and description. *Flat*: pins first, those dropped
whose group does not fit. *Two stages*: the best groups first, pins within them by their own score and their
group's. *Vector*: by cosine; groups are a filter. *Both*: the best of each, all of them
scored by both, as a weighted sum - not by ranks, for the scores of several leaves must compare.

Everything found is held against the tables last, which know deletions and secrets before the indexes do.
"""

from collections import deque
from dataclasses import dataclass
from typing import Final

import numpy as np
import tantivy

from services.search.engine import queries
from services.search.engine.contents import Contents
from services.search.engine.ids import Ids, Rows
from services.search.engine.selection import Selection, select
from services.search.engine.tables import Mask, pick
from services.search.engine.text import Scores, terms_of
from services.search.engine.types import EngineSettings, Found, Hit, Mode, Query, Vector

_GROUP_WEIGHT: Final = 0.5
"""Of a group's score beside its pin's."""
_TEXT_WEIGHT: Final = 0.5
"""Of the words where words and a vector are given; the rest is the vector's."""
_HALF_SCORE: Final = 10.0
"""BM25 that counts as half of the most that words can give: one with two rare terms has about that."""
_FEW_DOCUMENTS: Final = 200
"""Up to so many pins with the terms, all are collected rather than groups' postings joined."""
_DOCUMENTS_A_GROUP: Final = 8
"""Pins that are collected in the time that one group's postings take."""
_SLACK: Final = 16
"""Asked for beyond what is wanted, since some may have gone since the commit."""
_GROWTH: Final = 4
"""Times more is asked for when too few of the hits may be seen."""
_SAMPLED: Final = 20
"""Latest queries by vector that recall is measured with."""
_LONGEST_TEXT: Final = 1_000
"""Characters of a query that are looked at."""


@dataclass(frozen=True, slots=True)
class _Candidates:
    """Pins that were found. Of equal scores the first stays first, so that pages do not overlap."""

    ids: Ids
    groups: Rows
    scores: Scores
    complete: bool
    """Whether there are no others."""


class Retrieval:
    """Runs queries on what the engine holds. Any number of threads at once."""

    def __init__(self, settings: EngineSettings, contents: Contents) -> None:
        self._settings = settings
        self._pins = contents.pins
        self._groups = contents.groups
        self._pin_index = contents.pin_index
        self._group_index = contents.group_index
        self._vectors = contents.vectors
        self._latest: deque[tuple[Vector, int]] = deque(maxlen=_SAMPLED)

    def search(self, query: Query) -> Found:
        """The pins that fit.

        Raises QueryError.
        """
        queries.check(query, self._settings)
        terms = terms_of(query.text[:_LONGEST_TEXT])
        selection = self._select(query)
        mode = self._mode(query, terms, selection)
        if query.vector is not None:
            vector = queries.unit(query.vector)
            if terms:
                return self._by_both(query, terms, vector, selection, mode)
            return self._by_vector(query, vector, selection)
        if terms:
            found = self._by_text(query, terms, selection, mode, self._window(query))
            return self._page(query, mode, found, found.scores, text=found.scores)
        if query.text or selection is None:  # a text of which no term is left
            return Found([], 0, "eq", mode)
        return self._by_groups(query, selection, mode)

    def sample_recall(self) -> float | None:
        """Of the latest queries by vector, the share of the exact answer that was found."""
        shares = [self._vectors.generation.recall(vector, k) for vector, k in list(self._latest)]
        known = [share for share in shares if share is not None]
        return sum(known) / len(known) if known else None

    def _select(self, query: Query) -> Selection | None:
        if query.groups is None or query.groups.empty:
            return None
        return select(query.groups, query.viewer, self._groups, self._group_index, self._settings.max_groups)

    def _mode(self, query: Query, terms: list[str], selection: Selection | None) -> Mode:
        if selection is None:
            return Mode.FLAT
        if query.mode is not Mode.AUTO:
            return query.mode
        if len(selection.rows) > self._settings.max_groups:
            return Mode.FLAT
        few = max(_FEW_DOCUMENTS, _DOCUMENTS_A_GROUP * len(selection.rows))
        if terms and self._pin_index.documents_at_most(terms) <= few:
            return Mode.FLAT
        return Mode.TWO_STAGE

    def _window(self, query: Query) -> int:
        return query.offset + query.limit + len(query.exclude_pins)

    def _by_text(
        self, query: Query, terms: list[str], selection: Selection | None, mode: Mode, window: int
    ) -> _Candidates:
        if selection is None:
            return self._collect(query, self._pin_index.any_of(terms), window, window, None)
        if mode is Mode.TWO_STAGE:
            best = slice(self._settings.max_groups)
            groups = self._groups.data["id"][selection.rows[best]].tolist()
            lifts = (_GROUP_WEIGHT * selection.scores[best]).tolist()
            asked = self._pin_index.any_of_lifted(terms, "group_id", groups, lifts)
            return self._collect(query, asked, window, window + _SLACK, selection)
        wanted = max(window, self._settings.stage_limit) if selection.scores.any() else window
        first = max(wanted, _FEW_DOCUMENTS, _DOCUMENTS_A_GROUP * len(selection.rows))
        found = self._collect(query, self._pin_index.any_of(terms), wanted, first, selection)
        scores = found.scores + _GROUP_WEIGHT * selection.lifts[found.groups]
        return _Candidates(found.ids, found.groups, scores.astype(np.float32), found.complete)

    def _collect(
        self, query: Query, asked: tantivy.Query, wanted: int, first: int, selection: Selection | None
    ) -> _Candidates:
        """At least `wanted` pins that may be seen, if there are so many."""
        searcher = self._pin_index.searcher
        limit = first
        while True:
            ids, scores = self._pin_index.search(asked, limit, searcher)
            complete = len(ids) < limit
            groups = self._pins.groups_of(ids)
            seen = self._seen(groups, query, selection)
            if complete or np.count_nonzero(seen) >= wanted:
                return _Candidates(ids[seen], groups[seen], scores[seen], complete)
            limit *= _GROWTH

    def _seen(self, groups: Rows, query: Query, selection: Selection | None) -> Mask:
        seen = self._groups.visible(groups, query.viewer)
        if selection is not None:
            seen &= pick(selection.mask, groups)
        return seen

    def _by_groups(self, query: Query, selection: Selection, mode: Mode) -> Found:
        """The newest pins of the groups: those of groups that fit better first."""
        within = {"group_id": self._groups.data["id"][selection.rows[: self._settings.max_groups]].tolist()}
        if mode is Mode.FLAT:
            within = {}
        window = self._window(query)
        wanted = max(window, self._settings.stage_limit)
        searcher = self._pin_index.searcher
        limit = wanted
        while True:
            ids = self._pin_index.newest(within, limit, searcher)
            groups = self._pins.groups_of(ids)
            seen = self._seen(groups, query, selection)
            if len(ids) < limit or np.count_nonzero(seen) >= wanted:
                break
            limit *= _GROWTH
        ids, groups = ids[seen], groups[seen]
        scores = selection.lifts[groups]
        return self._page(query, mode, _Candidates(ids, groups, scores, len(seen) < limit), scores)

    def _by_vector(self, query: Query, vector: Vector, selection: Selection | None) -> Found:
        found = self._nearest(query, vector, selection, self._window(query))
        return self._page(query, Mode.FLAT, found, found.scores, vector=found.scores)

    def _nearest(self, query: Query, vector: Vector, selection: Selection | None, k: int) -> _Candidates:
        wanted: Mask | None = None
        if selection is not None:
            wanted = selection.mask
        elif self._groups.has_secrets(query.viewer):
            wanted = self._groups.visible_mask(query.viewer)
        if wanted is None:
            self._latest.append((vector, k))
        generation = self._vectors.generation
        scores, slots = generation.search(vector, k, wanted)
        rows = generation.pins[slots]
        data = self._pins.data
        ids, groups = data["id"][rows], data["group"][rows]
        seen = self._seen(groups, query, selection)
        return _Candidates(ids[seen], groups[seen], scores[seen], len(ids) < k)

    def _by_both(
        self, query: Query, terms: list[str], vector: Vector, selection: Selection | None, mode: Mode
    ) -> Found:
        window = max(self._window(query), self._settings.stage_limit)
        near = self._nearest(query, vector, selection, window)
        worded = self._by_text(query, terms, selection, mode, window)
        ids, firsts = np.unique(np.concatenate([worded.ids, near.ids]), return_index=True)
        groups = np.concatenate([worded.groups, near.groups])[firsts]
        text = _scores_of(ids, worded)
        silent = np.isnan(text)
        if silent.any() and not worded.complete:
            among = self._pin_index.any_of(terms, {"pin_id": ids[silent].tolist()})
            others, scores = self._pin_index.search(among, len(ids))
            lifts = 0 if selection is None else pick(selection.lifts, self._pins.groups_of(others))
            scores = (scores + _GROUP_WEIGHT * lifts).astype(np.float32)
            text = np.where(silent, _scores_of(ids, _Candidates(others, groups, scores, complete=True)), text)
        cosine = np.where(np.isin(ids, near.ids), _scores_of(ids, near), self._cosines(ids, vector))
        worth = np.nan_to_num(text / (text + _HALF_SCORE))
        near_worth = np.nan_to_num(np.maximum(cosine, 0))
        scores = (_TEXT_WEIGHT * worth + (1 - _TEXT_WEIGHT) * near_worth).astype(np.float32)
        found = _Candidates(ids, groups, scores, worded.complete and near.complete)
        return self._page(query, mode, found, scores, text=text, vector=cosine)

    def _cosines(self, ids: Ids, vector: Vector) -> Scores:
        """Of each pin's vector; not a number for a pin without one."""
        cosines = np.full(len(ids), np.nan, np.float32)
        generation = self._vectors.generation
        rows = self._pins.index.rows(ids)
        slots = self._pins.data["slot"][rows]
        there = (slots >= 0) & (slots < generation.count)
        there[there] = generation.pins[slots[there]] == rows[there]  # unless it was compacted just now
        cosines[there] = generation.vectors(slots[there]) @ vector
        return cosines

    def _page(
        self,
        query: Query,
        mode: Mode,
        found: _Candidates,
        scores: Scores,
        *,
        text: Scores | None = None,
        vector: Scores | None = None,
    ) -> Found:
        """The part of the candidates that is asked for: by score, else in the order in which they were found."""
        order = np.argsort(-scores, kind="stable")
        if query.exclude_pins:
            order = order[~np.isin(found.ids[order], query.exclude_pins)]
        total = len(order)
        order = order[query.offset : query.offset + query.limit]
        group_ids = self._groups.data["id"][found.groups[order]]
        hits = [
            Hit(pin_id, group_id, score, _number(text, place), _number(vector, place))
            for pin_id, group_id, score, place in zip(
                found.ids[order].tolist(),
                group_ids.tolist(),
                scores[order].tolist(),
                order.tolist(),
                strict=True,
            )
        ]
        return Found(hits, total, "eq" if found.complete else "gte", mode)


def _scores_of(ids: Ids, found: _Candidates) -> Scores:
    """The score of each of the identifiers, which are in order; not a number for those that were not found."""
    scores = np.full(len(ids), np.nan, np.float32)
    places = np.searchsorted(ids, found.ids)
    places = np.minimum(places, max(len(ids) - 1, 0))
    fits = ids[places] == found.ids
    scores[places[fits]] = found.scores[fits]
    return scores


def _number(values: Scores | None, place: int) -> float | None:
    if values is None or np.isnan(values[place]):
        return None
    return float(values[place])
