"""An address plan AWS would refuse is refused."""

from ipaddress import IPv4Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rehearsal.checks.network import check_cidr, check_subnets

VPC = "10.0.0.0/16"


def test_a_plan_without_overlaps_passes():
    assert check_subnets(VPC, {"public-a": "10.0.0.0/24", "private-a": "10.0.64.0/18"}) == []


@pytest.mark.parametrize(
    ("cidr", "reason", "remedy"),
    [
        ("10.0.0.5/24", "host bits", "10.0.0.0/24"),
        ("10.0.0.0/29", "8 addresses", "/28"),
        ("10.0.0.0/8", "16777216 addresses", "/16"),
        ("10.0.0.0", "not an IPv4 block", "10.0.0.0/16"),
        ("10.0.0/24", "not a CIDR block", "address/prefix"),
        ("fd00::/64", "not an IPv4 block", "10.0.0.0/16"),
        (16, "not a CIDR block", "a string"),
    ],
)
def test_a_wrong_block_is_refused(cidr, reason, remedy):
    (problem,) = check_cidr(cidr, "cidrBlock")
    assert (problem.property, problem.value) == ("cidrBlock", cidr)
    assert reason in problem.reason
    assert remedy in problem.remedy


def test_the_later_of_two_that_overlap_is_named():
    ((name, problem),) = check_subnets(VPC, {"a": "10.0.0.0/23", "b": "10.0.1.0/24", "c": "10.0.2.0/24"})
    assert (name, problem.property, problem.value) == ("b", "cidrBlock", "10.0.1.0/24")
    assert problem.reason == "overlaps 10.0.0.0/23 of a"
    assert "10.0.2.0" in problem.remedy


def test_a_subnet_outside_the_vpc_is_named():
    ((name, problem),) = check_subnets(VPC, {"a": "10.1.0.0/24"})
    assert (name, problem.value) == ("a", "10.1.0.0/24")
    assert problem.remedy == "a block within 10.0.0.0/16"


def test_a_subnet_is_checked_beside_a_wrong_vpc():
    ((name, problem),) = check_subnets("10.0.0.0/99", {"a": "10.1.0.5/24"})
    assert (name, problem.reason) == ("a", "has host bits set")


BLOCKS = st.builds(
    lambda address, prefix: str(IPv4Network((address, prefix), strict=False)),
    st.integers(10 * 2**24, 10 * 2**24 + 2**16 - 1),
    st.integers(17, 28),
)


@given(BLOCKS, BLOCKS)
def test_overlapping_is_symmetric(one, other):
    assert bool(check_subnets(VPC, {"a": one, "b": other})) == bool(
        check_subnets(VPC, {"b": other, "a": one})
    )


@given(st.integers(17, 28))
def test_the_parts_of_a_block_never_overlap(prefix):
    parts = list(IPv4Network(VPC).subnets(new_prefix=prefix))[:20]
    assert check_subnets(VPC, {str(n): str(part) for n, part in enumerate(parts)}) == []
