"""What handlers work with, what they read before they act, and how what they answer looks."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Final, NoReturn

from litestar.di import NamedDependency
from litestar.openapi import ResponseSpec
from litestar.params import HeaderParameter, PathParameter
from sqlalchemy import Row, Select, bindparam, false, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.common.http import SUBJECT
from services.common.problems import FieldProblem, Problem, ProblemDetails
from services.pin.api.conditions import changed, is_any
from services.pin.api.idempotency import Once
from services.pin.api.schemas import DIGITS
from services.pin.api.stale import STALE_HEADERS, StaleCache
from services.pin.database import Database, DatabaseUnavailable
from services.pin.graph.feed import GraphFeed
from services.pin.identifiers import parse_identifier
from services.pin.models import Board, Pin, Section, User
from services.pin.uploads import ImageStore

PathIdentifier = Annotated[str, PathParameter(pattern=DIGITS, description="A 64-bit number in decimal")]
Viewer = Annotated[str | None, HeaderParameter(name=SUBJECT, required=False, include_in_schema=False)]
"""Who looks, of what anybody may look at."""

DESCRIPTIONS: Final = {
    401: "There is no valid token.",
    403: "It is another person's, or you have no profile yet (`POST /v1/users`).",
    404: "There is no such thing, or it is secret.",
    409: "It conflicts with what is there.",
    412: "It has changed since the ETag in If-Match.",
    422: "The request is well-formed, but names something that cannot be used; or its Idempotency-Key was another's.",
    428: "If-Match is missing.",
    503: "The database cannot be asked now: try again after Retry-After seconds.",
}


@dataclass(frozen=True)
class Resources:
    """Of one application."""

    database: Database
    once: Once
    stale: StaleCache
    images: ImageStore
    feed: GraphFeed

    async def recent(self, kind: str, statement: Any, number: int) -> tuple[Row[Any] | None, dict[str, str]]:
        """A pin or a board, and headers that say how stale it is.

        Raises DatabaseUnavailable, unless it was read lately.
        """
        try:
            row = await self.database.row(statement, {f"{kind}_id": number})
        except DatabaseUnavailable:
            if (kept := self.stale.find(kind, number)) is None:
                raise
            row, age = kept
            return row, {**STALE_HEADERS, "age": str(age)}
        self.stale.keep(kind, number, row)
        return row, {}


Subject = NamedDependency[str]
"""Who asks; a 401 when nobody does."""
Given = NamedDependency[Resources]


def problems(*statuses: int) -> dict[int, ResponseSpec]:
    """For the OpenAPI document: the errors of a handler."""
    return {
        status: ResponseSpec(ProblemDetails, description=DESCRIPTIONS[status], generate_examples=False)
        for status in (*statuses, 503)
    }


BOARD: Final[Select[*tuple[Any, ...]]] = (
    select(*Board.__table__.c, User.subject.label("subject"), User.country.label("country"))
    .join(User, User.user_id == Board.owner_id)
    .where(Board.board_id == bindparam("board_id"), Board.deleted == false())
)
"""A board with its owner's subject and country."""

KEPT_BOARD: Final = BOARD.with_for_update(read=True)
"""The same, kept from going away until the transaction ends. Statements are made once: SQLAlchemy then knows them."""

PIN_COLUMNS: Final = tuple(Pin.__table__.c)

PIN: Final[Select[*tuple[Any, ...]]] = (
    select(*Pin.__table__.c, Board.secret.label("secret"), User.subject.label("subject"))
    .join(Board, Board.board_id == Pin.board_id)
    .join(User, User.user_id == Pin.owner_id)
    .where(Pin.deleted == false(), Board.deleted == false())
)
"""Pins with the secrecy of their boards and their owners' subjects."""

ONE_PIN: Final = PIN.where(Pin.pin_id == bindparam("pin_id"))
PINS: Final = PIN.where(Pin.pin_id.in_(bindparam("pin_ids", expanding=True)))

