"""The Aurora MySQL cluster: a writer, its readers in other zones, and what watches over them."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra import encryption, iam, logs
from infra.data.aurora_parameters import cluster_parameters, instance_parameters
from infra.data.security_groups import MYSQL
from infra.environment import Environment

ENGINE = aws.rds.EngineType.AURORA_MYSQL
LOG_EXPORTS = ("audit", "error", "slowquery")
MASTER_USER = "pinwheel_admin"
MONITORING_INTERVAL = 60
"""Seconds between enhanced-monitoring samples; billed as CloudWatch Logs, so a minute and not a second."""

INSIGHTS_RETENTION = {"standard": 7, "advanced": 465}
"""Days. 7 are free; Database Insights' advanced mode (about 9 USD a vCPU and month) demands 465."""


@dataclass(frozen=True)
class AuroraArgs:
    """Where the cluster lives and whom it admits."""

    environment: Environment
    subnet_ids: pulumi.Input[list[str]]
    security_group_id: pulumi.Input[str]
    log_key: aws.kms.Key


class Aurora(pulumi.ComponentResource):
    """`cluster` with its `instances`. Its master password is made, kept and rotated by Secrets Manager."""

    def __init__(self, name: str, args: AuroraArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("pinwheel:data:Aurora", name, None, opts)
        environment = args.environment
        beneath = pulumi.ResourceOptions(parent=self)
        self.key = encryption.key(environment, "database", options=beneath)
        self.master_key = encryption.key(environment, "database-master", options=beneath)
        self.cluster = self._cluster(args)
        self.master_secret_arn: pulumi.Output[str] = self.cluster.master_user_secrets[0].secret_arn
        self.instances = self._instances(environment)
        self.register_outputs({"arn": self.cluster.arn, "endpoint": self.cluster.endpoint})

    def _cluster(self, args: AuroraArgs) -> aws.rds.Cluster:
        environment, database = args.environment, args.environment.database
        beneath = pulumi.ResourceOptions(parent=self)
        identifier = environment.resource_name("aurora")
        subnets = aws.rds.SubnetGroup(
            "aurora",
            name=identifier,
            description="Subnets without a route to the internet",
            subnet_ids=args.subnet_ids,
            tags={"Name": identifier},
            opts=beneath,
        )
        # Before the cluster: groups that RDS makes itself are unencrypted and never expire.
        log_groups = [
            logs.log_group(
                f"aurora-{export}",
                name=f"/aws/rds/cluster/{identifier}/{export}",
                retention_days=environment.cluster.log_retention,
                key=args.log_key,
                options=beneath,
            )
            for export in LOG_EXPORTS
        ]
        return aws.rds.Cluster(
            "aurora",
            cluster_identifier=identifier,
            engine=ENGINE,
            engine_version=database.engine_version,
            engine_lifecycle_support="open-source-rds-extended-support-disabled",
            db_subnet_group_name=subnets.name,
            vpc_security_group_ids=[args.security_group_id],
            port=MYSQL,
            db_cluster_parameter_group_name=cluster_parameters(environment, beneath).name,
            serverlessv2_scaling_configuration=_scaling(environment),
            master_username=MASTER_USER,
            manage_master_user_password=True,
            master_user_secret_kms_key_id=self.master_key.arn,
            iam_database_authentication_enabled=True,
            enable_http_endpoint=True,  # the Data API, by which the bootstrap function makes users
            storage_encrypted=True,
            kms_key_id=self.key.arn,
            backup_retention_period=database.backup_retention,
            preferred_backup_window="07:00-08:00",  # UTC: night in the region, before the maintenance window
            preferred_maintenance_window="sun:08:30-sun:09:30",
            copy_tags_to_snapshot=True,
            delete_automated_backups=not environment.protect,
            deletion_protection=environment.protect,
            skip_final_snapshot=not environment.protect,
            final_snapshot_identifier=f"{identifier}-final" if environment.protect else None,
            enabled_cloudwatch_logs_exports=list(LOG_EXPORTS),
            database_insights_mode=database.insights,
            performance_insights_enabled=True,
            performance_insights_kms_key_id=self.key.arn,
            performance_insights_retention_period=INSIGHTS_RETENTION[database.insights],
            tags={"Name": identifier},
            opts=pulumi.ResourceOptions(parent=self, protect=environment.protect, depends_on=log_groups),
        )

    def _instances(self, environment: Environment) -> list[aws.rds.ClusterInstance]:
        """Zone after zone; the first reader takes over when the writer fails, as it lives in another zone."""
        database = environment.database
        beneath = pulumi.ResourceOptions(parent=self)
        parameters = instance_parameters(environment, beneath)
        monitoring = iam.role(
            "aurora-monitoring",
            name=environment.resource_name("aurora-monitoring"),
            description="Enhanced monitoring writes the instances' system metrics",
            trust_policy=iam.trust(
                "monitoring.rds.amazonaws.com",
                conditions={"StringEquals": {"aws:SourceAccount": environment.account}},
            ),
            options=beneath,
        )
        permitted = aws.iam.RolePolicyAttachment(
            "aurora-monitoring",
            role=monitoring.name,
            policy_arn="arn:aws:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole",
            opts=pulumi.ResourceOptions(parent=monitoring),
        )
        return [
            aws.rds.ClusterInstance(
                f"aurora-{index + 1}",
                identifier=environment.resource_name("aurora", str(index + 1)),
                cluster_identifier=self.cluster.id,
                engine=ENGINE,
                engine_version=self.cluster.engine_version,
                instance_class=database.instance_class or "db.serverless",
                availability_zone=environment.zones[index % len(environment.zones)],
                db_subnet_group_name=self.cluster.db_subnet_group_name,
                db_parameter_group_name=parameters.name,
                promotion_tier=min(index, 15),
                publicly_accessible=False,
                auto_minor_version_upgrade=False,  # the environment file pins the version
                copy_tags_to_snapshot=True,
                monitoring_interval=MONITORING_INTERVAL,
                monitoring_role_arn=monitoring.arn,
                tags={"Name": environment.resource_name("aurora", str(index + 1))},
                # RDS refuses a monitoring role that does not carry its policy yet.
                opts=pulumi.ResourceOptions(parent=self, protect=environment.protect, depends_on=[permitted]),
            )
            for index in range(database.instances)
        ]


def _scaling(environment: Environment) -> aws.rds.ClusterServerlessv2ScalingConfigurationArgs | None:
    serverless = environment.database.serverless
    if serverless is None:
        return None
    return aws.rds.ClusterServerlessv2ScalingConfigurationArgs(
        min_capacity=serverless.min,
        max_capacity=serverless.max,
        seconds_until_auto_pause=None if serverless.auto_pause is None else serverless.auto_pause * 60,
    )
