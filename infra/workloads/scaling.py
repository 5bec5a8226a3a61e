"""How many pods: the autoscaler's bounds, and how many may be taken away at once."""

import pulumi
import pulumi_kubernetes as kubernetes

from infra.workloads.platform import Platform
from infra.workloads.service import Service

STABILIZATION_SECONDS = 300
"""How long load must be low before a pod goes: a lull is no trend."""


def autoscaler(
    service: Service, platform: Platform, options: pulumi.ResourceOptions
) -> kubernetes.autoscaling.v2.HorizontalPodAutoscaler | None:
    """By CPU, between the declared bounds; None where the number is fixed."""
    if service.replicas.fixed:
        return None
    return kubernetes.autoscaling.v2.HorizontalPodAutoscaler(
        service.name,
        metadata=_metadata(service, platform),
        spec={
            "scale_target_ref": {
                "api_version": "apps/v1",
                "kind": "Deployment" if service.volume is None else "StatefulSet",
                "name": service.name,
            },
            "min_replicas": service.replicas.min,
            "max_replicas": service.replicas.max,
            "metrics": [
                {
                    "type": "Resource",
                    "resource": {
                        "name": "cpu",
                        "target": {
                            "type": "Utilization",
                            "average_utilization": service.replicas.cpu_percent,
                        },
                    },
                }
            ],
            "behavior": {"scale_down": {"stabilization_window_seconds": STABILIZATION_SECONDS}},
        },
        opts=options,
    )


def disruption_budget(
    service: Service, platform: Platform, options: pulumi.ResourceOptions
) -> kubernetes.policy.v1.PodDisruptionBudget | None:
    """One pod at a time goes with its node. None where there are no pods.

    `maxUnavailable`, not `minAvailable`: one pod alone must not keep its node from being replaced for ever.
    """
    if service.replicas.max == 0:
        return None
    return kubernetes.policy.v1.PodDisruptionBudget(
        service.name,
        metadata=_metadata(service, platform),
        spec={
            "max_unavailable": 1,
            "unhealthy_pod_eviction_policy": "AlwaysAllow",
            "selector": {"match_labels": {"app.kubernetes.io/name": service.name}},
        },
        opts=options,
    )


def _metadata(service: Service, platform: Platform) -> kubernetes.meta.v1.ObjectMetaArgs:
    return kubernetes.meta.v1.ObjectMetaArgs(
        name=service.name,
        namespace=platform.namespace,
        labels={"app.kubernetes.io/name": service.name},
    )
