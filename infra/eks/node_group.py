"""Managed node groups: the few nodes that must be there before Karpenter can start any other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.eks.launch_template import launch_template
from infra.eks.roles import Role
from infra.eks.taints import Taint
from infra.environment import Capacity, Environment, Scaling

SPOT_OR_NOT = {Capacity.ON_DEMAND: "ON_DEMAND", Capacity.SPOT: "SPOT"}


@dataclass(frozen=True)
class NodeGroupArgs:
    """A group of equal nodes over all private subnets. `root_disk` is in GiB, `user_data` base64."""

    environment: Environment
    cluster_name: pulumi.Input[str]
    subnet_ids: pulumi.Input[Sequence[pulumi.Input[str]]]
    role: Role
    ami_type: str
    """An EKS AMI type, e.g. `AL2023_x86_64_STANDARD`."""
    release: str
    """The AMI's release, from `infra/eks/versions.py`."""
    instance_types: Sequence[str]
    scaling: Scaling
    root_disk: int
    labels: Mapping[str, str]
    taints: Sequence[Taint]
    after: Sequence[pulumi.Resource]
    """What nodes need to become ready, and what must outlive them."""
    capacity: Capacity = Capacity.ON_DEMAND
    user_data: str | None = None


class NodeGroup(pulumi.ComponentResource):
    """Nodes that EKS starts, updates a third at a time, and replaces when they break.

    EKS itself makes the access entry of a managed group's role.
    """

    def __init__(self, name: str, args: NodeGroupArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("pinwheel:eks:NodeGroup", name, None, opts)
        environment = args.environment
        template = launch_template(
            environment,
            name,
            root_disk=args.root_disk,
            user_data=args.user_data,
            options=pulumi.ResourceOptions(parent=self),
        )
        aws.eks.NodeGroup(
            name,
            node_group_name=environment.resource_name(name),
            cluster_name=args.cluster_name,
            node_role_arn=args.role.arn,
            subnet_ids=args.subnet_ids,
            ami_type=args.ami_type,
            # Without it a release of the next Kubernetes version is refused: "not valid for kubernetes version".
            version=environment.cluster.kubernetes_version,
            release_version=args.release,
            capacity_type=SPOT_OR_NOT[args.capacity],
            instance_types=list(args.instance_types),
            launch_template=aws.eks.NodeGroupLaunchTemplateArgs(
                id=template.id, version=template.latest_version.apply(str)
            ),
            scaling_config=aws.eks.NodeGroupScalingConfigArgs(
                min_size=args.scaling.min, desired_size=args.scaling.desired, max_size=args.scaling.max
            ),
            update_config=aws.eks.NodeGroupUpdateConfigArgs(max_unavailable_percentage=33),
            node_repair_config=aws.eks.NodeGroupNodeRepairConfigArgs(enabled=True),
            labels=dict(args.labels),
            taints=[taint.for_node_group() for taint in args.taints],
            tags={"Name": environment.resource_name(name)},
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[args.role, *args.after],
                # Operators and autoscalers move it between the bounds.
                ignore_changes=["scalingConfig.desiredSize"],
            ),
        )
        self.register_outputs({})
