"""The embedded backend: every shard is asked at once, and what comes in time is merged.

Scores of shards compare as far as their statistics do: words are as rare in one shard as in another, because pins
are spread by a hash of their ids.
"""

import asyncio
import contextlib
import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, Generic, TypeVar, cast

from google.protobuf.message import Message

from services.api.events.v1.events_pb2 import (
    GROUP_KIND_AD_GROUP,
    GROUP_KIND_BOARD,
    GROUP_KIND_CAMPAIGN,
)
from services.api.search.v1 import search_pb2 as pb
from services.search.backend import (
    BackendUnavailableError,
    GroupFilter,
    GroupHit,
    GroupKind,
    GroupResults,
    GroupSearch,
    InvalidSearchError,
    Mode,
    PinHit,
    PinResults,
    PinSearch,
    SimilarSearch,
    UnknownPinError,
)
from services.search.rpc.frames import RpcError
from services.search.settings import RootSettings
from services.search.shard import TRANSIENT, Shard

_MODES: Final = {
    Mode.AUTO: pb.MODE_AUTO,
    Mode.FLAT: pb.MODE_FLAT,
    Mode.TWO_STAGE: pb.MODE_TWO_STAGE,
}
_KINDS: Final = {
    GroupKind.BOARD: GROUP_KIND_BOARD,
    GroupKind.CAMPAIGN: GROUP_KIND_CAMPAIGN,
    GroupKind.AD_GROUP: GROUP_KIND_AD_GROUP,
}
_KIND_OF: Final = {number: kind for kind, number in _KINDS.items()}
R = TypeVar("R", bound=Message)


class EmbeddedBackend:
    """`Backend` over the leaves."""

    def __init__(self, settings: RootSettings) -> None:
        addresses = [address.strip() for address in settings.search_leaves.split(",")]
        self._timeout: Final = settings.leaf_timeout_ms / 1_000
        self._shards: Final = [
            Shard(
                number, len(addresses), address, connections=settings.leaf_connections, hedge=settings.hedge
            )
            for number, address in enumerate(addresses)
        ]

    def start(self) -> None:
        """Begin to connect."""
        for shard in self._shards:
            shard.start()

    async def close(self) -> None:
        """Close connections."""
        await asyncio.gather(*(shard.close() for shard in self._shards))

    def unready(self) -> str | None:
        """Ready while any shard can be reached: partial answers beat none."""
        reasons = [shard.unready() for shard in self._shards]
        wrong = [reason for reason in reasons if reason is not None]
        return "; ".join(wrong) if len(wrong) == len(reasons) else None

    async def search(self, request: PinSearch) -> PinResults:
        """Find pins."""
        message = _search_message(request, request.offset + request.limit)
        answers = await self._ask(self._shards, "SearchPins", message, pb.SearchPinsResponse)
        return _merged(answers, request.offset, request.limit)

    async def similar(self, request: SimilarSearch) -> PinResults:
        """Find pins that look like one: the shard that has it searches at once, the others by its vector."""
        count = request.offset + request.limit
        message = pb.SimilarPinsRequest(pin_id=request.pin_id, limit=count, with_vectors=request.with_vectors)
        if request.viewer is not None:
            message.viewer_id = request.viewer
        asked = await self._ask(self._shards, "SimilarPins", message, pb.SimilarPinsResponse)
        owners = [each for each in asked if isinstance(each.answer, pb.SimilarPinsResponse)]
        if not owners:
            missing = [each.shard.number for each in asked if isinstance(each.answer, RpcError)]
            if missing:
                raise BackendUnavailableError(
                    f"shards {missing}, one of which may have the pin, did not answer"
                )
            raise UnknownPinError("there is no such pin, or its image was not looked at yet")
        owner, found = owners[0].shard, cast("pb.SimilarPinsResponse", owners[0].answer)
        answers = [_Asked(owner, found.found)]
        others = [shard for shard in self._shards if shard is not owner]
        if others:
            like = PinSearch(vector=found.vector, viewer=request.viewer, with_vectors=request.with_vectors)
            further = _search_message(like, count)
            further.exclude_pin_ids.append(request.pin_id)
            with contextlib.suppress(BackendUnavailableError):  # there is an answer already
                answers += await self._ask(others, "SearchPins", further, pb.SearchPinsResponse)
            answered = {each.shard for each in answers}
            error = RpcError(pb.CODE_UNAVAILABLE, "did not answer")
            answers += [_Asked(shard, error) for shard in others if shard not in answered]
        return _merged(answers, request.offset, request.limit)

    async def groups(self, request: GroupSearch) -> GroupResults:
        """Find boards. Every shard has all of them: the next is asked when one does not answer."""
        message = pb.SearchGroupsRequest(
            text=request.text,
            country=request.country,
            kinds=[_KINDS[kind] for kind in request.kinds],
            limit=request.limit,
            offset=request.offset,
        )
        if request.viewer is not None:
            message.viewer_id = request.viewer
        failure = "none was asked"
        for shard in self._shards:
            answer = (await self._call(shard, "SearchGroups", message, pb.SearchGroupsResponse)).answer
            if isinstance(answer, pb.SearchGroupsResponse):
                return GroupResults([_group(hit) for hit in answer.hits], answer.total, answer.total_exact)
            failure = str(answer)
        raise BackendUnavailableError(f"no shard answered; the last: {failure}")

    async def vectors(self, pin_ids: Sequence[int], viewer: int | None) -> dict[int, bytes]:
        """The vectors of pins, of the shards that answer."""
        message = pb.FetchVectorsRequest(pin_ids=pin_ids)
        if viewer is not None:
            message.viewer_id = viewer
        asked = await self._ask(self._shards, "FetchVectors", message, pb.FetchVectorsResponse)
        answers = [each.answer for each in asked if isinstance(each.answer, pb.FetchVectorsResponse)]
        return {found.pin_id: found.vector for answer in answers for found in answer.vectors}

    async def _ask(
        self, shards: "Sequence[Shard]", method: str, request: Message, response: type[R]
    ) -> "list[_Asked[R]]":
        """All the shards at once. Raises BackendUnavailableError when none answers."""
        if len(shards) == 1:
            asked = [await self._call(shards[0], method, request, response)]
        else:
            asked = await asyncio.gather(*(self._call(shard, method, request, response) for shard in shards))
        if all(isinstance(each.answer, RpcError) for each in asked):
            raise BackendUnavailableError(f"no shard answered; the first: {asked[0].answer}")
        return asked

    async def _call(self, shard: Shard, method: str, request: Message, response: type[R]) -> "_Asked[R]":
        try:
            return _Asked(shard, await shard.call(method, request, response, self._timeout))
        except RpcError as error:
            if error.code in TRANSIENT:
                return _Asked(shard, error)
            if error.code == pb.CODE_NOT_FOUND:
                return _Asked(shard, None)
            raise InvalidSearchError(error.message) from None


