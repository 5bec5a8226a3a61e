"""Every version that goes with a Kubernetes version, in one table, so that an upgrade is one diff.

An addon build is accepted by EKS for some Kubernetes versions only. How to find the builds of a version:

    aws eks describe-addon-versions --kubernetes-version 1.36 --addon-name vpc-cni \\
        --query 'addons[0].addonVersions[].[addonVersion, compatibilities[0].defaultVersion]'

Where these come from (September to October 2026): kube-proxy from the EKS user guide ("Manage kube-proxy");
the others, and the AMI releases, as other teams pinned them on clusters of the same version. Not verified
against an account of ours, and worth a `describe-addon-versions` before the first `pulumi up`:
aws-ebs-csi-driver and eks-node-monitoring-agent for both versions, metrics-server for 1.36.
"""

from dataclasses import asdict, dataclass
from types import MappingProxyType

KARPENTER = "1.15.0"
"""Chart, controller and custom resources. Kubernetes 1.36 needs 1.13 (Karpenter's compatibility matrix)."""

EXTERNAL_SECRETS = "2.4.1"
"""Chart, operator and custom resources (`external-secrets.io/v1`)."""

DEVICE_PLUGIN_IMAGE = "nvcr.io/nvidia/k8s-device-plugin:v0.19.3"
DCGM_EXPORTER_IMAGE = "nvcr.io/nvidia/k8s/dcgm-exporter:4.5.3-4.8.2-distroless"


@dataclass(frozen=True)
class AddonVersions:
    """The builds of EKS addons, named as the addons are with `_` for `-`."""

    vpc_cni: str
    kube_proxy: str
    eks_pod_identity_agent: str
    coredns: str
    aws_ebs_csi_driver: str
    metrics_server: str
    eks_node_monitoring_agent: str

    def of(self, addon: str) -> str:
        """The build of `addon`, e.g. `vpc-cni`."""
        return asdict(self)[addon.replace("-", "_")]


@dataclass(frozen=True)
class Versions:
    """What runs on one Kubernetes version."""

    addons: AddonVersions
    node_release: str
    """The EKS AMI release of managed node groups: Kubernetes patch and build date."""

    @property
    def ami_alias(self) -> str:
        """The same AMI release as Karpenter selects it; pinned, so that nodes change when we say so."""
        return f"al2023@v{self.node_release.rpartition('-')[2]}"


_VERSIONS = MappingProxyType(
    {
        "1.35": Versions(
            AddonVersions(
                vpc_cni="v1.22.4-eksbuild.3",
                kube_proxy="v1.35.3-eksbuild.13",
                eks_pod_identity_agent="v1.3.10-eksbuild.3",
                coredns="v1.14.3-eksbuild.3",
                aws_ebs_csi_driver="v1.63.1-eksbuild.1",
                metrics_server="v0.9.0-eksbuild.5",
                eks_node_monitoring_agent="v1.6.4-eksbuild.1",
            ),
            node_release="1.35.7-20260903",
        ),
        "1.36": Versions(
            AddonVersions(
                vpc_cni="v1.22.4-eksbuild.3",
                kube_proxy="v1.36.0-eksbuild.14",
                eks_pod_identity_agent="v1.3.10-eksbuild.3",
                coredns="v1.14.3-eksbuild.3",
                aws_ebs_csi_driver="v1.63.1-eksbuild.1",
                metrics_server="v0.9.0-eksbuild.5",
                eks_node_monitoring_agent="v1.6.4-eksbuild.1",
            ),
            node_release="1.36.3-20260903",
        ),
    }
)


def of_kubernetes(version: str) -> Versions:
    """What goes with Kubernetes `version`; raises ValueError for one that nobody has pinned yet."""
    if version not in _VERSIONS:
        raise ValueError(
            f"cluster.kubernetes_version = {version}: infra/eks/versions.py pins no addons for it; "
            f"use one of {', '.join(_VERSIONS)} or add its row"
        )
    return _VERSIONS[version]
