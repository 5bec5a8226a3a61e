"""The network layer: VPC, ways out, private ways to AWS, names, flow logs, and the environment's budget."""

import pulumi
import pulumi_aws as aws

from infra import contracts
from infra.environment import Environment
from infra.network.budget import budget
from infra.network.endpoints import Endpoints, EndpointsArgs
from infra.network.flow_logs import FlowLogs, FlowLogsArgs
from infra.network.vpc import Vpc, VpcArgs
from infra.providers import aws_provider


def stack(environment: Environment) -> None:
    """Declares the layer."""
    under_aws = pulumi.ResourceOptions(providers=[aws_provider(environment)])
    network = Vpc("network", VpcArgs(environment), under_aws)
    Endpoints("endpoints", EndpointsArgs(environment, network), under_aws)
    FlowLogs("flow-logs", FlowLogsArgs(environment, network.vpc.id), under_aws)
    zone = aws.route53.Zone(
        "private",
        name=environment.network.domain,
        comment="Names of the platform's own endpoints",
        vpcs=[aws.route53.ZoneVpcArgs(vpc_id=network.vpc.id)],
        # Records that controllers in the cluster made would hold it, and with it the VPC.
        force_destroy=not environment.protect,
        opts=pulumi.ResourceOptions(parent=network),
    )
    budget(environment, pulumi.ResourceOptions(parent=network))
    contracts.export(
        contracts.NetworkContract(
            vpc_id=network.vpc.id,
            vpc_cidr=network.vpc.cidr_block,
            public_subnet_ids=pulumi.Output.all(*[subnet.id for subnet in network.public_subnets]),
            private_subnet_ids=pulumi.Output.all(*[subnet.id for subnet in network.private_subnets]),
            intra_subnet_ids=pulumi.Output.all(*[subnet.id for subnet in network.intra_subnets]),
            zone_id=zone.zone_id,
            zone_name=zone.name,
        )
    )
