"""The VPC: public, private and intra subnets in every zone, and the routes between them."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.environment import Environment, NatGateways
from infra.network.address_plan import ZoneSubnets, plan


@dataclass(frozen=True)
class VpcArgs:
    """What the VPC is planned from."""

    environment: Environment


class Vpc(pulumi.ComponentResource):
    """Subnets in three tiers. Lists follow the order of the environment's zones.

    public: load balancers and NAT gateways. private: nodes and pods, out through NAT. intra: no way out at
    all, for databases, brokers and the control plane's network interfaces.
    """

    def __init__(self, name: str, args: VpcArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("pinwheel:network:Vpc", name, None, opts)
        self._environment = args.environment
        self._zones = plan(args.environment.network.cidr, args.environment.zones)
        self.vpc = aws.ec2.Vpc(
            "vpc",
            cidr_block=str(args.environment.network.cidr),
            enable_dns_support=True,
            enable_dns_hostnames=True,
            tags=self._tags("vpc"),
            opts=self._beneath(self),
        )
        # An adopted default security group without rules: whoever forgets to name one gets no traffic.
        aws.ec2.DefaultSecurityGroup(
            "default",
            vpc_id=self.vpc.id,
            ingress=[],
            egress=[],
            tags=self._tags("default-unused"),
            opts=self._beneath(self.vpc),
        )
        self.public_subnets = [
            self._subnet(zone, "public", zone.public, {"kubernetes.io/role/elb": "1"}) for zone in self._zones
        ]
        self.private_subnets = [
            self._subnet(
                zone,
                "private",
                zone.private,
                {
                    "kubernetes.io/role/internal-elb": "1",
                    "karpenter.sh/discovery": args.environment.resource_name("cluster"),
                },
            )
            for zone in self._zones
        ]
        self.intra_subnets = [self._subnet(zone, "intra", zone.intra, {}) for zone in self._zones]
        public_route = self._public_routes()
        self.private_route_tables = self._private_routes(public_route)
        self.intra_route_table = self._route_table("intra")
        self._associate("intra", self.intra_subnets, [self.intra_route_table] * len(self.intra_subnets))
        self.register_outputs({"vpc_id": self.vpc.id})

    def _subnet(self, zone: ZoneSubnets, tier: str, cidr: str, tags: dict[str, str]) -> aws.ec2.Subnet:
        return aws.ec2.Subnet(
            f"{tier}-{zone.letter}",
            vpc_id=self.vpc.id,
            availability_zone=zone.zone,
            cidr_block=cidr,
            map_public_ip_on_launch=False,
            tags={**self._tags(tier, zone.letter), "tier": tier, **tags},
            opts=self._beneath(self.vpc),
        )

    def _route_table(self, name: str) -> aws.ec2.RouteTable:
        return aws.ec2.RouteTable(
            name, vpc_id=self.vpc.id, tags=self._tags(name), opts=self._beneath(self.vpc)
        )

    def _associate(self, tier: str, subnets: list[aws.ec2.Subnet], tables: list[aws.ec2.RouteTable]) -> None:
        for zone, subnet, table in zip(self._zones, subnets, tables, strict=True):
            aws.ec2.RouteTableAssociation(
                f"{tier}-{zone.letter}",
                subnet_id=subnet.id,
                route_table_id=table.id,
                opts=self._beneath(table),
            )

    def _public_routes(self) -> aws.ec2.Route:
        gateway = aws.ec2.InternetGateway(
            "internet", vpc_id=self.vpc.id, tags=self._tags("internet"), opts=self._beneath(self.vpc)
        )
        table = self._route_table("public")
        route = aws.ec2.Route(
            "public-default",
            route_table_id=table.id,
            destination_cidr_block="0.0.0.0/0",
            gateway_id=gateway.id,
            opts=self._beneath(table),
        )
        self._associate("public", self.public_subnets, [table] * len(self.public_subnets))
        return route

    def _private_routes(self, public_route: aws.ec2.Route) -> list[aws.ec2.RouteTable]:
        """One table a zone, each through its own zone's NAT gateway, or all through the only one."""
        single = self._environment.network.nat_gateways is NatGateways.SINGLE
        served = self._zones[:1] if single else self._zones
        gateways = [self._nat_gateway(index, zone, public_route) for index, zone in enumerate(served)]
        tables: list[aws.ec2.RouteTable] = []
        for index, zone in enumerate(self._zones):
            table = self._route_table(f"private-{zone.letter}")
            aws.ec2.Route(
                f"private-{zone.letter}-default",
                route_table_id=table.id,
                destination_cidr_block="0.0.0.0/0",
                nat_gateway_id=gateways[0 if single else index].id,
                opts=self._beneath(table),
            )
            tables.append(table)
        self._associate("private", self.private_subnets, tables)
        return tables

    def _nat_gateway(self, index: int, zone: ZoneSubnets, public_route: aws.ec2.Route) -> aws.ec2.NatGateway:
        address = aws.ec2.Eip(
            f"nat-{zone.letter}",
            domain="vpc",
            tags=self._tags("nat", zone.letter),
            opts=self._beneath(self.vpc),
        )
        return aws.ec2.NatGateway(
            f"nat-{zone.letter}",
            allocation_id=address.id,
            subnet_id=self.public_subnets[index].id,
            tags=self._tags("nat", zone.letter),
            # A NAT gateway without a route to the internet gateway drops what nodes send while they shut down.
            opts=pulumi.ResourceOptions(parent=self.vpc, depends_on=[public_route]),
        )

    def _tags(self, *parts: str) -> dict[str, str]:
        return {"Name": self._environment.resource_name(*parts)}

    def _beneath(self, parent: pulumi.Resource) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(parent=parent)
