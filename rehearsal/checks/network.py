"""Checks the address plan of a VPC: AWS refuses an overlapping subnet only once the VPC stands.

Sources: https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html and vpc-cidr-blocks.html.
"""

from collections.abc import Mapping
from ipaddress import IPv4Network, ip_network
from itertools import combinations

from emulator.problem import Problem

_LARGEST, _SMALLEST = 16, 28


def check_block(value: object, property: str) -> list[Problem]:  # noqa: A002  (the name of the field of Problem)
    """Return what is wrong with an IPv4 block of any size, a route's `0.0.0.0/0` included: its form, host bits."""
    if not isinstance(value, str):
        return [Problem(property, value, "is not a CIDR block", "a string such as 10.0.0.0/16")]
    try:
        block = ip_network(value, strict=False)
    except ValueError:
        return [Problem(property, value, "is not a CIDR block", "address/prefix, such as 10.0.0.0/16")]
    if not isinstance(block, IPv4Network) or "/" not in value:
        return [Problem(property, value, "is not an IPv4 block", "address/prefix, such as 10.0.0.0/16")]
    if str(block) != value:
        return [Problem(property, value, "has host bits set", f"{block}, the block it lies in")]
    return []


def check_cidr(value: object, property: str) -> list[Problem]:  # noqa: A002  (the name of the field of Problem)
    """Return what is wrong with the IPv4 block of a VPC or a subnet: its form, host bits, or size."""
    found = check_block(value, property)
    if any(problem.reason != "has host bits set" for problem in found):
        return found
    block = IPv4Network(str(value), strict=False)
    if not _LARGEST <= block.prefixlen <= _SMALLEST:
        reason = f"has {block.num_addresses} addresses"
        found.append(Problem(property, value, reason, f"from /{_LARGEST} (65536) to /{_SMALLEST} (16)"))
    return found


def check_subnets(vpc_cidr: str, subnets: Mapping[str, str]) -> list[tuple[str, Problem]]:
    """Return the problems of the subnets of one VPC, each with the subnet's name.

    `subnets` maps names to CIDR blocks. Of two that overlap the later is named, in the order given.
    """
    vpc = None if check_cidr(vpc_cidr, "") else IPv4Network(vpc_cidr)
    found: list[tuple[str, Problem]] = []
    blocks: dict[str, IPv4Network] = {}
    for name, cidr in subnets.items():
        problems = check_cidr(cidr, "cidrBlock")
        found += [(name, problem) for problem in problems]
        if not problems:
            blocks[name] = IPv4Network(cidr)
    for name, block in blocks.items():
        if vpc is not None and not block.subnet_of(vpc):
            reason = f"is outside the VPC's block {vpc}"
            found.append((name, Problem("cidrBlock", str(block), reason, f"a block within {vpc}")))
    for (first, one), (second, other) in combinations(blocks.items(), 2):
        if one.overlaps(other):
            remedy = f"a block from {_after(one, other)} on, or a smaller one"
            reason = f"overlaps {one} of {first}"
            found.append((second, Problem("cidrBlock", str(other), reason, remedy)))
    return found


def _after(one: IPv4Network, other: IPv4Network) -> str:
    last = max(one.broadcast_address, other.broadcast_address)
    return str(last + 1) if int(last) < 2**32 - 1 else "elsewhere"
