"""EKS addons, access entries and pod identity associations through boto3."""

from collections.abc import Callable

import pytest

from tests.emulator.conftest import ACCOUNT, Clients
from tests.emulator.refusal import refused

Roles = Callable[..., str]

ADMIN = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"


def test_addons_from_creation_to_deletion(client: Clients, cluster: str, role: Roles) -> None:
    eks = client("eks")
    driver = role("pods.eks.amazonaws.com")
    offered = eks.describe_addon_versions(addonName="aws-ebs-csi-driver", kubernetesVersion="1.35")["addons"][
        0
    ]
    versions = [version["addonVersion"] for version in offered["addonVersions"]]
    eks.create_addon(
        clusterName=cluster,
        addonName="aws-ebs-csi-driver",
        addonVersion=versions[-1],
        configurationValues='{"controller": {"replicaCount": 2}}',
        podIdentityAssociations=[{"serviceAccount": "ebs-csi-controller-sa", "roleArn": driver}],
        tags={"a": "b"},
    )
    addon = eks.describe_addon(clusterName=cluster, addonName="aws-ebs-csi-driver")["addon"]
    assert addon["status"] == "ACTIVE"
    assert addon["addonVersion"] == versions[-1]
    assert addon["configurationValues"] == '{"controller": {"replicaCount": 2}}'
    owned = eks.list_pod_identity_associations(clusterName=cluster)["associations"]
    assert [item["ownerArn"] for item in owned] == [addon["addonArn"]]
    assert addon["podIdentityAssociations"] == [item["associationArn"] for item in owned]

    update = eks.update_addon(clusterName=cluster, addonName="aws-ebs-csi-driver", addonVersion=versions[0])[
        "update"
    ]
    described = eks.describe_update(name=cluster, addonName="aws-ebs-csi-driver", updateId=update["id"])
    assert described["update"]["type"] == "AddonUpdate"
    assert eks.list_addons(clusterName=cluster)["addons"] == ["aws-ebs-csi-driver"]

    eks.delete_addon(clusterName=cluster, addonName="aws-ebs-csi-driver")
    assert eks.list_addons(clusterName=cluster)["addons"] == []
    assert eks.list_pod_identity_associations(clusterName=cluster)["associations"] == []


def test_addons_that_eks_would_not_install_are_refused(client: Clients, cluster: str) -> None:
    eks = client("eks")
    with refused("InvalidParameterException", "not-an-addon", "vpc-cni"):
        eks.create_addon(clusterName=cluster, addonName="not-an-addon")
    with refused("InvalidParameterException", "v1.0.0-eksbuild.1", "compatible"):
        eks.create_addon(clusterName=cluster, addonName="vpc-cni", addonVersion="v1.0.0-eksbuild.1")
    newer = eks.describe_addon_versions(addonName="kube-proxy", kubernetesVersion="1.36")["addons"][0]
    with refused("InvalidParameterException", "1.35"):
        version = newer["addonVersions"][0]["addonVersion"]
        eks.create_addon(clusterName=cluster, addonName="kube-proxy", addonVersion=version)
    with refused("InvalidParameterException", "JSON"):
        eks.create_addon(clusterName=cluster, addonName="vpc-cni", configurationValues='{"env": ')
    eks.create_addon(clusterName=cluster, addonName="vpc-cni")
    with refused("ResourceInUseException", "vpc-cni"):
        eks.create_addon(clusterName=cluster, addonName="vpc-cni")
    with refused("ResourceNotFoundException", "coredns"):
        eks.describe_addon(clusterName=cluster, addonName="coredns")
    with refused("ResourceNotFoundException", "no-cluster"):
        eks.create_addon(clusterName="no-cluster", addonName="vpc-cni")


def test_access_entries_from_creation_to_deletion(client: Clients, cluster: str, role: Roles) -> None:
    eks = client("eks")
    admin, viewer = role("ec2.amazonaws.com"), role("ec2.amazonaws.com")
    eks.create_access_entry(clusterName=cluster, principalArn=admin, tags={"who": "admin"})
    eks.create_access_entry(clusterName=cluster, principalArn=viewer, kubernetesGroups=["viewers"])
    entry = eks.describe_access_entry(clusterName=cluster, principalArn=admin)["accessEntry"]
    assert entry["type"] == "STANDARD"
    assert entry["username"].startswith(f"arn:aws:sts::{ACCOUNT}:assumed-role/")
    assert entry["tags"] == {"who": "admin"}

    associated = eks.associate_access_policy(
        clusterName=cluster, principalArn=admin, policyArn=ADMIN, accessScope={"type": "cluster"}
    )["associatedAccessPolicy"]
    assert associated["policyArn"] == ADMIN
    listed = eks.list_associated_access_policies(clusterName=cluster, principalArn=admin)
    assert [policy["policyArn"] for policy in listed["associatedAccessPolicies"]] == [ADMIN]
    assert eks.list_access_entries(clusterName=cluster, associatedPolicyArn=ADMIN)["accessEntries"] == [admin]
    assert ADMIN in [policy["arn"] for policy in eks.list_access_policies()["accessPolicies"]]

    eks.disassociate_access_policy(clusterName=cluster, principalArn=admin, policyArn=ADMIN)
    with refused("ResourceNotFoundException", ADMIN):
        eks.disassociate_access_policy(clusterName=cluster, principalArn=admin, policyArn=ADMIN)
    eks.update_access_entry(clusterName=cluster, principalArn=viewer, kubernetesGroups=["readers"])
    found = eks.describe_access_entry(clusterName=cluster, principalArn=viewer)["accessEntry"]
    assert found["kubernetesGroups"] == ["readers"]
    eks.delete_access_entry(clusterName=cluster, principalArn=viewer)
    assert eks.list_access_entries(clusterName=cluster)["accessEntries"] == [admin]


