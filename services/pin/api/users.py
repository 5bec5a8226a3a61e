"""/v1/users."""

from datetime import UTC, datetime
from typing import Any, Final

from litestar import Controller, Request, Response, delete, get, patch, post
from litestar.datastructures import State
from litestar.params import JSONBody
from msgspec import UNSET
from sqlalchemy import Row, bindparam, false, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from services.common.openapi import BEARER
from services.common.problems import FieldProblem, Problem
from services.pin import events
from services.pin.api import answers, conditions, cursors, removal, schemas
from services.pin.api.conditions import IfMatch, require_if_match
from services.pin.api.cursors import DEFAULT_LIMIT, Cursor, Limit
from services.pin.api.idempotency import Answer, IdempotencyKeyHeader
from services.pin.api.resources import (
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
    missing,
    no_profile,
    problems,
)
from services.pin.identifiers import new_identifier
from services.pin.models import Board, User

_PUBLIC: Final = select(User.user_id, User.username, User.created_at).where(
    User.user_id == bindparam("user_id"), User.deleted == false()
)
_BOARDS: Final = (
    select(*Board.__table__.c)
    .join(User, User.user_id == Board.owner_id)
    .where(
        Board.owner_id == bindparam("user_id"),
        Board.deleted == false(),
        Board.board_id < bindparam("after"),
        or_(Board.secret == false(), User.subject == bindparam("viewer")),
    )
    .order_by(Board.board_id.desc())
    .limit(bindparam("rows"))
)


class UserController(Controller):
    """People: what they call themselves here, and nothing else."""

    path = "/v1/users"
    tags = ["Users"]  # noqa: RUF012 - Litestar's own

    @post(responses=problems(409, 422), security=BEARER)
    async def create_user(
        self,
        request: Request[Any, Any, State],
        subject: Subject,
        resources: Given,
        data: JSONBody[schemas.NewUser],
        idempotency_key: IdempotencyKeyHeader = None,
    ) -> Response[schemas.Profile]:
        """Make your profile; everything else that writes needs it."""

        async def create(connection: AsyncConnection) -> Answer:
            now = datetime.now(UTC)
            row = {
                "user_id": new_identifier(),
                "subject": subject,
                "username": data.username,
                "country": data.country or "",
                "version": 1,
                "deleted": False,
                "created_at": now,
                "updated_at": now,
            }
            try:
                await connection.execute(insert(User), row)
            except IntegrityError as error:
                if await first(connection, USER, subject=subject) is not None:
                    raise Problem(409, "you have a profile already: see /v1/users/me") from error
                raise _taken() from error
            return answers.created(answers.profile(row), 1, f"/v1/users/{row['user_id']}")

        return await resources.once.do(request, subject, idempotency_key, create)

    @get("/me", responses=problems(403), security=BEARER)
    async def get_me(self, subject: Subject, resources: Given) -> Response[schemas.Profile]:
        """Your profile."""
        row = await resources.database.row(USER, {"subject": subject})
        if row is None:
            raise no_profile()
        return answers.one(answers.profile(columns(row)), row.version)

    @patch("/me", responses=problems(403, 409, 412, 428), security=BEARER)
    async def change_me(
        self,
        subject: Subject,
        resources: Given,
        data: JSONBody[schemas.UserChanges],
        if_match: IfMatch = None,
    ) -> Response[schemas.Profile]:
        """Change your profile."""
        tags = require_if_match(if_match)

        async def change(connection: AsyncConnection) -> dict[str, Any]:
            found = await first(connection, lockable(USER, tags), subject=subject)
            if found is None:
                raise no_profile()
            conditions.check(tags, found.version)
            row = columns(found)
            wanted: dict[str, Any] = {}
            if data.username is not UNSET:
                wanted["username"] = data.username
            if data.country is not UNSET:
                wanted["country"] = data.country or ""
            values = {name: value for name, value in wanted.items() if value != row[name]}
            if values:
                row |= await _write(connection, found, values)
            if "country" in values:
                await _tell_of_country(connection, found.user_id, row["country"], subject)
            return row

        row = await resources.database.write(change)
        return answers.one(answers.profile(row), row["version"])

    @delete("/me", responses=problems(403, 412, 428), security=BEARER)
    async def delete_me(self, subject: Subject, resources: Given, if_match: IfMatch = None) -> None:
        """Leave: your profile goes, and your boards and pins with it. You may come back as somebody new."""
        tags = require_if_match(if_match)

        async def remove(connection: AsyncConnection) -> None:
            found = await first(connection, lockable(USER, tags), subject=subject)
            if found is None:
                raise no_profile()
            conditions.check(tags, found.version)
            gone = f"deleted-{found.user_id}"
            await _write(
                connection, found, {"deleted": True, "subject": gone, "username": gone, "country": ""}
            )
            await removal.remove_boards(connection, Board.owner_id == found.user_id)
            await removal.forget_person(connection, subject)

        await resources.database.write(remove, seconds=removal.SECONDS)

    @get("/{user_id:str}", responses=problems(404))
    async def get_user(self, resources: Given, user_id: PathIdentifier) -> schemas.User:
        """A person, as everybody sees them."""
        row = await resources.database.row(_PUBLIC, {"user_id": identifier(user_id, "user")})
        return answers.user(columns(row)) if row is not None else missing("user")

    @get("/{user_id:str}/boards", responses=problems(404))
    async def list_boards(
        self,
        resources: Given,
        user_id: PathIdentifier,
        limit: Limit = DEFAULT_LIMIT,
        cursor: Cursor = None,
        viewer: Viewer = None,
    ) -> schemas.BoardPage:
        """A person's boards, the newest first; the secret ones for themselves only."""
        number = identifier(user_id, "user")
        listing = f"boards/{number}"
        rows = await resources.database.rows(
            _BOARDS,
            {
                "user_id": number,
                "after": cursors.after(listing, cursor),
                "viewer": viewer or "",
                "rows": limit + 1,
            },
        )
        if not rows and await resources.database.row(_PUBLIC, {"user_id": number}) is None:
            missing("user")
        shown, next_cursor = cursors.page(listing, rows, limit, lambda row: row.board_id)
        return schemas.BoardPage([answers.board(columns(row)) for row in shown], next_cursor)


async def _write(connection: AsyncConnection, found: Row[Any], values: dict[str, Any]) -> dict[str, Any]:
    """As `change_row`. Raises Problem 409 too: somebody has that name."""
    try:
        return await change_row(connection, User, found, values)
    except IntegrityError as error:
        raise _taken() from error


async def _tell_of_country(connection: AsyncConnection, user_id: int, country: str, subject: str) -> None:
    """Boards are found by their owner's country: it is of their events, so each has changed."""
    owned = (Board.owner_id == user_id, Board.deleted == false())
    now = datetime.now(UTC)
    await connection.execute(update(Board).where(*owned).values(version=Board.version + 1, updated_at=now))
    boards = await connection.execute(select(*Board.__table__.c).where(*owned))
    await events.publish(
        connection, *(events.board_changed(columns(row), country, subject) for row in boards)
    )


def _taken() -> Problem:
    detail = "somebody else has this name"
    return Problem(409, f"username: {detail}", errors=[FieldProblem(detail, "username", "body")])
