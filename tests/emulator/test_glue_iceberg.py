"""Iceberg tables in the Glue catalog, written and read by the real pyiceberg."""

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest
from pyiceberg.catalog import load_catalog
from pyiceberg.exceptions import CommitFailedException

from emulator.process import CREDENTIALS, Emulator
from tests.emulator.conftest import ACCOUNT, REGION, Clients
from tests.emulator.refusal import refused

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
    columns = client("glue").get_table(DatabaseName="lake", Name=name)["Table"]["StorageDescriptor"][
        "Columns"
    ]
    assert [(column["Name"], column["Type"]) for column in columns] == [
        ("click_id", "bigint"),
        ("at", "timestamp"),
    ]


def test_a_commit_on_an_old_version_is_refused(
    client: Clients, catalog: Any, lake: str, unique: Names
) -> None:
    name = unique("saves").replace("-", "_")
    plain_table(client, name)
    glue = client("glue")
    before = glue.get_table(DatabaseName="lake", Name=name)["Table"]
    table_input = {
        "Name": name,
        "Parameters": before["Parameters"],
        "StorageDescriptor": before["StorageDescriptor"],
    }
    glue.update_table(
        DatabaseName="lake", TableInput=table_input, VersionId=before["VersionId"], SkipArchive=True
    )
    with refused("ConcurrentModificationException", name):
        glue.update_table(DatabaseName="lake", TableInput=table_input, VersionId=before["VersionId"])
    versions = glue.get_table_versions(DatabaseName="lake", TableName=name)["TableVersions"]
    assert [version["VersionId"] for version in versions] == ["2"]


def test_a_concurrent_writer_cannot_lose_an_append(
    client: Clients, catalog: Any, lake: str, unique: Names
) -> None:
    name = unique("boards").replace("-", "_")
    plain_table(client, name)
    first, second = catalog.load_table(f"lake.{name}"), catalog.load_table(f"lake.{name}")
    row = pa.Table.from_pylist([{"pin_id": 1, "board": "a"}], schema=first.schema().as_arrow())
    first.append(row)
    try:
        second.append(row)
        expected = 2
    except CommitFailedException:  # the writer is told to try again
        expected = 1
    assert catalog.load_table(f"lake.{name}").scan().to_arrow().num_rows == expected


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"Location": "s3://no-such-bucket/x"}, ["no-such-bucket"]),
        ({"Location": "/tmp/table"}, ["/tmp/table", "s3://"]),
        ({"Columns": [{"Name": "a", "Type": "bigword"}]}, ["bigword"]),
        ({"Columns": [{"Name": "a", "Type": "array<struct<x>>"}]}, ["x", "name:type"]),
        ({"Columns": []}, ["at least one column"]),
    ],
)
def test_what_cannot_be_an_iceberg_table_is_refused(
    client: Clients, lake: str, unique: Names, change: dict[str, Any], words: list[str]
) -> None:
    descriptor = {"Location": "s3://lake-of-tests/bad", "Columns": [{"Name": "a", "Type": "bigint"}]}
    with refused("InvalidInputException", *words):
        client("glue").create_table(
            DatabaseName="lake",
            TableInput={"Name": unique("bad"), "StorageDescriptor": descriptor | change},
            OpenTableFormatInput={"IcebergInput": {"MetadataOperation": "CREATE"}},
        )


def test_a_table_name_is_taken_once(client: Clients, lake: str, unique: Names) -> None:
    name = unique("once").replace("-", "_")
    plain_table(client, name)
    with refused("AlreadyExistsException"):
        plain_table(client, name)


def test_optimizers_from_creation_to_deletion(
    client: Clients, lake: str, unique: Names, role: Callable[..., str]
) -> None:
    glue, name = client("glue"), unique("tuned").replace("-", "_")
    plain_table(client, name)
    arn = role("glue.amazonaws.com")
    table = {"CatalogId": ACCOUNT, "DatabaseName": "lake", "TableName": name}
    retention = {"icebergConfiguration": {"snapshotRetentionPeriodInDays": 7, "numberOfSnapshotsToRetain": 3}}
    glue.create_table_optimizer(
        **table,
        Type="retention",
        TableOptimizerConfiguration={"roleArn": arn, "enabled": True, "retentionConfiguration": retention},
    )
    found = glue.get_table_optimizer(**table, Type="retention")["TableOptimizer"]
    assert found["configuration"]["retentionConfiguration"] == retention
    with refused("AlreadyExistsException"):
        glue.create_table_optimizer(
            **table, Type="retention", TableOptimizerConfiguration={"roleArn": arn, "enabled": True}
        )
    glue.update_table_optimizer(
        **table, Type="retention", TableOptimizerConfiguration={"roleArn": arn, "enabled": False}
    )
    entries = [
        {"catalogId": ACCOUNT, "databaseName": "lake", "tableName": name, "type": kind}
        for kind in ("retention", "compaction")
    ]
    answer = glue.batch_get_table_optimizer(Entries=entries)
    assert [item["tableOptimizer"]["configuration"]["enabled"] for item in answer["TableOptimizers"]] == [
        False
    ]
    assert [item["type"] for item in answer["Failures"]] == ["compaction"]
    assert glue.list_table_optimizer_runs(**table, Type="retention")["TableOptimizerRuns"] == []
    with refused("InvalidInputException", "compactionConfiguration"):
        glue.update_table_optimizer(
            **table,
            Type="retention",
            TableOptimizerConfiguration={
                "compactionConfiguration": {"icebergConfiguration": {"strategy": "sort"}}
            },
        )
    with refused("InvalidInputException", "role"):
        glue.create_table_optimizer(
            **table, Type="compaction", TableOptimizerConfiguration={"roleArn": f"{arn}x", "enabled": True}
        )
    glue.delete_table(DatabaseName="lake", Name=name)
    with refused("EntityNotFoundException"):
        glue.get_table_optimizer(**table, Type="retention")
