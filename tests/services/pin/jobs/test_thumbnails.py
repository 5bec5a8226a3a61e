"""From an original in S3 to thumbnails in S3 and a new version of the pin, by the real role `work`."""

import io

import pytest
from botocore.exceptions import ClientError
from PIL import Image

from services.api.events.v1.events_pb2 import PinEvent
from tests.services.pin.jobs.conftest import BUCKET, Cloud, Queues, Store, Workers
from tests.waiting import until

pytestmark = pytest.mark.xdist_group("jobs")


def upload(cloud: Cloud, key: str, data: bytes | None = None) -> str:
    if data is None:
        file = io.BytesIO()
        Image.new("RGB", (1000, 400), (0, 0, 200)).save(file, "PNG")
        data = file.getvalue()
    cloud.client("s3").put_object(Bucket=BUCKET, Key=key, Body=data, ContentType="image/png")
    return key


def test_a_new_pin_gets_thumbnails_size_and_color(
    store: Store, cloud: Cloud, queues: Queues, workers: Workers
) -> None:
    store.create_pin(11, upload(cloud, "originals/11/1"))
    workers.start("services.pin", "work")
    until(lambda: store.pin(11).image_width)
    pin = store.pin(11)
    assert (pin.image_width, pin.image_height, pin.image_color, pin.version) == (1000, 400, "#0000c8", 2)
    [event] = store.events()
    told = PinEvent.FromString(event.payload)
    assert (told.pin_id, told.version, told.image_key) == (11, 2, "originals/11/1")
    for width in (236, 474, 736):
        for suffix, kind in (("jpg", "jpeg"), ("webp", "webp")):
            found = cloud.client("s3").get_object(Bucket=BUCKET, Key=f"thumbnails/{width}/11.{suffix}")
            assert found["ContentType"] == f"image/{kind}"
            assert "immutable" in found["CacheControl"]
            assert Image.open(io.BytesIO(found["Body"].read())).width == width
    until(lambda: queues.count("high") == 0)


def test_a_worker_killed_at_any_point_changes_the_pin_once(
    store: Store, cloud: Cloud, queues: Queues, workers: Workers
) -> None:
    pins = range(21, 27)
    for pin in pins:
        store.create_pin(pin, upload(cloud, f"originals/{pin}/1"))
    short = {"JOBS_VISIBILITY_SECONDS": "6", "JOBS_TIME_LIMIT_SECONDS": "3", "JOBS_LEASE_SECONDS": "2"}
    for done in (1, 3):
        worker = workers.start("services.pin", "work", **short)
        until(lambda done=done: sum(store.pin(pin).image_width is not None for pin in pins) >= done)
        worker.kill()
        worker.wait()
    workers.start("services.pin", "work", **short)
    until(lambda: all(store.pin(pin).image_width for pin in pins), seconds=60)
    until(lambda: queues.count("high") == 0, seconds=60)
    assert {store.pin(pin).version for pin in pins} == {2}
    assert sorted(int(event.aggregateid) for event in store.events()) == list(pins)


def test_what_is_no_image_changes_nothing_and_blocks_nobody(
    store: Store, cloud: Cloud, queues: Queues, workers: Workers
) -> None:
    store.create_pin(31, upload(cloud, "originals/31/1", b"<script>alert(1)</script>"))
    store.create_pin(32, upload(cloud, "originals/32/1"))
    workers.start("services.pin", "work")
    until(lambda: store.pin(32).image_width)
    until(lambda: queues.count("high") == 0)
    assert (store.pin(31).version, store.pin(31).image_width) == (1, None)
    assert "an original is not shown" in workers.log()
    with pytest.raises(ClientError, match="NoSuchKey"):
        cloud.client("s3").get_object(Bucket=BUCKET, Key="thumbnails/236/31.jpg")


def test_an_original_that_is_missing_ends_in_the_dead_letter_queue(
    store: Store, queues: Queues, workers: Workers
) -> None:
    store.create_pin(41, "originals/41/gone")
    workers.start("services.pin", "work", JOBS_RETRIES="1")
    until(lambda: queues.count("dead-letter") == 1)
    assert '"arguments": {"pin_id": "41"}' in workers.run("dead-letters").stdout
