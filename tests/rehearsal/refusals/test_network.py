"""Address blocks that are none, lie outside of their VPC or overlap."""

import pulumi_aws as aws
import pytest

from tests.rehearsal.refusals.conftest import Base, Mistakes


@pytest.mark.parametrize(
    ("block", "reason", "right"),
    [
        ("10.51.0.0/8", "has host bits set", "10.0.0.0/8"),
        ("10.51.0.0/29", "has 8 addresses", "from /16 (65536) to /28 (16)"),
        ("10.51.0.0/33", "is not a CIDR block", "address/prefix"),
        ("10.51.0.0", "is not an IPv4 block", "address/prefix"),
    ],
)
def test_a_vpc_s_block(mistakes: Mistakes, block: str, reason: str, right: str):
    outcome = mistakes(lambda: aws.ec2.Vpc("vpc", cidr_block=block))

    outcome.assert_refused("vpc", "cidrBlock", block, reason, right)
    assert {each.problem.property for each in outcome.refusals} == {"cidrBlock"}, outcome.told()


def test_a_subnet_outside_of_its_vpc(mistakes: Mistakes, base: Base):
    outcome = mistakes(lambda: aws.ec2.Subnet("subnet", vpc_id=base.vpc, cidr_block="10.60.0.0/24"))

    outcome.assert_only_refused(
        "subnet", "cidrBlock", "10.60.0.0/24", "outside the VPC's block 10.50.0.0/16", "within 10.50.0.0/16"
    )


def test_a_subnet_that_overlaps_one_of_another_layer(mistakes: Mistakes, base: Base):
    outcome = mistakes(lambda: aws.ec2.Subnet("subnet", vpc_id=base.vpc, cidr_block="10.50.1.128/25"))

    outcome.assert_only_refused(
        "subnet", "cidrBlock", "10.50.1.128/25", "overlaps 10.50.1.0/24 of subnet-1", "from 10.50.2.0 on"
    )


def test_of_two_subnets_that_overlap_the_later_is_refused(mistakes: Mistakes, base: Base):
    def program() -> None:
        first = aws.ec2.Subnet("first", vpc_id=base.vpc, cidr_block="10.50.64.0/20")
        aws.ec2.Subnet("second", vpc_id=first.vpc_id, cidr_block="10.50.72.0/21")

    outcome = mistakes(program)

    outcome.assert_only_refused("second", "cidrBlock", "10.50.72.0/21", "overlaps 10.50.64.0/20 of first")
    assert outcome.record("first").status == "created"


def test_a_rule_s_block_has_host_bits(mistakes: Mistakes, base: Base):
    def program() -> None:
        aws.vpc.SecurityGroupIngressRule(
            "https",
            security_group_id=base.security_group,
            ip_protocol="tcp",
            from_port=443,
            to_port=443,
            cidr_ipv4="10.50.0.1/16",
        )

    mistakes(program).assert_only_refused("https", "cidrIpv4", "10.50.0.1/16", "host bits", "10.50.0.0/16")


def test_a_block_below_the_top_of_the_inputs(mistakes: Mistakes, base: Base):
    def program() -> None:
        aws.eks.Cluster(
            "cluster",
            version="1.36",
            role_arn=base.node_role,
            vpc_config={
                "subnet_ids": base.subnets,
                "public_access_cidrs": ["203.0.113.0/24", "203.0.113/24"],
            },
        )

    mistakes(program).assert_only_refused(
        "cluster", "vpcConfig.publicAccessCidrs[1]", "203.0.113/24", "address/prefix"
    )
