"""The jobs that remove images: `remove-images` those of a pin that is gone, `drop-upload` one that became no pin's.

Both run when nothing can put the image there again: see `schedule`.
"""

import asyncio

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.pin.database import Database
from services.pin.jobs.images import WIDTHS
from services.pin.jobs.thumbnails import SUFFIXES, Bucket, thumbnail_key
from services.pin.models import Pin, Upload


async def remove_images(database: Database, bucket: Bucket, pin_id: int, image_key: str) -> None:
    """Do the job. A pin that is there after all keeps its images."""
    there = select(Pin.pin_id).where(Pin.pin_id == pin_id, ~Pin.deleted)
    if await database.row(there) is not None:
        return
    copies = [thumbnail_key(pin_id, width, suffix) for width in WIDTHS for suffix in SUFFIXES]
    await asyncio.to_thread(bucket.remove, [image_key, *copies])


async def drop_upload(database: Database, bucket: Bucket, upload_id: int, image_key: str) -> None:
    """Do the job. The row goes first: from then on no pin can claim the image."""

    async def forget(connection: AsyncConnection) -> bool:
        unclaimed = Upload.upload_id == upload_id, Upload.pin_id.is_(None)
        await connection.execute(delete(Upload).where(*unclaimed))
        left = await connection.execute(select(Upload.upload_id).where(Upload.upload_id == upload_id))
        return left.first() is None

    if await database.write(forget):
        await asyncio.to_thread(bucket.remove, [image_key])
