"""The cluster layer: EKS, its system nodes and addons, Karpenter, GPU nodes, storage."""

import pulumi

from infra import contracts, encryption
from infra.eks import versions
from infra.eks.access import Administrators, AdministratorsArgs
from infra.eks.addons import BEFORE_COMPUTE, Addons, AddonsArgs, after_compute
from infra.eks.cluster import Cluster, ClusterArgs
from infra.eks.karpenter import Karpenter, KarpenterArgs
from infra.eks.node_group import NodeGroup, NodeGroupArgs
from infra.eks.roles import node_role
from infra.eks.storage import Storage, StorageArgs
from infra.eks.taints import SYSTEM_LABELS, SYSTEM_ONLY
from infra.environment import Environment
from infra.gpu_nodes.gpu_system import GpuSystem, GpuSystemArgs
from infra.gpu_nodes.node_group import GpuNodeGroupArgs, gpu_node_group
from infra.gpu_nodes.node_pool import gpu_node_pool
from infra.providers import aws_provider, kubernetes_provider


def stack(environment: Environment) -> None:
    """Declares the layer. It comes down in the reverse order of what follows."""
    network = contracts.read(contracts.NetworkContract, environment.name)
    aws = aws_provider(environment)
    under_aws = pulumi.ResourceOptions(providers=[aws])
    cluster = Cluster("cluster", ClusterArgs(environment, network), under_aws)
    administrators = Administrators(
        "administrators", AdministratorsArgs(environment, cluster.name), under_aws
    )
    nodes = node_role(environment, "node", under_aws)
    contract = contracts.ClusterContract(
        name=cluster.name,
        arn=cluster.arn,
        endpoint=cluster.endpoint,
        certificate_authority=cluster.certificate_authority,
        security_group_id=cluster.security_group_id,
        node_role_arn=nodes.arn,
    )
    before_compute = Addons(
        "before-compute", AddonsArgs(environment, cluster.name, BEFORE_COMPUTE), under_aws
    )
    system_nodes = NodeGroup(
        "system",
        NodeGroupArgs(
            environment=environment,
            cluster_name=cluster.name,
            subnet_ids=network.private_subnet_ids,
            role=nodes,
            ami_type="AL2023_x86_64_STANDARD",
            release=versions.of_kubernetes(environment.cluster.kubernetes_version).node_release,
            instance_types=environment.cluster.system_nodes.instance_types,
            scaling=environment.cluster.system_nodes.scaling,
            root_disk=environment.cluster.system_nodes.disk,
            labels=SYSTEM_LABELS,
            taints=[SYSTEM_ONLY],
            after=[before_compute],
        ),
        under_aws,
    )
    volumes_key = encryption.key(environment, "volumes", options=pulumi.ResourceOptions(provider=aws))
    addons = Addons(
        "after-compute",
        AddonsArgs(environment, cluster.name, after_compute(volumes_key.arn), after=[system_nodes]),
        under_aws,
    )
    # A provider tries its cluster once, when it starts, and gives up for the whole run; a new access entry is
    # not known everywhere at once. Every Kubernetes object waits for the addons anyway.
    kubernetes = kubernetes_provider(
        environment, contract, pulumi.ResourceOptions(depends_on=[administrators, addons])
    )
    under_both = pulumi.ResourceOptions(providers=[aws, kubernetes])
    Storage("storage", StorageArgs(volumes_key.arn, after=[administrators, addons]), under_both)
    karpenter = Karpenter(
        "karpenter",
        KarpenterArgs(environment, network, cluster, after=[administrators, system_nodes, addons]),
        under_both,
    )
    pools = environment.cluster.gpu_pools
    if pools:
        gpu_nodes = [
            gpu_node_pool(pool, karpenter.launching, under_both)
            if pool.provisioner == "karpenter"
            else gpu_node_group(
                GpuNodeGroupArgs(
                    environment, pool, cluster.name, network.private_subnet_ids, nodes, after=[before_compute]
                ),
                under_aws,
            )
            for pool in pools
        ]
        GpuSystem("gpu-system", GpuSystemArgs(pools, after=[administrators, *gpu_nodes]), under_both)
    contracts.export(contract)
