"""Aurora MySQL's settings: those of the cluster and those of each instance."""

import pulumi
import pulumi_aws as aws

from infra.environment import Environment

FAMILY = "aurora-mysql8.0"

AT_REBOOT = "pending-reboot"
AT_ONCE = "immediate"

CLUSTER_PARAMETERS = (
    # Change data capture: whole rows, and GTIDs so that Debezium finds its place again after a failover.
    ("binlog_format", "ROW", AT_REBOOT),
    ("binlog_row_image", "FULL", AT_REBOOT),
    ("gtid-mode", "ON", AT_REBOOT),
    ("enforce_gtid_consistency", "ON", AT_REBOOT),
    ("require_secure_transport", "ON", AT_ONCE),
    ("tls_version", "TLSv1.2,TLSv1.3", AT_REBOOT),
    ("character_set_server", "utf8mb4", AT_ONCE),
    ("collation_server", "utf8mb4_0900_ai_ci", AT_ONCE),
    ("time_zone", "UTC", AT_ONCE),
    # Without QUERY_DCL, which would record the CREATE USER statements of the bootstrap function.
    ("server_audit_logging", "1", AT_ONCE),
    ("server_audit_events", "CONNECT,QUERY_DDL", AT_ONCE),
)
"""(name, value, when it takes effect). Source: Aurora user guide, "Aurora MySQL configuration parameters"."""

INSTANCE_PARAMETERS = (
    ("slow_query_log", "1", AT_ONCE),
    ("long_query_time", "1", AT_ONCE),  # seconds
    ("log_output", "FILE", AT_ONCE),  # CloudWatch exports files, not tables
    ("innodb_print_all_deadlocks", "1", AT_ONCE),
)


def cluster_parameters(
    environment: Environment, options: pulumi.ResourceOptions
) -> aws.rds.ClusterParameterGroup:
    """What holds for the whole cluster."""
    return aws.rds.ClusterParameterGroup(
        "aurora",
        name=environment.resource_name("aurora-cluster"),
        description="Row binlog for CDC, TLS only, utf8mb4, audit log",
        family=FAMILY,
        parameters=[
            aws.rds.ClusterParameterGroupParameterArgs(name=name, value=value, apply_method=method)
            for name, value, method in CLUSTER_PARAMETERS
        ],
        opts=options,
    )


def instance_parameters(environment: Environment, options: pulumi.ResourceOptions) -> aws.rds.ParameterGroup:
    """What holds for each instance."""
    return aws.rds.ParameterGroup(
        "aurora",
        name=environment.resource_name("aurora-instance"),
        description="Slow query log and deadlocks",
        family=FAMILY,
        parameters=[
            aws.rds.ParameterGroupParameterArgs(name=name, value=value, apply_method=method)
            for name, value, method in INSTANCE_PARAMETERS
        ],
        opts=options,
    )
