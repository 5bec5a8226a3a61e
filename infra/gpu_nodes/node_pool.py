"""A GPU pool of nodes on demand: a Karpenter NodePool and its EC2NodeClass."""

import pulumi

from infra.eks.karpenter_pool import KarpenterPool, KarpenterPoolArgs, Launching, is_in
from infra.environment import GpuPool
from infra.gpu_nodes.pool import RESOURCE, GpuScheduling


def gpu_node_pool(pool: GpuPool, launching: Launching, options: pulumi.ResourceOptions) -> KarpenterPool:
    """The NodePool `gpu-<pool>`; raises ValueError for a pool that is a managed node group.

    Karpenter counts whole GPUs when it sizes a new node and learns of time slices once the node is up, so a
    burst of pods may start more nodes than it needs; those are taken away when they are empty.
    """
    if pool.gpu_limit is None:
        raise ValueError(
            f"GPU pool {pool.name}: a NodePool needs `gpu_limit`; the pool is {pool.provisioner}"
        )
    scheduling = GpuScheduling(pool)
    return KarpenterPool(
        f"gpu-{pool.name}",
        KarpenterPoolArgs(
            launching=launching,
            requirements=[is_in("node.kubernetes.io/instance-type", *pool.instance_types)],
            capacity=[pool.capacity],
            limits={RESOURCE: str(pool.gpu_limit)},
            root_disk=pool.root_disk,
            labels=scheduling.labels,
            taints=[scheduling.taint],
            # Moving a half-used GPU node means loading models again: only empty ones go.
            consolidation_policy="WhenEmpty",
            consolidate_after="10m",
            raid0_instance_store=True,
        ),
        options,
    )
