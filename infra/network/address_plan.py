"""Splits the VPC's CIDR into subnets. Pure arithmetic, so that its laws can be tested.

The VPC is cut in quarters. Each zone gets a quarter for its private subnet, because pods live there and
prefix delegation hands out whole /28 blocks (a /18 holds 1,024 of them). The last quarter is cut in
sixteen: the first zones' public subnets (load balancers, NAT), then their intra subnets (databases,
brokers, control-plane interfaces). Half of it stays free for what comes later.
"""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

MAX_ZONES = 3
_QUARTER_BITS = 2
_SIXTEENTH_BITS = 4


@dataclass(frozen=True)
class ZoneSubnets:
    """The CIDRs of one availability zone."""

    zone: str
    public: str
    private: str
    intra: str

    @property
    def letter(self) -> str:
        """`a` of `us-east-1a`: short, and stable when a region is renamed in a copy of the file."""
        return self.zone[-1]


def plan(cidr: ipaddress.IPv4Network, zones: Sequence[str]) -> tuple[ZoneSubnets, ...]:
    """Subnets for up to three zones; a zone's blocks never depend on which zones follow it."""
    if not 1 <= len(zones) <= MAX_ZONES:
        raise ValueError(f"{len(zones)} zones: the plan holds 1 to {MAX_ZONES}")
    *private, rest = cidr.subnets(prefixlen_diff=_QUARTER_BITS)
    small = list(rest.subnets(prefixlen_diff=_SIXTEENTH_BITS))
    return tuple(
        ZoneSubnets(
            zone=zone,
            public=str(small[index]),
            private=str(private[index]),
            intra=str(small[MAX_ZONES + 1 + index]),
        )
        for index, zone in enumerate(zones)
    )
