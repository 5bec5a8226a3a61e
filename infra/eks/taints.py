"""Taints, said once and spoken in both dialects: the EKS API's `NO_SCHEDULE` is Kubernetes' `NoSchedule`."""

from dataclasses import dataclass
from enum import StrEnum

import pulumi_aws as aws
import pulumi_kubernetes as kubernetes


class TaintEffect(StrEnum):
    """What happens to a pod without the matching toleration, in Kubernetes' words."""

    NO_SCHEDULE = "NoSchedule"
    PREFER_NO_SCHEDULE = "PreferNoSchedule"
    NO_EXECUTE = "NoExecute"

    @property
    def in_eks(self) -> str:
        """The same effect in the vocabulary of the EKS API."""
        return self.name


@dataclass(frozen=True)
class Taint:
    """Keeps pods off a node unless they tolerate it."""

    key: str
    value: str
    effect: TaintEffect = TaintEffect.NO_SCHEDULE

    def for_node_group(self) -> aws.eks.NodeGroupTaintArgs:
        """For a managed node group."""
        return aws.eks.NodeGroupTaintArgs(key=self.key, value=self.value, effect=self.effect.in_eks)

    def for_node_pool(self) -> dict[str, str]:
        """For a Karpenter NodePool."""
        return {"key": self.key, "value": self.value, "effect": self.effect.value}

    def toleration(self) -> kubernetes.core.v1.TolerationArgsDict:
        """What a pod states to be let in, as it stands in a manifest."""
        return {"key": self.key, "operator": "Equal", "value": self.value, "effect": self.effect.value}

    def toleration_args(self) -> kubernetes.core.v1.TolerationArgs:
        """The same, for a typed Kubernetes object."""
        return kubernetes.core.v1.TolerationArgs(
            key=self.key, operator="Equal", value=self.value, effect=self.effect.value
        )


SYSTEM_ONLY = Taint("CriticalAddonsOnly", "true")
"""Of the system nodes. The key is EKS's own: its addons tolerate it without being told."""

SYSTEM_LABELS = {"pinwheel.io/node-role": "system"}
"""Of the system nodes: what addons that must not wait for Karpenter select."""
