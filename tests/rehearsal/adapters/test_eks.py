"""Clusters and everything that belongs to one."""

from collections.abc import Callable

from tests.rehearsal.conftest import ACCOUNT, REGION, Play

Role = Callable[[str], str]


def test_a_cluster_with_what_programs_read_of_it(play: Play, subnets: list[str], role: Role, key: str):
    created = play(
        "aws:eks/cluster:Cluster",
        name="main",
        version="1.36",
        roleArn=role("eks.amazonaws.com"),
        vpcConfig={"subnetIds": subnets, "endpointPrivateAccess": True, "endpointPublicAccess": False},
        accessConfig={"authenticationMode": "API", "bootstrapClusterCreatorAdminPermissions": False},
        enabledClusterLogTypes=["api", "audit"],
        encryptionConfig={"provider": {"keyArn": key}, "resources": ["secrets"]},
        upgradePolicy={"supportType": "STANDARD"},
    )

    found = play.ask("eks", "DescribeCluster", name="main")["cluster"]
    assert found["logging"]["clusterLogging"][0] == {"types": ["api", "audit"], "enabled": True}
    assert found["encryptionConfig"] == [{"provider": {"keyArn": key}, "resources": ["secrets"]}]
    assert created.id == "main"
    assert created.outputs["certificateAuthority"]["data"] == found["certificateAuthority"]["data"]
    group = found["resourcesVpcConfig"]["clusterSecurityGroupId"]
    assert created.outputs["vpcConfig"]["clusterSecurityGroupId"] == group
    assert created.outputs["identities"][0]["oidcs"][0]["issuer"].startswith("https://oidc.eks.")
    assert created.unchecked == ()


def test_mistakes_of_a_cluster_are_all_named(play: Play, subnets: list[str], role: Role):
    problems = play.refused(
        "aws:eks/cluster:Cluster",
        name="wrong",
        roleArn=role("eks.amazonaws.com"),
        vpcConfig={"subnetIds": subnets},
        accessConfig={"authenticationMode": "IAM"},
        enabledClusterLogTypes=["api", "errors"],
        upgradePolicy={"supportType": "standard"},
    )

    assert {problem.property: problem.value for problem in problems} == {
        "accessConfig.authenticationMode": "IAM",
        "enabledClusterLogTypes[1]": "errors",
        "upgradePolicy.supportType": "standard",
    }


def test_a_cluster_whose_role_is_for_somebody_else_is_refused(play: Play, subnets: list[str], role: Role):
    (problem,) = play.refused(
        "aws:eks/cluster:Cluster",
        name="wrong-role",
        roleArn=role("ec2.amazonaws.com"),
        vpcConfig={"subnetIds": subnets},
    )

    assert "eks.amazonaws.com" in problem.reason


def test_a_node_group_is_named_by_its_cluster_and_itself(
    play: Play, cluster: str, subnets: list[str], role: Role
):
    created = play(
        "aws:eks/nodeGroup:NodeGroup",
        clusterName=cluster,
        nodeGroupName="gpu",
        nodeRoleArn=role("ec2.amazonaws.com"),
        subnetIds=subnets,
        amiType="AL2023_x86_64_NVIDIA",
        instanceTypes=["g5.xlarge"],
        scalingConfig={"minSize": 1, "desiredSize": 1, "maxSize": 2},
        taints=[{"key": "nvidia.com/gpu", "value": "true", "effect": "NO_SCHEDULE"}],
        updateConfig={"maxUnavailable": 1},
        nodeRepairConfig={"enabled": True},
    )

    assert created.id == f"{cluster}:gpu"
    assert created.outputs["arn"].startswith(f"arn:aws:eks:{REGION}:{ACCOUNT}:nodegroup/{cluster}/gpu/")
    assert created.unchecked == ()


def test_kubernetes_word_for_a_taint_is_named_with_the_right_one(play: Play, cluster: str):
    problems = play.refused(
        "aws:eks/nodeGroup:NodeGroup",
        clusterName=cluster,
        nodeRoleArn="arn:aws:iam::210987654321:role/none",
        subnetIds=["subnet-0123456789abcdef0"],
        amiType="AL2023_x86_64_NVIDEA",
        scalingConfig={"minSize": 0, "desiredSize": 0, "maxSize": 1},
        taints=[{"key": "a", "effect": "NO_SCHEDULE"}, {"key": "b", "effect": "NoSchedule"}],
    )

    by_property = {problem.property: problem for problem in problems}
    assert set(by_property) == {"amiType", "taints[1].effect"}
    assert "did you mean AL2023_x86_64_NVIDIA?" in by_property["amiType"].remedy
    assert "NO_SCHEDULE" in by_property["taints[1].effect"].remedy


def test_an_addon_judges_what_its_updates_will_do(play: Play, cluster: str):
    (problem,) = play.refused(
        "aws:eks/addon:Addon",
        clusterName=cluster,
        addonName="coredns",
        resolveConflictsOnUpdate="KEEP",
    )

    assert (problem.property, problem.value) == ("resolveConflictsOnUpdate", "KEEP")


def test_an_addon_that_eks_does_not_offer_is_refused(play: Play, cluster: str):
    (problem,) = play.refused("aws:eks/addon:Addon", clusterName=cluster, addonName="core-dns")

    assert "core-dns" in problem.reason


def test_an_access_entry_and_its_policy(play: Play, cluster: str, role: Role):
    principal = role("ec2.amazonaws.com")
    entry = play("aws:eks/accessEntry:AccessEntry", clusterName=cluster, principalArn=principal)

    policy = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy"
    association = play(
        "aws:eks/accessPolicyAssociation:AccessPolicyAssociation",
        clusterName=cluster,
        principalArn=principal,
        policyArn=policy,
        accessScope={"type": "namespace", "namespaces": ["default"]},
    )

    assert entry.id == f"{cluster}:{principal}"
    assert association.id == f"{cluster}#{principal}#{policy}"


def test_a_pod_identity_of_a_role_that_pods_may_not_assume_is_refused(play: Play, cluster: str, role: Role):
    (problem,) = play.refused(
        "aws:eks/podIdentityAssociation:PodIdentityAssociation",
        clusterName=cluster,
        namespace="karpenter",
        serviceAccount="karpenter",
        roleArn=role("ec2.amazonaws.com"),
    )

    assert "pods.eks.amazonaws.com" in problem.reason
