"""A GPU pool of warm nodes: an EKS managed node group."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from infra.eks import versions
from infra.eks.node_group import NodeGroup, NodeGroupArgs
from infra.eks.roles import Role
from infra.environment import Environment, GpuPool
from infra.gpu_nodes.pool import AMI_TYPE, GpuScheduling, node_user_data


@dataclass(frozen=True)
class GpuNodeGroupArgs:
    """The pool, and where its nodes join. `after` is what a node needs to become ready."""

    environment: Environment
    pool: GpuPool
    cluster_name: pulumi.Input[str]
    subnet_ids: pulumi.Input[Sequence[pulumi.Input[str]]]
    role: Role
    after: Sequence[pulumi.Resource]


def gpu_node_group(args: GpuNodeGroupArgs, options: pulumi.ResourceOptions) -> NodeGroup:
    """The node group `gpu-<pool>`; raises ValueError for a pool that is Karpenter's."""
    pool, scheduling = args.pool, GpuScheduling(args.pool)
    if pool.scaling is None:
        raise ValueError(
            f"GPU pool {pool.name}: a managed node group needs `scaling`; the pool is {pool.provisioner}'s"
        )
    return NodeGroup(
        f"gpu-{pool.name}",
        NodeGroupArgs(
            environment=args.environment,
            cluster_name=args.cluster_name,
            subnet_ids=args.subnet_ids,
            role=args.role,
            ami_type=AMI_TYPE,
            release=versions.of_kubernetes(args.environment.cluster.kubernetes_version).node_release,
            instance_types=pool.instance_types,
            scaling=pool.scaling,
            root_disk=pool.root_disk,
            labels=scheduling.labels,
            taints=[scheduling.taint],
            after=args.after,
            capacity=pool.capacity,
            user_data=node_user_data(),
        ),
        options,
    )
