"""A pool of nodes that Karpenter starts when a pod asks: an EC2NodeClass and a NodePool.

The EC2NodeClass says how a node starts, the NodePool which nodes and how many.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes

from infra.eks import versions
from infra.eks.launch_template import ROOT_DEVICE
from infra.eks.taints import Taint
from infra.environment import Capacity, Environment

NODE_CLASS_API = "karpenter.k8s.aws/v1"
NODE_POOL_API = "karpenter.sh/v1"

MAX_PODS = 110
"""Kubernetes' tested limit for a node; prefix delegation has addresses for more on every type we allow."""

_UNTIL_NODES_ARE_GONE = pulumi.CustomTimeouts(delete="30m")
"""Deleting either waits for its nodes to be drained; Pulumi would give up after ten minutes."""


@dataclass(frozen=True)
class Launching:
    """What every Karpenter node of the cluster has in common."""

    environment: Environment
    node_role_name: pulumi.Input[str]
    subnet_ids: pulumi.Output[list[str]]
    security_group_id: pulumi.Input[str]
    after: Sequence[pulumi.Resource]
    """The controller and all it needs: it must be alive until the last node's finalizer is done."""


@dataclass(frozen=True)
class KarpenterPoolArgs:
    """`limits` in Kubernetes' quantities, `root_disk` in GiB, durations like `5m`."""

    launching: Launching
    requirements: Sequence[dict[str, Any]]
    """Beside architecture, system and zones, which are the same for all pools."""
    capacity: Sequence[Capacity]
    limits: Mapping[str, str]
    root_disk: int
    labels: Mapping[str, str]
    taints: Sequence[Taint] = ()
    consolidation_policy: str = "WhenEmptyOrUnderutilized"
    consolidate_after: str = "5m"
    raid0_instance_store: bool = False


class KarpenterPool(pulumi.ComponentResource):
    """Nodes live a month at most, a tenth of them may be moved at a time, and all are the pinned AMI release.

    Spot capacity needs the service-linked role `AWSServiceRoleForEC2Spot`, once in an account's life:
    `aws iam create-service-linked-role --aws-service-name spot.amazonaws.com`.
    """

    def __init__(
        self, name: str, args: KarpenterPoolArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("pinwheel:eks:KarpenterPool", name, None, opts)
        node_class = kubernetes.apiextensions.CustomResource(
            name,
            api_version=NODE_CLASS_API,
            kind="EC2NodeClass",
            metadata=kubernetes.meta.v1.ObjectMetaArgs(name=name),
            spec=_node_class(name, args),
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=list(args.launching.after), custom_timeouts=_UNTIL_NODES_ARE_GONE
            ),
        )
        kubernetes.apiextensions.CustomResource(
            name,
            api_version=NODE_POOL_API,
            kind="NodePool",
            metadata=kubernetes.meta.v1.ObjectMetaArgs(name=name),
            spec=_node_pool(name, args),
            # Goes first: an EC2NodeClass stays until no node needs it.
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[node_class, *args.launching.after],
                custom_timeouts=_UNTIL_NODES_ARE_GONE,
            ),
        )
        self.register_outputs({})


def _node_class(name: str, args: KarpenterPoolArgs) -> dict[str, Any]:
    launching = args.launching
    environment = launching.environment
    pinned = versions.of_kubernetes(environment.cluster.kubernetes_version)
    spec: dict[str, Any] = {
        "amiSelectorTerms": [{"alias": pinned.ami_alias}],
        "role": launching.node_role_name,
        "subnetSelectorTerms": launching.subnet_ids.apply(lambda ids: [{"id": subnet} for subnet in ids]),
        "securityGroupSelectorTerms": [{"id": launching.security_group_id}],
        "associatePublicIPAddress": False,
        "metadataOptions": {
            "httpEndpoint": "enabled",
            "httpProtocolIPv6": "disabled",
            "httpPutResponseHopLimit": 1,
            "httpTokens": "required",
        },
        "blockDeviceMappings": [
            {
                "deviceName": ROOT_DEVICE,
                "rootVolume": True,
                "ebs": {
                    "volumeType": "gp3",
                    "volumeSize": f"{args.root_disk}Gi",
                    "encrypted": True,
                    "deleteOnTermination": True,
                },
            }
        ],
        "kubelet": {"maxPods": MAX_PODS},
        "detailedMonitoring": True,
        "tags": {**environment.all_tags, "Name": environment.resource_name("karpenter", name)},
    }
    if args.raid0_instance_store:
        spec["instanceStorePolicy"] = "RAID0"
    return spec


def _node_pool(name: str, args: KarpenterPoolArgs) -> dict[str, Any]:
    node: dict[str, Any] = {
        "nodeClassRef": {"group": NODE_CLASS_API.partition("/")[0], "kind": "EC2NodeClass", "name": name},
        "requirements": [
            is_in("kubernetes.io/os", "linux"),
            is_in("kubernetes.io/arch", "amd64"),
            is_in("topology.kubernetes.io/zone", *args.launching.environment.zones),
            is_in("karpenter.sh/capacity-type", *(capacity.value for capacity in args.capacity)),
            *args.requirements,
        ],
        "expireAfter": "720h",
        # A pod that may never be evicted holds an expired node for a day, not for ever.
        "terminationGracePeriod": "24h",
    }
    if args.taints:
        node["taints"] = [taint.for_node_pool() for taint in args.taints]
    return {
        "template": {"metadata": {"labels": dict(args.labels)}, "spec": node},
        "limits": dict(args.limits),
        "disruption": {
            "consolidationPolicy": args.consolidation_policy,
            "consolidateAfter": args.consolidate_after,
            "budgets": [{"nodes": "10%"}],
        },
    }


def is_in(key: str, *values: str) -> dict[str, Any]:
    """The requirement that a node's label is one of `values`."""
    return {"key": key, "operator": "In", "values": list(values)}
