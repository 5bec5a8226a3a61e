"""/v1/boards."""

from datetime import UTC, datetime
from typing import Annotated, Any, Final

from litestar import Controller, Request, Response, delete, get, patch, post
from litestar.datastructures import State
from litestar.params import JSONBody, QueryParameter
from msgspec import UNSET
from sqlalchemy import Row, Select, bindparam, false, insert, null, select, union_all
from sqlalchemy.ext.asyncio import AsyncConnection

from services.common.openapi import BEARER
from services.pin import events
from services.pin.api import answers, conditions, cursors, removal, schemas
from services.pin.api.conditions import IfMatch, require_if_match
from services.pin.api.cursors import DEFAULT_LIMIT, Cursor, Limit
from services.pin.api.idempotency import Answer, IdempotencyKeyHeader
from services.pin.api.resources import (
    BOARD,
    PIN_COLUMNS,
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
    person,
    problems,
    visible,
)
from services.pin.identifiers import new_identifier
from services.pin.models import Board, Pin, Save, User


class BoardController(Controller):
    """Boards, and what is on them."""

    path = "/v1/boards"
    tags = ["Boards"]  # noqa: RUF012 - Litestar's own

    @post(responses=problems(403, 422), security=BEARER)
    async def create_board(
        self,
        request: Request[Any, Any, State],
        subject: Subject,
        resources: Given,
        data: JSONBody[schemas.NewBoard],
        idempotency_key: IdempotencyKeyHeader = None,
    ) -> Response[schemas.Board]:
        """Make a board."""

        async def create(connection: AsyncConnection) -> Answer:
            owner = await person(connection, subject)
            now = datetime.now(UTC)
            row = {
                "board_id": new_identifier(),
                "owner_id": owner.user_id,
                "name": data.name,
                "description": data.description,
                "secret": data.secret,
                "version": 1,
                "deleted": False,
                "created_at": now,
                "updated_at": now,
            }
            await connection.execute(insert(Board), row)
            await events.publish(connection, events.board_changed(row, owner.country, subject))
            return answers.created(answers.board(row), 1, f"/v1/boards/{row['board_id']}")

        return await resources.once.do(request, subject, idempotency_key, create)

    @get("/{board_id:str}", responses=problems(404))
    async def get_board(
        self, resources: Given, board_id: PathIdentifier, viewer: Viewer = None
    ) -> Response[schemas.Board]:
        """One board."""
        row, headers = await resources.recent("board", BOARD, identifier(board_id, "board"))
        found = visible(row, viewer, "board")
        return answers.one(answers.board(columns(found)), found.version, headers)

    @patch("/{board_id:str}", responses=problems(403, 404, 412, 428), security=BEARER)
    async def change_board(
        self,
        subject: Subject,
        resources: Given,
        board_id: PathIdentifier,
        data: JSONBody[schemas.BoardChanges],
        if_match: IfMatch = None,
    ) -> Response[schemas.Board]:
        """Change a board: its name, its description, or who sees it."""
        number, tags = identifier(board_id, "board"), require_if_match(if_match)
        wanted = {
            name: value
            for name, value in (
                ("name", data.name),
                ("description", data.description),
                ("secret", data.secret),
            )
            if value is not UNSET
        }

        async def change(connection: AsyncConnection) -> dict[str, Any]:
            found = own(await first(connection, lockable(BOARD, tags), board_id=number), subject, "board")
            conditions.check(tags, found.version)
            row = columns(found)
            if values := {name: value for name, value in wanted.items() if value != row[name]}:
                row |= await change_row(connection, Board, found, values)
                await events.publish(connection, events.board_changed(row, found.country, subject))
            return row

        row = await resources.database.write(change)
        return answers.one(answers.board(row), row["version"])

    @delete("/{board_id:str}", responses=problems(403, 404, 412, 428), security=BEARER)
    async def delete_board(
        self,
        subject: Subject,
        resources: Given,
        board_id: PathIdentifier,
        if_match: IfMatch = None,
    ) -> None:
        """Remove a board, and its pins."""
        number, tags = identifier(board_id, "board"), require_if_match(if_match)

        async def remove(connection: AsyncConnection) -> None:
            found = own(await first(connection, BOARD.with_for_update(), board_id=number), subject, "board")
            conditions.check(tags, found.version)
            await removal.remove_boards(connection, Board.board_id == number)

        await resources.database.write(remove, seconds=removal.SECONDS)
        resources.stale.keep("board", number, None)

    @get("/{board_id:str}/pins", responses=problems(404))
    async def list_pins(
        self,
        *,
        resources: Given,
        board_id: PathIdentifier,
        limit: Limit = DEFAULT_LIMIT,
        cursor: Cursor = None,
        section_id: Annotated[
            str | None,
            QueryParameter(pattern=schemas.DIGITS, required=False, description="Of that section only"),
        ] = None,
        viewer: Viewer = None,
    ) -> schemas.BoardPinPage:
        """What was put on a board or saved to it, the latest first."""
        number = identifier(board_id, "board")
        visible(await resources.database.row(BOARD, {"board_id": number}), viewer, "board")
        section = None if section_id is None else identifier(section_id, "section")
        listing = f"pins/{number}/{section or ''}"
        rows = await resources.database.rows(
            _PINS if section is None else _PINS_OF_SECTION,
            {
                "board_id": number,
                **({} if section is None else {"section_id": section}),
                "after": cursors.after(listing, cursor),
                "rows": limit + 1,
            },
        )
        shown, next_cursor = cursors.page(listing, rows, limit, lambda row: row.entry)
        return schemas.BoardPinPage([_board_pin(row) for row in shown if _is_shown(row, viewer)], next_cursor)


