"""The REST API of search, over whichever backend: /v1/search/..."""

import contextlib
from collections.abc import Generator
from dataclasses import dataclass
from typing import Annotated, Any, Final

import msgspec
from litestar import Controller, Request, get, post
from litestar.di import NamedDependency
from litestar.openapi.spec import OpenAPIMediaType, Operation, RequestBody, Schema
from litestar.openapi.spec.enums import OpenAPIFormat, OpenAPIType
from litestar.params import PathParameter, QueryParameter

from services.common import logs
from services.common.http import SUBJECT
from services.common.problems import FieldProblem, Problem
from services.common.subjects import subject_key
from services.search import answers, cursors
from services.search.answers import FoundBoards, FoundPins
from services.search.backend import (
    MAX_WINDOW,
    Backend,
    BackendUnavailableError,
    GroupFilter,
    GroupSearch,
    InvalidSearchError,
    Mode,
    PinResults,
    PinSearch,
    SimilarSearch,
    UnknownPinError,
)
from services.search.ml import Ml

IMAGE_TYPES: Final = ("image/jpeg", "image/png", "image/webp", "image/gif")
_LARGEST: Final = 2**63 - 1
_DIGITS: Final = "^[0-9]{1,19}$"
_log = logs.logger(__name__)

Words = Annotated[
    str,
    QueryParameter(
        name="q", max_length=500, required=False, description="Words of a pin's title or description"
    ),
]
BoardWords = Annotated[
    str,
    QueryParameter(
        name="board", max_length=200, required=False, description="Words of the name of the pin's board"
    ),
]
Country = Annotated[
    str,
    QueryParameter(
        name="country",
        pattern="^([A-Z]{2})?$",
        required=False,
        description="Of the board: ISO 3166-1 alpha-2",
    ),
]
Owner = Annotated[
    str | None,
    QueryParameter(name="owner", pattern=_DIGITS, required=False, description="User id of the board's owner"),
]
HowGroups = Annotated[
    Mode,
    QueryParameter(
        name="mode", required=False, description="How boards narrow pins; `auto` is best left alone"
    ),
]
Limit = Annotated[
    int, QueryParameter(name="limit", ge=1, le=100, required=False, description="Entries of a page, at most")
]
Cursor = Annotated[
    str | None,
    QueryParameter(
        name="cursor", max_length=cursors.MAX_CURSOR, required=False, description="`next_cursor` of a page"
    ),
]
History = Annotated[
    str | None,
    QueryParameter(
        name="history",
        pattern="^[0-9]{1,19}(,[0-9]{1,19}){0,19}$",
        required=False,
        description="Pins that the person acted on last, newest first, with commas: results may be ordered by them",
    ),
]
PinId = Annotated[str, PathParameter(pattern=_DIGITS, description="A pin")]


@dataclass
class _ImageBody(Operation):
    """For the OpenAPI document: the body is the image itself."""

    def __post_init__(self) -> None:
        image = Schema(type=OpenAPIType.STRING, format=OpenAPIFormat.BINARY)
        self.request_body = RequestBody(
            description="An encoded image",
            content={media_type: OpenAPIMediaType(schema=image) for media_type in IMAGE_TYPES},
            required=True,
        )


class Searching:
    """What handlers share: the backend, the ml service, and who asks."""

    def __init__(self, backend: Backend, ml: Ml, *, rerank: bool, visual_searches: int) -> None:
        self.backend: Final = backend
        self.ml: Final = ml
        self._rerank: Final = rerank
        self._images_limit: Final = visual_searches
        self._images = 0

    def viewer(self, request: Request[Any, Any, Any]) -> int | None:
        """Who asks, as the owners of boards are known here; None when the gateway knows nobody."""
        subject = request.headers.get(SUBJECT, "")
        return subject_key(subject) if subject else None

    @contextlib.contextmanager
    def image(self) -> Generator[None]:
        """Hold an image in memory. Raises Problem 429 when enough are held."""
        if self._images >= self._images_limit:
            raise Problem(
                429, "too many images are being searched with: try again soon", headers={"retry-after": "1"}
            )
        self._images += 1
        try:
            yield
        finally:
            self._images -= 1

    async def pins(self, search: PinSearch | SimilarSearch, history: str | None) -> PinResults:
        """Find them; those of a page may be put into an order that suits the person."""
        ordering = [identifier(each, "history") for each in history.split(",")] if history else []
        if not self._rerank:
            ordering = []
        if search.offset + search.limit > MAX_WINDOW:
            search = msgspec.structs.replace(search, limit=MAX_WINDOW - search.offset)
        search = msgspec.structs.replace(search, with_vectors=bool(ordering))
        with _answered():
            if isinstance(search, PinSearch):
                results = await self.backend.search(search)
            else:
                results = await self.backend.similar(search)
            if not ordering:
                return results
            vectors = await self.backend.vectors(ordering, search.viewer)
        known = [vectors[pin_id] for pin_id in ordering if pin_id in vectors]
        return msgspec.structs.replace(results, hits=await self.ml.rerank(results.hits, known))


