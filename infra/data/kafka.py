"""The MSK cluster: brokers over the zones, TLS only, IAM and SCRAM authentication."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra import encryption, logs
from infra.data.kafka_configuration import server_properties
from infra.environment import Environment

MAX_VOLUME = 16_384
"""GiB a broker. Source: MSK quotas."""

_GROWTH = 4
_TARGET_USE = 60.0


@dataclass(frozen=True)
class KafkaArgs:
    """Where the brokers live and whom they admit."""

    environment: Environment
    subnet_ids: pulumi.Input[list[str]]
    security_group_id: pulumi.Input[str]
    log_key: aws.kms.Key


class Kafka(pulumi.ComponentResource):
    """`cluster`, in KRaft mode. Volumes grow by themselves and never shrink."""

    def __init__(self, name: str, args: KafkaArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("pinwheel:data:Kafka", name, None, opts)
        environment, kafka = args.environment, args.environment.kafka
        beneath = pulumi.ResourceOptions(parent=self)
        full_name = environment.resource_name("kafka")
        self.key = encryption.key(environment, "kafka", options=beneath)
        log_group = logs.log_group(
            "kafka",
            name=f"/aws/msk/{full_name}",
            retention_days=kafka.log_retention,
            key=args.log_key,
            options=beneath,
        )
        configuration = aws.msk.Configuration(
            "kafka",
            name=full_name,
            description="Durable by default; topics only by declaration",
            # No `kafka_versions`: changing them replaces the configuration, which a cluster in use forbids.
            server_properties=server_properties(zones=len(environment.zones)),
            opts=beneath,
        )
        self.cluster = aws.msk.Cluster(
            "kafka",
            cluster_name=full_name,
            kafka_version=kafka.version,
            number_of_broker_nodes=kafka.brokers,
            broker_node_group_info=aws.msk.ClusterBrokerNodeGroupInfoArgs(
                instance_type=kafka.instance_type,
                client_subnets=args.subnet_ids,
                security_groups=[args.security_group_id],
                storage_info=aws.msk.ClusterBrokerNodeGroupInfoStorageInfoArgs(
                    ebs_storage_info=aws.msk.ClusterBrokerNodeGroupInfoStorageInfoEbsStorageInfoArgs(
                        volume_size=kafka.storage
                    )
                ),
            ),
            client_authentication=aws.msk.ClusterClientAuthenticationArgs(
                sasl=aws.msk.ClusterClientAuthenticationSaslArgs(iam=True, scram=True), unauthenticated=False
            ),
            encryption_info=aws.msk.ClusterEncryptionInfoArgs(
                encryption_at_rest_kms_key_arn=self.key.arn,
                encryption_in_transit=aws.msk.ClusterEncryptionInfoEncryptionInTransitArgs(
                    client_broker="TLS", in_cluster=True
                ),
            ),
            configuration_info=aws.msk.ClusterConfigurationInfoArgs(
                arn=configuration.arn, revision=configuration.latest_revision
            ),
            # CloudWatch bills the metrics of a finer level, topics x brokers; Prometheus gets them free.
            enhanced_monitoring="PER_BROKER",
            open_monitoring=aws.msk.ClusterOpenMonitoringArgs(
                prometheus=aws.msk.ClusterOpenMonitoringPrometheusArgs(
                    jmx_exporter=aws.msk.ClusterOpenMonitoringPrometheusJmxExporterArgs(
                        enabled_in_broker=True
                    ),
                    node_exporter=aws.msk.ClusterOpenMonitoringPrometheusNodeExporterArgs(
                        enabled_in_broker=True
                    ),
                )
            ),
            logging_info=aws.msk.ClusterLoggingInfoArgs(
                broker_logs=aws.msk.ClusterLoggingInfoBrokerLogsArgs(
                    cloudwatch_logs=aws.msk.ClusterLoggingInfoBrokerLogsCloudwatchLogsArgs(
                        enabled=True, log_group=log_group.name
                    )
                )
            ),
            tags={"Name": full_name},
            opts=pulumi.ResourceOptions(
                parent=self,
                protect=environment.protect,
                # Autoscaling owns the volumes' size from the first growth on.
                ignore_changes=["brokerNodeGroupInfo.storageInfo.ebsStorageInfo.volumeSize"],
            ),
        )
        self._storage_autoscaling(environment)
        self.register_outputs({"arn": self.cluster.arn})

    def topic_arn(self, topic: str) -> pulumi.Output[str]:
        """What IAM calls `topic`, which may end in `*`."""
        return self._arn_of("topic", topic)

    def group_arn(self, group: str) -> pulumi.Output[str]:
        """What IAM calls the consumer group `group`, which may end in `*`."""
        return self._arn_of("group", group)

    def _arn_of(self, kind: str, name: str) -> pulumi.Output[str]:
        return self.cluster.arn.apply(lambda arn: f"{arn.replace(':cluster/', f':{kind}/', 1)}/{name}")

    def _storage_autoscaling(self, environment: Environment) -> None:
        """Grows every volume before it is full, up to four times what the environment starts with."""
        beneath = pulumi.ResourceOptions(parent=self.cluster)
        target = aws.appautoscaling.Target(
            "kafka-storage",
            service_namespace="kafka",
            scalable_dimension="kafka:broker-storage:VolumeSize",
            resource_id=self.cluster.arn,
            min_capacity=1,  # MSK takes no other
            max_capacity=min(MAX_VOLUME, environment.kafka.storage * _GROWTH),
            opts=beneath,
        )
        aws.appautoscaling.Policy(
            "kafka-storage",
            name=environment.resource_name("kafka-storage"),
            policy_type="TargetTrackingScaling",
            service_namespace=target.service_namespace,
            scalable_dimension=target.scalable_dimension,
            resource_id=target.resource_id,
            target_tracking_scaling_policy_configuration=aws.appautoscaling.PolicyTargetTrackingScalingPolicyConfigurationArgs(
                target_value=_TARGET_USE,  # percent of the volume
                disable_scale_in=True,
                predefined_metric_specification=aws.appautoscaling.PolicyTargetTrackingScalingPolicyConfigurationPredefinedMetricSpecificationArgs(
                    predefined_metric_type="KafkaBrokerStorageUtilization"
                ),
            ),
            opts=pulumi.ResourceOptions(parent=target),
        )
