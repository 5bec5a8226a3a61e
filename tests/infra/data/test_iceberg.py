"""The declared tables are tables that Iceberg itself understands: pyiceberg reads the schema."""

import json

import pytest
from pyiceberg.partitioning import PartitionField
from pyiceberg.schema import Schema
from pyiceberg.transforms import parse_transform
from pyiceberg.types import FloatType, ListType, LongType, NestedField, TimestamptzType

from infra.data.catalogue import TABLES, Table
from infra.data.iceberg import iceberg_input, type_document


def schema(table: Table) -> Schema:
    return Schema(
        *(
            NestedField.model_validate(
                {
                    "id": table.field_id(column.name),
                    "name": column.name,
                    "required": column.required,
                    "type": json.loads(type_document(column, table.field_id(column.name))),
                }
            )
            for column in table.columns
        ),
        identifier_field_ids=[table.field_id(name) for name in table.key],
    )


def named(name: str) -> Table:
    return next(table for table in TABLES if table.name == name)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_field_ids_are_unique_within_lists_too(table: Table):
    read = schema(table)
    assert len(read.field_ids) == len(table.columns) + sum(
        isinstance(field.field_type, ListType) for field in read.fields
    )


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_transform_applies_to_its_column(table: Table):
    read = schema(table)
    for index, partition in enumerate(table.partitions):
        transform = parse_transform(partition.transform)
        source = read.find_field(partition.column)
        assert transform.can_transform(source.field_type)
        PartitionField(
            source_id=source.field_id, field_id=1000 + index, transform=transform, name=partition.name
        )


def test_an_embedding_is_a_list_of_floats_that_are_never_null():
    vector = schema(named("embeddings")).find_field("vector")
    assert vector.field_type == ListType(1003, FloatType(), element_required=True)


def test_times_carry_a_zone():
    assert schema(named("clicks")).find_field("clicked_at").field_type == TimestamptzType()


def test_glue_gets_types_as_json():
    """Glue's `Type` is a document: the text `long` without quotes would not be JSON."""
    pins = named("pins")
    assert type_document(pins.columns[0], 1) == '"long"'
    assert schema(pins).find_field("pin_id").field_type == LongType()


def test_glue_is_asked_to_make_version_2_tables():
    """Version 1 has no row-level deletes."""
    made = iceberg_input(named("pins"), "s3://bucket/pins")
    assert (made.metadata_operation, made.version) == ("CREATE", "2")
