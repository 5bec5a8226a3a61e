"""Buckets, their settings, the Glue catalog."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.rehearsal.conftest import ACCOUNT, Play

Unique = Callable[[str], str]


@pytest.fixture
def bucket(play: Play, unique: Unique) -> str:
    return play("aws:s3/bucket:Bucket", bucket=unique("bucket-of-a-test"), forceDestroy=True).id


def test_a_bucket_is_tagged(play: Play, bucket: str):
    tags = play.ask("s3", "GetBucketTagging", Bucket=bucket)["TagSet"]

    assert {"Key": "project", "Value": "pinwheel"} in tags


def test_a_bucket_of_a_bad_name_is_refused(play: Play):
    (problem,) = play.refused("aws:s3/bucket:Bucket", bucket="No_Bucket")

    assert "No_Bucket" in f"{problem.value} {problem.reason}"


def test_inline_settings_of_a_bucket_are_told_as_unchecked(play: Play, unique: Unique):
    created = play("aws:s3/bucket:Bucket", bucket=unique("inline"), versioning={"enabled": True})

    assert created.unchecked == ("versioning",)


def test_a_buckets_settings(play: Play, bucket: str, key: str):
    play(
        "aws:s3/bucketVersioning:BucketVersioning",
        bucket=bucket,
        versioningConfiguration={"status": "Enabled"},
    )
    encryption = {"sseAlgorithm": "aws:kms", "kmsMasterKeyId": key}
    play(
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
        bucket=bucket,
        rules=[{"applyServerSideEncryptionByDefault": encryption, "bucketKeyEnabled": True}],
    )
    play(
        "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
        bucket=bucket,
        blockPublicAcls=True,
        restrictPublicBuckets=True,
    )
    play(
        "aws:s3/bucketOwnershipControls:BucketOwnershipControls",
        bucket=bucket,
        rule={"objectOwnership": "BucketOwnerEnforced"},
    )

    rules = play.ask("s3", "GetBucketEncryption", Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert play.ask("s3", "GetBucketVersioning", Bucket=bucket)["Status"] == "Enabled"
    assert rules[0]["ApplyServerSideEncryptionByDefault"]["KMSMasterKeyID"] == key
    assert rules[0]["BucketKeyEnabled"]
    block = play.ask("s3", "GetPublicAccessBlock", Bucket=bucket)["PublicAccessBlockConfiguration"]
    assert block["BlockPublicAcls"]


def test_lifecycle_rules_with_tags(play: Play, bucket: str):
    play(
        "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
        bucket=bucket,
        rules=[
            {
                "id": "old",
                "status": "Enabled",
                "filter": {"and": {"prefix": "raw/", "tags": {"tier": "cold", "owner": "data"}}},
                "noncurrentVersionExpiration": {"noncurrentDays": 30},
                "transitions": [{"days": 90, "storageClass": "GLACIER"}],
            }
        ],
    )

    (rule,) = play.ask("s3", "GetBucketLifecycleConfiguration", Bucket=bucket)["Rules"]
    assert rule["Filter"]["And"]["Tags"] == [
        {"Key": "tier", "Value": "cold"},
        {"Key": "owner", "Value": "data"},
    ]


def test_a_wrong_storage_class_in_a_rule_is_named(play: Play, bucket: str):
    (problem,) = play.refused(
        "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
        bucket=bucket,
        rules=[{"id": "old", "status": "Enabled", "transitions": [{"days": 9, "storageClass": "COLD"}]}],
    )

    assert (problem.property, problem.value) == ("rules[0].transitions[0].storageClass", "COLD")


def test_a_setting_of_a_bucket_that_is_not_there_is_refused(play: Play):
    (problem,) = play.refused(
        "aws:s3/bucketVersioning:BucketVersioning",
        bucket="a-bucket-of-nobody",
        versioningConfiguration={"status": "Enabled"},
    )

    assert "bucket does not exist" in problem.reason


def test_access_logs_go_where_they_may_be_delivered(play: Play, bucket: str, unique: Unique):
    logs = play("aws:s3/bucket:Bucket", bucket=unique("access-logs")).id
    logging = {"bucket": bucket, "targetBucket": logs, "targetPrefix": "lake/"}
    (problem,) = play.refused("aws:s3/bucketLogging:BucketLogging", **logging)
    assert "permissions to the logging service" in problem.reason

    deliver = {
        "Effect": "Allow",
        "Principal": {"Service": "logging.s3.amazonaws.com"},
        "Action": ["s3:PutObject"],
        "Resource": [f"arn:aws:s3:::{logs}/*"],
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [deliver]})
    play("aws:s3/bucketPolicy:BucketPolicy", bucket=logs, policy=policy)
    play("aws:s3/bucketLogging:BucketLogging", **logging)

    found = play.ask("s3", "GetBucketLogging", Bucket=bucket)["LoggingEnabled"]
    assert (found["TargetBucket"], found["TargetPrefix"]) == (logs, "lake/")


def test_an_object_has_its_content(play: Play, bucket: str):
    play("aws:s3/bucketObjectv2:BucketObjectv2", bucket=bucket, key="a/b.txt", content="hello")

    assert play.ask("s3", "GetObject", Bucket=bucket, Key="a/b.txt")["Body"].read() == b"hello"


def iceberg(bucket: str, kind: str = '"long"') -> dict[str, Any]:
    fields = [{"id": 1, "name": "pin_id", "type": kind, "required": True}]
    return {
        "icebergInput": {
            "metadataOperation": "CREATE",
            "version": "2",
            "icebergTableInput": {
                "location": f"s3://{bucket}/pins",
                "schema": {"schemaId": 0, "type": "struct", "fields": fields},
            },
        }
    }


@pytest.fixture
def database(play: Play, unique: Unique) -> str:
    name = unique("lake").replace("-", "_")
    play("aws:glue/catalogDatabase:CatalogDatabase", name=name, description="tables")
    return name


def test_an_iceberg_table_and_what_maintains_it(
    play: Play, bucket: str, database: str, role: Callable[[str], str]
):
    table = play(
        "aws:glue/catalogTable:CatalogTable",
        databaseName=database,
        name="pins",
        openTableFormatInput=iceberg(bucket),
    )
    optimizer = play(
        "aws:glue/catalogTableOptimizer:CatalogTableOptimizer",
        catalogId=ACCOUNT,
        databaseName=database,
        tableName="pins",
        type="compaction",
        configuration={
            "enabled": True,
            "roleArn": role("glue.amazonaws.com"),
            "compactionConfiguration": {"icebergConfiguration": {"strategy": "binpack"}},
        },
    )

    found = play.ask("glue", "GetTable", DatabaseName=database, Name="pins")["Table"]
    assert found["Parameters"]["metadata_location"].startswith(f"s3://{bucket}/pins/metadata/")
    assert found["StorageDescriptor"]["Columns"][0]["Name"] == "pin_id"
    assert table.id == f"{ACCOUNT}:{database}:pins"
    assert optimizer.id == f"{ACCOUNT},{database},pins,compaction"


def test_an_iceberg_type_that_is_not_json_is_named(play: Play, bucket: str, database: str):
    problems = play.refused(
        "aws:glue/catalogTable:CatalogTable",
        databaseName=database,
        name="pins",
        openTableFormatInput=iceberg(bucket, kind="long"),
    )

    path = "openTableFormatInput.icebergInput.icebergTableInput.schema.fields[0].type"
    assert [problem.property for problem in problems] == [path]
    assert '"long" in quotation marks' in problems[0].remedy


def test_what_the_provider_ignores_beside_an_iceberg_schema_is_told(play: Play, bucket: str, database: str):
    created = play(
        "aws:glue/catalogTable:CatalogTable",
        databaseName=database,
        name="ignored",
        description="never arrives",
        openTableFormatInput=iceberg(bucket),
    )

    assert created.unchecked == ("description",)


def test_a_table_of_columns(play: Play, database: str):
    created = play(
        "aws:glue/catalogTable:CatalogTable",
        databaseName=database,
        name="raw",
        description="JSON lines",
        storageDescriptor={"columns": [{"name": "id", "type": "bigint"}], "location": "s3://somewhere/raw"},
    )

    found = play.ask("glue", "GetTable", DatabaseName=database, Name="raw")["Table"]
    assert found["Description"] == "JSON lines"
    assert created.unchecked == ()


def test_an_optimizer_of_a_wrong_strategy_is_named(play: Play, database: str, role: Callable[[str], str]):
    (problem,) = play.refused(
        "aws:glue/catalogTableOptimizer:CatalogTableOptimizer",
        catalogId=ACCOUNT,
        databaseName=database,
        tableName="pins",
        type="compaction",
        configuration={
            "enabled": True,
            "roleArn": role("glue.amazonaws.com"),
            "compactionConfiguration": {"icebergConfiguration": {"strategy": "zorder"}},
        },
    )

    path = "configuration.compactionConfiguration.icebergConfiguration.strategy"
    assert (problem.property, problem.value) == (path, "zorder")
