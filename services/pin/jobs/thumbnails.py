"""The job `thumbnails`: smaller copies of a pin's image into the bucket, its size and color into its row.

Idempotent: the copies have the same names and the same bytes each time, and the row is written once.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from prometheus_client import Counter
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.common.logs import logger
from services.pin.database import Database
from services.pin.events import pin_changed, publish
from services.pin.jobs.images import NotAnImageError, Seen, Thumbnail, look
from services.pin.models import Pin
from services.pin.uploads import MAX_IMAGE_BYTES

SUFFIXES: Final = ("jpg", "webp")
"""Each copy is there in both."""
_FOR_EVER: Final = "public, max-age=31536000, immutable"
REFUSED = Counter("images_refused", "Originals that are no images, or too large to decode.")

_log = logger(__name__)


class Bucket:
    """The bucket of images, as the job uses it. Its methods block.

    Args:
        s3: a boto3 client.
        name: of the bucket.
    """

    def __init__(self, s3: Any, name: str) -> None:
        self._s3 = s3
        self._name = name

    def original(self, key: str) -> bytes:
        """The image as it was uploaded. Raises botocore's errors, NotAnImageError when it is too large."""
        answer = self._s3.get_object(Bucket=self._name, Key=key)
        with answer["Body"] as body:
            if answer["ContentLength"] > MAX_IMAGE_BYTES:
                raise NotAnImageError(f"it has {answer['ContentLength']} bytes, more than {MAX_IMAGE_BYTES}")
            return body.read()

    def put(self, pin_id: int, thumbnail: Thumbnail) -> None:
        """A smaller copy, which never changes. Raises botocore's errors."""
        self._s3.put_object(
            Bucket=self._name,
            Key=thumbnail_key(pin_id, thumbnail.width, thumbnail.suffix),
            Body=thumbnail.data,
            ContentType=thumbnail.content_type,
            CacheControl=_FOR_EVER,
        )

    def remove(self, keys: Sequence[str]) -> None:
        """Remove what is there of up to 1,000 keys. Raises botocore's errors, OSError for what could not be."""
        objects = [{"Key": key} for key in keys]
        answer = self._s3.delete_objects(Bucket=self._name, Delete={"Objects": objects, "Quiet": True})
        if errors := answer.get("Errors"):
            raise OSError(f"{len(errors)} objects could not be removed; the first: {errors[0].get('Code')}")


def thumbnail_key(pin_id: int, width: int, suffix: str) -> str:
    """Where a pin's smaller copy lies: `width` is one of `WIDTHS`, `suffix` jpg or webp."""
    return f"thumbnails/{width}/{pin_id}.{suffix}"


async def make_thumbnails(database: Database, bucket: Bucket, pin_id: int) -> None:
    """Do the job. Nothing is to be done for a pin that is gone, has no image, or was looked at before.

    An original that is no image leaves the pin as it is: that is its owner's mistake, which nobody here can repair.
    """
    query = select(Pin.image_key, Pin.image_width).where(Pin.pin_id == pin_id, ~Pin.deleted)
    pin = await database.row(query)
    if pin is None or not pin.image_key or pin.image_width is not None:
        return
    try:
        seen = await asyncio.to_thread(_make, bucket, pin_id, pin.image_key)
    except NotAnImageError as error:
        REFUSED.inc()
        _log.warning("an original is not shown", pin_id=pin_id, reason=str(error))
        return

    async def note(connection: AsyncConnection) -> None:
        await _note(connection, pin_id, seen)

    await database.write(note)


def _make(bucket: Bucket, pin_id: int, key: str) -> Seen:
    seen = look(bucket.original(key))
    for thumbnail in seen.thumbnails:
        bucket.put(pin_id, thumbnail)
    return seen


async def _note(connection: AsyncConnection, pin_id: int, seen: Seen) -> None:
    query = select(*Pin.__table__.c).where(Pin.pin_id == pin_id, ~Pin.deleted).with_for_update()
    result = await connection.execute(query)
    row = result.first()
    if row is None or row.image_width is not None:
        return
    changed = {
        "image_width": seen.width,
        "image_height": seen.height,
        "image_color": seen.color,
        "version": row.version + 1,
        "updated_at": datetime.now(UTC),
    }
    await connection.execute(update(Pin).where(Pin.pin_id == pin_id).values(changed))
    await publish(connection, pin_changed({**dict(zip(result.keys(), row, strict=True)), **changed}))
