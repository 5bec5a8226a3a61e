"""What EC2 sells: sizes and zones of instance types, from the data that moto carries (made from EC2's own API)."""

from dataclasses import dataclass
from functools import cache
from typing import Any

from emulator.package_data import folder, read_json

_PODS_SMALL, _PODS_LARGE, _LARGE_VCPUS = 110, 250, 30
"""maxPods with prefix delegation, as EKS's own calculator caps it (amazon-eks-ami, max-pods-calculator)."""


@dataclass(frozen=True)
class InstanceType:
    """One instance type; memory in MiB."""

    name: str
    vcpus: int
    memory_mib: int
    gpus: int
    architecture: str
    instance_store_gb: int = 0

    @property
    def pods(self) -> int:
        """The most pods a node of it takes."""
        return _PODS_SMALL if self.vcpus < _LARGE_VCPUS else _PODS_LARGE

    @property
    def labels(self) -> dict[str, str]:
        """The labels that EKS and Karpenter put on a node of this type, as far as they follow from it."""
        family, _, size = self.name.partition(".")
        category = family.rstrip("abcdefghijklmnopqrstuvwxyz-")  # m7i-flex -> m7
        generation = category.lstrip("abcdefghijklmnopqrstuvwxyz")
        return {
            "node.kubernetes.io/instance-type": self.name,
            "kubernetes.io/arch": {"x86_64": "amd64"}.get(self.architecture, self.architecture),
            "kubernetes.io/os": "linux",
            "karpenter.k8s.aws/instance-category": category.rstrip("0123456789"),
            "karpenter.k8s.aws/instance-family": family,
            "karpenter.k8s.aws/instance-generation": generation,
            "karpenter.k8s.aws/instance-size": size,
            "karpenter.k8s.aws/instance-cpu": str(self.vcpus),
            "karpenter.k8s.aws/instance-memory": str(self.memory_mib),
            "karpenter.k8s.aws/instance-gpu-count": str(self.gpus),
        }


@cache
def all_types() -> dict[str, InstanceType]:
    """Every instance type by name."""
    return {name: _instance_type(name, each) for name, each in _data("instance_types.json.gz").items()}


@cache
def zones_offering(instance_type: str, region: str) -> frozenset[str]:
    """The availability zones of `region` that sell it; empty for a type or region that is not known."""
    return frozenset(_offerings(region).get(instance_type, ()))


@cache
def _offerings(region: str) -> dict[str, list[str]]:
    zones: dict[str, list[str]] = {}
    for each in _data(f"instance_type_offerings/availability-zone/{region}.json.gz"):
        zones.setdefault(each["InstanceType"], []).append(each["Location"])
    return zones


def _instance_type(name: str, data: Any) -> InstanceType:
    architectures = data.get("ProcessorInfo", {}).get("SupportedArchitectures", ["x86_64"])
    return InstanceType(
        name=name,
        vcpus=data["VCpuInfo"]["DefaultVCpus"],
        memory_mib=data["MemoryInfo"]["SizeInMiB"],
        gpus=sum(gpu["Count"] for gpu in data.get("GpuInfo", {}).get("Gpus", [])),
        architecture="arm64" if "arm64" in architectures else "x86_64",
        instance_store_gb=data.get("InstanceStorageInfo", {}).get("TotalSizeInGB", 0),
    )


def _data(path: str) -> Any:
    file = folder("moto") / "ec2" / "resources" / path
    return read_json(file) if file.is_file() else []
