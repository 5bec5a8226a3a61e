"""`Backend` on OpenSearch.

Who may see a pin follows from its group, which changes without the pin: hits are checked against the groups, read by
id (which is as new as the last write, unlike a search), and as many more are fetched as were dropped. When groups are
asked for, OpenSearch narrows to the visible ones itself, and the check only confirms.
"""

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from opensearchpy import AsyncOpenSearch
from opensearchpy.exceptions import OpenSearchException, RequestError, TransportError

from services.common.logs import logger
from services.common.settings import load
from services.search.backend import (
    BackendUnavailableError,
    GroupFilter,
    GroupResults,
    GroupSearch,
    InvalidSearchError,
    Mode,
    PinResults,
    PinSearch,
    SimilarSearch,
    UnknownPinError,
)
from services.search.opensearch import queries
from services.search.opensearch.answers import Group, fits, group_hit, missing_shards, pin_hit, visible
from services.search.opensearch.client import search_client
from services.search.opensearch.indexes import Indexes
from services.search.opensearch.settings import OpenSearchSettings

_SLACK: Final = 10
"""More hits than asked for, since some may be in groups that the viewer may not see."""
_MAX_FETCHED: Final = 5_000
"""Hits looked at for one page, at most; OpenSearch itself stops at 10,000."""
_TOO_MANY_TERMS: Final = "max_terms_count"
_NOT_FOUND: Final = 404
_ALL_GROUPS: Final = GroupFilter()
_log: Final = logger(__name__)


@dataclass(frozen=True)
class _Wanted:
    """What a search for pins comes to."""

    text: str = ""
    vector: Sequence[float] = ()
    groups: GroupFilter = _ALL_GROUPS
    filters: Sequence[queries.Query] = ()
    group_scores: Mapping[int, float] | None = None
    limit: int = 10
    offset: int = 0
    viewer: int | None = None
    with_vectors: bool = False


