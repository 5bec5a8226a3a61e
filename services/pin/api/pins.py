"""/v1/pins."""

from datetime import UTC, datetime
from typing import Any, Final

from litestar import Controller, Request, Response, delete, get, patch, post
from litestar.datastructures import State
from litestar.params import JSONBody
from msgspec import UNSET
from sqlalchemy import Row, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.common.openapi import BEARER
from services.pin import events
from services.pin.api import answers, conditions, schemas
from services.pin.api.conditions import IfMatch, require_if_match
from services.pin.api.idempotency import Answer, IdempotencyKeyHeader
from services.pin.api.resources import (
    ONE_PIN,
    USER,
    Given,
    PathIdentifier,
    Subject,
    Viewer,
    change_row,
    columns,
    first,
    identifier,
    lockable,
    no_profile,
    own,
    problems,
    target_board,
    target_section,
    visible,
)
from services.pin.identifiers import new_identifier, parse_identifier
from services.pin.jobs.schedule import THUMBNAILS, Priority, schedule, schedule_removal
from services.pin.models import Pin
from services.pin.uploads import claim_upload, find_upload

_insert: Final = insert(Pin)


class PinController(Controller):
    """Pins: one thing at a time."""

    path = "/v1/pins"
    tags = ["Pins"]  # noqa: RUF012 - Litestar's own

    @post(responses=problems(403, 422), security=BEARER)
    async def create_pin(
        self,
        request: Request[Any, Any, State],
        subject: Subject,
        resources: Given,
        data: JSONBody[schemas.NewPin],
        idempotency_key: IdempotencyKeyHeader = None,
    ) -> Response[schemas.Pin]:
        """Put a pin on one of your boards."""
        upload = None
        if data.upload_id is not None:
            # S3 is asked outside of the transaction; a repeated request would find its own pin's upload.
            if answered := await resources.once.answered(request, subject, idempotency_key):
                return answered
            me = await resources.database.row(USER, {"subject": subject})
            if me is None:
                raise no_profile()
            number = parse_identifier(data.upload_id) or 0
            upload = await find_upload(resources.database, resources.images, number, me.user_id)

        async def create(connection: AsyncConnection) -> Answer:
            board = await target_board(connection, data.board_id, subject)
            section_id = None
            if data.section_id is not None:
                section_id = await target_section(connection, data.section_id, board.board_id)
            now, pin_id = datetime.now(UTC), new_identifier()
            row = {
                "pin_id": pin_id,
                "board_id": board.board_id,
                "section_id": section_id,
                "owner_id": board.owner_id,
                "title": data.title,
                "description": data.description,
                "link": data.link or "",
                "image_key": upload.image_key if upload else "",
                "image_width": None,
                "image_height": None,
                "image_color": None,
                "version": 1,
                "deleted": False,
                "created_at": now,
                "updated_at": now,
            }
            await connection.execute(_insert, row)
            if upload is not None:
                await claim_upload(connection, upload, pin_id)
                await schedule(connection, THUMBNAILS, {"pin_id": str(pin_id)}, Priority.HIGH)
            await events.publish(connection, events.pin_changed(row))
            return answers.created(answers.pin(row), 1, f"/v1/pins/{pin_id}")

        return await resources.once.do(request, subject, idempotency_key, create)

    @get("/{pin_id:str}", responses=problems(404))
    async def get_pin(
        self, resources: Given, pin_id: PathIdentifier, viewer: Viewer = None
    ) -> Response[schemas.Pin]:
        """One pin."""
        number = identifier(pin_id, "pin")
        row, headers = await resources.recent("pin", ONE_PIN, number)
        found = visible(row, viewer, "pin")
        return answers.one(answers.pin(columns(found)), found.version, headers)

    @patch("/{pin_id:str}", responses=problems(403, 404, 412, 422, 428), security=BEARER)
    async def change_pin(
        self,
        subject: Subject,
        resources: Given,
        pin_id: PathIdentifier,
        data: JSONBody[schemas.PinChanges],
        if_match: IfMatch = None,
    ) -> Response[schemas.Pin]:
        """Change what is said of a pin, or move it."""
        number, tags = identifier(pin_id, "pin"), require_if_match(if_match)

        async def change(connection: AsyncConnection) -> dict[str, Any]:
            found = own(await first(connection, lockable(ONE_PIN, tags), pin_id=number), subject, "pin")
            conditions.check(tags, found.version)
            row = columns(found)
            if values := await _changes(connection, found, data, subject):
                row |= await change_row(connection, Pin, found, values)
                await events.publish(connection, events.pin_changed(row))
            return row

        row = await resources.database.write(change)
        return answers.one(answers.pin(row), row["version"])

    @delete("/{pin_id:str}", responses=problems(403, 404, 412, 428), security=BEARER)
    async def delete_pin(
        self,
        subject: Subject,
        resources: Given,
        pin_id: PathIdentifier,
        if_match: IfMatch = None,
    ) -> None:
        """Remove a pin, from the boards that it was saved to as well."""
        number, tags = identifier(pin_id, "pin"), require_if_match(if_match)

        async def remove(connection: AsyncConnection) -> None:
            found = own(await first(connection, lockable(ONE_PIN, tags), pin_id=number), subject, "pin")
            conditions.check(tags, found.version)
            written = await change_row(connection, Pin, found, {"deleted": True})
            await events.publish(connection, events.pin_deleted(number, written["version"]))
            await schedule_removal(connection, [(number, found.image_key)])

        await resources.database.write(remove)
        resources.stale.keep("pin", number, None)


async def _changes(
    connection: AsyncConnection, found: Row[Any], data: schemas.PinChanges, subject: str
) -> dict[str, Any]:
    """The columns that become something else."""
    wanted: dict[str, Any] = {}
    if data.title is not UNSET:
        wanted["title"] = data.title
    if data.description is not UNSET:
        wanted["description"] = data.description
    if data.link is not UNSET:
        wanted["link"] = data.link or ""
    board_id = found.board_id
    if data.board_id is not UNSET and data.board_id != str(board_id):
        board_id = (await target_board(connection, data.board_id, subject)).board_id
        wanted |= {"board_id": board_id, "section_id": None}
    if data.section_id is not UNSET:
        wanted["section_id"] = None
        if data.section_id is not None:
            wanted["section_id"] = await target_section(connection, data.section_id, board_id)
    return {name: value for name, value in wanted.items() if value != columns(found)[name]}
