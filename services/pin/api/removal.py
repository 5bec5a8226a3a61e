"""Boards go with everything on them, in one transaction and with an event for each pin and save.

Rows are locked before they are read, so that the events have the versions that the rows get.
"""

from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, delete, false, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.pin import events
from services.pin.api.resources import columns
from services.pin.models import Board, IdempotencyKey, Pin, Save, Section

SECONDS: Final = 30.0
"""A transaction may take: a board of 100,000 pins is not removed in the time of another request."""
_PART: Final = 500
"""Boards of a statement."""


async def remove_boards(connection: AsyncConnection, which: ColumnElement[bool]) -> None:
    """Remove boards with their sections, pins and saves."""
    result = await connection.execute(
        select(Board.board_id, Board.version).where(which, Board.deleted == false()).with_for_update()
    )
    boards = result.all()
    for start in range(0, len(boards), _PART):
        part = boards[start : start + _PART]
        numbers = [row.board_id for row in part]
        await _mark(connection, Board, Board.board_id.in_(numbers))
        gone = [events.board_deleted(row.board_id, row.version + 1) for row in part]
        await events.publish(connection, *gone)
        await _remove_contents(connection, numbers)


async def forget_person(connection: AsyncConnection, subject: str) -> None:
    """Remove what else is kept under a person's subject: the answers to their requests."""
    await connection.execute(delete(IdempotencyKey).where(IdempotencyKey.subject == subject))


async def _remove_contents(connection: AsyncConnection, boards: list[int]) -> None:
    await _mark(connection, Section, Section.board_id.in_(boards))
    pins = (
        select(Pin.pin_id, Pin.version)
        .where(Pin.board_id.in_(boards), Pin.deleted == false())
        .with_for_update()
    )
    gone = [events.pin_deleted(row.pin_id, row.version + 1) for row in await connection.execute(pins)]
    await _mark(connection, Pin, Pin.board_id.in_(boards))
    await events.publish(connection, *gone)
    saves = (
        select(*Save.__table__.c).where(Save.board_id.in_(boards), Save.deleted == false()).with_for_update()
    )
    undone = [
        events.saved({**columns(row), "version": row.version + 1, "deleted": True})
        for row in await connection.execute(saves)
    ]
    await _mark(connection, Save, Save.board_id.in_(boards))
    await events.publish(connection, *undone)


async def _mark(connection: AsyncConnection, table: Any, which: ColumnElement[bool]) -> None:
    await connection.execute(
        update(table)
        .where(which, table.deleted == false())
        .values(deleted=True, version=table.version + 1, updated_at=datetime.now(UTC))
    )
