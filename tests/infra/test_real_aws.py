"""What AWS and Pulumi do that a rehearsal does not: each of these cost a day on a real account somewhere."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from rehearsal.rehearse import Rehearsal

pytestmark = pytest.mark.xdist_group("rehearsed")

Resource = dict[str, Any]


@pytest.fixture
def of_type(rehearsed: Callable[[str], Rehearsal]) -> Callable[[str], list[Resource]]:
    """prod's resources of a type."""
    layers = rehearsed("prod").as_json()["layers"]

    def found(kind: str) -> Iterator[Resource]:
        return (each for layer in layers for each in layer["resources"] if each["type"] == kind)

    return lambda kind: list(found(kind)) or pytest.fail(f"prod has no {kind}")


def test_a_new_password_updates_the_user_in_place(of_type: Callable[[str], list[Resource]]):
    # A changed trigger replaces the call: "create", then "delete" of a user of the same name.
    for call in of_type("aws:lambda/invocation:Invocation"):
        assert "triggers" not in call["inputs"]
        assert json.loads(call["inputs"]["input"])["password_version"]


def test_the_vpc_reaches_the_private_api(of_type: Callable[[str], list[Resource]]):
    (cluster,) = of_type("aws:eks/cluster:Cluster")
    (vpc,) = of_type("aws:ec2/vpc:Vpc")
    groups = cluster["inputs"]["vpcConfig"]["securityGroupIds"]

    admitted = [
        (rule["inputs"]["cidrIpv4"], rule["inputs"]["fromPort"])
        for rule in of_type("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule")
        if rule["inputs"]["securityGroupId"] in groups
    ]

    assert admitted == [(vpc["inputs"]["cidrBlock"], 443)]


def test_nodes_are_upgraded_with_their_release(of_type: Callable[[str], list[Resource]]):
    for group in of_type("aws:eks/nodeGroup:NodeGroup"):
        assert group["inputs"]["releaseVersion"].startswith(f"{group['inputs']['version']}.")


def test_an_unreachable_cluster_is_not_forgotten(of_type: Callable[[str], list[Resource]]):
    providers = of_type("pulumi:providers:kubernetes")

    assert len(providers) == len(("cluster", "workloads"))
    for provider in providers:
        assert "deleteUnreachable" not in provider["inputs"]


def test_kafka_can_be_upgraded_without_a_new_configuration(of_type: Callable[[str], list[Resource]]):
    (configuration,) = of_type("aws:msk/configuration:Configuration")

    assert "kafkaVersions" not in configuration["inputs"]
