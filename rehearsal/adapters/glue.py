"""The Glue catalog: databases, tables, and what maintains Iceberg tables."""

import json
from typing import Any

from rehearsal.adapters import Order, adapter
from rehearsal.cloud import Created

_SENT_WITH_ICEBERG = frozenset(
    {"catalogId", "databaseName", "name", "namePrefix", "openTableFormatInput", "partitionIndices", "region"}
)
"""Source: terraform-provider-aws, internal/service/glue/catalog_table.go, resourceCatalogTableCreate."""


@adapter("aws:glue/catalogDatabase:CatalogDatabase")
def database(order: Order) -> Created:
    """A database of the catalog."""
    name = order.default_name()
    answer = order.create(
        "glue",
        "CreateDatabase",
        within="DatabaseInput",
    )
    catalog = order.inputs.get("catalogId") or order.cloud.account
    return answer.created(
        f"{catalog}:{name}",
        {"arn": order.arn("glue", f"database/{name}"), "name": name, "catalogId": catalog},
    )


@adapter("aws:glue/catalogTable:CatalogTable")
def table(order: Order) -> Created:
    """A table: described by the catalog's own columns, or by an Iceberg schema."""
    name = order.default_name()
    inputs = order.inputs
    iceberg = _iceberg_table(order)
    # With a schema of its own, the provider sends nothing else of the table but its name.
    ignored = tuple(key for key in inputs if key not in _SENT_WITH_ICEBERG) if iceberg else ()
    answer = order.create(
        "glue",
        "CreateTable",
        within="TableInput",
        renames={
            "name": "Name" if iceberg else "TableInput.Name",
            "partitionIndices": "PartitionIndexes",
            "openTableFormatInput.icebergInput.icebergTableInput": "CreateIcebergTableInput",
            "openTableFormatInput.icebergInput.icebergTableInput.sortOrder": "WriteOrder",
        },
        omit=ignored,
        tagged=False,
    )
    answer.unchecked += ignored
    catalog = inputs.get("catalogId") or order.cloud.account
    arn = order.arn("glue", f"table/{inputs.get('databaseName')}/{name}")
    return answer.created(
        f"{catalog}:{inputs.get('databaseName')}:{name}", {"arn": arn, "name": name, "catalogId": catalog}
    )


def _iceberg_table(order: Order) -> bool:
    """Whether the table has an Iceberg schema, whose types, JSON in Pulumi, become what the API takes."""
    form = order.inputs.get("openTableFormatInput") or {}
    iceberg = form.get("icebergInput") or {}
    given = iceberg.get("icebergTableInput")
    if not given:
        return False
    schema = given.get("schema") or {}
    fields = [
        {**field, "type": _type(order, index, field.get("type"))}
        for index, field in enumerate(schema.get("fields") or ())
    ]
    table_input = {**given, "schema": {**schema, "fields": fields}}
    order.inputs = {
        **order.inputs,
        "openTableFormatInput": {**form, "icebergInput": {**iceberg, "icebergTableInput": table_input}},
    }
    return True


def _type(order: Order, index: int, given: Any) -> Any:
    try:
        return json.loads(given)
    except (TypeError, ValueError):
        order.refuse(
            f"openTableFormatInput.icebergInput.icebergTableInput.schema.fields[{index}].type",
            given,
            "is not JSON",
            'an Iceberg type as JSON: "long" in quotation marks, or {"type": "list", ...}',
        )
        return given


@adapter("aws:glue/catalogTableOptimizer:CatalogTableOptimizer")
def table_optimizer(order: Order) -> Created:
    """Compaction, snapshot retention or orphan file deletion of an Iceberg table."""
    answer = order.create(
        "glue",
        "CreateTableOptimizer",
        renames={"configuration": "TableOptimizerConfiguration"},
        tagged=False,
    )
    keys = ("catalogId", "databaseName", "tableName", "type")
    return answer.created(",".join(str(order.inputs.get(key)) for key in keys))
