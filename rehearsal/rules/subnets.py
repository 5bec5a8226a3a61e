"""Subnets lie inside their VPC and do not overlap; other CIDRs are CIDRs."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from emulator.problem import Problem, join
from rehearsal.checks.network import check_block, check_cidr, check_subnets
from rehearsal.placeholders import mentions
from rehearsal.record import Record
from rehearsal.rules.rule import Rule

_CIDRS = frozenset({"cidrBlock", "cidrBlocks", "cidrIpv4", "destinationCidrBlock", "publicAccessCidrs"})
"""Properties that hold a block or several, at any depth."""

_SIZED = ("aws:ec2/subnet:Subnet", "aws:ec2/vpc:Vpc")


class Subnets(Rule):
    """Judges a subnet beside those that its VPC already has."""

    def __init__(self) -> None:
        self._vpcs: dict[str, str] = {}
        self._subnets: dict[str, dict[str, str]] = {}

    def check(self, record: Record) -> Iterable[Problem]:
        """CIDRs of any resource; a subnet's place in its VPC."""
        return self._problems(record) if record.type.startswith("aws:") else ()

    def _problems(self, record: Record) -> Iterator[Problem]:
        malformed = False
        check = check_cidr if record.type in _SIZED else check_block
        for path, block in _blocks(record.inputs, "", ""):
            if not mentions(block):
                for problem in check(block, path):
                    malformed = True
                    yield problem
        vpc = record.inputs.get("vpcId", "")
        if record.type == "aws:ec2/subnet:Subnet" and vpc in self._vpcs and not malformed:
            known = self._subnets.setdefault(vpc, {})
            together = {**known, record.name: record.inputs["cidrBlock"]}
            yield from (
                problem for name, problem in check_subnets(self._vpcs[vpc], together) if name == record.name
            )
            known[record.name] = record.inputs["cidrBlock"]

    def remember(self, record: Record) -> None:
        """VPCs."""
        if record.type == "aws:ec2/vpc:Vpc":
            self._vpcs[record.id] = record.inputs["cidrBlock"]


def _blocks(value: Any, name: str, path: str) -> Iterator[tuple[str, str]]:
    """Every block below `value`, with its path; `name` is that of the property it stands in."""
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from _blocks(each, key, join(path, key))
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _blocks(each, name, f"{path}[{index}]")
    elif isinstance(value, str) and name in _CIDRS:
        yield path, value
