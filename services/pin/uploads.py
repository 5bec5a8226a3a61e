"""Images go from the client to S3 directly, by a presigned POST, and become a pin's when S3 confirms what came.

    asked = await request_upload(database, store, upload_id, owner_id, "image/jpeg", 48_213)
    ...the client posts `asked.fields` and the file to `asked.url`...
    upload = await find_upload(database, store, upload_id, owner_id)
    ...in the transaction that creates the pin:
    await claim_upload(connection, upload, pin_id)

Nothing the client says is believed: S3 itself refuses another key, size or type than was signed, and what lies there
is asked for again before a pin is made of it. Whether it is an image finds out who decodes it, the job `thumbnails`.
"""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError
from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.common.logs import logger
from services.common.problems import FieldProblem, Problem
from services.pin.database import Database
from services.pin.jobs.schedule import schedule_drop
from services.pin.models import Upload

MAX_IMAGE_BYTES: Final = 20 * 1024 * 1024
"""Of an original: Pinterest's own limit for images of pins."""
CONTENT_TYPES: Final = ("image/jpeg", "image/png", "image/webp", "image/gif")
VALID: Final = timedelta(minutes=10)
"""For a large image on a slow connection; the pin may be created until then too."""
_NOT_FOUND: Final = "404"

_log = logger(__name__)


@dataclass(frozen=True)
class PresignedUpload:
    """What a client needs to put its image into the bucket: multipart/form-data, the file last."""

    upload_id: int
    url: str
    fields: dict[str, str]
    expires_at: datetime


@dataclass(frozen=True)
class FoundUpload:
    """An image that lies in the bucket as it was announced, of no pin yet when last seen."""

    upload_id: int
    owner_id: int
    image_key: str


class ImageStore:
    """The bucket of images.

    Args:
        s3: a boto3 client.
        bucket: its name.
    """

    def __init__(self, s3: Any, bucket: str) -> None:
        self._s3 = s3
        self._bucket = bucket

    def presign(self, key: str, content_type: str, content_length: int) -> tuple[str, dict[str, str]]:
        """URL and form fields of a POST that S3 takes with exactly this key, type and length, for `VALID`."""
        signed = self._s3.generate_presigned_post(
            self._bucket,
            key,
            Fields={"Content-Type": content_type},
            Conditions=[
                {"Content-Type": content_type},
                ["content-length-range", content_length, content_length],
            ],
            ExpiresIn=int(VALID.total_seconds()),
        )
        return signed["url"], signed["fields"]

    def look(self, key: str) -> tuple[str, int] | None:
        """Type and length in bytes of what lies there; None when nothing does.

        Raises Problem 503 when S3 cannot be asked.
        """
        try:
            found = self._s3.head_object(Bucket=self._bucket, Key=key)
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") == _NOT_FOUND:
                return None
            raise _unavailable(error) from error
        except BotoCoreError as error:
            raise _unavailable(error) from error
        return found["ContentType"], found["ContentLength"]


def original_key(owner_id: int, upload_id: int) -> str:
    """Where an original lies: under its owner's prefix, where nobody else is given a signature."""
    return f"originals/{owner_id}/{upload_id}"


async def request_upload(  # noqa: PLR0917 - what a client announces, and where it is noted
    database: Database,
    store: ImageStore,
    upload_id: int,
    owner_id: int,
    content_type: str,
    content_length: int,
) -> PresignedUpload:
    """Note an announced image, and sign what puts it into the bucket.

    Raises Problem 400 for a type or a length (bytes) that no image of a pin has, 503 without signing credentials.
    """
    _check_announced(content_type, content_length)
    key = original_key(owner_id, upload_id)
    try:
        url, fields = await asyncio.to_thread(store.presign, key, content_type, content_length)
    except (BotoCoreError, ClientError) as error:
        raise _unavailable(error) from error
    now = datetime.now(UTC)
    expires_at = now + VALID
    row = {
        "upload_id": upload_id,
        "owner_id": owner_id,
        "image_key": key,
        "content_type": content_type,
        "content_length": content_length,
        "created_at": now,
        "expires_at": expires_at,
    }

    async def note(connection: AsyncConnection) -> None:
        await connection.execute(insert(Upload).values(row))
        await schedule_drop(connection, upload_id, key, expires_at)

    await database.write(note)
    return PresignedUpload(upload_id, url, fields, expires_at)


async def find_upload(database: Database, store: ImageStore, upload_id: int, owner_id: int) -> FoundUpload:
    """An image that its owner may make a pin of. Asks S3, so call it outside of a transaction.

    Raises Problem 422: it is not one's own, is a pin's already, has not come, or is not what was announced.
    """
    row = await database.row(
        select(Upload.image_key, Upload.content_type, Upload.content_length, Upload.pin_id).where(
            Upload.upload_id == upload_id, Upload.owner_id == owner_id
        )
    )
    if row is None:
        raise _wrong("you have no such upload: ask for one with POST /v1/uploads")
    if row.pin_id is not None:
        raise _wrong("this upload is a pin's already: ask for another with POST /v1/uploads")
    found = await asyncio.to_thread(store.look, row.image_key)
    if found is None:
        raise _wrong("the image has not been uploaded yet: post it to the upload's URL first")
    if found != (row.content_type, row.content_length):
        raise _wrong(
            f"what was uploaded is {found[0]} of {found[1]} bytes, not the announced {row.content_type} "
            f"of {row.content_length} bytes"
        )
    return FoundUpload(upload_id, owner_id, row.image_key)


async def claim_upload(connection: AsyncConnection, upload: FoundUpload, pin_id: int) -> None:
    """Give an image to a pin, in the transaction that creates it. Raises Problem 422 when another was faster."""
    claimed = await connection.execute(
        update(Upload)
        .where(
            Upload.upload_id == upload.upload_id,
            Upload.owner_id == upload.owner_id,
            Upload.pin_id.is_(None),
        )
        .values(pin_id=pin_id)
    )
    if claimed.rowcount != 1:
        raise _wrong("this upload is a pin's already: ask for another with POST /v1/uploads")


def _check_announced(content_type: str, content_length: int) -> None:
    if content_type not in CONTENT_TYPES:
        raise _wrong(f"must be one of {', '.join(CONTENT_TYPES)}", "content_type", 400)
    if not 0 < content_length <= MAX_IMAGE_BYTES:
        raise _wrong(f"must be from 1 to {MAX_IMAGE_BYTES} bytes", "content_length", 400)


def _wrong(detail: str, field: str = "upload_id", status: int = 422) -> Problem:
    return Problem(status, f"{field}: {detail}", errors=[FieldProblem(detail, field, "body")])


def _unavailable(error: Exception) -> Problem:
    _log.warning("the images bucket cannot be used", error=str(error))
    return Problem(503, "images cannot be taken now: try again soon", headers={"retry-after": "2"})