@dataclass(frozen=True, slots=True)
class _Asked(Generic[R]):
    """What came of asking a shard."""

    shard: Shard
    answer: R | RpcError | None
    """An error: the shard is missing. None: it does not have what was asked for."""


def _search_message(request: PinSearch, count: int) -> pb.SearchPinsRequest:
    message = pb.SearchPinsRequest(
        text=request.text,
        vector=request.vector,
        mode=_MODES[request.mode],
        limit=count,
        groups=None if request.groups.empty else _groups(request.groups),
        with_vectors=request.with_vectors,
    )
    if request.viewer is not None:
        message.viewer_id = request.viewer
    return message


def _groups(groups: GroupFilter) -> pb.GroupFilter:
    message = pb.GroupFilter(
        text=groups.text,
        country=groups.country,
        ids=groups.ids,
        kinds=[_KINDS[kind] for kind in groups.kinds],
    )
    if groups.owner is not None:
        message.owner_id = groups.owner
    return message


def _merged(asked: "Sequence[_Asked[pb.SearchPinsResponse]]", offset: int, limit: int) -> PinResults:
    """The page of all that was found, best first."""
    answers = [each.answer for each in asked if isinstance(each.answer, pb.SearchPinsResponse)]
    # Equal scores stay in the order of the shards: sorted by anything else, pages would overlap.
    best = heapq.merge(*(answer.hits for answer in answers), key=lambda hit: -hit.score)
    missing = sorted(each.shard.number for each in asked if isinstance(each.answer, RpcError))
    return PinResults(
        hits=[_hit(hit) for hit in islice(best, offset, offset + limit)],
        total=sum(answer.total for answer in answers),
        total_exact=all(answer.total_exact for answer in answers) and not missing,
        shards=len(asked),
        missing_shards=tuple(missing),
    )


def _hit(hit: pb.PinHit) -> PinHit:
    return PinHit(
        pin_id=hit.pin_id,
        board_id=hit.board_id,
        owner_id=hit.owner_id,
        score=hit.score,
        title=hit.title,
        link=hit.link,
        image_key=hit.image_key,
        board_name=hit.board_name,
        saves=hit.saves,
        created_at_ms=hit.created_at_ms,
        vector=hit.vector,
    )


def _group(hit: pb.GroupHit) -> GroupHit:
    return GroupHit(
        group_id=hit.group_id,
        owner_id=hit.owner_id,
        score=hit.score,
        name=hit.name,
        description=hit.description,
        country=hit.country,
        kind=_KIND_OF.get(hit.kind, GroupKind.BOARD),
        secret=hit.secret,
    )
