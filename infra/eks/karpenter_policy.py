"""What Karpenter's controller may do: start nodes of this cluster only, and end only what it started.

Built from the permissions that Karpenter's reference ("CloudFormation", version 1.15) explains one by one,
with subnets, security group, node role, queue and cluster by their ARNs instead of wildcards. Left out, since
no NodePool of ours uses them: capacity reservations, placement groups, zonal shift.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from infra import iam
from infra.environment import Environment

_STARTED = ("fleet", "instance", "volume", "network-interface", "launch-template", "spot-instances-request")
_READ_ONLY = (
    "ec2:DescribeCapacityReservations", "ec2:DescribeImages", "ec2:DescribeInstanceStatus",
    "ec2:DescribeInstanceTypeOfferings", "ec2:DescribeInstanceTypes", "ec2:DescribeInstances",
    "ec2:DescribeLaunchTemplates", "ec2:DescribePlacementGroups", "ec2:DescribeSecurityGroups",
    "ec2:DescribeSpotPriceHistory", "ec2:DescribeSubnets",
)  # fmt: skip


@dataclass(frozen=True)
class ControllerScope:
    """The real things a controller works with."""

    environment: Environment
    cluster_arn: pulumi.Input[str]
    subnet_ids: pulumi.Output[list[str]]
    security_group_id: pulumi.Input[str]
    node_role_arn: pulumi.Input[str]
    queue_arn: pulumi.Input[str]


def controller_statements(scope: ControllerScope) -> Sequence[iam.Statement]:
    """The statements of the controller's policy."""
    return [*_launch(scope), *_end(scope), *_instance_profiles(scope), *_discovery(scope)]


def _launch(scope: ControllerScope) -> list[iam.Statement]:
    name = scope.environment.resource_name("cluster")
    ours = {
        f"aws:RequestTag/kubernetes.io/cluster/{name}": "owned",
        "aws:RequestTag/eks:eks-cluster-name": name,
    }
    by_pool = {"aws:RequestTag/karpenter.sh/nodepool": "*"}
    region = scope.environment.region
    subnets = [
        _ec2(scope, "subnet", scope.subnet_ids.apply(lambda ids, index=index: ids[index]))
        for index in range(len(scope.environment.zones))
    ]
    return [
        iam.allow(
            ["ec2:RunInstances", "ec2:CreateFleet"],
            [
                f"arn:aws:ec2:{region}::image/*",
                f"arn:aws:ec2:{region}::snapshot/*",
                _ec2(scope, "security-group", scope.security_group_id),
                *subnets,
            ],
            sid="LaunchInOurNetwork",
        ),
        iam.allow(
            ["ec2:RunInstances", "ec2:CreateFleet"],
            [_ec2(scope, "launch-template", "*")],
            conditions=_tagged(name),
            sid="LaunchFromOwnTemplates",
        ),
        iam.allow(
            ["ec2:RunInstances", "ec2:CreateFleet", "ec2:CreateLaunchTemplate"],
            [_ec2(scope, kind, "*") for kind in _STARTED],
            conditions={"StringEquals": ours, "StringLike": by_pool},
            sid="LaunchTaggedAsOurs",
        ),
        iam.allow(
            ["ec2:CreateTags"],
            [_ec2(scope, kind, "*") for kind in _STARTED],
            conditions={
                "StringEquals": {
                    **ours,
                    "ec2:CreateAction": ["RunInstances", "CreateFleet", "CreateLaunchTemplate"],
                },
                "StringLike": by_pool,
            },
            sid="TagWhileLaunching",
        ),
        iam.allow(
            ["ec2:CreateTags"],
            [_ec2(scope, "instance", "*")],
            conditions={
                **_tagged(name),
                "StringEqualsIfExists": {"aws:RequestTag/eks:eks-cluster-name": name},
                "ForAllValues:StringEquals": {
                    "aws:TagKeys": ["eks:eks-cluster-name", "karpenter.sh/nodeclaim", "Name"]
                },
            },
            sid="NameOwnInstances",
        ),
    ]


