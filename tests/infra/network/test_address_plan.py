"""The laws of the address plan."""

import ipaddress
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.network.address_plan import plan

ZONES = ("us-east-1a", "us-east-1b", "us-east-1c")
TEN = int(ipaddress.ip_address("10.0.0.0"))
vpcs = st.builds(
    lambda index, length: ipaddress.ip_network((TEN + (index << (32 - length)), length)),
    st.integers(0, 255),
    st.integers(16, 18),
)


def subnets_of(cidr: ipaddress.IPv4Network, zones: int) -> list[ipaddress.IPv4Network]:
    return [
        ipaddress.ip_network(subnet)
        for zone in plan(cidr, ZONES[:zones])
        for subnet in (zone.public, zone.private, zone.intra)
    ]


@given(cidr=vpcs, zones=st.integers(1, 3))
def test_subnets_never_overlap_and_never_leave_the_vpc(cidr: ipaddress.IPv4Network, zones: int):
    subnets = subnets_of(cidr, zones)
    assert all(subnet.subnet_of(cidr) for subnet in subnets)
    assert not any(one.overlaps(other) for one, other in combinations(subnets, 2))


@given(cidr=vpcs)
def test_a_zone_added_later_moves_no_subnet(cidr: ipaddress.IPv4Network):
    assert plan(cidr, ZONES)[:2] == plan(cidr, ZONES[:2])


@given(cidr=vpcs)
def test_private_subnets_hold_enough_prefixes_for_the_pods_of_many_nodes(cidr: ipaddress.IPv4Network):
    for zone in plan(cidr, ZONES):
        blocks = ipaddress.ip_network(zone.private).num_addresses // 16
        assert blocks >= 256  # 8 blocks let a node run 110 pods and leave room: 32 full nodes a zone in a /18


@given(cidr=vpcs)
def test_every_subnet_is_one_that_aws_allows(cidr: ipaddress.IPv4Network):
    assert all(16 <= subnet.prefixlen <= 28 for subnet in subnets_of(cidr, 3))


def test_a_fourth_zone_is_refused():
    with pytest.raises(ValueError, match="4 zones: the plan holds 1 to 3"):
        plan(ipaddress.ip_network("10.0.0.0/16"), ("a", "b", "c", "d"))
