"""Change data capture: Debezium on MSK Connect reads Aurora's binlog into Kafka.

The plugin is a ZIP in the account's artifacts bucket (`Environment.artifacts_bucket`) under `PLUGIN_KEY`; an
operator puts it there once, before the first `pulumi up` of the data layer. It holds, as MSK Connect takes
one plugin a connector, both
- `debezium-connector-mysql-3.2.0.Final-plugin.tar.gz`, unpacked (Maven Central, group `io.debezium`), and
- `msk-config-providers-<version>-all.jar` (GitHub, `aws-samples/msk-config-providers`, releases).
A new version gets a new key, hence a new plugin: what runs never changes under the connector.

A running connector keeps a connection to the database open: a Serverless cluster with a minimum of 0 ACU
pauses only while there is no connector.
"""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra import iam, logs
from infra.data.aurora import Aurora
from infra.data.debezium import Capture, captures, connector_settings, worker_properties
from infra.data.kafka import Kafka
from infra.data.security_groups import SecurityGroups
from infra.data.service_database import ServiceDatabases
from infra.data.topics import Topics
from infra.environment import Environment

KAFKA_CONNECT_VERSION = "3.7.x"
"""Runs on Java 17, as Debezium 3 needs. Source: MSK developer guide, "Supported Kafka Connect versions"."""

PLUGIN_KEY = "debezium-mysql/3.2.0.Final.zip"

_INTERNAL = "__amazon_msk_connect_*"
"""Topics and groups that MSK Connect itself makes for a connector; it does not say their names beforehand."""


@dataclass(frozen=True)
class DebeziumArgs:
    """What is read, what is written, and from where."""

    environment: Environment
    subnet_ids: pulumi.Input[list[str]]
    """With a way out: the worker reads its secret from outside the VPC."""
    security_groups: SecurityGroups
    aurora: Aurora
    databases: ServiceDatabases
    kafka: Kafka
    topics: Topics
    log_key: aws.kms.Key


