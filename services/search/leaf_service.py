"""The leaf's answers to the root's calls: queries of the engine, with what is shown for each hit."""

from collections.abc import Callable, Sequence
from typing import Final, cast

import numpy as np
from prometheus_client import Histogram

from services.api.events.v1.events_pb2 import GROUP_KIND_BOARD
from services.api.events.v1.events_pb2 import GroupKind as EventKind
from services.api.search.v1.search_pb2 import (
    CODE_INVALID_ARGUMENT,
    CODE_NOT_FOUND,
    CODE_UNAVAILABLE,
    MODE_FLAT,
    MODE_TWO_STAGE,
    DescribeRequest,
    DescribeResponse,
    FetchVectorsRequest,
    FetchVectorsResponse,
    GroupFilter,
    GroupHit,
    PinHit,
    Position,
    SearchGroupsRequest,
    SearchGroupsResponse,
    SearchPinsRequest,
    SearchPinsResponse,
    SimilarPinsRequest,
    SimilarPinsResponse,
)
from services.search.engine.types import (
    MAX_WINDOW,
    GroupKind,
    GroupPredicate,
    Hit,
    Mode,
    Query,
    QueryError,
    Vector,
)
from services.search.index import Index
from services.search.rpc.frames import RpcError
from services.search.rpc.server import Method
from services.search.settings import LeafSettings
from services.search.watch import Watch

QUERY_SECONDS: Final = Histogram(
    "search_query_seconds",
    "Of one query on this shard, in the engine and the forward index, by what was asked for.",
    ["kind"],
    buckets=(0.0001, 0.00025, 0.0005, 0.001, 0.002, 0.004, 0.006, 0.01, 0.02, 0.05, 0.1, 0.5),
)
_MODES: Final = {MODE_FLAT: Mode.FLAT, MODE_TWO_STAGE: Mode.TWO_STAGE}
_KINDS: Final = ("text", "vector", "text+vector", "groups", "similar", "boards")
_TIMERS: Final = {kind: QUERY_SECONDS.labels(kind) for kind in _KINDS}


