"""Iceberg tables in the Glue catalog, written and read by the real pyiceberg."""

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest
from botocore.exceptions import ClientError
from pyiceberg.catalog import load_catalog
from pyiceberg.exceptions import CommitFailedException

from emulator.process import CREDENTIALS, Emulator
from tests.emulator.conftest import ACCOUNT, REGION, Clients

Names = Callable[[str], str]

TLS_ONLY = """{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Principal": "*", "Action": "s3:*",
"Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}]}"""


@pytest.fixture(scope="module")
def lake(client: Clients) -> str:
    """A Glue database over a bucket that, as the platform's buckets do, denies plain HTTP."""
    s3 = client("s3")
    s3.create_bucket(Bucket="lake-of-tests", CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_bucket_policy(Bucket="lake-of-tests", Policy=TLS_ONLY)
    client("glue").create_database(DatabaseInput={"Name": "lake", "LocationUri": "s3://lake-of-tests/lake"})
    return "lake"


@pytest.fixture(scope="module")
def catalog(emulator: Emulator) -> Any:
    return load_catalog(
        "glue",
        **{
            "type": "glue",
            "glue.endpoint": emulator.endpoint,
            "glue.region": REGION,
            "glue.access-key-id": CREDENTIALS["aws_access_key_id"],
            "glue.secret-access-key": CREDENTIALS["aws_secret_access_key"],
            "s3.endpoint": emulator.endpoint,
            "s3.region": REGION,
            "s3.access-key-id": CREDENTIALS["aws_access_key_id"],
            "s3.secret-access-key": CREDENTIALS["aws_secret_access_key"],
        },
    )


def plain_table(client: Clients, name: str) -> None:
    columns = [
        {"Name": "pin_id", "Type": "bigint", "Comment": "the pin"},
        {"Name": "board", "Type": "string"},
        {"Name": "saved_at", "Type": "timestamp"},
        {"Name": "tags", "Type": "array<string>"},
        {"Name": "embedding", "Type": "struct<model:string,vector:array<float>>"},
        {"Name": "price", "Type": "decimal(10,2)"},
    ]
    client("glue").create_table(
        DatabaseName="lake",
        TableInput={
            "Name": name,
            "TableType": "EXTERNAL_TABLE",
            "StorageDescriptor": {"Location": f"s3://lake-of-tests/lake/{name}", "Columns": columns},
        },
        OpenTableFormatInput={"IcebergInput": {"MetadataOperation": "CREATE", "Version": "2"}},
    )


def test_pyiceberg_appends_to_a_declared_table_and_reads_it_back(
    client: Clients, catalog: Any, lake: str, unique: Names
) -> None:
    name = unique("pins").replace("-", "_")
    plain_table(client, name)
    table = catalog.load_table(f"lake.{name}")
    rows = [
        {"pin_id": 1, "board": "garden", "tags": ["a", "b"], "embedding": {"model": "m", "vector": [0.5]}},
        {"pin_id": 2, "board": "kitchen", "tags": [], "embedding": None},
    ]
    table.append(pa.Table.from_pylist(rows, schema=table.schema().as_arrow()))
    table.append(pa.Table.from_pylist([{"pin_id": 3, "board": "garden"}], schema=table.schema().as_arrow()))
    again = catalog.load_table(f"lake.{name}")
    found = again.scan(row_filter="board == 'garden'").to_arrow().to_pylist()
    assert sorted(row["pin_id"] for row in found) == [1, 3]
    assert len(again.metadata.snapshots) == 2
    parameters = client("glue").get_table(DatabaseName="lake", Name=name)["Table"]["Parameters"]
    assert parameters["table_type"] == "ICEBERG"
    assert parameters["metadata_location"] == again.metadata_location


def test_the_detailed_form_sets_partitions_order_and_properties(
    client: Clients, catalog: Any, lake: str, unique: Names
) -> None:
    name = unique("clicks").replace("-", "_")
    client("glue").create_table(
        DatabaseName="lake",
        Name=name,
        OpenTableFormatInput={
            "IcebergInput": {
                "MetadataOperation": "CREATE",
                "Version": "2",
                "CreateIcebergTableInput": {
                    "Location": f"s3://lake-of-tests/lake/{name}",
                    "Schema": {
                        "Type": "struct",
                        "Fields": [
                            {"Id": 1, "Name": "click_id", "Type": "long", "Required": True},
                            {"Id": 2, "Name": "at", "Type": "timestamptz", "Required": False, "Doc": "when"},
                        ],
                    },
                    "PartitionSpec": {"Fields": [{"SourceId": 2, "Transform": "day", "Name": "at_day"}]},
                    "WriteOrder": {
                        "OrderId": 1,
                        "Fields": [
                            {
                                "SourceId": 1,
                                "Transform": "identity",
                                "Direction": "asc",
                                "NullOrder": "nulls-last",
                            }
                        ],
                    },
                    "Properties": {"write.format.default": "parquet"},
                },
            }
        },
    )
    table = catalog.load_table(f"lake.{name}")
    assert [str(field.transform) for field in table.spec().fields] == ["day"]
    assert [field.source_id for field in table.sort_order().fields] == [1]
    assert table.properties["write.format.default"] == "parquet"
    assert table.schema().find_field("click_id").required
    columns = client("glue").get_table(DatabaseName="lake", Name=name)["Table"]["StorageDescriptor"]["Columns"]
    assert [(column["Name"], column["Type"]) for column in columns] == [("click_id", "bigint"), ("at", "timestamp")]