def _end(scope: ControllerScope) -> list[iam.Statement]:
    name = scope.environment.resource_name("cluster")
    return [
        iam.allow(
            ["ec2:TerminateInstances"],
            [_ec2(scope, "instance", "*")],
            conditions=_tagged(name),
            sid="EndOwnInstances",
        ),
        iam.allow(
            ["ec2:DeleteLaunchTemplate"],
            [_ec2(scope, "launch-template", "*")],
            conditions=_tagged(name),
            sid="DeleteOwnTemplates",
        ),
    ]


def _instance_profiles(scope: ControllerScope) -> list[iam.Statement]:
    """Karpenter makes an instance profile of each EC2NodeClass's role, under a name that it chooses."""
    environment = scope.environment
    name = environment.resource_name("cluster")
    profiles = [f"arn:aws:iam::{environment.account}:instance-profile/*"]

    def marked(where: str) -> dict[str, str]:
        return {
            f"aws:{where}/kubernetes.io/cluster/{name}": "owned",
            f"aws:{where}/topology.kubernetes.io/region": environment.region,
        }

    requested = {**marked("RequestTag"), "aws:RequestTag/eks:eks-cluster-name": name}
    return [
        iam.allow(
            ["iam:PassRole"],
            [scope.node_role_arn],
            conditions={"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}},
            sid="PassNodeRole",
        ),
        iam.allow(
            ["iam:CreateInstanceProfile"],
            profiles,
            conditions={
                "StringEquals": requested,
                "StringLike": {"aws:RequestTag/karpenter.k8s.aws/ec2nodeclass": "*"},
            },
            sid="CreateProfiles",
        ),
        iam.allow(
            ["iam:TagInstanceProfile"],
            profiles,
            conditions={
                "StringEquals": {**marked("ResourceTag"), **requested},
                "StringLike": {
                    "aws:ResourceTag/karpenter.k8s.aws/ec2nodeclass": "*",
                    "aws:RequestTag/karpenter.k8s.aws/ec2nodeclass": "*",
                },
            },
            sid="TagOwnProfiles",
        ),
        iam.allow(
            [
                "iam:AddRoleToInstanceProfile",
                "iam:RemoveRoleFromInstanceProfile",
                "iam:DeleteInstanceProfile",
            ],
            profiles,
            conditions={
                "StringEquals": marked("ResourceTag"),
                "StringLike": {"aws:ResourceTag/karpenter.k8s.aws/ec2nodeclass": "*"},
            },
            sid="ChangeOwnProfiles",
        ),
        iam.allow(["iam:GetInstanceProfile"], profiles, sid="ReadProfiles"),
        iam.allow(["iam:ListInstanceProfiles"], ["*"], sid="ListProfiles"),
    ]


def _discovery(scope: ControllerScope) -> list[iam.Statement]:
    region = scope.environment.region
    return [
        iam.allow(
            _READ_ONLY,
            ["*"],
            conditions={"StringEquals": {"aws:RequestedRegion": region}},
            sid="ReadTheRegion",
        ),
        iam.allow(["pricing:GetProducts"], ["*"], sid="ReadPrices"),
        iam.allow(
            ["ssm:GetParameter"], [f"arn:aws:ssm:{region}::parameter/aws/service/*"], sid="ReadAmiReleases"
        ),
        iam.allow(["eks:DescribeCluster"], [scope.cluster_arn], sid="ReadCluster"),
        iam.allow(
            ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueUrl"],
            [scope.queue_arn],
            sid="ReadInterruptions",
        ),
    ]


def _tagged(cluster_name: str) -> dict[str, dict[str, str]]:
    """The condition that a thing is this cluster's and Karpenter's."""
    return {
        "StringEquals": {f"aws:ResourceTag/kubernetes.io/cluster/{cluster_name}": "owned"},
        "StringLike": {"aws:ResourceTag/karpenter.sh/nodepool": "*"},
    }


def _ec2(scope: ControllerScope, kind: str, identifier: pulumi.Input[str]) -> pulumi.Output[str]:
    owner = f"arn:aws:ec2:{scope.environment.region}:{scope.environment.account}"
    return pulumi.Output.concat(f"{owner}:{kind}/", identifier)
