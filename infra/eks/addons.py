"""EKS addons in two waves: what a node needs to become ready, then what needs ready nodes."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi
import pulumi_aws as aws

from infra import iam
from infra.eks import versions
from infra.eks.pod_identity import pod_role
from infra.eks.taints import SYSTEM_LABELS, SYSTEM_ONLY
from infra.environment import Environment


@dataclass(frozen=True)
class AddonIdentity:
    """What the addon's service account may do in AWS."""

    service_account: str
    description: str
    managed_policies: tuple[str, ...]
    statements: tuple[iam.Statement, ...] = ()


@dataclass(frozen=True)
class Addon:
    """An EKS addon. `configuration` follows `aws eks describe-addon-configuration`."""

    name: str
    configuration: Mapping[str, Any] = field(default_factory=dict)
    identity: AddonIdentity | None = None


ON_SYSTEM_NODES: Mapping[str, Any] = {
    "nodeSelector": SYSTEM_LABELS,
    "tolerations": [SYSTEM_ONLY.toleration()],
}

BEFORE_COMPUTE = (
    Addon(
        "vpc-cni",
        {
            "enableNetworkPolicy": "true",
            # /28 blocks instead of single addresses: a node fits 110 pods and asks EC2 for addresses rarely.
            "env": {"ENABLE_PREFIX_DELEGATION": "true", "WARM_PREFIX_TARGET": "1"},
        },
        AddonIdentity("aws-node", "The CNI attaches addresses to nodes", ("AmazonEKS_CNI_Policy",)),
    ),
    Addon("kube-proxy"),
    Addon("eks-pod-identity-agent"),
)
"""Without these a node never becomes ready: no pod network, and no credentials for the pod network."""


def after_compute(volumes_key_arn: pulumi.Input[str]) -> tuple[Addon, ...]:
    """What runs on the system nodes. `volumes_key_arn` is the key of the `gp3` storage class."""
    use_key = iam.allow(
        ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"],
        [volumes_key_arn],
    )
    lend_key_to_ec2 = iam.allow(
        ["kms:CreateGrant", "kms:ListGrants", "kms:RevokeGrant"],
        [volumes_key_arn],
        conditions={"Bool": {"kms:GrantIsForAWSResource": "true"}},
    )
    return (
        Addon(
            "coredns",
            {**ON_SYSTEM_NODES, "autoScaling": {"enabled": True, "minReplicas": 2, "maxReplicas": 10}},
        ),
        Addon(
            "aws-ebs-csi-driver",
            # The storage class is ours (`infra/eks/storage.py`): EKS's would not use our key.
            {"controller": ON_SYSTEM_NODES, "defaultStorageClass": {"enabled": False}},
            AddonIdentity(
                "ebs-csi-controller-sa",
                "The EBS driver creates and attaches encrypted volumes",
                ("service-role/AmazonEBSCSIDriverPolicy",),
                (use_key, lend_key_to_ec2),
            ),
        ),
        Addon("metrics-server", {**ON_SYSTEM_NODES, "replicas": 2}),
        Addon("eks-node-monitoring-agent"),
    )


@dataclass(frozen=True)
class AddonsArgs:
    """One wave of addons."""

    environment: Environment
    cluster_name: pulumi.Input[str]
    addons: Sequence[Addon]
    after: Sequence[pulumi.Resource] = ()


class Addons(pulumi.ComponentResource):
    """Addons at the builds that `infra/eks/versions.py` pins for the cluster's Kubernetes version."""

    def __init__(self, name: str, args: AddonsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("pinwheel:eks:Addons", name, None, opts)
        builds = versions.of_kubernetes(args.environment.cluster.kubernetes_version).addons
        for addon in args.addons:
            self._addon(addon, builds.of(addon.name), args)
        self.register_outputs({})

    def _addon(self, addon: Addon, build: str, args: AddonsArgs) -> None:
        waits_for = list(args.after)
        associations: list[aws.eks.AddonPodIdentityAssociationArgs] = []
        if addon.identity is not None:
            role = pod_role(
                args.environment,
                addon.name,
                description=addon.identity.description,
                statements=addon.identity.statements,
                managed_policies=addon.identity.managed_policies,
                options=pulumi.ResourceOptions(parent=self),
            )
            waits_for.append(role)
            associations.append(
                aws.eks.AddonPodIdentityAssociationArgs(
                    role_arn=role.arn, service_account=addon.identity.service_account
                )
            )
        aws.eks.Addon(
            addon.name,
            cluster_name=args.cluster_name,
            addon_name=addon.name,
            addon_version=build,
            configuration_values=json.dumps(addon.configuration, sort_keys=True)
            if addon.configuration
            else None,
            pod_identity_associations=associations or None,
            # At first whatever is there gives way to the addon; later, what operators changed by hand stays.
            resolve_conflicts_on_create="OVERWRITE",
            resolve_conflicts_on_update="PRESERVE",
            tags={"Name": args.environment.resource_name(addon.name)},
            opts=pulumi.ResourceOptions(parent=self, depends_on=waits_for),
        )
