"""Karpenter: starts a node when a pod finds no place, and takes it away when nothing needs it."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws
import pulumi_kubernetes as kubernetes

from infra.contracts import NetworkContract
from infra.eks import versions
from infra.eks.cluster import Cluster
from infra.eks.interruptions import Interruptions, InterruptionsArgs
from infra.eks.karpenter_policy import ControllerScope, controller_statements
from infra.eks.karpenter_pool import KarpenterPool, KarpenterPoolArgs, Launching, is_in
from infra.eks.pod_identity import PodIdentity, PodIdentityArgs
from infra.eks.roles import node_role
from infra.eks.taints import SYSTEM_LABELS, SYSTEM_ONLY
from infra.environment import Environment

NAMESPACE = "kube-system"
"""Where Karpenter's documentation puts it: API Priority and Fairness serves its requests first there."""

CHARTS = "oci://public.ecr.aws/karpenter"
REPLICAS = 2
GENERAL_ROOT_DISK_GIB = 80


@dataclass(frozen=True)
class KarpenterArgs:
    """`after` is what the controller stands on: administrators, system nodes, cluster DNS."""

    environment: Environment
    network: NetworkContract
    cluster: Cluster
    after: Sequence[pulumi.Resource]


class Karpenter(pulumi.ComponentResource):
    """The controller with its identity and queue, its nodes' role, and the pool `general`.

    The custom resources' definitions come from Karpenter's own chart `karpenter-crd`, at the controller's
    version: a chart's `crds/` folder is installed once and never upgraded. For the rehearsal, which cannot
    open a chart, `infra/eks/crds/` describes the fields that we use.
    """

    def __init__(self, name: str, args: KarpenterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("pinwheel:eks:Karpenter", name, None, opts)
        environment, cluster = args.environment, args.cluster
        beneath = pulumi.ResourceOptions(parent=self)
        role = node_role(environment, "karpenter-node", beneath)
        # EKS makes this entry for managed groups only. Without it Karpenter's nodes never join.
        joins = aws.eks.AccessEntry(
            "karpenter-node",
            cluster_name=cluster.name,
            principal_arn=role.arn,
            type="EC2_LINUX",
            opts=beneath,
        )
        interruptions = Interruptions("interruptions", InterruptionsArgs(environment), beneath)
        scope = ControllerScope(
            environment=environment,
            cluster_arn=cluster.arn,
            subnet_ids=args.network.private_subnet_ids,
            security_group_id=cluster.security_group_id,
            node_role_arn=role.arn,
            queue_arn=interruptions.queue_arn,
        )
        identity = PodIdentity(
            "karpenter-controller",
            PodIdentityArgs(
                environment=environment,
                cluster_name=cluster.name,
                namespace=NAMESPACE,
                service_account="karpenter",
                description="Karpenter starts and ends nodes",
                statements=controller_statements(scope),
            ),
            beneath,
        )
        controller = self._controller(args, interruptions, [identity, interruptions, *args.after])
        self.launching = Launching(
            environment=environment,
            node_role_name=role.name,
            subnet_ids=args.network.private_subnet_ids,
            security_group_id=cluster.security_group_id,
            after=[controller, identity, interruptions, role, joins],
        )
        """What the pools have in common; GPU pools take it from here."""
        KarpenterPool(
            "general",
            KarpenterPoolArgs(
                launching=self.launching,
                requirements=[
                    is_in("karpenter.k8s.aws/instance-category", "c", "m", "r"),
                    {"key": "karpenter.k8s.aws/instance-generation", "operator": "Gt", "values": ["5"]},
                    # The smallest (m7a.medium) have addresses for 98 pods; Kubernetes would place 110.
                    {"key": "karpenter.k8s.aws/instance-cpu", "operator": "Gt", "values": ["1"]},
                ],
                capacity=environment.cluster.karpenter.capacity,
                limits={"cpu": str(environment.cluster.karpenter.cpu_limit)},
                root_disk=GENERAL_ROOT_DISK_GIB,
                labels={"pinwheel.io/node-role": "general"},
            ),
            beneath,
        )
        self.register_outputs({})

    def _controller(
        self, args: KarpenterArgs, interruptions: Interruptions, after: Sequence[pulumi.Resource]
    ) -> kubernetes.helm.v3.Release:
        definitions = kubernetes.helm.v3.Release(
            "karpenter-crd",
            name="karpenter-crd",
            chart=f"{CHARTS}/karpenter-crd",
            version=versions.KARPENTER,
            namespace=NAMESPACE,
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(args.after)),
        )
        return kubernetes.helm.v3.Release(
            "karpenter",
            name="karpenter",
            chart=f"{CHARTS}/karpenter",
            version=versions.KARPENTER,
            namespace=NAMESPACE,
            skip_crds=True,
            values={
                "replicas": REPLICAS,
                "serviceAccount": {"name": "karpenter"},
                "settings": {
                    "clusterName": args.cluster.name,
                    "interruptionQueue": interruptions.queue_name,
                },
                # Never on nodes of its own making: it would have to survive their end.
                "nodeSelector": {**SYSTEM_LABELS, "kubernetes.io/os": "linux"},
                "tolerations": [SYSTEM_ONLY.toleration()],
                "controller": {
                    "resources": {
                        "requests": {"cpu": "500m", "memory": "1Gi"},
                        "limits": {"memory": "1Gi"},
                    }
                },
            },
            opts=pulumi.ResourceOptions(parent=self, depends_on=[definitions, *after]),
        )
