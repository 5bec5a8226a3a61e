"""Instance types that zones do not offer or nobody sells, and versions that are not supported."""

from collections.abc import Callable
from typing import Any

import pulumi_aws as aws
import pytest

from tests.rehearsal.refusals.conftest import Base, Mistakes
from tests.rehearsal.refusals.test_values import aurora

NodeGroup = Callable[..., aws.eks.NodeGroup]


def test_an_instance_type_that_a_zone_does_not_offer(mistakes: Mistakes, node_group: NodeGroup):
    outcome = mistakes(lambda: node_group(instance_types=["m7i.large", "c8a.12xlarge"]))

    outcome.assert_only_refused(
        "nodes",
        "instanceTypes[1]",
        "c8a.12xlarge",
        "is not offered in eu-west-1c",
        "is sold in eu-west-1a, eu-west-1b",
    )


def test_an_instance_type_that_does_not_exist(mistakes: Mistakes, node_group: NodeGroup):
    outcome = mistakes(lambda: node_group(instance_types=["g5.2xlrge"]))

    outcome.assert_only_refused("nodes", "instanceTypes[0]", "g5.2xlrge", "did you mean g5.2xlarge?")


def test_a_launch_template_s_instance_type(mistakes: Mistakes):
    outcome = mistakes(lambda: aws.ec2.LaunchTemplate("template", instance_type="m7i.tiny"))

    outcome.assert_only_refused("template", "instanceType", "m7i.tiny", "is not an EC2 instance type")


@pytest.mark.parametrize(
    ("instance_class", "right"),
    [
        ("db.m5.large", "db.<family>.<size> with a family of t3"),
        ("r7g.large", "db.<family>.<size>"),
        ("db.r7g.huge", "2xlarge"),
    ],
)
def test_a_database_class_that_is_not_sold(mistakes: Mistakes, instance_class: str, right: str):
    def program() -> None:
        cluster = aurora(cluster_identifier=f"classes-{instance_class.replace('.', '-')}")
        aws.rds.ClusterInstance(
            "writer", cluster_identifier=cluster.id, engine="aurora-mysql", instance_class=instance_class
        )

    mistakes(program).assert_only_refused("writer", "instanceClass", instance_class, right)


def msk(base: Base, **changed: Any) -> aws.msk.Cluster:
    """A faultless MSK cluster, save for what is `changed`."""
    arguments: dict[str, Any] = {
        "cluster_name": "events",
        "kafka_version": "3.9.x.kraft",
        "number_of_broker_nodes": 3,
        "broker_node_group_info": {
            "instance_type": "kafka.m7g.large",
            "client_subnets": base.subnets,
            "security_groups": [base.security_group],
        },
    }
    return aws.msk.Cluster("kafka", **{**arguments, **changed})


def test_a_broker_type_that_is_not_sold(mistakes: Mistakes, base: Base):
    brokers = {
        "instance_type": "kafka.m6i.large",
        "client_subnets": base.subnets,
        "security_groups": [base.security_group],
    }

    outcome = mistakes(lambda: msk(base, broker_node_group_info=brokers))

    outcome.assert_only_refused("kafka", "brokerNodeGroupInfo.instanceType", "kafka.m6i.large", "m7g")


def test_a_version_of_eks_that_is_out_of_support(mistakes: Mistakes, base: Base):
    def program() -> None:
        aws.eks.Cluster(
            "cluster", version="1.30", role_arn=base.node_role, vpc_config={"subnet_ids": base.subnets}
        )

    mistakes(program).assert_only_refused("cluster", "version", "1.30", "is out of", "1.36")


def test_a_version_of_eks_that_never_was(mistakes: Mistakes, node_group: NodeGroup):
    mistakes(lambda: node_group(version="1.99")).assert_only_refused("nodes", "version", "1.99", "1.36")


def test_a_version_of_kafka_that_is_out_of_support(mistakes: Mistakes, base: Base):
    outcome = mistakes(lambda: msk(base, kafka_version="3.5.1"))

    outcome.assert_only_refused("kafka", "kafkaVersion", "3.5.1", "is out of", "3.9.x.kraft")


@pytest.mark.parametrize("version", ["5.7.mysql_aurora.2.11.3", "8.0.mysql_aurora.3.99.0"])
def test_a_version_of_aurora_that_is_not_supported(mistakes: Mistakes, version: str):
    outcome = mistakes(lambda: aurora(engine_version=version, cluster_identifier="old-aurora"))

    outcome.assert_only_refused("aurora", "engineVersion", version, "8.0.mysql_aurora.3.10")
