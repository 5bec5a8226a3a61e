"""/v1/pins/{pin_id}/saves."""

from datetime import UTC, datetime
from typing import Any, Final

from litestar import Controller, Request, Response, delete, post
from litestar.datastructures import State
from litestar.params import JSONBody
from sqlalchemy import bindparam, false, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.common.openapi import BEARER
from services.pin import events
from services.pin.api import answers, schemas
from services.pin.api.idempotency import Answer, IdempotencyKeyHeader
from services.pin.api.resources import (
    KEPT_BOARD,
    ONE_PIN,
    Given,
    PathIdentifier,
    Subject,
    columns,
    first,
    identifier,
    missing,
    own,
    problems,
    target_board,
    unusable,
    visible,
)
from services.pin.identifiers import new_identifier
from services.pin.models import Save

_SAVE: Final = select(*Save.__table__.c).where(
    Save.board_id == bindparam("board_id"), Save.pin_id == bindparam("pin_id")
)
_LOCKED_SAVE: Final = _SAVE.with_for_update()
_insert: Final = insert(Save)


class SaveController(Controller):
    """Saves: a pin on further boards. Nothing of a save can change, so it is taken off without an If-Match."""

    path = "/v1/pins/{pin_id:str}/saves"
    tags = ["Saves"]  # noqa: RUF012 - Litestar's own

    @post(responses=problems(403, 404, 422), security=BEARER)
    async def save_pin(
        self,
        *,
        request: Request[Any, Any, State],
        subject: Subject,
        resources: Given,
        pin_id: PathIdentifier,
        data: JSONBody[schemas.NewSave],
        idempotency_key: IdempotencyKeyHeader = None,
    ) -> Response[schemas.Save]:
        """Save a pin to one of your boards; one that is there already stays as it is."""
        number = identifier(pin_id, "pin")

        async def create(connection: AsyncConnection) -> Answer:
            pin = visible(await first(connection, ONE_PIN, pin_id=number), subject, "pin")
            board = await target_board(connection, data.board_id, subject)
            if pin.board_id == board.board_id:
                unusable("board_id", "the pin is this board's own")
            found = await first(connection, _LOCKED_SAVE, board_id=board.board_id, pin_id=number)
            if found is not None and not found.deleted:
                return _answer(columns(found))
            now = datetime.now(UTC)
            row = {
                "save_id": new_identifier() if found is None else found.save_id,
                "pin_id": number,
                "board_id": board.board_id,
                "user_id": board.owner_id,
                "version": 1 if found is None else found.version + 1,
                "deleted": False,
                "saved_at": now,
                "updated_at": now,
            }
            if found is None:
                await connection.execute(_insert, row)
            else:
                await connection.execute(update(Save).where(Save.save_id == found.save_id).values(row))
            await events.publish(connection, events.saved(row))
            return _answer(row)

        return await resources.once.do(request, subject, idempotency_key, create)

    @delete("/{board_id:str}", responses=problems(403, 404), security=BEARER)
    async def unsave_pin(
        self,
        subject: Subject,
        resources: Given,
        pin_id: PathIdentifier,
        board_id: PathIdentifier,
    ) -> None:
        """Take a saved pin off one of your boards."""
        number, board = identifier(pin_id, "pin"), identifier(board_id, "board")

        async def remove(connection: AsyncConnection) -> None:
            own(await first(connection, KEPT_BOARD, board_id=board), subject, "board")
            lock = _SAVE.where(Save.deleted == false()).with_for_update()
            found = await first(connection, lock, board_id=board, pin_id=number)
            if found is None:
                missing("save")
            values = {"deleted": True, "version": found.version + 1, "updated_at": datetime.now(UTC)}
            await connection.execute(update(Save).where(Save.save_id == found.save_id).values(values))
            await events.publish(connection, events.saved({**columns(found), **values}))

        await resources.database.write(remove)


def _answer(row: dict[str, Any]) -> Answer:
    location = f"/v1/pins/{row['pin_id']}/saves/{row['board_id']}"
    return answers.created(answers.save(row), row["version"], location)
