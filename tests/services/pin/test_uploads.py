"""An image from the client into the bucket, with what S3 and the service refuse."""

import asyncio
import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import httpx
import pytest

from emulator.process import CREDENTIALS, Emulator
from services.common.problems import Problem
from services.pin.database import Database
from services.pin.migrations import migrate
from services.pin.settings import PinDatabaseSettings
from services.pin.uploads import (
    MAX_IMAGE_BYTES,
    FoundUpload,
    ImageStore,
    PresignedUpload,
    claim_upload,
    find_upload,
    request_upload,
)

pytestmark = pytest.mark.xdist_group("uploads")

REGION = "eu-west-1"
PICTURE = b"\xff\xd8 as if it were a JPEG"
ME, ANOTHER = 1, 2


@pytest.fixture(scope="module")
def s3() -> Iterator[Any]:
    with Emulator("210987654321", REGION) as emulator:
        yield boto3.client("s3", endpoint_url=emulator.endpoint, region_name=REGION, **CREDENTIALS)


class Uploads:
    """Bucket and database of one test."""

    def __init__(self, s3: Any, directory: Path) -> None:
        self.s3 = s3
        self.bucket = f"images-{uuid4().hex[:8]}"
        s3.create_bucket(Bucket=self.bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        self.store = ImageStore(s3, self.bucket)
        settings = PinDatabaseSettings(database_url=f"sqlite+aiosqlite:///{directory / 'pin.db'}")
        self.runner = asyncio.Runner()
        self.runner.run(migrate(settings))
        self.database = self.runner.run(self._open(settings))

    async def _open(self, settings: PinDatabaseSettings) -> Database:
        return Database(settings)

    def ask(
        self, content_type: str = "image/jpeg", length: int = len(PICTURE), number: int = 7
    ) -> PresignedUpload:
        asked = request_upload(self.database, self.store, number, ME, content_type, length)
        return self.runner.run(asked)

    def find(self, number: int = 7, owner: int = ME) -> FoundUpload:
        return self.runner.run(find_upload(self.database, self.store, number, owner))

    def claim(self, found: FoundUpload, pin_id: int) -> None:
        self.runner.run(self.database.write(lambda connection: claim_upload(connection, found, pin_id)))

    def close(self) -> None:
        self.runner.run(self.database.close())
        self.runner.close()


@pytest.fixture
def uploads(s3: Any, tmp_path: Path) -> Iterator[Uploads]:
    made = Uploads(s3, tmp_path)
    yield made
    made.close()


def post(asked: PresignedUpload, data: bytes = PICTURE, **fields: str) -> httpx.Response:
    """As a browser sends a form with a file."""
    return httpx.post(asked.url, data={**asked.fields, **fields}, files={"file": ("picture", data)})


def test_an_image_is_posted_found_and_given_to_one_pin(uploads: Uploads) -> None:
    asked = uploads.ask()
    assert post(asked).status_code in {200, 204}
    found = uploads.find()
    assert found == FoundUpload(7, ME, "originals/1/7")
    stored = uploads.s3.get_object(Bucket=uploads.bucket, Key=found.image_key)
    assert (stored["Body"].read(), stored["ContentType"]) == (PICTURE, "image/jpeg")
    uploads.claim(found, 100)
    with pytest.raises(Problem, match="is a pin's already") as raised:
        uploads.claim(found, 101)
    assert raised.value.status_code == 422
    with pytest.raises(Problem, match="is a pin's already"):
        uploads.find()


def test_an_image_that_has_not_come_makes_no_pin(uploads: Uploads) -> None:
    uploads.ask()
    with pytest.raises(Problem, match="has not been uploaded yet") as raised:
        uploads.find()
    assert raised.value.status_code == 422


def test_anothers_upload_is_as_one_that_is_not_there(uploads: Uploads) -> None:
    post(uploads.ask())
    for number, owner in ((7, ANOTHER), (8, ME)):
        with pytest.raises(Problem, match="you have no such upload"):
            uploads.find(number, owner)


@pytest.mark.parametrize("data", [PICTURE + b"more", b"less"])
def test_another_size_than_announced_makes_no_pin(uploads: Uploads, data: bytes) -> None:
    post(uploads.ask(), data)  # S3 refuses it; moto does not look at the policy, so the service must see it
    with pytest.raises(Problem, match=r"bytes, not the announced|has not been uploaded yet"):
        uploads.find()


def test_what_lies_there_is_asked_for_and_not_believed(uploads: Uploads) -> None:
    uploads.ask()
    uploads.s3.put_object(Bucket=uploads.bucket, Key="originals/1/7", Body=b"<html>", ContentType="text/html")
    with pytest.raises(
        Problem, match="what was uploaded is text/html of 6 bytes, not the announced image/jpeg"
    ):
        uploads.find()


@pytest.mark.parametrize(
    ("content_type", "length", "says"),
    [
        ("text/html", 10, "content_type: must be one of image/jpeg"),
        ("image/svg+xml", 10, "content_type"),
        ("image/jpeg", 0, "content_length: must be from 1 to"),
        ("image/jpeg", -1, "content_length"),
        ("image/jpeg", MAX_IMAGE_BYTES + 1, "content_length"),
    ],
)
def test_what_cannot_be_an_image_is_not_signed(
    uploads: Uploads, content_type: str, length: int, says: str
) -> None:
    with pytest.raises(Problem, match=says) as raised:
        uploads.ask(content_type, length)
    assert raised.value.status_code == 400


def test_the_policy_names_key_type_and_size(uploads: Uploads) -> None:
    policy = json.loads(base64.b64decode(uploads.ask().fields["policy"]))
    assert policy["conditions"] == [
        {"Content-Type": "image/jpeg"},
        ["content-length-range", len(PICTURE), len(PICTURE)],
        {"bucket": uploads.bucket},
        {"key": "originals/1/7"},
        *policy["conditions"][4:],
    ]


def test_without_s3_it_says_so(uploads: Uploads) -> None:
    post(uploads.ask())
    nowhere = boto3.client("s3", endpoint_url="http://127.0.0.1:9", region_name=REGION, **CREDENTIALS)
    uploads.store = ImageStore(nowhere, uploads.bucket)
    with pytest.raises(Problem, match="images cannot be taken now") as raised:
        uploads.find()
    assert raised.value.status_code == 503
