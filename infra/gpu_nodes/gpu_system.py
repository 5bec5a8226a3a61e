"""What runs on every GPU node, in a namespace of its own."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as kubernetes

from infra.environment import GpuPool
from infra.gpu_nodes.dcgm import METRICS_PORT, dcgm_exporter
from infra.gpu_nodes.device_plugin import device_plugin
from infra.gpu_nodes.pool import distinct_time_slices

NAMESPACE = "gpu-system"

SCRAPES_METRICS = {"pinwheel.io/scrapes-metrics": "true"}
"""The label of namespaces whose pods may read metrics."""


@dataclass(frozen=True)
class GpuSystemArgs:
    """`after`: the administrators and the GPU nodes. A pod ends cleanly only while its node lives."""

    pools: Sequence[GpuPool]
    after: Sequence[pulumi.Resource]


class GpuSystem(pulumi.ComponentResource):
    """The NVIDIA device plugin (which makes GPUs schedulable) and the DCGM exporter (which measures them).

    Both read sockets of the kubelet through hostPath volumes, which Pod Security's `baseline` forbids; hence
    a namespace that holds nothing else, with all traffic denied but the scraping of metrics.
    """

    def __init__(self, name: str, args: GpuSystemArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("pinwheel:gpu_nodes:GpuSystem", name, None, opts)
        namespace = kubernetes.core.v1.Namespace(
            NAMESPACE,
            metadata=kubernetes.meta.v1.ObjectMetaArgs(
                name=NAMESPACE,
                labels={
                    "pod-security.kubernetes.io/enforce": "privileged",
                    "pod-security.kubernetes.io/audit": "restricted",
                },
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=list(args.after)),
        )
        beneath = pulumi.ResourceOptions(parent=self, depends_on=[namespace])
        _network_policies(beneath)
        for time_slices in distinct_time_slices(args.pools):
            device_plugin(NAMESPACE, time_slices, beneath)
        dcgm_exporter(NAMESPACE, beneath)
        self.register_outputs({})


def _network_policies(options: pulumi.ResourceOptions) -> None:
    kubernetes.networking.v1.NetworkPolicy(
        "deny-all",
        metadata=kubernetes.meta.v1.ObjectMetaArgs(name="deny-all", namespace=NAMESPACE),
        spec=kubernetes.networking.v1.NetworkPolicySpecArgs(
            pod_selector=kubernetes.meta.v1.LabelSelectorArgs(), policy_types=["Ingress", "Egress"]
        ),
        opts=options,
    )
    kubernetes.networking.v1.NetworkPolicy(
        "scrape-metrics",
        metadata=kubernetes.meta.v1.ObjectMetaArgs(name="scrape-metrics", namespace=NAMESPACE),
        spec=kubernetes.networking.v1.NetworkPolicySpecArgs(
            pod_selector=kubernetes.meta.v1.LabelSelectorArgs(),
            policy_types=["Ingress"],
            ingress=[
                kubernetes.networking.v1.NetworkPolicyIngressRuleArgs(
                    from_=[
                        kubernetes.networking.v1.NetworkPolicyPeerArgs(
                            namespace_selector=kubernetes.meta.v1.LabelSelectorArgs(
                                match_labels=SCRAPES_METRICS
                            )
                        )
                    ],
                    ports=[kubernetes.networking.v1.NetworkPolicyPortArgs(port=METRICS_PORT, protocol="TCP")],
                )
            ],
        ),
        opts=options,
    )