def _entries_made() -> Select[*tuple[Any, ...]]:
    return (
        select(
            Pin.pin_id.label("entry"),
            Pin.pin_id.label("shown"),
            null().label("save_id"),
            Pin.created_at.label("added_at"),
        )
        .where(Pin.board_id == bindparam("board_id"), Pin.deleted == false(), Pin.pin_id < bindparam("after"))
        .order_by(Pin.pin_id.desc())
        .limit(bindparam("rows"))
    )


def _entries_saved() -> Select[*tuple[Any, ...]]:
    return (
        select(
            Save.save_id.label("entry"),
            Save.pin_id.label("shown"),
            Save.save_id.label("save_id"),
            Save.saved_at.label("added_at"),
        )
        .where(
            Save.board_id == bindparam("board_id"), Save.deleted == false(), Save.save_id < bindparam("after")
        )
        .order_by(Save.save_id.desc())
        .limit(bindparam("rows"))
    )


def _listed(entries: Any) -> Select[*tuple[Any, ...]]:
    """Entries with their pins. What may not be shown is left out later: the cursor must pass over it."""
    return (
        select(
            entries.c.entry,
            entries.c.save_id.label("save_id"),
            entries.c.added_at,
            *PIN_COLUMNS,
            (Pin.deleted | Board.deleted).label("gone"),
            Board.secret.label("secret"),
            User.subject.label("subject"),
        )
        .select_from(entries)
        .join(Pin, Pin.pin_id == entries.c.shown)
        .join(Board, Board.board_id == Pin.board_id)
        .join(User, User.user_id == Pin.owner_id)
        .order_by(entries.c.entry.desc())
        .limit(bindparam("rows"))
    )


_made, _saved = _entries_made().subquery(), _entries_saved().subquery()
_PINS: Final = _listed(union_all(select(_made), select(_saved)).subquery())
_PINS_OF_SECTION: Final = _listed(_entries_made().where(Pin.section_id == bindparam("section_id")).subquery())


def _is_shown(row: Row[Any], viewer: str | None) -> bool:
    return not row.gone and (not row.secret or row.subject == viewer)


def _board_pin(row: Row[Any]) -> schemas.BoardPin:
    return schemas.BoardPin(
        pin=answers.pin(columns(row)),
        added_at=row.added_at,
        save_id=str(row.save_id) if row.save_id is not None else None,
    )