_SECTION: Final = select(Section.section_id).where(
    Section.section_id == bindparam("section_id"),
    Section.board_id == bindparam("board_id"),
    Section.deleted == false(),
)
USER: Final = select(*User.__table__.c).where(User.subject == bindparam("subject"), User.deleted == false())


def identifier(text: str, kind: str) -> int:
    """The number in a path. Raises Problem 404 for one that cannot be."""
    number = parse_identifier(text)
    return number if number is not None else missing(kind)


def missing(kind: str) -> NoReturn:
    """Raise Problem 404."""
    raise Problem(404, f"there is no such {kind}")


def unusable(field: str, detail: str) -> NoReturn:
    """Raise Problem 422: the body names what cannot be used."""
    raise Problem(422, f"{field}: {detail}", errors=[FieldProblem(detail, field, "body")])


def visible(row: Row[Any] | None, viewer: str | None, kind: str) -> Row[Any]:
    """A board or pin, for who may see it. Raises Problem 404 for everybody else."""
    if row is None or (row.secret and row.subject != viewer):
        missing(kind)
    return row


def own(row: Row[Any] | None, subject: str, kind: str) -> Row[Any]:
    """A board or pin, for its owner. Raises Problem 404 or 403 for everybody else."""
    found = visible(row, subject, kind)
    if found.subject != subject:
        raise Problem(403, f"this {kind} is another person's")
    return found


async def first(connection: AsyncConnection, statement: Any, **parameters: object) -> Row[Any] | None:
    """The first row within a transaction."""
    return (await connection.execute(statement, parameters)).first()


def lockable(statement: Select[*tuple[Any, ...]], if_match: str) -> Select[*tuple[Any, ...]]:
    """The row is locked for who takes whatever is there; who names a version finds out when they write it."""
    return statement.with_for_update() if is_any(if_match) else statement


async def person(connection: AsyncConnection, subject: str) -> Row[Any]:
    """The profile of who asks, kept from going away until the transaction ends. Raises Problem 403 without one."""
    row = await first(connection, USER.with_for_update(read=True), subject=subject)
    if row is None:
        raise no_profile()
    return row


def no_profile() -> Problem:
    """A person's first request makes their profile."""
    return Problem(403, "you have no profile yet: make one with POST /v1/users", title="No profile")


async def target_board(connection: AsyncConnection, board_id: str, subject: str) -> Row[Any]:
    """One's own board that a body names, kept from going away until the transaction ends.

    Raises Problem 422 when there is none, 403 when it is another's.
    """
    number = parse_identifier(board_id)
    row = await first(connection, KEPT_BOARD, board_id=number or 0)
    if row is None or (row.secret and row.subject != subject):
        unusable("board_id", "there is no such board")
    return own(row, subject, "board")


async def target_section(connection: AsyncConnection, section_id: str, board_id: int) -> int:
    """A section of that board that a body names, kept from going away. Raises Problem 422 when there is none."""
    number = parse_identifier(section_id) or 0
    row = await first(connection, _SECTION.with_for_update(read=True), section_id=number, board_id=board_id)
    if row is None:
        unusable("section_id", "the board has no such section")
    return number


async def change_row(
    connection: AsyncConnection,
    table: type[Board | Pin | Section | User],
    found: Row[Any],
    values: dict[str, Any],
) -> dict[str, Any]:
    """Change the version that was found to the next one; returns what was written.

    Raises Problem 412 when that version is there no more.
    """
    values = {**values, "version": found.version + 1, "updated_at": datetime.now(UTC)}
    (key,) = table.__table__.primary_key
    written = await connection.execute(
        update(table)
        .where(key == columns(found)[key.name], table.version == found.version, table.deleted == false())
        .values(values)
    )
    if written.rowcount != 1:
        raise changed()
    return values


def columns(row: Row[Any]) -> dict[str, Any]:
    """A row by its columns' names."""
    return row._asdict()  # pyright: ignore[reportPrivateUsage] - documented by SQLAlchemy, named as a named tuple's