class SearchController(Controller):
    """Pins and boards, by words, by pictures, by both."""

    path = "/v1/search"

    @get("/pins", summary="Find pins by words, by their boards, or by both")
    async def pins(
        self,
        *,
        request: Request[Any, Any, Any],
        searching: NamedDependency[Searching],
        q: Words = "",
        board: BoardWords = "",
        country: Country = "",
        owner: Owner = None,
        mode: HowGroups = Mode.AUTO,
        limit: Limit = 25,
        cursor: Cursor = None,
        history: History = None,
    ) -> FoundPins:
        """At least one of q, board, country and owner is needed."""
        groups = _groups(board, country, owner)
        if not q.strip() and groups.empty:
            raise _wrong("say what to look for: at least one of q, board, country and owner", "q")
        about = f"pins {q!r} {groups!r} {mode}"
        offset = cursors.decode(about, cursor)
        results = await searching.pins(
            PinSearch(
                text=q,
                groups=groups,
                mode=mode,
                limit=limit,
                offset=offset,
                viewer=searching.viewer(request),
            ),
            history,
        )
        return answers.pins(results, cursors.following(about, offset, limit, len(results.hits)))

    @post(
        "/visual",
        summary="Find pins that look like an image",
        status_code=200,
        opt={"media_types": IMAGE_TYPES},
        operation_class=_ImageBody,
    )
    async def visual(
        self,
        *,
        request: Request[Any, Any, Any],
        searching: NamedDependency[Searching],
        q: Words = "",
        board: BoardWords = "",
        country: Country = "",
        owner: Owner = None,
        limit: Limit = 25,
        history: History = None,
    ) -> FoundPins:
        """The body is the encoded image. With q, pins that fit the words too come first. One page only."""
        with searching.image():
            image = await request.body()
            if not image:
                raise Problem(400, f"the body is empty: send an image, one of {', '.join(IMAGE_TYPES)}")
            vector = await searching.ml.image_vector(image)
        results = await searching.pins(
            PinSearch(
                text=q,
                vector=vector,
                groups=_groups(board, country, owner),
                limit=limit,
                viewer=searching.viewer(request),
            ),
            history,
        )
        return answers.pins(results, None)

    @get("/pins/{pin_id:str}/similar", summary="Find pins that look like a pin")
    async def similar(
        self,
        *,
        request: Request[Any, Any, Any],
        searching: NamedDependency[Searching],
        pin_id: PinId,
        limit: Limit = 25,
        cursor: Cursor = None,
        history: History = None,
    ) -> FoundPins:
        """404 for a pin that does not exist, that nobody else may see, or whose image was not looked at yet."""
        number = identifier(pin_id, "pin_id", location="path")
        about = f"similar {number}"
        offset = cursors.decode(about, cursor)
        search = SimilarSearch(pin_id=number, limit=limit, offset=offset, viewer=searching.viewer(request))
        results = await searching.pins(search, history)
        return answers.pins(results, cursors.following(about, offset, limit, len(results.hits)))

    @get("/boards", summary="Find boards by words")
    async def boards(
        self,
        *,
        request: Request[Any, Any, Any],
        searching: NamedDependency[Searching],
        q: Words = "",
        country: Country = "",
        limit: Limit = 25,
        cursor: Cursor = None,
    ) -> FoundBoards:
        """Words of the name or the description of a board."""
        if not q.strip():
            raise _wrong("say what to look for: words of a board's name or description", "q")
        about = f"boards {q!r} {country}"
        offset = cursors.decode(about, cursor)
        search = GroupSearch(
            text=q,
            country=country,
            limit=min(limit, MAX_WINDOW - offset),
            offset=offset,
            viewer=searching.viewer(request),
        )
        with _answered():
            results = await searching.backend.groups(search)
        return answers.boards(results, cursors.following(about, offset, limit, len(results.hits)))


def identifier(text: str, field: str, *, location: str = "query") -> int:
    """A 64-bit number. Raises Problem 400."""
    number = int(text) if text.isascii() and text.isdigit() else 0
    if not 0 < number <= _LARGEST:
        raise _wrong(f"{text[:32]!r} is no identifier: expected a number from 1 to 2^63 - 1", field, location)
    return number


@contextlib.contextmanager
def _answered() -> Generator[None]:
    """What a backend raises, as problems."""
    try:
        yield
    except BackendUnavailableError as error:
        _log.warning("no answer from the index", reason=str(error))
        detail = "the search index does not answer now; try again"
        raise Problem(503, detail, headers={"retry-after": "1"}) from None
    except InvalidSearchError as error:
        raise Problem(400, str(error)) from None
    except UnknownPinError as error:
        raise Problem(404, str(error)) from None


def _groups(board: str, country: str, owner: str | None) -> GroupFilter:
    owner_id = identifier(owner, "owner") if owner is not None else None
    return GroupFilter(text=board if board.strip() else "", country=country, owner=owner_id)


def _wrong(detail: str, field: str, location: str = "query") -> Problem:
    return Problem(400, detail, errors=[FieldProblem(detail, field, location)])
