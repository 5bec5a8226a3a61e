"""Roles as units to wait for: a component of the role and everything it may do."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from infra import iam
from infra.environment import Environment


@dataclass(frozen=True)
class RoleArgs:
    """As `infra.iam.role` takes them."""

    name: str
    description: str
    trust_policy: str
    statements: Sequence[iam.Statement] = ()
    managed_policies: Sequence[str] = ()


class Role(pulumi.ComponentResource):
    """Whoever depends on this comes after the role's policies and goes before them.

    A controller that loses its policy first can no longer remove what it made, and its finalizers hang.
    """

    def __init__(self, name: str, args: RoleArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("pinwheel:eks:Role", name, None, opts)
        role = iam.role(
            name,
            name=args.name,
            description=args.description,
            trust_policy=args.trust_policy,
            statements=args.statements,
            managed_policies=args.managed_policies,
            options=pulumi.ResourceOptions(parent=self),
        )
        self.arn: pulumi.Output[str] = role.arn
        self.name: pulumi.Output[str] = role.name
        self.register_outputs({"arn": self.arn})


def node_role(environment: Environment, name: str, options: pulumi.ResourceOptions) -> Role:
    """What a node may do by itself: join, pull images, answer Session Manager.

    Not `AmazonEKS_CNI_Policy`: vpc-cni has it by Pod Identity, so that no other pod of the node can take it.
    """
    return Role(
        name,
        RoleArgs(
            name=environment.resource_name(name),
            description=f"Nodes of {environment.resource_name('cluster')}",
            trust_policy=iam.trust("ec2.amazonaws.com"),
            managed_policies=(
                "AmazonEKSWorkerNodePolicy",
                "AmazonEC2ContainerRegistryPullOnly",
                "AmazonSSMManagedInstanceCore",
            ),
        ),
        options,
    )
