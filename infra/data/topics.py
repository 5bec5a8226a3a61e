"""The topics of the catalogue, made by MSK itself: no Kafka client has to reach the brokers."""

import json
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.data.catalogue import OUTBOX_TOPICS, TOPICS, Topic
from infra.data.kafka_configuration import min_in_sync_replicas, replication_factor
from infra.environment import Environment

_MILLISECONDS_A_DAY = 86_400_000


@dataclass(frozen=True)
class TopicsArgs:
    """The cluster that holds them."""

    environment: Environment
    cluster: aws.msk.Cluster


class Topics(pulumi.ComponentResource):
    """Every topic of `catalogue.TOPICS`, and those of the outbox's connector where there is one."""

    def __init__(self, name: str, args: TopicsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("pinwheel:data:Topics", name, None, opts)
        zones = len(args.environment.zones)
        more = OUTBOX_TOPICS if args.environment.workloads.outbox == "debezium" else ()
        for topic in (*TOPICS, *more):
            aws.msk.Topic(
                topic.name,
                name=topic.name,
                cluster_arn=args.cluster.arn,
                partition_count=topic.partitions,
                replication_factor=replication_factor(zones),
                configs=json.dumps(topic_configs(topic, zones=zones)),
                opts=pulumi.ResourceOptions(parent=self, protect=args.environment.protect),
            )
        self.register_outputs({})


def topic_configs(topic: Topic, *, zones: int) -> dict[str, str]:
    """Kafka's own settings of `topic` on a cluster over `zones` zones."""
    days = topic.retention_days
    return {
        "cleanup.policy": topic.cleanup.value,
        "retention.ms": "-1" if days is None else str(days * _MILLISECONDS_A_DAY),
        "min.insync.replicas": str(min_in_sync_replicas(zones)),
    }
