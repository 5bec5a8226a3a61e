"""One emulator for all tests here, and a way to have a single resource created in it."""

import itertools
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from emulator.problem import Problem
from emulator.process import Emulator
from rehearsal import adapters
from rehearsal.adapters import Order
from rehearsal.cloud import Cloud, Created, Refused

ACCOUNT = "210987654321"
REGION = "eu-west-1"
TAGS = {"project": "pinwheel", "environment": "test"}


@pytest.fixture(scope="session")
def emulator() -> Iterator[Emulator]:
    with Emulator(ACCOUNT, REGION) as running:
        yield running


@pytest.fixture(scope="session")
def cloud(emulator: Emulator) -> Cloud:
    adapters.load()
    return Cloud(emulator.endpoint, ACCOUNT, REGION)


class Play:
    """`play(type, **inputs)` creates a resource with its adapter; `play.refused(...)` expects a refusal."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self._numbers = itertools.count(1)

    def __call__(self, token: str, *, logical_name: str = "thing", **inputs: Any) -> Created:
        urn = f"urn:pulumi:test-layer::pinwheel::{token}::{logical_name}-{next(self._numbers)}"
        adapter = adapters.find(token)
        assert adapter is not None, f"{token} has no adapter"
        with self.cloud.acting_for(urn):
            return adapter(Order(self.cloud, token, logical_name, urn, inputs, dict(TAGS)))
        raise AssertionError

    def refused(self, token: str, **inputs: Any) -> list[Problem]:
        with pytest.raises(Refused) as refused:
            self(token, **inputs)
        return list(refused.value.problems)

    def ask(self, service: str, operation: str, **request: Any) -> dict[str, Any]:
        """What the emulator says afterwards."""
        return self.cloud.call(service, operation, request)


@pytest.fixture(scope="session")
def play(cloud: Cloud) -> Play:
    return Play(cloud)


@pytest.fixture(scope="session")
def unique() -> Callable[[str], str]:
    """`unique("queue")` is a name that no other test has."""
    numbers = itertools.count(1)
    return lambda prefix: f"{prefix}-{next(numbers)}"


@pytest.fixture(scope="session")
def vpc(play: Play) -> str:
    return play("aws:ec2/vpc:Vpc", cidrBlock="10.20.0.0/16", enableDnsSupport=True).id


@pytest.fixture(scope="session")
def subnets(play: Play, vpc: str) -> list[str]:
    return [
        play(
            "aws:ec2/subnet:Subnet",
            vpcId=vpc,
            cidrBlock=f"10.20.{index}.0/24",
            availabilityZone=f"{REGION}{zone}",
        ).id
        for index, zone in enumerate("abc")
    ]


@pytest.fixture(scope="session")
def security_group(play: Play, vpc: str) -> str:
    return play("aws:ec2/securityGroup:SecurityGroup", name="shared", description="shared", vpcId=vpc).id


@pytest.fixture(scope="session")
def key(play: Play) -> str:
    """The ARN of a customer-managed key."""
    return play("aws:kms/key:Key", description="shared").outputs["arn"]


def trust(service: str) -> str:
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": ["sts:AssumeRole"]}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.fixture(scope="session")
def role(play: Play) -> Callable[[str], str]:
    """`role("eks.amazonaws.com")` is the ARN of a role that the service may assume."""
    return lambda service: play("aws:iam/role:Role", assumeRolePolicy=trust(service)).outputs["arn"]


@pytest.fixture(scope="session")
def cluster(play: Play, subnets: list[str], role: Callable[[str], str]) -> str:
    """The name of an EKS cluster."""
    return play(
        "aws:eks/cluster:Cluster",
        name="shared",
        version="1.36",
        roleArn=role("eks.amazonaws.com"),
        vpcConfig={"subnetIds": subnets},
        accessConfig={"authenticationMode": "API"},
    ).id
