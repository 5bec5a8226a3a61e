"""Private ways to AWS services: gateway endpoints (free) and interface endpoints (paid by the hour and zone)."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.environment import Environment
from infra.network.vpc import Vpc

INTERFACE_SERVICES = (
    "ec2", "ecr.api", "ecr.dkr", "eks", "eks-auth", "elasticloadbalancing", "kms", "logs", "monitoring",
    "secretsmanager", "sqs", "ssm", "sts",
)  # fmt: skip
"""What nodes and pods call all the time: pulling images, identity, logs, secrets, queues, Karpenter's EC2 calls."""


@dataclass(frozen=True)
class EndpointsArgs:
    """The VPC whose traffic should not pass through NAT."""

    environment: Environment
    network: Vpc


class Endpoints(pulumi.ComponentResource):
    """S3 through a gateway endpoint always; interface endpoints where the environment asks for them."""

    def __init__(self, name: str, args: EndpointsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("pinwheel:network:Endpoints", name, None, opts)
        environment, network = args.environment, args.network
        beneath = pulumi.ResourceOptions(parent=self)
        aws.ec2.VpcEndpoint(
            "s3",
            vpc_id=network.vpc.id,
            service_name=f"com.amazonaws.{environment.region}.s3",
            vpc_endpoint_type="Gateway",
            route_table_ids=[
                *(table.id for table in network.private_route_tables),
                network.intra_route_table.id,
            ],
            tags={"Name": environment.resource_name("s3")},
            opts=beneath,
        )
        if environment.network.interface_endpoints:
            self._interface_endpoints(environment, network)
        self.register_outputs({})

    def _interface_endpoints(self, environment: Environment, network: Vpc) -> None:
        group = aws.ec2.SecurityGroup(
            "endpoints",
            name=environment.resource_name("endpoints"),
            description="HTTPS from the VPC to interface endpoints",
            vpc_id=network.vpc.id,
            tags={"Name": environment.resource_name("endpoints")},
            opts=pulumi.ResourceOptions(parent=self),
        )
        aws.vpc.SecurityGroupIngressRule(
            "endpoints-https",
            security_group_id=group.id,
            description="HTTPS from the VPC",
            cidr_ipv4=network.vpc.cidr_block,
            ip_protocol="tcp",
            from_port=443,
            to_port=443,
            opts=pulumi.ResourceOptions(parent=group),
        )
        for service in INTERFACE_SERVICES:
            aws.ec2.VpcEndpoint(
                service.replace(".", "-"),
                vpc_id=network.vpc.id,
                service_name=f"com.amazonaws.{environment.region}.{service}",
                vpc_endpoint_type="Interface",
                private_dns_enabled=True,
                subnet_ids=[subnet.id for subnet in network.intra_subnets],
                security_group_ids=[group.id],
                tags={"Name": environment.resource_name(service.replace(".", "-"))},
                opts=pulumi.ResourceOptions(parent=self),
            )
