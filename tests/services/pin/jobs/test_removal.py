"""Images go with their pins, and those that became no pin's go too; by the real role `work`."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.pin.jobs.schedule import (
    DROP_UPLOAD,
    REMOVE_IMAGES,
    THUMBNAILS,
    schedule_drop,
    schedule_removal,
)
from services.pin.models import Pin, ScheduledJob, Upload
from tests.services.pin.jobs.conftest import BUCKET, Cloud, Queues, Store, Workers
from tests.services.pin.jobs.test_thumbnails import upload
from tests.waiting import until

pytestmark = pytest.mark.xdist_group("jobs")


def keys(cloud: Cloud, *pins: int) -> set[str]:
    """What lies in the bucket of some pins, original and copies."""
    listed = cloud.client("s3").list_objects_v2(Bucket=BUCKET).get("Contents", [])
    found = {entry["Key"] for entry in listed}
    return {key for key in found for pin in pins if f"/{pin}." in key or f"/{pin}/" in key}


def mark_deleted(store: Store, pin_id: int) -> None:
    async def work(connection: AsyncConnection) -> None:
        await connection.execute(update(Pin).where(Pin.pin_id == pin_id).values(deleted=True))

    store.write(work)


def test_the_images_of_a_deleted_pin_are_removed_and_no_others(
    store: Store, cloud: Cloud, queues: Queues, workers: Workers
) -> None:
    for pin in (811, 812):
        store.create_pin(pin, upload(cloud, f"originals/{pin}/1"))
    workers.start("services.pin", "work")
    until(lambda: store.pin(811).image_width and store.pin(812).image_width)
    assert len(keys(cloud, 811)) == len(keys(cloud, 812)) == 7
    mark_deleted(store, 811)
    for pin in (811, 812):
        store.schedule(REMOVE_IMAGES, pin_id=str(pin), image_key=f"originals/{pin}/1")
    until(lambda: not keys(cloud, 811))
    until(lambda: queues.count("default") == 0)
    assert len(keys(cloud, 812)) == 7, "the pin is there, whoever scheduled this"


def test_an_image_that_is_gone_already_is_no_failure(store: Store, queues: Queues, workers: Workers) -> None:
    store.schedule(REMOVE_IMAGES, pin_id="821", image_key="originals/821/1")
    workers.start("services.pin", "work")
    until(lambda: store.scheduled() == [])
    until(lambda: queues.count("default") == 0)
    assert queues.count("dead-letter") == 0


def announce(store: Store, upload_id: int, pin_id: int | None) -> None:
    now = datetime.now(UTC)
    row = {
        "upload_id": upload_id,
        "owner_id": 1,
        "image_key": f"originals/1/{upload_id}",
        "content_type": "image/png",
        "content_length": 1,
        "pin_id": pin_id,
        "created_at": now,
        "expires_at": now,
    }

    async def work(connection: AsyncConnection) -> None:
        await connection.execute(insert(Upload).values(row))

    store.write(work)


def test_an_upload_that_no_pin_claimed_is_dropped(
    store: Store, cloud: Cloud, queues: Queues, workers: Workers
) -> None:
    for upload_id, pin_id in ((831, None), (832, 7)):
        announce(store, upload_id, pin_id)
        upload(cloud, f"originals/1/{upload_id}")
        store.schedule(DROP_UPLOAD, upload_id=str(upload_id), image_key=f"originals/1/{upload_id}")
    workers.start("services.pin", "work")
    until(lambda: store.scheduled() == [])
    until(lambda: queues.count("default") == 0)
    assert [row.upload_id for row in store.rows(select(Upload.upload_id))] == [832]
    s3 = cloud.client("s3")
    left = {entry["Key"] for entry in s3.list_objects_v2(Bucket=BUCKET, Prefix="originals/1/83")["Contents"]}
    assert left == {"originals/1/832"}


def test_removal_waits_until_nothing_can_come_again(store: Store) -> None:
    """A presigned request is good for ten minutes."""
    before = datetime.now(UTC)

    async def work(connection: AsyncConnection) -> None:
        await schedule_removal(connection, [(1, "originals/1/1"), (2, ""), (3, "originals/1/3")])
        await schedule_drop(connection, 9, "originals/1/9", before + timedelta(minutes=10))

    store.write(work)
    jobs = store.rows(select(*ScheduledJob.__table__.c))
    assert sorted(job.name for job in jobs) == [DROP_UPLOAD, REMOVE_IMAGES, REMOVE_IMAGES]
    assert THUMBNAILS not in {job.name for job in jobs}
    assert all(job.due_at > before + timedelta(minutes=10) and job.queue == "low" for job in jobs)