class Debezium(pulumi.ComponentResource):
    """The connectors of the environment, of one plugin. They go before the topics and users they work with."""

    def __init__(self, name: str, args: DebeziumArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("pinwheel:data:Debezium", name, None, opts)
        self._args = args
        environment = args.environment
        self._plugin = aws.mskconnect.CustomPlugin(
            "debezium",
            name=environment.resource_name("debezium"),
            description=PLUGIN_KEY,
            content_type="ZIP",
            location=aws.mskconnect.CustomPluginLocationArgs(
                s3=aws.mskconnect.CustomPluginLocationS3Args(
                    bucket_arn=f"arn:aws:s3:::{environment.artifacts_bucket}", file_key=PLUGIN_KEY
                )
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        connectors = [self._connector(capture) for capture in captures(environment)]
        self.register_outputs({"arns": [connector.arn for connector in connectors]})

    def _connector(self, capture: Capture) -> aws.mskconnect.Connector:
        args = self._args
        environment, cluster = args.environment, args.aurora.cluster
        full_name = environment.resource_name(capture.name)
        beneath = pulumi.ResourceOptions(parent=self)
        log_group = logs.log_group(
            capture.name,
            name=f"/aws/mskconnect/{full_name}",
            retention_days=environment.kafka.log_retention,
            key=args.log_key,
            options=beneath,
        )
        role, permitted = self._role(full_name, capture)
        worker = aws.mskconnect.WorkerConfiguration(
            capture.name,
            name=full_name,
            description="JSON, declared offsets topic, secrets from Secrets Manager",
            properties_file_content=worker_properties(capture, region=environment.region),
            opts=beneath,
        )
        brokers = args.kafka.cluster.bootstrap_brokers_sasl_iam
        return aws.mskconnect.Connector(
            capture.name,
            name=full_name,
            description=capture.description,
            kafkaconnect_version=KAFKA_CONNECT_VERSION,
            # Debezium reads a binlog with one task: autoscaling would only start idle workers.
            capacity=aws.mskconnect.ConnectorCapacityArgs(
                provisioned_capacity=aws.mskconnect.ConnectorCapacityProvisionedCapacityArgs(
                    mcu_count=1, worker_count=1
                )
            ),
            connector_configuration=pulumi.Output.all(cluster.endpoint, cluster.port, brokers).apply(
                lambda values: connector_settings(
                    capture,
                    host=values[0],
                    port=int(values[1]),
                    secret_name=args.databases.replication.secret_name,
                    bootstrap_brokers=values[2],
                )
            ),
            kafka_cluster=aws.mskconnect.ConnectorKafkaClusterArgs(
                apache_kafka_cluster=aws.mskconnect.ConnectorKafkaClusterApacheKafkaClusterArgs(
                    bootstrap_servers=brokers,
                    vpc=aws.mskconnect.ConnectorKafkaClusterApacheKafkaClusterVpcArgs(
                        subnets=args.subnet_ids, security_groups=[args.security_groups.connect.id]
                    ),
                )
            ),
            kafka_cluster_client_authentication=aws.mskconnect.ConnectorKafkaClusterClientAuthenticationArgs(
                authentication_type="IAM"
            ),
            kafka_cluster_encryption_in_transit=aws.mskconnect.ConnectorKafkaClusterEncryptionInTransitArgs(
                encryption_type="TLS"
            ),
            plugins=[
                aws.mskconnect.ConnectorPluginArgs(
                    custom_plugin=aws.mskconnect.ConnectorPluginCustomPluginArgs(
                        arn=self._plugin.arn, revision=self._plugin.latest_revision
                    )
                )
            ],
            worker_configuration=aws.mskconnect.ConnectorWorkerConfigurationArgs(
                arn=worker.arn, revision=worker.latest_revision
            ),
            service_execution_role_arn=role.arn,
            log_delivery=aws.mskconnect.ConnectorLogDeliveryArgs(
                worker_log_delivery=aws.mskconnect.ConnectorLogDeliveryWorkerLogDeliveryArgs(
                    cloudwatch_logs=aws.mskconnect.ConnectorLogDeliveryWorkerLogDeliveryCloudwatchLogsArgs(
                        enabled=True, log_group=log_group.name
                    )
                )
            ),
            tags={"Name": full_name},
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=[permitted, args.security_groups, args.databases, args.topics]
            ),
        )

    def _role(self, name: str, capture: Capture) -> tuple[aws.iam.Role, aws.iam.RolePolicy]:
        args = self._args
        environment, kafka = args.environment, args.kafka
        role = iam.role(
            capture.name,
            name=name,
            description="Debezium reads its secret and works with its own topics",
            trust_policy=iam.trust(
                "kafkaconnect.amazonaws.com",
                conditions={"StringEquals": {"aws:SourceAccount": environment.account}},
            ),
            options=pulumi.ResourceOptions(parent=self),
        )
        use_topic = [
            "kafka-cluster:DescribeTopic",
            "kafka-cluster:DescribeTopicDynamicConfiguration",
            "kafka-cluster:ReadData",
            "kafka-cluster:WriteData",
        ]
        policy = aws.iam.RolePolicy(
            capture.name,
            name=name,
            role=role.name,
            policy=iam.document(
                iam.allow(
                    [
                        "kafka-cluster:Connect",
                        "kafka-cluster:DescribeCluster",
                        "kafka-cluster:WriteDataIdempotently",
                    ],
                    [kafka.cluster.arn],
                ),
                iam.allow(use_topic, [kafka.topic_arn(topic) for topic in capture.topics]),
                iam.allow([*use_topic, "kafka-cluster:CreateTopic"], [kafka.topic_arn(_INTERNAL)]),
                iam.allow(
                    ["kafka-cluster:DescribeGroup", "kafka-cluster:AlterGroup"],
                    [
                        kafka.group_arn(_INTERNAL),
                        kafka.group_arn(f"connect-{name}*"),
                        kafka.group_arn(capture.history_group),
                    ],
                ),
                iam.allow(["secretsmanager:GetSecretValue"], [args.databases.replication.secret.arn]),
                iam.allow(["kms:Decrypt"], [args.databases.key.arn]),
            ),
            opts=pulumi.ResourceOptions(parent=role),
        )
        return role, policy
