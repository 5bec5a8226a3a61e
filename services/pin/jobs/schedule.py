"""Asking for a job, in the transaction of the change that needs it: what is committed will be done."""

import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from services.pin.models import ScheduledJob

THUMBNAILS: Final = "thumbnails"
"""Smaller copies of a pin's image, its size and its color. Arguments: pin_id."""


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
    job_id = str(uuid.uuid4())
    await connection.execute(
        insert(ScheduledJob).values(
            job_id=job_id,
            queue=priority.value,
            name=name,
            arguments=json.dumps(dict(arguments)),
            due_at=at or datetime.now(UTC),
        )
    )
    return job_id