class OpenSearchBackend:
    """See `services.search.backend.Backend`."""

    def __init__(self, client: AsyncOpenSearch, indexes: Indexes, *, dimension: int, timeout_ms: int) -> None:
        self._client = client
        self._indexes = indexes
        self._dimension = dimension
        self._timeout_ms = timeout_ms
        self._problem: str | None = None

    async def search(self, request: PinSearch) -> PinResults:
        """Find pins."""
        wanted = _Wanted(
            text=request.text,
            vector=queries.numbers(request.vector, self._dimension) if request.vector else (),
            groups=request.groups,
            limit=request.limit,
            offset=request.offset,
            viewer=request.viewer,
            with_vectors=request.with_vectors,
        )
        if request.groups.empty:
            return await self._page(wanted)
        # Words of the name count for the score, which OpenSearch's own lookup leaves behind: two requests.
        if request.groups.text:
            return await self._in_best_groups(wanted)
        if request.mode is Mode.FLAT:
            return await self._page(wanted)
        lookup = queries.within_lookup(request.groups, request.viewer, self._indexes)
        try:
            return await self._page(_with_filter(wanted, lookup))
        except _TooManyGroupsError:
            if request.mode is Mode.TWO_STAGE:
                raise InvalidSearchError(
                    "more than 65,536 groups fit; ask for fewer, or use mode flat"
                ) from None
            return await self._page(wanted)

    async def similar(self, request: SimilarSearch) -> PinResults:
        """Find pins that look like one. Raises UnknownPinError."""
        found = await self._call(
            self._client.get(index=self._indexes.pins, id=str(request.pin_id), params={"ignore": _NOT_FOUND})
        )
        pin = found.get("_source") or {}
        groups = await self._groups([pin["board_id"]] if pin.get("live") else [])
        if not pin.get("vector") or not visible(groups.get(pin.get("board_id", 0)), request.viewer):
            raise UnknownPinError(f"there is no pin {request.pin_id} whose picture is known")
        return await self._page(
            _Wanted(
                vector=pin["vector"],
                filters=[queries.without(request.pin_id)],
                limit=request.limit,
                offset=request.offset,
                viewer=request.viewer,
                with_vectors=request.with_vectors,
            )
        )

    async def groups(self, request: GroupSearch) -> GroupResults:
        """Find boards."""
        body = queries.group_search(request, self._timeout_ms)
        answer = await self._search(self._indexes.groups, body)
        total = answer["hits"]["total"]
        hits = [group_hit(hit) for hit in answer["hits"]["hits"]]
        return GroupResults(hits, total["value"], total["relation"] == "eq")

    async def vectors(self, pin_ids: Sequence[int], viewer: int | None) -> dict[int, bytes]:
        """The vectors of pins that the viewer may see, as far as there are any."""
        if not pin_ids:
            return {}
        body = {"ids": [str(each) for each in pin_ids]}
        answer = await self._call(self._client.mget(body=body, index=self._indexes.pins))
        pins = [each["_source"] for each in answer["docs"] if each.get("found")]
        known = [pin for pin in pins if pin.get("live") and pin.get("vector")]
        groups = await self._groups(sorted({pin["board_id"] for pin in known}))
        return {
            pin["pin_id"]: np.array(pin["vector"], dtype="<f4").tobytes()
            for pin in known
            if visible(groups.get(pin["board_id"]), viewer)
        }

    def unready(self) -> str | None:
        """What the last request met."""
        return self._problem

    async def close(self) -> None:
        """Close connections."""
        await self._client.close()

    async def _in_best_groups(self, wanted: _Wanted) -> PinResults:
        answer = await self._search(self._indexes.groups, queries.group_stage(wanted.groups, wanted.viewer))
        scores = {int(hit["_id"]): float(hit["_score"]) for hit in answer["hits"]["hits"]}
        if not scores:
            return PinResults([], 0, total_exact=True, shards=0)
        return await self._page(_with_filter(wanted, queries.within(list(scores)), scores))

    async def _page(self, wanted: _Wanted) -> PinResults:
        """Fetch until as many visible pins are there as the page reaches, or there are no more."""
        reach = wanted.offset + wanted.limit
        size = min(_MAX_FETCHED, reach + reach // 4 + _SLACK)
        while True:
            answer = await self._search(self._indexes.pins, self._body(wanted, size))
            hits = answer["hits"]["hits"]
            groups = await self._groups(sorted({hit["_source"]["board_id"] for hit in hits}))
            allowed = [hit for hit in hits if _allowed(groups.get(hit["_source"]["board_id"]), wanted)]
            if len(allowed) >= reach or len(hits) < size or size >= _MAX_FETCHED:
                break
            size = min(_MAX_FETCHED, size * 4)
        allowed.sort(key=lambda hit: (-float(hit["_score"]), hit["_source"]["pin_id"]))
        page = allowed[wanted.offset : reach]
        saves = await self._saves([hit["_source"]["pin_id"] for hit in page])
        missing = missing_shards(answer)
        everything = len(hits) < size
        return PinResults(
            [pin_hit(hit, groups, saves) for hit in page],
            # Of those that were not fetched some may be secret: how many match is nobody's business.
            total=len(allowed),
            total_exact=everything and not missing,
            shards=answer["_shards"]["total"],
            missing_shards=missing,
        )

    def _body(self, wanted: _Wanted, size: int) -> queries.Query:
        return queries.pin_search(
            text=wanted.text,
            vector=wanted.vector,
            filters=wanted.filters,
            group_scores=wanted.group_scores or {},
            size=size,
            timeout_ms=self._timeout_ms,
            with_vectors=wanted.with_vectors,
        )

    async def _groups(self, ids: Sequence[int]) -> dict[int, Group]:
        """As they are this moment."""
        if not ids:
            return {}
        answer = await self._call(
            self._client.mget(body={"ids": [str(each) for each in ids]}, index=self._indexes.groups)
        )
        return {int(each["_id"]): each["_source"] for each in answer["docs"] if each.get("found")}

    async def _saves(self, pin_ids: Sequence[int]) -> dict[int, int]:
        """A count that cannot be had is left out rather than the page."""
        if not pin_ids:
            return {}
        routing = ",".join(str(each) for each in pin_ids)
        try:
            answer = await self._search(self._indexes.saves, queries.save_counts(pin_ids), routing=routing)
        except (BackendUnavailableError, InvalidSearchError):
            return {}
        return {bucket["key"]: bucket["doc_count"] for bucket in answer["aggregations"]["pins"]["buckets"]}

    async def _search(self, index: str, body: queries.Query, **params: str) -> dict[str, Any]:
        return await self._call(self._client.search(body=body, index=index, params=params))

    async def _call(self, call: Awaitable[Any]) -> dict[str, Any]:
        try:
            answer = await call
        except RequestError as error:
            reason = str(error.info)
            if _TOO_MANY_TERMS in reason or "maximum of [65536]" in reason:
                raise _TooManyGroupsError from None
            _log.error("OpenSearch refused a query", reason=error.error)
            raise InvalidSearchError(f"the index refuses this query: {error.error}") from None
        except (TimeoutError, OpenSearchException, OSError) as error:
            status = error.status_code if isinstance(error, TransportError) else type(error).__name__
            self._problem = f"OpenSearch does not answer: {status}"
            raise BackendUnavailableError(self._problem) from error
        self._problem = None
        return answer


def connect() -> OpenSearchBackend:
    """A backend on the domain that the environment names; nothing is sent yet."""
    settings = load(OpenSearchSettings)
    return OpenSearchBackend(
        search_client(settings),
        Indexes(settings.opensearch_prefix),
        dimension=settings.embedding_dimension,
        timeout_ms=settings.opensearch_timeout_ms,
    )


def _allowed(group: Group | None, wanted: _Wanted) -> bool:
    return group is not None and visible(group, wanted.viewer) and fits(group, wanted.groups)


def _with_filter(
    wanted: _Wanted, query: queries.Query, group_scores: Mapping[int, float] | None = None
) -> _Wanted:
    return replace(wanted, filters=[*wanted.filters, query], group_scores=group_scores)


class _TooManyGroupsError(Exception):
    """OpenSearch looks up at most 65,536 terms (index.max_terms_count)."""
