"""Boards go with everything on them, in one transaction and with an event for each pin and save.

Rows are locked as they are read, so that the events have the versions that the rows get. What takes long comes
first: rows are marked, and get their `updated_at`, just before the commit, for who follows changes by that column.
"""

from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, delete, false, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.pin import events
from services.pin.api.resources import columns
from services.pin.jobs.schedule import schedule_removal
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
    parts = [boards[start : start + _PART] for start in range(0, len(boards), _PART)]
    for part in parts:
        await events.publish(
            connection, *(events.board_deleted(row.board_id, row.version + 1) for row in part)
        )
        await _tell_of_contents(connection, [row.board_id for row in part])
    for part in parts:
        numbers = [row.board_id for row in part]
        for table in (Save, Pin, Section, Board):
            await _mark(connection, table, table.board_id.in_(numbers))


async def forget_person(connection: AsyncConnection, subject: str) -> None:
    """Remove what else is kept under a person's subject: the answers to their requests."""
    await connection.execute(delete(IdempotencyKey).where(IdempotencyKey.subject == subject))


async def _tell_of_contents(connection: AsyncConnection, boards: list[int]) -> None:
    query = (
        select(Pin.pin_id, Pin.version, Pin.image_key)
        .where(Pin.board_id.in_(boards), Pin.deleted == false())
        .with_for_update()
    )
    pins = (await connection.execute(query)).all()
    await events.publish(connection, *(events.pin_deleted(row.pin_id, row.version + 1) for row in pins))
    await schedule_removal(connection, ((row.pin_id, row.image_key) for row in pins))
    saves = (
        select(*Save.__table__.c).where(Save.board_id.in_(boards), Save.deleted == false()).with_for_update()
    )
    undone = [
        events.saved({**columns(row), "version": row.version + 1, "deleted": True})
        for row in await connection.execute(saves)
    ]
    await events.publish(connection, *undone)


async def _mark(connection: AsyncConnection, table: Any, which: ColumnElement[bool]) -> None:
    await connection.execute(
        update(table)
        .where(which, table.deleted == false())
        .values(deleted=True, version=table.version + 1, updated_at=datetime.now(UTC))
    )
