"""Search requests in OpenSearch's query language: https://docs.opensearch.org/latest/query-dsl/."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from services.search.backend import GroupFilter, GroupSearch, InvalidSearchError
from services.search.opensearch.indexes import Indexes

Query = dict[str, Any]

MAX_GROUPS: Final = 1_000
"""The best groups that the second stage looks into, as the embedded engine has it."""
GROUP_WEIGHT: Final = 0.5
"""By what share the best group lifts the scores of its pins; others less, as their own scores are to the best."""
TEXT_WEIGHT: Final = 0.5
"""Of text beside likeness, both scaled to 0..1, when both are asked for."""
EF_SEARCH: Final = 128
_PIN_FIELDS: Final = ("title^2", "description")
_GROUP_FIELDS: Final = ("name^2", "description")
_SHOWN: Final = ("pin_id", "board_id", "owner_id", "title", "link", "image_key", "created_at_ms")

_WITH_GROUPS: Final = (
    "_score * (1 + params.weight * params.scores.getOrDefault(doc['board_id'].value.toString(), 0.0))"
)
"""Painless; compiled once, since what differs is in params."""


def visible_groups(viewer: int | None) -> Query:
    """Groups that are there, and are not somebody else's secret."""
    seen: list[Query] = [{"term": {"secret": False}}]
    if viewer is not None:
        seen.append({"term": {"owner_key": viewer}})
    return {
        "bool": {"filter": [{"term": {"live": True}}, {"bool": {"should": seen, "minimum_should_match": 1}}]}
    }


def chosen_groups(groups: GroupFilter, viewer: int | None) -> Query:
    """Groups that a filter asks for, of those the viewer may see; scored when words are given."""
    filters: list[Query] = [visible_groups(viewer)]
    if groups.country:
        filters.append({"term": {"country": groups.country}})
    if groups.ids:
        filters.append({"terms": {"group_id": list(groups.ids)}})
    if groups.owner is not None:
        filters.append({"term": {"owner_id": groups.owner}})
    if groups.kinds:
        filters.append({"terms": {"kind": [kind.value for kind in groups.kinds]}})
    chosen: Query = {"bool": {"filter": filters}}
    if groups.text:
        chosen["bool"]["must"] = [_words(groups.text, _GROUP_FIELDS)]
    return chosen


def group_stage(groups: GroupFilter, viewer: int | None) -> Query:
    """The first of two requests: the best groups with their scores, and nothing else of them."""
    return {
        "query": chosen_groups(groups, viewer),
        "size": MAX_GROUPS,
        "_source": False,
        "track_total_hits": False,
        "sort": [{"_score": "desc"}, {"group_id": "asc"}],
    }


def group_search(request: GroupSearch, timeout_ms: int) -> Query:
    """Boards by words."""
    wanted = GroupFilter(text=request.text, country=request.country, kinds=request.kinds)
    return {
        "query": chosen_groups(wanted, request.viewer),
        "from": request.offset,
        "size": request.limit,
        "sort": [{"_score": "desc"}, {"group_id": "asc"}],
        "timeout": f"{timeout_ms}ms",
    }


def within_lookup(groups: GroupFilter, viewer: int | None, indexes: Indexes) -> Query:
    """Pins in groups that OpenSearch itself looks up first (terms lookup by query, since 3.2): both stages in one
    request. It refuses more than 65,536 groups."""
    lookup = {"index": indexes.groups, "path": "group_id", "query": chosen_groups(groups, viewer)}
    return {"terms": {"board_id": lookup}}


def within(group_ids: Sequence[int]) -> Query:
    """Pins in these groups."""
    return {"terms": {"board_id": list(group_ids)}}


def without(pin_id: int) -> Query:
    """Pins but one."""
    return {"bool": {"must_not": [{"term": {"pin_id": pin_id}}]}}


def pin_search(
    *,
    text: str,
    vector: Sequence[float],
    filters: Sequence[Query],
    group_scores: Mapping[int, float],
    size: int,
    timeout_ms: int,
    with_vectors: bool,
) -> Query:
    """The best `size` pins by words, by a vector, by both, or all in the filters when there is neither."""
    allowed: Query = {"bool": {"filter": [{"term": {"live": True}}, *filters]}}
    by_text = {"bool": {"must": [_words(text, _PIN_FIELDS)], **allowed["bool"]}} if text else None
    by_vector = _nearest(vector, size, allowed) if vector else None
    body: Query = {
        "size": size,
        "timeout": f"{timeout_ms}ms",
        "_source": [*_SHOWN, *(["vector"] if with_vectors else [])],
    }
    if by_text and by_vector:
        queries = [_with_groups(by_text, group_scores), _with_groups(by_vector, group_scores)]
        body["query"] = {"hybrid": {"queries": queries, "pagination_depth": size}}
        body["search_pipeline"] = _both_scaled()
        return body  # hybrid scores cannot be sorted together with another field: the answer is sorted here
    alone = by_text or by_vector or {"bool": {"must": [{"match_all": {}}], **allowed["bool"]}}
    body["query"] = _with_groups(alone, group_scores)
    body["sort"] = [{"_score": "desc"}, {"pin_id": "asc"}]
    return body


def save_counts(pin_ids: Sequence[int]) -> Query:
    """How often each of a page's pins is saved."""
    return {
        "size": 0,
        "track_total_hits": False,
        "query": {"bool": {"filter": [{"term": {"live": True}}, {"terms": {"pin_id": list(pin_ids)}}]}},
        "aggs": {"pins": {"terms": {"field": "pin_id", "size": len(pin_ids)}}},
    }


def numbers(vector: bytes, dimension: int) -> list[float]:
    """Of float32, little-endian. Raises InvalidSearchError."""
    if len(vector) != 4 * dimension:
        raise InvalidSearchError(
            f"the vector has {len(vector)} bytes; this index takes {dimension} float32 numbers"
        )
    decoded = np.frombuffer(vector, dtype="<f4")
    if not np.isfinite(decoded).all() or not decoded.any():
        raise InvalidSearchError("the vector must hold finite numbers that are not all zero")
    return decoded.tolist()


def _words(text: str, fields: Sequence[str]) -> Query:
    return {"multi_match": {"query": text, "fields": list(fields), "type": "most_fields"}}


def _nearest(vector: Sequence[float], size: int, allowed: Query) -> Query:
    nearest = {
        "vector": list(vector),
        "k": size,
        # Inside the search of the graph, not after it: else few or none of the nearest might be left.
        "filter": allowed,
        "method_parameters": {"ef_search": max(EF_SEARCH, size)},
    }
    return {"knn": {"vector": nearest}}


def _with_groups(query: Query, group_scores: Mapping[int, float]) -> Query:
    if not group_scores:
        return query
    best = max(group_scores.values()) or 1.0
    params = {
        "weight": GROUP_WEIGHT,
        "scores": {str(group): score / best for group, score in group_scores.items()},
    }
    script = {"lang": "painless", "source": _WITH_GROUPS, "params": params}
    return {"script_score": {"query": query, "script": script}}


def _both_scaled() -> dict[str, Any]:
    """https://docs.opensearch.org/latest/search-plugins/search-pipelines/normalization-processor/"""
    combination = {"technique": "arithmetic_mean", "parameters": {"weights": [TEXT_WEIGHT, 1 - TEXT_WEIGHT]}}
    processor = {"normalization": {"technique": "min_max"}, "combination": combination}
    return {"phase_results_processors": [{"normalization-processor": processor}]}
