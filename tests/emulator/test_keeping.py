"""With `--keep`, objects and Iceberg tables are there again when the world is up the next time."""

from pathlib import Path

import boto3
import pytest
from botocore.exceptions import ClientError

from emulator.process import CREDENTIALS, BackedBy, Emulator

TABLE = {
    "DatabaseName": "lake",
    "OpenTableFormatInput": {"IcebergInput": {"MetadataOperation": "CREATE", "Version": "2"}},
    "TableInput": {
        "Name": "pins",
        "StorageDescriptor": {
            "Location": "s3://a-lake/pins",
            "Columns": [{"Name": "id", "Type": "bigint"}],
        },
    },
}


@pytest.fixture
def world(tmp_path: Path):
    """Runs `work(client)` in a world of its own on the same directory, and ends the world in good order."""

    def run(work, *, keep: bool = True):
        with Emulator("123456789012", "us-east-1", backing=BackedBy(tmp_path, keep=keep)) as emulator:
            return work(
                lambda service: boto3.client(
                    service, "us-east-1", endpoint_url=emulator.endpoint, **CREDENTIALS
                )
            )

    return run


def write(client) -> str:
    """An object and a table, whose metadata moves on as a commit moves it."""
    s3, glue = client("s3"), client("glue")
    s3.create_bucket(Bucket="a-lake")
    s3.put_object(Bucket="a-lake", Key="pins/1", Body=b"one", ContentType="image/png", Metadata={"by": "me"})
    s3.put_object(Bucket="a-lake", Key="pins/2", Body=b"two")
    s3.delete_object(Bucket="a-lake", Key="pins/2")
    glue.create_database(DatabaseInput={"Name": "lake"})
    glue.create_table(**TABLE)
    table = glue.get_table(DatabaseName="lake", Name="pins")["Table"]
    first = table["Parameters"]["metadata_location"].removeprefix("s3://a-lake/")
    s3.copy_object(Bucket="a-lake", Key="pins/metadata/00001.json", CopySource=f"a-lake/{first}")
    moved = {"metadata_location": "s3://a-lake/pins/metadata/00001.json", "table_type": "ICEBERG"}
    descriptor = table["StorageDescriptor"]
    changed = {"Name": "pins", "StorageDescriptor": descriptor, "Parameters": moved}
    glue.update_table(DatabaseName="lake", TableInput=changed)
    return moved["metadata_location"]


def declare_again(client) -> None:
    client("s3").create_bucket(Bucket="a-lake")
    client("glue").create_database(DatabaseInput={"Name": "lake"})
    client("glue").create_table(**TABLE)


def read(client):
    declare_again(client)
    one = client("s3").get_object(Bucket="a-lake", Key="pins/1")
    table = client("glue").get_table(DatabaseName="lake", Name="pins")["Table"]
    keys = [each["Key"] for each in client("s3").list_objects_v2(Bucket="a-lake")["Contents"]]
    return one["Body"].read(), one["ContentType"], one["Metadata"], keys, table["Parameters"]


def test_what_was_kept_is_there_again(world) -> None:
    place = world(write)
    body, content_type, metadata, keys, parameters = world(read)
    assert (body, content_type, metadata) == (b"one", "image/png", {"by": "me"})
    assert "pins/2" not in keys
    assert parameters["metadata_location"] == place


def test_a_table_that_nobody_declares_comes_back_with_its_database(world) -> None:
    place = world(write)

    def restart(client):
        client("s3").create_bucket(Bucket="a-lake")
        client("glue").create_database(DatabaseInput={"Name": "lake"})
        return client("glue").get_table(DatabaseName="lake", Name="pins")["Table"]["Parameters"]

    for _ in range(2):
        assert world(restart)["metadata_location"] == place


def test_a_table_that_came_back_is_created_once(world) -> None:
    world(write)

    def again(client):
        declare_again(client)
        with pytest.raises(ClientError, match="AlreadyExists"):
            client("glue").create_table(**TABLE)

    world(again)


def test_a_table_that_was_dropped_does_not_come_back(world) -> None:
    place = world(write)

    def drop(client):
        declare_again(client)
        client("glue").delete_table(DatabaseName="lake", Name="pins")
        client("glue").create_table(**TABLE)
        return client("glue").get_table(DatabaseName="lake", Name="pins")["Table"]["Parameters"]

    assert world(drop)["metadata_location"] != place


def test_without_keep_nothing_is_there(world) -> None:
    world(write)
    with pytest.raises(ClientError, match="NoSuchKey"):
        world(read, keep=False)