class LeafService:
    """What `rpc.server` calls, on several threads at once.

    Args:
        unready: why nothing should be answered yet; None when it should.
        replica: tells the replicas of a shard apart.
    """

    def __init__(
        self,
        settings: LeafSettings,
        index: Index,
        watch: Watch,
        unready: Callable[[], str | None],
        replica: str,
    ) -> None:
        self._settings: Final = settings
        self._index: Final = index
        self._watch: Final = watch
        self._unready: Final = unready
        self._replica: Final = replica

    def methods(self) -> dict[str, Method]:
        """Of SearchLeafService, by name."""
        return {
            "SearchPins": Method(SearchPinsRequest, self.search_pins),
            "SimilarPins": Method(SimilarPinsRequest, self.similar_pins),
            "SearchGroups": Method(SearchGroupsRequest, self.search_groups),
            "FetchVectors": Method(FetchVectorsRequest, self.fetch_vectors),
            "Describe": Method(DescribeRequest, self.describe),
        }

    def search_pins(self, request: SearchPinsRequest) -> SearchPinsResponse:
        """Find pins of this shard."""
        self._require_ready()
        vector = np.frombuffer(request.vector, "<f4") if request.vector else None
        viewer = request.viewer_id if request.HasField("viewer_id") else None
        with _TIMERS[_kind(request)].time():
            return self._find(
                Query(
                    text=request.text,
                    vector=vector,
                    groups=_predicate(request.groups) if request.HasField("groups") else None,
                    mode=_MODES.get(request.mode, Mode.AUTO),
                    limit=request.limit,
                    viewer=viewer,
                    exclude_pins=tuple(request.exclude_pin_ids),
                ),
                with_vectors=request.with_vectors,
            )

    def similar_pins(self, request: SimilarPinsRequest) -> SimilarPinsResponse:
        """Find pins of this shard that look like one of them."""
        self._require_ready()
        viewer = request.viewer_id if request.HasField("viewer_id") else None
        with _TIMERS["similar"].time():
            vector = self._index.engine.vector(request.pin_id, viewer)
            if vector is None:
                raise RpcError(CODE_NOT_FOUND, "this shard has no such pin with an image")
            query = Query(vector=vector, limit=request.limit, viewer=viewer, exclude_pins=(request.pin_id,))
            found = self._find(query, with_vectors=request.with_vectors)
        return SimilarPinsResponse(found=found, vector=_bytes(vector))

    def search_groups(self, request: SearchGroupsRequest) -> SearchGroupsResponse:
        """Find groups."""
        self._require_ready()
        with _TIMERS["boards"].time():
            predicate = GroupPredicate(
                text=request.text,
                country=request.country,
                kinds=tuple(GroupKind(kind) for kind in request.kinds),
            )
            viewer = request.viewer_id if request.HasField("viewer_id") else None
            found = self._index.engine.groups(predicate, viewer, MAX_WINDOW)
            page = found[request.offset : request.offset + request.limit]
            boards = self._index.forward.boards([group_id for group_id, _ in page])
        response = SearchGroupsResponse(total=len(found), total_exact=len(found) < MAX_WINDOW)
        for group_id, score in page:
            board = boards.get(group_id)
            if board is not None:
                response.hits.append(
                    GroupHit(
                        group_id=group_id,
                        owner_id=board.owner_id,
                        score=score,
                        name=board.name,
                        description=board.description,
                        country=board.country,
                        kind=cast("EventKind.ValueType", board.kind or GROUP_KIND_BOARD),
                        secret=board.secret,
                    )
                )
        return response

    def fetch_vectors(self, request: FetchVectorsRequest) -> FetchVectorsResponse:
        """The vectors of pins that the viewer may see."""
        self._require_ready()
        viewer = request.viewer_id if request.HasField("viewer_id") else None
        response = FetchVectorsResponse()
        for pin_id in request.pin_ids:
            vector = self._index.engine.vector(pin_id, viewer)
            if vector is not None:
                response.vectors.add(pin_id=pin_id, vector=_bytes(vector))
        return response

    def describe(self, request: DescribeRequest) -> DescribeResponse:
        """What this leaf is; answered before it is ready too."""
        del request
        statistics = self._watch.statistics
        return DescribeResponse(
            shard=self._settings.shard,
            shards=self._settings.shards,
            pins=statistics.pins,
            groups=statistics.groups,
            vectors=statistics.vectors,
            caught_up=self._unready() is None,
            positions=[
                Position(topic=topic, partition=partition, offset=offset)
                for (topic, partition), offset in sorted(self._index.positions().items())
            ],
            replica=self._replica,
        )

    def _find(self, query: Query, *, with_vectors: bool) -> SearchPinsResponse:
        try:
            found = self._index.engine.search(query)
        except QueryError as error:
            raise RpcError(CODE_INVALID_ARGUMENT, str(error)) from None
        hits = self._shown(found.hits, with_vectors=with_vectors)
        return SearchPinsResponse(hits=hits, total=found.total, total_exact=found.total_relation == "eq")

    def _shown(self, hits: Sequence[Hit], *, with_vectors: bool) -> list[PinHit]:
        """The hits with what is shown for them. One that was deleted in this very moment is left out."""
        known = self._index.forward.pins([hit.pin_id for hit in hits])
        shown: list[PinHit] = []
        for hit in hits:
            found = known.get(hit.pin_id)
            if found is None:
                continue
            pin = found.pin
            shown.append(
                PinHit(
                    pin_id=hit.pin_id,
                    board_id=pin.board_id,
                    score=hit.score,
                    owner_id=pin.owner_id,
                    title=pin.title,
                    link=pin.link,
                    image_key=pin.image_key,
                    board_name=found.board_name,
                    saves=found.saves,
                    created_at_ms=pin.created_at_ms,
                    vector=_bytes(self._index.engine.vector(hit.pin_id)) if with_vectors else b"",
                )
            )
        return shown

    def _require_ready(self) -> None:
        reason = self._unready()
        if reason is not None:
            raise RpcError(CODE_UNAVAILABLE, reason)


def _kind(request: SearchPinsRequest) -> str:
    if request.text and request.vector:
        return "text+vector"
    if request.vector:
        return "vector"
    return "text" if request.text else "groups"


def _predicate(groups: GroupFilter) -> GroupPredicate:
    return GroupPredicate(
        text=groups.text,
        country=groups.country,
        ids=tuple(groups.ids),
        owner=groups.owner_id if groups.HasField("owner_id") else None,
        kinds=tuple(GroupKind(kind) for kind in groups.kinds),
    )


def _bytes(vector: Vector | None) -> bytes:
    return b"" if vector is None else vector.astype("<f4").tobytes()
