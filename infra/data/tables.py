"""The lake's Iceberg tables and the optimizers that keep them small: compaction, retention, orphan files."""

from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from infra import iam, logs
from infra.data.catalogue import TABLES, Table
from infra.data.iceberg import iceberg_input
from infra.data.lake import Lake
from infra.environment import Environment

OPTIMIZERS = {
    "compaction": "iceberg-compaction",
    "retention": "iceberg-retention",
    "orphan_file_deletion": "iceberg-orphan-file-deletion",
}
"""Type of optimizer -> where it logs, below `/aws-glue/`. Source: Glue guide, "Optimizing Iceberg tables"."""

ORPHAN_RETENTION = 7
"""Days before a file that no snapshot knows is deleted: longer than any job writes before it commits."""

_OWNED_BY_COMMITS = [
    "description", "openTableFormatInput", "owner", "parameters", "partitionKeys", "retention",
    "storageDescriptor", "tableType",
]  # fmt: skip
"""Everything but a table's name: Glue fills it in, a commit changes it. Any difference that Pulumi saw in it
would become an UpdateTable with the columns of the last refresh, over what was committed since."""


@dataclass(frozen=True)
class TablesArgs:
    """The lake they are in."""

    environment: Environment
    lake: Lake
    log_key: aws.kms.Key


class Tables(pulumi.ComponentResource):
    """Every table of `catalogue.TABLES`, each with all optimizers."""

    def __init__(self, name: str, args: TablesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("pinwheel:data:Tables", name, None, opts)
        self._args = args
        self.tables = {table.name: self._table(table) for table in TABLES}
        role, permitted = self._role()
        for table in TABLES:
            for kind in OPTIMIZERS:
                self._optimizer(table, kind, role, permitted)
        self.register_outputs({})

    def _table(self, table: Table) -> aws.glue.CatalogTable:
        """Declares the first schema. Later ones are commits to the table, made by whoever writes it."""
        lake = self._args.lake
        return aws.glue.CatalogTable(
            table.name,
            name=table.name,
            database_name=lake.database.name,
            open_table_format_input=aws.glue.CatalogTableOpenTableFormatInputArgs(
                iceberg_input=iceberg_input(
                    table, pulumi.Output.concat("s3://", lake.bucket.bucket, "/", table.name)
                )
            ),
            opts=pulumi.ResourceOptions(
                parent=self,
                protect=self._args.environment.protect,
                depends_on=[lake.storage],
                ignore_changes=_OWNED_BY_COMMITS,
            ),
        )

    def _role(self) -> tuple[aws.iam.Role, aws.iam.RolePolicy]:
        environment, lake = self._args.environment, self._args.lake
        name = environment.resource_name("table-optimizers")
        beneath = pulumi.ResourceOptions(parent=self)
        groups = [
            logs.log_group(
                suffix,
                name=f"/aws-glue/{suffix}/logs",
                retention_days=environment.cluster.log_retention,
                key=self._args.log_key,
                options=beneath,
            )
            for suffix in OPTIMIZERS.values()
        ]
        role = iam.role(
            "table-optimizers",
            name=name,
            description="Glue compacts the lake's tables and deletes what nothing refers to",
            trust_policy=iam.trust("glue.amazonaws.com"),
            options=beneath,
        )
        catalog = f"arn:aws:glue:{environment.region}:{environment.account}:catalog"
        policy = aws.iam.RolePolicy(
            "table-optimizers",
            name=name,
            role=role.name,
            policy=iam.document(
                iam.allow(
                    ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"],
                    [pulumi.Output.concat(lake.bucket.arn, "/", table.name, "/*") for table in TABLES],
                ),
                iam.allow(["s3:ListBucket"], [lake.bucket.arn]),
                iam.allow(["kms:Decrypt", "kms:GenerateDataKey"], [lake.key.arn]),
                iam.allow(
                    ["glue:GetTable", "glue:UpdateTable"],
                    [catalog, lake.database.arn, *(table.arn for table in self.tables.values())],
                ),
                iam.allow(
                    ["logs:CreateLogStream", "logs:PutLogEvents"],
                    [pulumi.Output.concat(group.arn, ":*") for group in groups],
                ),
            ),
            opts=pulumi.ResourceOptions(parent=role),
        )
        return role, policy

    def _optimizer(
        self, table: Table, kind: str, role: aws.iam.Role, permitted: aws.iam.RolePolicy
    ) -> aws.glue.CatalogTableOptimizer:
        environment = self._args.environment
        return aws.glue.CatalogTableOptimizer(
            f"{table.name}-{kind.replace('_', '-')}",
            catalog_id=environment.account,
            database_name=self._args.lake.database.name,
            table_name=self.tables[table.name].name,
            type=kind,
            configuration=aws.glue.CatalogTableOptimizerConfigurationArgs(
                enabled=True, role_arn=role.arn, **_settings(kind, environment.lake.snapshot_retention)
            ),
            opts=pulumi.ResourceOptions(parent=self.tables[table.name], depends_on=[permitted]),
        )


def _settings(kind: str, snapshot_days: int) -> dict[str, Any]:
    """What an optimizer of `kind` is told, beside its role."""
    match kind:
        case "compaction":
            return {
                "compaction_configuration": {
                    "iceberg_configuration": {"strategy": "binpack"}  # the other strategies need a sort order
                }
            }
        case "retention":
            return {
                "retention_configuration": {
                    "iceberg_configuration": {
                        "snapshot_retention_period_in_days": snapshot_days,
                        "number_of_snapshots_to_retain": 1,
                        "clean_expired_files": True,
                    }
                }
            }
        case "orphan_file_deletion":
            return {
                "orphan_file_deletion_configuration": {
                    "iceberg_configuration": {"orphan_file_retention_period_in_days": ORPHAN_RETENTION}
                }
            }
        case _:
            raise ValueError(f"optimizer {kind}: Glue has {', '.join(OPTIMIZERS)}")
