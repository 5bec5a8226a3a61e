"""What the graph of boards and pins (Zen) finds: /v1/pins/{pin_id}/related and /v1/boards/{board_id}/more."""

import asyncio

from litestar import Controller, get

from services.common.problems import Problem
from services.pin.api import answers, schemas
from services.pin.api.cursors import DEFAULT_LIMIT, Limit
from services.pin.api.resources import (
    BOARD,
    ONE_PIN,
    PINS,
    Given,
    PathIdentifier,
    Resources,
    Viewer,
    columns,
    identifier,
    problems,
    visible,
)


class RecommendationController(Controller):
    """Pins that people keep together. The graph follows the database within seconds; what is shown is checked there."""

    path = "/v1"
    tags = ["Recommendations"]  # noqa: RUF012 - Litestar's own

    @get("/pins/{pin_id:str}/related", responses=problems(404))
    async def list_related(
        self, resources: Given, pin_id: PathIdentifier, limit: Limit = DEFAULT_LIMIT, viewer: Viewer = None
    ) -> schemas.PinList:
        """Pins that people keep beside this one, the nearest first."""
        number = identifier(pin_id, "pin")
        pin = visible(await resources.database.row(ONE_PIN, {"pin_id": number}), viewer, "pin")
        _require_graph(resources)
        graph = resources.feed.graph
        found = await asyncio.to_thread(graph.related, number, limit, board_id=pin.board_id)
        return await _shown(resources, found, viewer)

    @get("/boards/{board_id:str}/more", responses=problems(404))
    async def list_more(
        self, resources: Given, board_id: PathIdentifier, limit: Limit = DEFAULT_LIMIT, viewer: Viewer = None
    ) -> schemas.PinList:
        """Pins that would fit on this board, the best first."""
        number = identifier(board_id, "board")
        board = visible(await resources.database.row(BOARD, {"board_id": number}), viewer, "board")
        _require_graph(resources)
        graph = resources.feed.graph
        found = await asyncio.to_thread(graph.more_like_board, number, limit, country=board.country)
        return await _shown(resources, found, viewer)


def _require_graph(resources: Resources) -> None:
    if not resources.feed.loaded.is_set():
        raise Problem(503, "boards and pins are being read: try again soon", headers={"retry-after": "2"})


async def _shown(resources: Resources, found: list[int], viewer: str | None) -> schemas.PinList:
    """Those of the pins that the viewer may see, in their order."""
    if not found:
        return schemas.PinList([])
    rows = {row.pin_id: row for row in await resources.database.rows(PINS, {"pin_ids": found})}
    there = [rows[number] for number in found if number in rows]
    may_see = [row for row in there if not row.secret or row.subject == viewer]
    return schemas.PinList([answers.pin(columns(row)) for row in may_see])
