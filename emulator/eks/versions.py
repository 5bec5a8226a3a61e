"""Kubernetes versions that EKS offers, and the addon versions that go with them.

Source: the EKS user guide's "Kubernetes version lifecycle" (November 2026) and, for addons, the versions
that AWS documents per addon. The rehearsal's own table (`infra`) decides what the platform pins; this one
decides what the emulated service accepts.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final


@dataclass(frozen=True)
class KubernetesVersion:
    """A minor version with the ends of its support windows."""

    patch: str
    platform: str
    released: datetime
    standard_until: datetime
    extended_until: datetime


def _day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


VERSIONS: Final = {
    minor: KubernetesVersion(patch, platform, _day(released), _day(standard), _day(extended))
    for minor, patch, platform, released, standard, extended in (
        ("1.31", "1.31.14", "eks.50", "2024-09-26", "2025-11-26", "2026-11-26"),
        ("1.32", "1.32.13", "eks.43", "2025-01-23", "2026-03-23", "2027-03-23"),
        ("1.33", "1.33.11", "eks.36", "2025-05-29", "2026-07-29", "2027-07-29"),
        ("1.34", "1.34.8", "eks.27", "2025-10-02", "2026-12-02", "2027-12-02"),
        ("1.35", "1.35.5", "eks.15", "2026-01-27", "2027-03-27", "2028-03-27"),
        ("1.36", "1.36.3", "eks.6", "2026-05-20", "2027-07-20", "2028-07-20"),
    )
}
DEFAULT_VERSION: Final = "1.35"


@dataclass(frozen=True)
class AddonFamily:
    """An addon that EKS offers. `by_kubernetes` means one addon version line per Kubernetes minor version."""

    kind: str
    namespace: str
    version: str
    by_kubernetes: bool = False
    builds: tuple[int, ...] = (3, 2, 1)
    requires_iam: bool = False
    owner: str = "aws"


ADDONS: Final = {
    "vpc-cni": AddonFamily("networking", "kube-system", "v1.21.1", requires_iam=True),
    "coredns": AddonFamily("networking", "kube-system", "v1.13.2"),
    "kube-proxy": AddonFamily("networking", "kube-system", "", by_kubernetes=True),
    "eks-pod-identity-agent": AddonFamily("security", "kube-system", "v1.3.10"),
    "aws-ebs-csi-driver": AddonFamily("storage", "kube-system", "v1.56.0", requires_iam=True),
    "aws-efs-csi-driver": AddonFamily("storage", "kube-system", "v2.3.0", requires_iam=True),
    "aws-mountpoint-s3-csi-driver": AddonFamily("storage", "kube-system", "v2.4.0", requires_iam=True),
    "snapshot-controller": AddonFamily("storage", "kube-system", "v8.5.0"),
    "metrics-server": AddonFamily("observability", "kube-system", "v0.8.1", owner="community"),
    "kube-state-metrics": AddonFamily("observability", "kube-state-metrics", "v2.18.0", owner="community"),
    "prometheus-node-exporter": AddonFamily(
        "observability", "prometheus-node-exporter", "v1.10.2", owner="community"
    ),
    "cert-manager": AddonFamily("security", "cert-manager", "v1.19.4", owner="community"),
    "external-dns": AddonFamily("networking", "external-dns", "v0.20.0", requires_iam=True, owner="community"),
    "eks-node-monitoring-agent": AddonFamily("observability", "kube-system", "v1.6.1"),
    "amazon-cloudwatch-observability": AddonFamily(
        "observability", "amazon-cloudwatch", "v5.3.0", requires_iam=True
    ),
    "adot": AddonFamily("observability", "opentelemetry-operator-system", "v0.141.0"),
    "aws-guardduty-agent": AddonFamily("security", "amazon-guardduty", "v1.12.1"),
    "aws-network-flow-monitoring-agent": AddonFamily("observability", "amazon-network-flow-monitor", "v1.1.3"),
    "aws-secrets-store-csi-driver-provider": AddonFamily("security", "aws-secrets-manager", "v2.2.2"),
}


def addon_versions(name: str, kubernetes: str) -> list[str]:
    """The addon's versions for a Kubernetes minor version, newest first; the newest is the default."""
    family = ADDONS[name]
    upstream = f"v{VERSIONS[kubernetes].patch}" if family.by_kubernetes else family.version
    return [f"{upstream}-eksbuild.{build}" for build in family.builds]
