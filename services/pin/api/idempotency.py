"""POST once: what a request with an Idempotency-Key did and answered is kept, in the transaction that did it.

So a client whose connection broke sends the same again: it is done, refused at the primary key, undone, and answered
as it was the first time. Of two at the same time one waits at that key for the other. Answers that
changed nothing (4xx, 5xx) are not kept: the same request may succeed later.

Source: https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
"""

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, TypeVar, cast

import msgspec
from litestar import Request, Response
from litestar.params import HeaderParameter
from sqlalchemy import bindparam, delete, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from services.common.logs import logger
from services.common.problems import Problem
from services.pin.database import Database, DatabaseUnavailable
from services.pin.models import IDEMPOTENCY_KEY_LENGTH, IdempotencyKey

T = TypeVar("T", bound=msgspec.Struct)

IdempotencyKeyHeader = Annotated[
    str | None,
    HeaderParameter(
        name="Idempotency-Key",
        required=False,
        min_length=1,
        max_length=IDEMPOTENCY_KEY_LENGTH,
        pattern=r"^[\x21-\x7e]+$",
        description="Do this once, however often it is sent with this key: such as a UUID",
    ),
]
REPLAYED: Final = "idempotency-replayed"
_PURGE_SECONDS: Final = 60.0
_log = logger(__name__)


@dataclass(frozen=True)
class Answer:
    """What a POST answers, ready to be kept."""

    status: int
    body: bytes
    headers: dict[str, str]

    @classmethod
    def of(cls, status: int, body: msgspec.Struct, headers: dict[str, str]) -> "Answer":
        """The answer with `body` as JSON."""
        return cls(status, msgspec.json.encode(body), headers)

    def response(self) -> Response[Any]:
        """As Litestar takes it."""
        return Response(
            self.body, status_code=self.status, headers=self.headers, media_type="application/json"
        )


class Once:
    """Does POSTs, and does not do them again.

    Args:
        database: keeps the answers.
        kept: how long.
    """

    def __init__(self, database: Database, kept: timedelta) -> None:
        self._database = database
        self._kept = kept

    async def answered(
        self, request: Request[Any, Any, Any], subject: str, key: str | None
    ) -> Response[Any] | None:
        """The answer of when it was done, for who has to do something before `do` that cannot be done twice.

        Raises as `do`.
        """
        if key is None:
            return None
        stored = await self._find(subject, key)
        return None if stored is None else _replay(stored, await _fingerprint(request)).response()

    async def do(
        self,
        request: Request[Any, Any, Any],
        subject: str,
        key: str | None,
        work: Callable[[AsyncConnection], Awaitable[Answer]],
    ) -> Response[Any]:
        """Do `work` in a transaction, or give the answer of when it was done.

        Raises what `work` raises, DatabaseUnavailable, and Problem 422 when the key is another request's.
        """
        if key is None:
            return (await self._database.write(work)).response()
        fingerprint = await _fingerprint(request)

        async def transaction(connection: AsyncConnection) -> Answer:
            answer = await work(connection)
            await connection.execute(_keep, self._row(subject, key, fingerprint, answer))
            return answer

        try:
            return (await self._database.write(transaction)).response()
        except (IntegrityError, Problem) as error:
            # Perhaps it was done before. It is not looked up first: that would be one more round trip for everybody.
            stored = await self._database.row(_stored, {"subject": subject, "key": key})
            if stored is None:
                raise
            if stored.expires_at > datetime.now(UTC):
                return _replay(stored, fingerprint).response()
            if isinstance(error, Problem):
                raise
        expired = {"subject": subject, "key": key, "now": datetime.now(UTC)}
        await self._database.write(lambda connection: connection.execute(_forget, expired))
        return await self.do(request, subject, key, work)

    async def _find(self, subject: str, key: str) -> Any:
        stored = await self._database.row(_stored, {"subject": subject, "key": key})
        return stored if stored is not None and stored.expires_at > datetime.now(UTC) else None

    async def purge(self) -> None:
        """Remove what has expired, now and then, until cancelled."""
        while True:
            await asyncio.sleep(_PURGE_SECONDS)
            expired = delete(IdempotencyKey).where(IdempotencyKey.expires_at < datetime.now(UTC))

            async def remove(connection: AsyncConnection, statement: Any = expired) -> None:
                await connection.execute(statement)

            try:
                await self._database.write(remove)
            except DatabaseUnavailable as error:
                _log.info("expired idempotency keys stay for now", reason=str(error))
            except Exception:  # nothing may end it but its end
                _log.exception("expired idempotency keys stay for now")

    def _row(self, subject: str, key: str, fingerprint: bytes, answer: Answer) -> dict[str, Any]:
        now = datetime.now(UTC)
        return {
            "subject": subject,
            "key": key,
            "fingerprint": fingerprint,
            "status": answer.status,
            "headers": json.dumps(answer.headers),
            "body": answer.body,
            "created_at": now,
            "expires_at": now + self._kept,
        }


def _replay(stored: Any, fingerprint: bytes) -> Answer:
    if stored.fingerprint != fingerprint:
        raise Problem(
            422,
            "this Idempotency-Key was another request's: a new request needs a new key",
            title="Idempotency-Key is used already",
        )
    headers = cast("dict[str, str]", json.loads(stored.headers))
    return Answer(stored.status, stored.body, {**headers, REPLAYED: "true"})


async def _fingerprint(request: Request[Any, Any, Any]) -> bytes:
    digest = hashlib.sha256(f"{request.method} {request.url.path}\n".encode())
    digest.update(await request.body())
    return digest.digest()


_stored: Final = select(
    IdempotencyKey.fingerprint,
    IdempotencyKey.status,
    IdempotencyKey.headers,
    IdempotencyKey.body,
    IdempotencyKey.expires_at,
).where(IdempotencyKey.subject == bindparam("subject"), IdempotencyKey.key == bindparam("key"))
_forget: Final = delete(IdempotencyKey).where(
    IdempotencyKey.subject == bindparam("subject"),
    IdempotencyKey.key == bindparam("key"),
    IdempotencyKey.expires_at < bindparam("now"),
)
_keep: Final = insert(IdempotencyKey)
