"""Everything that follows from a GPU pool, said once.

Node groups, NodePools, the device plugin and workloads ask here, so that a taint and its toleration cannot
drift apart.
"""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import Message
from typing import Any

import pulumi_kubernetes as kubernetes

from infra.eks.taints import Taint
from infra.environment import GpuPool

RESOURCE = "nvidia.com/gpu"
"""The extended resource that the device plugin advertises: one for each GPU, or time slice of one."""

TAINT = Taint(RESOURCE, "true")
"""Of every GPU node: keeps pods that need no GPU off the most expensive machines."""

POOL_LABEL = "pinwheel.io/gpu-pool"
SLICES_LABEL = "pinwheel.io/gpu-time-slices"

AMI_TYPE = "AL2023_x86_64_NVIDIA"
"""Driver and container toolkit are in the image; Karpenter's AL2023 alias picks the same for GPU types."""

_BOUNDARY = "pinwheel-node-config"

_NODE_CONFIG = {
    "apiVersion": "node.eks.aws/v1alpha1",
    "kind": "NodeConfig",
    # containerd and kubelet move to the NVMe disks: an image of several GB unpacks there in seconds.
    "spec": {"instance": {"localStorage": {"strategy": "RAID0"}}},
}


@dataclass(frozen=True)
class GpuScheduling:
    """How pods find the nodes of one pool, and the nodes their settings."""

    pool: GpuPool

    @property
    def taint(self) -> Taint:
        """What keeps other pods away; it converts itself to EKS's and to Kubernetes' vocabulary."""
        return TAINT

    @property
    def labels(self) -> dict[str, str]:
        """The labels of the pool's nodes."""
        return {
            POOL_LABEL: self.pool.name,
            SLICES_LABEL: str(self.pool.time_slices),
            "nvidia.com/gpu.present": "true",
            "nvidia.com/gpu.product": "NVIDIA-A10G",
        }

    @property
    def node_selector(self) -> dict[str, str]:
        """What a pod states to land in this pool."""
        return {POOL_LABEL: self.pool.name}

    @property
    def tolerations(self) -> list[kubernetes.core.v1.TolerationArgs]:
        """What a pod states to be let in."""
        return [TAINT.toleration_args()]

    def resources(self, gpus: int = 1) -> dict[str, str]:
        """What a container states in `resources.limits`: `gpus` whole GPUs, or exactly one time slice.

        Raises ValueError for several slices: they would be shares of one GPU with no more speed or memory,
        and the device plugin refuses them (`failRequestsGreaterThanOne`).
        """
        if gpus < 1 or (gpus > 1 and self.pool.time_slices > 1):
            most = "1 (a time slice)" if self.pool.time_slices > 1 else "1 or more"
            raise ValueError(
                f"GPU pool {self.pool.name}: a container asks for {gpus} GPUs; it may ask for {most}"
            )
        return {RESOURCE: str(gpus)}


def device_plugin_configuration(time_slices: int) -> dict[str, Any]:
    """The device plugin's configuration file for nodes whose GPUs are cut in `time_slices` (1: whole)."""
    configuration: dict[str, Any] = {
        "version": "v1",
        # A GPU node without a working GPU should show as a crash, not as a node that advertises nothing.
        "flags": {"migStrategy": "none", "failOnInitError": True},
    }
    if time_slices > 1:
        configuration["sharing"] = {
            "timeSlicing": {
                "renameByDefault": False,
                "failRequestsGreaterThanOne": True,
                "resources": [{"name": RESOURCE, "replicas": time_slices}],
            }
        }
    return configuration


def distinct_time_slices(pools: Sequence[GpuPool]) -> list[int]:
    """Each value of `time_slices` once, ascending: the device plugin runs once for each."""
    return sorted({pool.time_slices for pool in pools})


def node_user_data() -> str:
    """User data of a managed GPU node, base64: EKS appends its own part to this MIME document.

    The boundary is fixed; a random one would make every preview a change.
    """
    part = Message()
    part["Content-Type"] = "application/node.eks.aws"
    part.set_payload(json.dumps(_NODE_CONFIG, indent=2) + "\n")
    whole = Message()
    whole["MIME-Version"] = "1.0"
    whole["Content-Type"] = f'multipart/mixed; boundary="{_BOUNDARY}"'
    whole.attach(part)
    return base64.b64encode(whole.as_bytes()).decode("ascii")
