"""EKS clusters, node groups and their updates through boto3."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.emulator.conftest import ACCOUNT, Clients, Network
from tests.emulator.refusal import refused

Names = Callable[[str], str]
Roles = Callable[..., str]


def test_a_cluster_gives_back_what_it_was_given(
    client: Clients, network: Network, role: Roles, unique: Names
) -> None:
    key = client("kms").create_key()["KeyMetadata"]["Arn"]
    given = {
        "version": "1.35",
        "accessConfig": {"authenticationMode": "API", "bootstrapClusterCreatorAdminPermissions": False},
        "upgradePolicy": {"supportType": "STANDARD"},
        "encryptionConfig": [{"resources": ["secrets"], "provider": {"keyArn": key}}],
        "deletionProtection": True,
        "zonalShiftConfig": {"enabled": True},
        "tags": {"team": "platform"},
    }
    eks = client("eks")
    name = unique("full")
    eks.create_cluster(
        name=name,
        roleArn=role("eks.amazonaws.com"),
        resourcesVpcConfig={"subnetIds": network.subnets, "endpointPrivateAccess": True},
        kubernetesNetworkConfig={"serviceIpv4Cidr": "172.21.0.0/16"},
        logging={"clusterLogging": [{"types": ["api", "audit"], "enabled": True}]},
        **given,
    )
    cluster = eks.describe_cluster(name=name)["cluster"]
    assert {key: cluster[key] for key in given} == given
    assert cluster["status"] == "ACTIVE"
    assert cluster["endpoint"].startswith("https://")
    assert cluster["certificateAuthority"]["data"]
    assert cluster["identity"]["oidc"]["issuer"].startswith("https://oidc.eks.")
    assert cluster["platformVersion"].startswith("eks.")
    assert cluster["resourcesVpcConfig"]["vpcId"] == network.vpc
    assert cluster["resourcesVpcConfig"]["endpointPrivateAccess"] is True
    assert cluster["resourcesVpcConfig"]["clusterSecurityGroupId"].startswith("sg-")
    assert cluster["kubernetesNetworkConfig"]["serviceIpv4Cidr"] == "172.21.0.0/16"
    assert cluster["logging"]["clusterLogging"][0] == {"types": ["api", "audit"], "enabled": True}


def test_deletion_protection_is_honoured(client: Clients, cluster: str) -> None:
    eks = client("eks")
    eks.update_cluster_config(name=cluster, deletionProtection=True)
    with refused("InvalidRequestException", "deletion protection"):
        eks.delete_cluster(name=cluster)
    eks.update_cluster_config(name=cluster, deletionProtection=False)
    eks.delete_cluster(name=cluster)
    with refused("ResourceNotFoundException", cluster):
        eks.describe_cluster(name=cluster)


def test_names_are_unique(client: Clients, cluster: str, network: Network, role: Roles) -> None:
    with refused("ResourceInUseException", cluster):
        client("eks").create_cluster(
            name=cluster, roleArn=role("eks.amazonaws.com"), resourcesVpcConfig={"subnetIds": network.subnets}
        )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"roleArn": f"arn:aws:iam::{ACCOUNT}:role/nobody"}, ["nobody", "does not exist"]),
        ({"version": "1.19"}, ["1.19", "1.36"]),
        ({"resourcesVpcConfig": {"subnetIds": ["subnet-0123", "subnet-4567"]}}, ["subnet-0123"]),
        ({"name": "no spaces allowed"}, ["does not match"]),
        (
            {"accessConfig": {"authenticationMode": "TRUST"}},
            ["accessConfig.authenticationMode", "API_AND_CONFIG_MAP"],
        ),
        ({"encryptionConfig": [{"resources": ["secrets"], "provider": {"keyArn": "arn:no"}}]}, ["arn:no"]),
    ],
    ids=["role", "version", "subnets", "name", "enum", "key"],
)
def test_what_cannot_be_a_cluster_is_refused(  # noqa: PLR0917 - fixtures
    client: Clients, network: Network, role: Roles, unique: Names, change: dict[str, Any], words: list[str]
) -> None:
    given = {
        "name": unique("bad"),
        "roleArn": role("eks.amazonaws.com"),
        "resourcesVpcConfig": {"subnetIds": network.subnets},
    }
    with refused("InvalidParameterException", *words):
        client("eks").create_cluster(**given | change)


def test_a_role_must_trust_eks_and_subnets_must_be_in_two_zones(
    client: Clients, network: Network, role: Roles, unique: Names
) -> None:
    eks = client("eks")
    with refused("InvalidParameterException", "eks.amazonaws.com"):
        eks.create_cluster(
            name=unique("bad"),
            roleArn=role("ec2.amazonaws.com"),
            resourcesVpcConfig={"subnetIds": network.subnets},
        )
    with refused("InvalidParameterException", "two different AZs"):
        eks.create_cluster(
            name=unique("bad"),
            roleArn=role("eks.amazonaws.com"),
            resourcesVpcConfig={"subnetIds": network.subnets[:1]},
        )


def test_clusters_are_listed_in_pages(client: Clients, network: Network, role: Roles, unique: Names) -> None:
    eks = client("eks")
    names = [unique("page") for _ in range(3)]
    arn = role("eks.amazonaws.com")
    for name in names:
        eks.create_cluster(name=name, roleArn=arn, resourcesVpcConfig={"subnetIds": network.subnets})
    pages = list(eks.get_paginator("list_clusters").paginate(PaginationConfig={"PageSize": 2}))
    assert len(pages) > 1
    assert set(names) <= {name for page in pages for name in page["clusters"]}
    with refused("InvalidParameterException", "nextToken"):
        eks.list_clusters(nextToken="nonsense")


def test_the_control_plane_goes_up_one_minor_version_at_a_time(client: Clients, cluster: str) -> None:
    eks = client("eks")
    with refused("InvalidParameterException", "1.35", "1.36"):
        eks.update_cluster_version(name=cluster, version="1.34")
    update = eks.update_cluster_version(name=cluster, version="1.36")["update"]
    assert update["type"] == "VersionUpdate"
    assert eks.describe_update(name=cluster, updateId=update["id"])["update"]["status"] == "Successful"
    assert eks.describe_cluster(name=cluster)["cluster"]["version"] == "1.36"
    assert update["id"] in eks.list_updates(name=cluster)["updateIds"]
    with refused("ResourceNotFoundException", "unknown-id"):
        eks.describe_update(name=cluster, updateId="unknown-id")


def test_logging_and_endpoint_access_change(client: Clients, cluster: str) -> None:
    eks = client("eks")
    eks.update_cluster_config(
        name=cluster, logging={"clusterLogging": [{"types": ["audit"], "enabled": True}]}
    )
    eks.update_cluster_config(name=cluster, resourcesVpcConfig={"endpointPublicAccess": False})
    described = eks.describe_cluster(name=cluster)["cluster"]
    assert described["logging"]["clusterLogging"][0] == {"types": ["audit"], "enabled": True}
    assert described["resourcesVpcConfig"]["endpointPublicAccess"] is False


def test_tags(client: Clients, cluster: str) -> None:
    eks = client("eks")
    arn = eks.describe_cluster(name=cluster)["cluster"]["arn"]
    eks.tag_resource(resourceArn=arn, tags={"cost": "platform", "gone": "soon"})
    eks.untag_resource(resourceArn=arn, tagKeys=["gone"])
    assert eks.list_tags_for_resource(resourceArn=arn)["tags"] == {"cost": "platform"}
    with refused("ResourceNotFoundException"):
        eks.list_tags_for_resource(resourceArn=f"{arn}-of-nothing")


@pytest.fixture
def nodegroup(cluster: str, network: Network, role: Roles) -> dict[str, Any]:
    return {
        "clusterName": cluster,
        "nodegroupName": "gpu",
        "nodeRole": role("ec2.amazonaws.com"),
        "subnets": network.subnets,
        "scalingConfig": {"minSize": 0, "maxSize": 4, "desiredSize": 1},
        "amiType": "AL2023_x86_64_NVIDIA",
        "instanceTypes": ["g5.xlarge"],
        "capacityType": "SPOT",
        "labels": {"accelerator": "a10g"},
        "taints": [{"key": "nvidia.com/gpu", "value": "true", "effect": "NO_SCHEDULE"}],
        "updateConfig": {"maxUnavailable": 1},
        "nodeRepairConfig": {"enabled": True},
        "tags": {"team": "ml"},
    }


def test_a_node_group_gives_back_what_it_was_given(client: Clients, nodegroup: dict[str, Any]) -> None:
    eks = client("eks")
    template = client("ec2").create_launch_template(
        LaunchTemplateName=f"{nodegroup['clusterName']}-gpu",
        LaunchTemplateData={"MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 1}},
    )["LaunchTemplate"]
    reference = {"id": template["LaunchTemplateId"], "version": "1"}
    eks.create_nodegroup(**nodegroup, launchTemplate=reference)
    cluster = nodegroup["clusterName"]
    found = eks.describe_nodegroup(clusterName=cluster, nodegroupName="gpu")["nodegroup"]
    assert {key: found[key] for key in nodegroup} == nodegroup
    assert found["launchTemplate"] == reference | {"name": template["LaunchTemplateName"]}
    assert found["status"] == "ACTIVE"
    assert found["version"] == "1.35"
    assert found["releaseVersion"].startswith("1.35.")
    assert "diskSize" not in found
    assert eks.list_nodegroups(clusterName=cluster)["nodegroups"] == ["gpu"]
    with refused("ResourceInUseException", "gpu"):
        eks.delete_cluster(name=cluster)
    eks.delete_nodegroup(clusterName=cluster, nodegroupName="gpu")
    eks.delete_cluster(name=cluster)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"scalingConfig": {"minSize": 1, "maxSize": 2, "desiredSize": 9}}, ["9", "2"]),
        ({"scalingConfig": {"minSize": 3, "maxSize": 5, "desiredSize": 2}}, ["3", "2"]),
        ({"taints": [{"key": "a", "effect": "NoSchedule"}]}, ["taints[0].effect", "NO_SCHEDULE"]),
        ({"amiType": "AL2023_x86_64_NVIDEA"}, ["AL2023_x86_64_NVIDIA"]),
        ({"instanceTypes": ["g5.gigantic"]}, ["g5.gigantic"]),
        ({"subnets": ["subnet-nowhere"]}, ["subnet-nowhere"]),
        ({"version": "1.36"}, ["1.36", "1.35"]),
        ({"launchTemplate": {"id": "lt-nothing"}}, ["lt-nothing"]),
        ({"nodeRole": f"arn:aws:iam::{ACCOUNT}:role/nobody"}, ["nobody"]),
    ],
    ids=[
        "desired > max",
        "min > desired",
        "effect",
        "ami",
        "instance",
        "subnet",
        "version",
        "template",
        "role",
    ],
)
def test_what_cannot_be_a_node_group_is_refused(
    client: Clients, nodegroup: dict[str, Any], change: dict[str, Any], words: list[str]
) -> None:
    with refused("InvalidParameterException", *words):
        client("eks").create_nodegroup(**nodegroup | change)


def test_a_node_group_changes_its_size_labels_and_taints(client: Clients, nodegroup: dict[str, Any]) -> None:
    eks = client("eks")
    names = {"clusterName": nodegroup["clusterName"], "nodegroupName": "gpu"}
    eks.create_nodegroup(**nodegroup)
    update = eks.update_nodegroup_config(
        **names,
        scalingConfig={"maxSize": 8},
        labels={"addOrUpdateLabels": {"pool": "a"}, "removeLabels": ["accelerator"]},
        taints={"addOrUpdateTaints": [{"key": "nvidia.com/gpu", "value": "no", "effect": "NO_SCHEDULE"}]},
    )["update"]
    found = eks.describe_nodegroup(**names)["nodegroup"]
    assert found["scalingConfig"] == {"minSize": 0, "maxSize": 8, "desiredSize": 1}
    assert found["labels"] == {"pool": "a"}
    assert found["taints"] == [{"key": "nvidia.com/gpu", "value": "no", "effect": "NO_SCHEDULE"}]
    cluster = nodegroup["clusterName"]
    described = eks.describe_update(name=cluster, updateId=update["id"], nodegroupName="gpu")["update"]
    assert described["status"] == "Successful"
    assert update["id"] not in eks.list_updates(name=cluster)["updateIds"]
    with refused("InvalidParameterException", "8"):
        eks.update_nodegroup_config(**names, scalingConfig={"minSize": 9})


def test_nodes_follow_the_control_plane(client: Clients, nodegroup: dict[str, Any]) -> None:
    eks = client("eks")
    names = {"clusterName": nodegroup["clusterName"], "nodegroupName": "gpu"}
    eks.create_nodegroup(**nodegroup)
    eks.update_cluster_version(name=nodegroup["clusterName"], version="1.36")
    assert eks.describe_nodegroup(**names)["nodegroup"]["version"] == "1.35"
    eks.update_nodegroup_version(**names)
    assert eks.describe_nodegroup(**names)["nodegroup"]["version"] == "1.36"
