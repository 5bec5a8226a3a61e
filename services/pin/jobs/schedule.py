"""Asking for a job, in the transaction of the change that needs it: what is committed will be done."""

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.pin.models import ScheduledJob

THUMBNAILS: Final = "thumbnails"
"""Smaller copies of a pin's image, its size and its color. Arguments: pin_id."""
REMOVE_IMAGES: Final = "remove-images"
"""Of a pin that is gone: the original and its copies. Arguments: pin_id, image_key."""
DROP_UPLOAD: Final = "drop-upload"
"""An image that became no pin's. Arguments: upload_id, image_key."""
_AFTER_EXPIRY: Final = timedelta(hours=1)
_AFTER_REMOVAL: Final = timedelta(minutes=15)
"""By then a presigned request has expired (`uploads.VALID`), and a job `thumbnails` that had begun has ended."""
_ROWS_OF_A_STATEMENT: Final = 500


_insert: Final = insert(ScheduledJob)


class Priority(StrEnum):
    """Each has an SQS queue of its own; within a worker, what is of a higher one goes first."""

    HIGH = "high"
    """Somebody waits for it."""
    DEFAULT = "default"
    LOW = "low"
    """Repairs of many things at once."""


async def schedule(
    connection: AsyncConnection,
    name: str,
    arguments: Mapping[str, str],
    priority: Priority = Priority.DEFAULT,
    at: datetime | None = None,
) -> str:
    """Have a job done once the transaction of `connection` commits; returns the job's id, a UUID.

    A job may run more than once (its worker died before it could say that it was done): it must be idempotent.

    Args:
        name: of the job, such as `THUMBNAILS`.
        arguments: the job's keyword arguments; identifiers as strings of digits.
        at: not before then, however far away; by default at once.
    """
    (job_id,) = await schedule_each(connection, name, [arguments], priority, at)
    return job_id


async def schedule_each(
    connection: AsyncConnection,
    name: str,
    arguments: Sequence[Mapping[str, str]],
    priority: Priority = Priority.DEFAULT,
    at: datetime | None = None,
) -> list[str]:
    """The same for many jobs of one name; their ids, in order."""
    due_at = at or datetime.now(UTC)
    rows = [
        {
            "job_id": str(uuid.uuid4()),
            "queue": priority.value,
            "name": name,
            "arguments": json.dumps(dict(each)),
            "due_at": due_at,
        }
        for each in arguments
    ]
    for start in range(0, len(rows), _ROWS_OF_A_STATEMENT):
        await connection.execute(_insert, rows[start : start + _ROWS_OF_A_STATEMENT])
    return [str(row["job_id"]) for row in rows]


async def schedule_removal(connection: AsyncConnection, images: Iterable[tuple[int, str]]) -> None:
    """Have the images of pins removed that this transaction deletes: `pin_id` and `image_key`, which may be empty."""
    arguments = [{"pin_id": str(pin_id), "image_key": key} for pin_id, key in images if key]
    await schedule_each(
        connection, REMOVE_IMAGES, arguments, Priority.LOW, datetime.now(UTC) + _AFTER_REMOVAL
    )


async def schedule_drop(
    connection: AsyncConnection, upload_id: int, image_key: str, expires_at: datetime
) -> None:
    """Have an upload forgotten if no pin has claimed it long after `expires_at`."""
    arguments = {"upload_id": str(upload_id), "image_key": image_key}
    await schedule(connection, DROP_UPLOAD, arguments, Priority.LOW, expires_at + _AFTER_EXPIRY)
