"""EKS Pod Identity: an IAM role for one service account, without the OIDC provider that IRSA needs."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra import iam
from infra.eks.roles import Role, RoleArgs
from infra.environment import Environment


@dataclass(frozen=True)
class PodIdentityArgs:
    """Which service account, and what it may do."""

    environment: Environment
    cluster_name: pulumi.Input[str]
    namespace: str
    service_account: str
    description: str
    statements: Sequence[iam.Statement] = ()
    managed_policies: Sequence[str] = ()


class PodIdentity(pulumi.ComponentResource):
    """The role `pinwheel-<environment>-<name>` and its association with the service account."""

    def __init__(self, name: str, args: PodIdentityArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("pinwheel:eks:PodIdentity", name, None, opts)
        self.role = pod_role(
            args.environment,
            name,
            description=args.description,
            statements=args.statements,
            managed_policies=args.managed_policies,
            options=pulumi.ResourceOptions(parent=self),
        )
        aws.eks.PodIdentityAssociation(
            name,
            cluster_name=args.cluster_name,
            namespace=args.namespace,
            service_account=args.service_account,
            role_arn=self.role.arn,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self.role]),
        )
        self.register_outputs({"role_arn": self.role.arn})


def pod_role(
    environment: Environment,
    name: str,
    *,
    description: str,
    statements: Sequence[iam.Statement],
    managed_policies: Sequence[str],
    options: pulumi.ResourceOptions,
) -> Role:
    """A role that pods of this account's clusters may take; an EKS addon makes its association itself."""
    return Role(
        name,
        RoleArgs(
            name=environment.resource_name(name),
            description=description,
            trust_policy=iam.pod_identity_trust(environment.account),
            statements=statements,
            managed_policies=managed_policies,
        ),
        options,
    )
