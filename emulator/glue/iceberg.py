"""Iceberg tables as Glue creates them: the first metadata file is written to S3 with the table.

pyiceberg builds the metadata, so what it reads back through the catalog is what it would have written. It
is imported with this module, which the server loads in the background: see `emulator.services`.
"""

from typing import Any
from urllib.parse import urlsplit

from moto.s3.models import s3_backends
from pydantic import ValidationError
from pyiceberg.catalog.glue import _to_columns  # pyright: ignore[reportPrivateUsage]
from pyiceberg.exceptions import ValidationError as IcebergValidationError
from pyiceberg.partitioning import UNPARTITIONED_PARTITION_SPEC, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.table.metadata import TableMetadata, new_table_metadata
from pyiceberg.table.sorting import UNSORTED_SORT_ORDER, SortOrder

from emulator.glue.hive_types import columns_to_fields
from emulator.operations import new_uuid


def created_table(
    table_input: dict[str, Any], iceberg: dict[str, Any], account: str, partition: str
) -> dict[str, Any]:
    """Write a new table's metadata and return the table input that Glue keeps.

    Args:
        table_input: the request's TableInput.
        iceberg: the request's IcebergInput.
        account: whose S3 buckets to write to.
        partition: AWS partition of the region.

    Raises:
        ValueError: the schema, partitions, order or location cannot be a table; says which and why.
    """
    detailed = iceberg.get("CreateIcebergTableInput")
    descriptor = table_input.get("StorageDescriptor") or {}
    location = str((detailed or {}).get("Location") or descriptor.get("Location") or "").rstrip("/")
    bucket, prefix = _bucket_and_prefix(location, account, partition)
    metadata = _metadata(table_input, iceberg, location)
    key = f"{prefix}metadata/00000-{new_uuid()}.metadata.json"
    s3_backends[account][partition].put_object(bucket, key, metadata.model_dump_json().encode())
    return {
        **table_input,
        "TableType": table_input.get("TableType") or "EXTERNAL_TABLE",
        "StorageDescriptor": {**descriptor, "Columns": _to_columns(metadata), "Location": location},
        "Parameters": {
            **(table_input.get("Parameters") or {}),
            "table_type": "ICEBERG",
            "metadata_location": f"s3://{bucket}/{key}",
        },
    }


def _metadata(table_input: dict[str, Any], iceberg: dict[str, Any], location: str) -> TableMetadata:
    detailed = iceberg.get("CreateIcebergTableInput")
    properties = {"format-version": str(iceberg.get("Version") or "2")}
    if properties["format-version"] not in {"1", "2"}:
        raise ValueError(f"IcebergInput.Version: {properties['format-version']!r} is neither 1 nor 2")
    try:
        if detailed:
            schema = _schema(detailed["Schema"])
            spec = _partition_spec(detailed.get("PartitionSpec"))
            order = _sort_order(detailed.get("WriteOrder"))
            properties |= detailed.get("Properties") or {}
        else:
            columns = (table_input.get("StorageDescriptor") or {}).get("Columns") or []
            if not columns:
                raise ValueError("StorageDescriptor.Columns: an Iceberg table needs at least one column")
            if table_input.get("PartitionKeys"):
                raise ValueError(
                    "PartitionKeys: give CreateIcebergTableInput.PartitionSpec for an Iceberg table"
                )
            schema = Schema(*columns_to_fields(columns))
            spec, order = UNPARTITIONED_PARTITION_SPEC, UNSORTED_SORT_ORDER
        return new_table_metadata(schema, spec, order, location, properties)
    except (KeyError, ValidationError, IcebergValidationError) as error:
        raise ValueError(f"CreateIcebergTableInput: {error}") from error


def _schema(given: dict[str, Any]) -> Schema:
    fields = [
        {
            "id": field["Id"],
            "name": field["Name"],
            "type": field["Type"],
            "required": bool(field.get("Required")),
            **({"doc": field["Doc"]} if field.get("Doc") else {}),
        }
        for field in given["Fields"]
    ]
    identifiers = given.get("IdentifierFieldIds") or []
    return Schema.model_validate({"type": "struct", "fields": fields, "identifier-field-ids": identifiers})


def _partition_spec(given: dict[str, Any] | None) -> PartitionSpec:
    if not given or not given["Fields"]:
        return UNPARTITIONED_PARTITION_SPEC
    fields = [
        {
            "source-id": field["SourceId"],
            "field-id": field.get("FieldId", 1000 + index),
            "transform": field["Transform"],
            "name": field["Name"],
        }
        for index, field in enumerate(given["Fields"])
    ]
    return PartitionSpec.model_validate({"spec-id": given.get("SpecId", 0), "fields": fields})


def _sort_order(given: dict[str, Any] | None) -> SortOrder:
    if not given or not given["Fields"]:
        return UNSORTED_SORT_ORDER
    fields = [
        {
            "source-id": field["SourceId"],
            "transform": field["Transform"],
            "direction": field["Direction"],
            "null-order": field["NullOrder"],
        }
        for field in given["Fields"]
    ]
    return SortOrder.model_validate({"order-id": given["OrderId"], "fields": fields})


def _bucket_and_prefix(location: str, account: str, partition: str) -> tuple[str, str]:
    parts = urlsplit(location)
    if parts.scheme not in {"s3", "s3a"} or not parts.netloc:
        raise ValueError(f"Location: {location!r} is not s3://bucket/prefix")
    if parts.netloc not in s3_backends[account][partition].buckets:
        raise ValueError(f"Location: the bucket {parts.netloc!r} of {location} does not exist")
    path = parts.path.strip("/")
    return parts.netloc, f"{path}/" if path else ""
