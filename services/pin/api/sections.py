"""/v1/boards/{board_id}/sections."""

from datetime import UTC, datetime
from typing import Any, Final

from litestar import Controller, Request, Response, delete, get, patch, post
from litestar.datastructures import State
from litestar.params import JSONBody
from msgspec import UNSET
from sqlalchemy import Select, bindparam, false, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.common.openapi import BEARER
from services.pin import events
from services.pin.api import answers, conditions, cursors, schemas
from services.pin.api.conditions import IfMatch, require_if_match
from services.pin.api.cursors import DEFAULT_LIMIT, Cursor, Limit
from services.pin.api.idempotency import Answer, IdempotencyKeyHeader
from services.pin.api.resources import (
    BOARD,
    KEPT_BOARD,
    Given,
    PathIdentifier,
    Subject,
    Viewer,
    change_row,
    columns,
    first,
    identifier,
    lockable,
    own,
    problems,
    visible,
)
from services.pin.identifiers import new_identifier
from services.pin.models import Board, Pin, Section, User

_SECTIONS: Final = (
    select(*Section.__table__.c)
    .where(
        Section.board_id == bindparam("board_id"),
        Section.deleted == false(),
        Section.section_id > bindparam("after"),
    )
    .order_by(Section.section_id)
    .limit(bindparam("rows"))
)
_SECTION: Final[Select[*tuple[Any, ...]]] = (
    select(*Section.__table__.c, Board.secret.label("secret"), User.subject.label("subject"))
    .join(Board, Board.board_id == Section.board_id)
    .join(User, User.user_id == Board.owner_id)
    .where(
        Section.section_id == bindparam("section_id"),
        Section.board_id == bindparam("board_id"),
        Section.deleted == false(),
        Board.deleted == false(),
    )
)


class SectionController(Controller):
    """Sections: parts of a board. Who owns a board owns its sections."""

    path = "/v1/boards/{board_id:str}/sections"
    tags = ["Sections"]  # noqa: RUF012 - Litestar's own

    @post(responses=problems(403, 404, 422), security=BEARER)
    async def create_section(
        self,
        *,
        request: Request[Any, Any, State],
        subject: Subject,
        resources: Given,
        board_id: PathIdentifier,
        data: JSONBody[schemas.NewSection],
        idempotency_key: IdempotencyKeyHeader = None,
    ) -> Response[schemas.Section]:
        """Make a section."""
        number = identifier(board_id, "board")

        async def create(connection: AsyncConnection) -> Answer:
            own(await first(connection, KEPT_BOARD, board_id=number), subject, "board")
            now = datetime.now(UTC)
            row = {
                "section_id": new_identifier(),
                "board_id": number,
                "name": data.name,
                "version": 1,
                "deleted": False,
                "created_at": now,
                "updated_at": now,
            }
            await connection.execute(insert(Section), row)
            location = f"/v1/boards/{number}/sections/{row['section_id']}"
            return answers.created(answers.section(row), 1, location)

        return await resources.once.do(request, subject, idempotency_key, create)

    @get(responses=problems(404))
    async def list_sections(
        self,
        resources: Given,
        board_id: PathIdentifier,
        limit: Limit = DEFAULT_LIMIT,
        cursor: Cursor = None,
        viewer: Viewer = None,
    ) -> schemas.SectionPage:
        """A board's sections, the oldest first."""
        number = identifier(board_id, "board")
        visible(await resources.database.row(BOARD, {"board_id": number}), viewer, "board")
        listing = f"sections/{number}"
        after = 0 if cursor is None else cursors.decode(listing, cursor)
        rows = await resources.database.rows(
            _SECTIONS, {"board_id": number, "after": after, "rows": limit + 1}
        )
        shown, next_cursor = cursors.page(listing, rows, limit, lambda row: row.section_id)
        return schemas.SectionPage([answers.section(columns(row)) for row in shown], next_cursor)

    @get("/{section_id:str}", responses=problems(404))
    async def get_section(
        self,
        resources: Given,
        board_id: PathIdentifier,
        section_id: PathIdentifier,
        viewer: Viewer = None,
    ) -> Response[schemas.Section]:
        """One section."""
        row = await resources.database.row(_SECTION, _numbers(board_id, section_id))
        found = visible(row, viewer, "section")
        return answers.one(answers.section(columns(found)), found.version)

    @patch("/{section_id:str}", responses=problems(403, 404, 412, 428), security=BEARER)
    async def change_section(
        self,
        *,
        subject: Subject,
        resources: Given,
        board_id: PathIdentifier,
        section_id: PathIdentifier,
        data: JSONBody[schemas.SectionChanges],
        if_match: IfMatch = None,
    ) -> Response[schemas.Section]:
        """Rename a section."""
        numbers, tags = _numbers(board_id, section_id), require_if_match(if_match)

        async def change(connection: AsyncConnection) -> dict[str, Any]:
            found = own(await first(connection, lockable(_SECTION, tags), **numbers), subject, "section")
            conditions.check(tags, found.version)
            row = columns(found)
            if data.name is not UNSET and data.name != found.name:
                row |= await change_row(connection, Section, found, {"name": data.name})
            return row

        row = await resources.database.write(change)
        return answers.one(answers.section(row), row["version"])

    @delete("/{section_id:str}", responses=problems(403, 404, 412, 428), security=BEARER)
    async def delete_section(
        self,
        subject: Subject,
        resources: Given,
        board_id: PathIdentifier,
        section_id: PathIdentifier,
        if_match: IfMatch = None,
    ) -> None:
        """Remove a section; its pins stay on the board."""
        numbers, tags = _numbers(board_id, section_id), require_if_match(if_match)

        async def remove(connection: AsyncConnection) -> None:
            found = own(await first(connection, lockable(_SECTION, tags), **numbers), subject, "section")
            conditions.check(tags, found.version)
            await change_row(connection, Section, found, {"deleted": True})
            await _release_pins(connection, found.section_id)

        await resources.database.write(remove)


def _numbers(board_id: str, section_id: str) -> dict[str, int]:
    return {"board_id": identifier(board_id, "section"), "section_id": identifier(section_id, "section")}


async def _release_pins(connection: AsyncConnection, section_id: int) -> None:
    within = (Pin.section_id == section_id, Pin.deleted == false())
    pins = (await connection.execute(select(*Pin.__table__.c).where(*within).with_for_update())).all()
    values = {"section_id": None, "version": Pin.version + 1, "updated_at": datetime.now(UTC)}
    await connection.execute(update(Pin).where(*within).values(values))
    changed = [events.pin_changed({**columns(row), "version": row.version + 1}) for row in pins]
    await events.publish(connection, *changed)
