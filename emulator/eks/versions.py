"""Kubernetes versions that EKS offers, and the addon versions that go with them.

`infra/eks/versions.py` decides what the platform pins; this table decides what the emulated service takes,
so an upgrade there may need a row here. Support windows: the EKS user guide's "Kubernetes version
lifecycle". Addon builds: those that `infra/eks/versions.py` gives the sources of, and some older ones, not
verified against an account.
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
        ("1.35", "1.35.7", "eks.15", "2026-01-27", "2027-03-27", "2028-03-27"),
        ("1.36", "1.36.3", "eks.6", "2026-05-20", "2027-07-20", "2028-07-20"),
    )
}
DEFAULT_VERSION: Final = "1.35"


@dataclass(frozen=True)
class AddonFamily:
    """An addon that EKS offers: each upstream version with its newest build, newest version first.

    All but kube-proxy run on every Kubernetes version above.
    """

    kind: str
    namespace: str
    upstreams: tuple[tuple[str, int], ...]
    requires_iam: bool = False
    owner: str = "aws"


def _community(kind: str, namespace: str, *upstreams: tuple[str, int]) -> AddonFamily:
    return AddonFamily(kind, namespace, upstreams, owner="community")


_SYSTEM: Final = "kube-system"

# kube-proxy follows Kubernetes: "Manage kube-proxy" in the EKS user guide.
_KUBE_PROXY: Final = {
    "1.31": ("v1.31.14", 9),
    "1.32": ("v1.32.13", 8),
    "1.33": ("v1.33.10", 8),
    "1.34": ("v1.34.6", 9),
    "1.35": ("v1.35.3", 13),
    "1.36": ("v1.36.0", 14),
}

ADDONS: Final = {
    "vpc-cni": AddonFamily(
        "networking", _SYSTEM, (("v1.22.4", 3), ("v1.21.1", 3), ("v1.20.4", 2)), requires_iam=True
    ),
    "coredns": AddonFamily("networking", _SYSTEM, (("v1.14.3", 3), ("v1.13.2", 7), ("v1.12.4", 1))),
    "kube-proxy": AddonFamily("networking", _SYSTEM, ()),
    "eks-pod-identity-agent": AddonFamily("security", _SYSTEM, (("v1.3.10", 3), ("v1.3.9", 5))),
    "aws-ebs-csi-driver": AddonFamily(
        "storage", _SYSTEM, (("v1.63.1", 1), ("v1.62.0", 1), ("v1.56.0", 1)), requires_iam=True
    ),
    "aws-efs-csi-driver": AddonFamily("storage", _SYSTEM, (("v2.3.0", 2),), requires_iam=True),
    "aws-mountpoint-s3-csi-driver": AddonFamily("storage", _SYSTEM, (("v2.4.0", 1),), requires_iam=True),
    "snapshot-controller": AddonFamily("storage", _SYSTEM, (("v8.5.0", 3),)),
    "metrics-server": _community("observability", _SYSTEM, ("v0.9.0", 5), ("v0.8.1", 6)),
    "kube-state-metrics": _community("observability", "kube-state-metrics", ("v2.18.0", 4)),
    "prometheus-node-exporter": _community("observability", "prometheus-node-exporter", ("v1.10.2", 6)),
    "cert-manager": _community("security", "cert-manager", ("v1.19.4", 2)),
    "external-dns": _community("networking", "external-dns", ("v0.20.0", 4)),
    "eks-node-monitoring-agent": AddonFamily("observability", _SYSTEM, (("v1.6.4", 1), ("v1.6.1", 1))),
    "amazon-cloudwatch-observability": AddonFamily(
        "observability", "amazon-cloudwatch", (("v5.3.0", 1),), requires_iam=True
    ),
    "aws-guardduty-agent": AddonFamily("security", "amazon-guardduty", (("v1.12.1", 2),)),
    "aws-secrets-store-csi-driver-provider": AddonFamily("security", "aws-secrets-manager", (("v2.2.2", 1),)),
}


def addon_versions(name: str, kubernetes: str) -> list[str]:
    """The addon's versions for a Kubernetes minor version, newest first; the newest is the default."""
    upstreams = (_KUBE_PROXY[kubernetes],) if name == "kube-proxy" else ADDONS[name].upstreams
    return [
        f"{upstream}-eksbuild.{build}" for upstream, newest in upstreams for build in range(newest, 0, -1)
    ]
