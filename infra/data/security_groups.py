"""Who may talk to the database and the brokers. All rules stand here, so that they read as one table."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.environment import Environment

MYSQL = 3306
KAFKA_SCRAM = 9096
KAFKA_IAM = 9098
KAFKA_METRICS = (11001, 11002)
"""JMX exporter and node exporter of every broker. Source: MSK developer guide, "Port information"."""
_HTTPS = 443


@dataclass(frozen=True)
class SecurityGroupsArgs:
    """The VPC, and the group that the cluster's nodes and pods carry."""

    environment: Environment
    vpc_id: pulumi.Input[str]
    cluster_group_id: pulumi.Input[str]


class SecurityGroups(pulumi.ComponentResource):
    """`database` and `kafka` start no connections; `connect` is the change-data-capture connector."""

    def __init__(
        self, name: str, args: SecurityGroupsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("pinwheel:data:SecurityGroups", name, None, opts)
        self._args = args
        self.database = self._group("database", "Aurora MySQL")
        self.kafka = self._group("kafka", "MSK brokers")
        self.connect = self._group("connect", "The Debezium connector")
        pods, connector = args.cluster_group_id, self.connect.id
        self._admit("database-pods", self.database, pods, MYSQL, "MySQL from the cluster")
        self._admit("database-connect", self.database, connector, MYSQL, "Binlog to the connector")
        self._admit("kafka-pods-scram", self.kafka, pods, KAFKA_SCRAM, "SCRAM over TLS from the cluster")
        self._admit("kafka-pods-iam", self.kafka, pods, KAFKA_IAM, "IAM over TLS from the cluster")
        self._admit("kafka-connect-iam", self.kafka, connector, KAFKA_IAM, "IAM over TLS from the connector")
        self._admit("kafka-pods-metrics", self.kafka, pods, KAFKA_METRICS, "Prometheus in the cluster")
        self._release("connect-database", self.database.id, MYSQL, "MySQL")
        self._release("connect-kafka", self.kafka.id, KAFKA_IAM, "Kafka with IAM over TLS")
        # MSK Connect reaches Secrets Manager over the internet only; it does not use interface endpoints.
        aws.vpc.SecurityGroupEgressRule(
            "connect-aws",
            security_group_id=self.connect.id,
            description="AWS APIs, by way of NAT",
            cidr_ipv4="0.0.0.0/0",
            ip_protocol="tcp",
            from_port=_HTTPS,
            to_port=_HTTPS,
            opts=pulumi.ResourceOptions(parent=self.connect),
        )
        self.register_outputs(
            {"database": self.database.id, "kafka": self.kafka.id, "connect": self.connect.id}
        )

    def _group(self, name: str, description: str) -> aws.ec2.SecurityGroup:
        full_name = self._args.environment.resource_name(name)
        return aws.ec2.SecurityGroup(
            name,
            name=full_name,
            description=description,
            vpc_id=self._args.vpc_id,
            tags={"Name": full_name},
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _admit(
        self,
        name: str,
        group: aws.ec2.SecurityGroup,
        source: pulumi.Input[str],
        ports: int | tuple[int, int],
        description: str,
    ) -> None:
        first, last = ports if isinstance(ports, tuple) else (ports, ports)
        aws.vpc.SecurityGroupIngressRule(
            name,
            security_group_id=group.id,
            referenced_security_group_id=source,
            description=description,
            ip_protocol="tcp",
            from_port=first,
            to_port=last,
            opts=pulumi.ResourceOptions(parent=group),
        )

    def _release(self, name: str, target: pulumi.Input[str], port: int, description: str) -> None:
        aws.vpc.SecurityGroupEgressRule(
            name,
            security_group_id=self.connect.id,
            referenced_security_group_id=target,
            description=description,
            ip_protocol="tcp",
            from_port=port,
            to_port=port,
            opts=pulumi.ResourceOptions(parent=self.connect),
        )
