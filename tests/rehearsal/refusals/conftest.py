"""Programs with mistakes in them, played on a stage that already holds a small, faultless base."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import pulumi_aws as aws
import pytest

from infra import environment_file
from infra.environment import Environment
from rehearsal.cloud import Cloud
from rehearsal.record import Record, Refusal
from rehearsal.rehearse import LayerResult, play
from rehearsal.stage import Stage
from tests.rehearsal.conftest import ACCOUNT, REGION

ZONES = tuple(f"{REGION}{zone}" for zone in "abc")


@dataclass
class Outcome:
    """What became of a program."""

    layer: LayerResult

    @property
    def refusals(self) -> list[Refusal]:
        return self.layer.refusals

    def record(self, name: str) -> Record:
        """The resource with this name; there must be one only."""
        (found,) = [each for each in self.layer.records if each.name == name]
        return found

    def told(self) -> str:
        return "\n".join(f"{each.resource}: {each.problem}" for each in self.refusals) or "nothing refused"

    def assert_refused(self, resource: str, path: str, value: object, *right: str) -> None:
        """One refusal names the resource, the property and the value; its words hold what would be right."""
        found = [
            each
            for each in self.refusals
            if each.urn.endswith(f"::{resource}") and each.problem.property == path
        ]
        assert found, f"nothing about {path} of {resource} in:\n{self.told()}"
        assert found[0].problem.value == value
        text = f"{found[0].problem.reason}: {found[0].problem.remedy}"
        for words in right:
            assert words in text

    def assert_only_refused(self, resource: str, path: str, value: object, *right: str) -> None:
        """This, and nothing else, is refused."""
        self.assert_refused(resource, path, value, *right)
        assert len(self.refusals) == 1, self.told()


class Mistakes:
    """`mistakes(program)` plays a function as a program of its own, on top of what was there before."""

    def __init__(self, stage: Stage, name: str) -> None:
        self.stage = stage
        self.name = name

    def __call__(self, program: Callable[[], None]) -> Outcome:
        (layer,) = play(self.stage, [(self.name, lambda _: program())]).layers
        assert not layer.crash, layer.crash_trace
        return Outcome(layer)


def trust(service: str) -> str:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": ["sts:AssumeRole", "sts:TagSession"],
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@dataclass(frozen=True)
class Base:
    """What the base program made: ids and ARNs, as another layer would read them."""

    stage: Stage
    vpc: str
    subnets: list[str]
    security_group: str
    key: str
    cluster: str
    node_role: str


@pytest.fixture(scope="session")
def environment() -> Environment:
    """dev, in the account and region that the emulator here has."""
    moved = {"account": ACCOUNT, "region": REGION, "zones": ZONES}
    return environment_file.load("dev").model_copy(update=moved)


@pytest.fixture(scope="session")
def base(environment: Environment, cloud: Cloud) -> Base:
    return lay_base(Stage(environment, cloud), "base")


def lay_base(stage: Stage, name: str) -> Base:
    """Plays a small faultless program as the layer `name`, which is also the name of its cluster."""
    (layer,) = play(stage, [(name, lambda _: _declare_base(name))]).layers
    assert not layer.crash, layer.crash_trace
    assert not layer.refusals, [str(each.problem) for each in layer.refusals]
    by_name = {record.name: record for record in layer.records}
    return Base(
        stage=stage,
        vpc=by_name["vpc"].id,
        subnets=[by_name[f"subnet-{index}"].id for index in range(3)],
        security_group=by_name["group"].id,
        key=by_name["key"].outputs["arn"],
        cluster=by_name["cluster"].id,
        node_role=by_name["node-role"].outputs["arn"],
    )


def _declare_base(name: str) -> None:
    vpc = aws.ec2.Vpc("vpc", cidr_block="10.50.0.0/16")
    subnets = [
        aws.ec2.Subnet(
            f"subnet-{index}", vpc_id=vpc.id, cidr_block=f"10.50.{index}.0/24", availability_zone=zone
        )
        for index, zone in enumerate(ZONES)
    ]
    aws.ec2.SecurityGroup("group", vpc_id=vpc.id, description="base")
    aws.kms.Key("key", description="base", enable_key_rotation=True)
    role = aws.iam.Role("cluster-role", assume_role_policy=trust("eks.amazonaws.com"))
    aws.iam.Role("node-role", assume_role_policy=trust("ec2.amazonaws.com"))
    aws.eks.Cluster(
        "cluster",
        name=name,
        version="1.36",
        role_arn=role.arn,
        access_config={"authentication_mode": "API"},
        vpc_config={"subnet_ids": [subnet.id for subnet in subnets]},
    )


@pytest.fixture
def mistakes(base: Base, request: pytest.FixtureRequest) -> Mistakes:
    """Plays a program on the base; its layer is named after the test, so that no two tests collide."""
    return Mistakes(base.stage, _layer_name(request))


@pytest.fixture
def mistakes_alone(environment: Environment, cloud: Cloud, request: pytest.FixtureRequest) -> Mistakes:
    """Plays a program on a stage of its own, on which nothing is known."""
    return Mistakes(Stage(environment, cloud), _layer_name(request))


def _layer_name(request: pytest.FixtureRequest) -> str:
    name: Any = request.node.name
    return "".join(letter if letter.isalnum() else "-" for letter in name).strip("-")


def declare_node_group(base: Base, name: str = "nodes", **changed: Any) -> aws.eks.NodeGroup:
    """A node group of the base's cluster, faultless save for what is `changed`."""
    arguments: dict[str, Any] = {
        "cluster_name": base.cluster,
        "node_role_arn": base.node_role,
        "subnet_ids": base.subnets,
        "instance_types": ["m7i.large"],
        "scaling_config": {"min_size": 1, "desired_size": 1, "max_size": 3},
    }
    return aws.eks.NodeGroup(name, **{**arguments, **changed})


@pytest.fixture
def node_group(base: Base) -> Callable[..., aws.eks.NodeGroup]:
    return partial(declare_node_group, base)
