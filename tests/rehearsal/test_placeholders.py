"""Stand-ins for what was not created: of the declared shape, and recognised wherever they end up."""

import json
from typing import Any

import pytest

from rehearsal.placeholders import MARKER, as_declared, declares, mentions, outputs, response


def test_outputs_have_the_declared_shape():
    found = outputs("aws:eks/cluster:Cluster", "main", {})

    assert found["arn"] == f"{MARKER}main.arn"
    assert found["certificateAuthority"] == {"data": f"{MARKER}main.certificateAuthority"}
    assert found["vpcConfig"]["clusterSecurityGroupId"].startswith(MARKER)
    assert found["identities"][0]["oidcs"][0]["issuer"].startswith(MARKER)


def test_numbers_are_numbers():
    assert outputs("aws:rds/cluster:Cluster", "main", {})["port"] == 1


def test_given_inputs_stand_and_what_aws_adds_stands_beside_them():
    found = outputs(
        "aws:eks/cluster:Cluster", "main", {"name": "prod", "vpcConfig": {"subnetIds": ["subnet-1"]}}
    )

    assert found["name"] == "prod"
    assert found["vpcConfig"]["subnetIds"] == ["subnet-1"]
    assert found["vpcConfig"]["clusterSecurityGroupId"].startswith(MARKER)


@pytest.mark.parametrize(
    ("token", "key"),
    [
        ("aws:lambda/function:Function", "invokeArn"),
        ("aws:ec2/vpc:Vpc", "mainRouteTableId"),
        ("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule", "arn"),
        ("random:index/randomPassword:RandomPassword", "result"),
        ("kubernetes:core/v1:Service", "metadata"),
        ("kubernetes:helm.sh/v3:Release", "resourceNames"),
    ],
)
def test_types_of_every_provider_are_found(token: str, key: str):
    assert declares(token, key)
    assert mentions(outputs(token, "thing", {})[key]) in ("thing", "")


@pytest.mark.parametrize("token", ["aws:eks/nothing:Nothing", "example:index/thing:Thing"])
def test_a_type_that_the_sdk_does_not_have_gives_its_inputs_back(token: str):
    assert outputs(token, "thing", {"size": 3}) == {"size": 3}
    assert not declares(token, "size")


def test_an_object_where_text_is_declared_comes_back_as_text():
    policy = {"Version": "2012-10-17", "Statement": []}

    found = as_declared("aws:iam/role:Role", {"assumeRolePolicy": policy, "tags": {"a": "b"}})

    assert json.loads(found["assumeRolePolicy"]) == policy
    assert found["tags"] == {"a": "b"}


def test_a_response_has_the_shape_of_the_model():
    found = response("eks", "CreateCluster")

    assert found["cluster"]["arn"].startswith(MARKER)
    assert found["cluster"]["resourcesVpcConfig"]["subnetIds"][0].startswith(MARKER)
    assert mentions(found) == "CreateCluster"


def test_a_call_without_a_response():
    assert response("iam", "AttachRolePolicy") == {}


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (f"{MARKER}main.arn", "main"),
        (f"{MARKER}main", "main"),
        (f"{MARKER}main.child.arn", "main"),
        (f"https://{MARKER}queue.url/x", "queue"),
        (json.dumps({"Resource": f"{MARKER}main"}), "main"),
        ({"a": [1, None, {"b": f"{MARKER}main.id"}]}, "main"),
        ("arn:aws:iam::111122223333:role/main", ""),
        ({"a": [1, None, True, {}]}, ""),
        (3, ""),
    ],
)
def test_who_is_mentioned(value: Any, name: str):
    assert mentions(value) == name
