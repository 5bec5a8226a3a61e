"""Who administers the cluster. Comes before every Kubernetes object and goes after the last of them."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.environment import Environment

ADMINISTRATION = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"


@dataclass(frozen=True)
class AdministratorsArgs:
    """The cluster; its administrators stand in `environment.cluster.administrators`."""

    environment: Environment
    cluster_name: pulumi.Input[str]


class Administrators(pulumi.ComponentResource):
    """An access entry and the administrator's policy for each IAM role.

    The role that runs Pulumi must be one of them: nobody else can, since the cluster's creator has no right
    of its own. Every Kubernetes object depends on this, or `destroy` locks itself out before it is done
    (terraform-aws-eks#2923).
    """

    def __init__(
        self, name: str, args: AdministratorsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("pinwheel:eks:Administrators", name, None, opts)
        for arn in args.environment.cluster.administrators:
            role = arn.partition(":role/")[2].replace("/", "-")
            entry = aws.eks.AccessEntry(
                role,
                cluster_name=args.cluster_name,
                principal_arn=arn,
                type="STANDARD",
                opts=pulumi.ResourceOptions(parent=self),
            )
            aws.eks.AccessPolicyAssociation(
                role,
                cluster_name=args.cluster_name,
                principal_arn=entry.principal_arn,
                policy_arn=ADMINISTRATION,
                access_scope=aws.eks.AccessPolicyAssociationAccessScopeArgs(type="cluster"),
                # Beside the entry, not under it: `depends_on` this component must cover both.
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.register_outputs({})
