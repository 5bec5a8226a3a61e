"""A table of the catalogue in the terms of Glue's `CreateIcebergTableInput`."""

import json

import pulumi
import pulumi_aws as aws

from infra.data.catalogue import Column, ListOf, Table

FORMAT_VERSION = "2"
"""Row-level deletes, as the CDC tables need; readable by Athena, Spark, Flink and pyiceberg."""

TABLE_PROPERTIES = {
    "write.format.default": "parquet",
    "write.parquet.compression-codec": "zstd",
    "write.target-file-size-bytes": "536870912",  # 512 MiB, what compaction aims at
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "100",
}

_ELEMENT_IDS_FROM = 1000
"""A list's element has a field id, too: 1000 more than its column's, out of the way of new columns."""


def iceberg_input(
    table: Table, location: pulumi.Input[str]
) -> aws.glue.CatalogTableOpenTableFormatInputIcebergInputArgs:
    """Makes Glue write the table's first metadata file below `location`."""
    return aws.glue.CatalogTableOpenTableFormatInputIcebergInputArgs(
        metadata_operation="CREATE",
        version=FORMAT_VERSION,
        iceberg_table_input=aws.glue.CatalogTableOpenTableFormatInputIcebergInputIcebergTableInputArgs(
            location=location,
            schema=_schema(table),
            partition_spec=_partition_spec(table),
            # The provider sends nothing beside this input: a description is the property `comment` instead.
            properties={"comment": table.description, **TABLE_PROPERTIES},
        ),
    )


def type_document(column: Column, field_id: int) -> str:
    """The column's type as JSON: `"long"` (with its quotes), or an object for a list.

    Source: Iceberg table specification, "Appendix C: JSON serialization - Schemas".
    """
    if isinstance(column.type, ListOf):
        return json.dumps(
            {
                "type": "list",
                "element-id": _ELEMENT_IDS_FROM + field_id,
                "element": column.type.element.value,
                "element-required": True,
            }
        )
    return json.dumps(column.type.value)


def _schema(
    table: Table,
) -> aws.glue.CatalogTableOpenTableFormatInputIcebergInputIcebergTableInputSchemaArgs:
    return aws.glue.CatalogTableOpenTableFormatInputIcebergInputIcebergTableInputSchemaArgs(
        schema_id=0,
        type="struct",
        identifier_field_ids=[table.field_id(column) for column in table.key],
        fields=[
            aws.glue.CatalogTableOpenTableFormatInputIcebergInputIcebergTableInputSchemaFieldArgs(
                id=field_id,
                name=column.name,
                required=column.required,
                type=type_document(column, field_id),
                doc=column.doc,
            )
            for field_id, column in enumerate(table.columns, start=1)
        ],
    )


def _partition_spec(
    table: Table,
) -> aws.glue.CatalogTableOpenTableFormatInputIcebergInputIcebergTableInputPartitionSpecArgs:
    field = aws.glue.CatalogTableOpenTableFormatInputIcebergInputIcebergTableInputPartitionSpecFieldArgs
    return aws.glue.CatalogTableOpenTableFormatInputIcebergInputIcebergTableInputPartitionSpecArgs(
        spec_id=0,
        fields=[
            field(
                name=partition.name,
                source_id=table.field_id(partition.column),
                transform=partition.transform,
                field_id=1000 + index,  # where Iceberg itself starts to number partition fields
            )
            for index, partition in enumerate(table.partitions)
        ],
    )