def test_access_that_eks_would_not_give_is_refused(client: Clients, cluster: str, role: Roles) -> None:
    eks = client("eks")
    principal = role("ec2.amazonaws.com")
    with refused("InvalidParameterException", "ghost"):
        eks.create_access_entry(clusterName=cluster, principalArn=f"arn:aws:iam::{ACCOUNT}:role/ghost")
    with refused("InvalidParameterException", "system:masters"):
        eks.create_access_entry(
            clusterName=cluster, principalArn=principal, kubernetesGroups=["system:masters"]
        )
    with refused("InvalidParameterException", "EC2_LINUX"):
        eks.create_access_entry(clusterName=cluster, principalArn=principal, type="LINUX")
    eks.create_access_entry(clusterName=cluster, principalArn=principal, type="EC2_LINUX")
    with refused("ResourceInUseException"):
        eks.create_access_entry(clusterName=cluster, principalArn=principal)
    person = role("ec2.amazonaws.com")
    eks.create_access_entry(clusterName=cluster, principalArn=person)
    with refused("InvalidParameterException", "AmazonEKSGodPolicy"):
        policy = ADMIN.replace("ClusterAdmin", "God")
        eks.associate_access_policy(
            clusterName=cluster, principalArn=person, policyArn=policy, accessScope={"type": "cluster"}
        )
    with refused("InvalidParameterException", "namespaces"):
        eks.associate_access_policy(
            clusterName=cluster, principalArn=person, policyArn=ADMIN, accessScope={"type": "namespace"}
        )


def test_access_entries_need_the_api_authentication_mode(
    client: Clients, cluster: str, role: Roles, network: object
) -> None:
    eks = client("eks")
    eks.update_cluster_config(name=cluster, accessConfig={"authenticationMode": "CONFIG_MAP"})
    with refused("InvalidRequestException", "API_AND_CONFIG_MAP"):
        eks.create_access_entry(clusterName=cluster, principalArn=role("ec2.amazonaws.com"))


@pytest.fixture
def pod_role(role: Roles) -> str:
    return role("pods.eks.amazonaws.com")


def test_pod_identities_from_creation_to_deletion(
    client: Clients, cluster: str, pod_role: str, role: Roles
) -> None:
    eks = client("eks")
    made = eks.create_pod_identity_association(
        clusterName=cluster, namespace="pins", serviceAccount="pin-service", roleArn=pod_role, tags={"a": "b"}
    )["association"]
    names = {"clusterName": cluster, "associationId": made["associationId"]}
    assert eks.describe_pod_identity_association(**names)["association"]["roleArn"] == pod_role
    other = role("pods.eks.amazonaws.com")
    eks.update_pod_identity_association(**names, roleArn=other)
    assert eks.describe_pod_identity_association(**names)["association"]["roleArn"] == other
    assert eks.list_pod_identity_associations(clusterName=cluster, namespace="boards")["associations"] == []
    assert len(eks.list_pod_identity_associations(clusterName=cluster, namespace="pins")["associations"]) == 1
    eks.delete_pod_identity_association(**names)
    with refused("ResourceNotFoundException", made["associationId"]):
        eks.describe_pod_identity_association(**names)


def test_pod_identities_that_eks_would_not_make_are_refused(
    client: Clients, cluster: str, pod_role: str, role: Roles
) -> None:
    eks = client("eks")
    given = {
        "clusterName": cluster,
        "namespace": "pins",
        "serviceAccount": "pin-service",
        "roleArn": pod_role,
    }
    eks.create_pod_identity_association(**given)
    with refused("ResourceInUseException", "already exists"):
        eks.create_pod_identity_association(**given)
    with refused("InvalidParameterException", "pods.eks.amazonaws.com"):
        eks.create_pod_identity_association(
            **given | {"serviceAccount": "other", "roleArn": role("ec2.amazonaws.com")}
        )
