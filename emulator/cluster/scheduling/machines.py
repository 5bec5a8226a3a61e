"""EC2 instances as the Node objects that they register: labels, capacity, addresses and what runs there.

A node registers without its GPUs, which the device plugin adds (`devices`), and with the taint
`node.kubernetes.io/not-ready`, which goes when it is ready (`nodes`).
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from emulator.cluster.scheduling.fit import GPU, NodeShape, Taint
from emulator.cluster.store import Object
from emulator.instance_types import InstanceType, all_types

NOT_READY: Final = "node.kubernetes.io/not-ready"
_GIB: Final = 1024**3
_KARPENTER_LABELS: Final = "karpenter."
_OS_IMAGE: Final = "Amazon Linux 2023"
_KERNEL: Final = "6.12.46-66.121.amzn2023"
_RUNTIME: Final = "containerd://2.1.5"


@dataclass(frozen=True)
class Machine:
    """One instance. `disk_gib` is its root volume, or its instance store where the kubelet uses that."""

    address: str
    """Private IPv4 address."""
    instance_type: InstanceType
    zone: str
    region: str
    kubernetes: str
    """Patch version, such as `1.35.7`."""
    disk_gib: int
    labels: Mapping[str, str]
    taints: Sequence[Taint] = ()
    annotations: Mapping[str, str] = field(default_factory=dict)
    max_pods: int = 0
    """0: what the instance type takes."""

    @property
    def pods(self) -> int:
        """The most pods it takes."""
        return self.max_pods or self.instance_type.pods

    @property
    def name(self) -> str:
        """The private DNS name: `ip-10-0-1-23.ec2.internal`."""
        domain = "ec2.internal" if self.region == "us-east-1" else f"{self.region}.compute.internal"
        return f"ip-{self.address.replace('.', '-')}.{domain}"

    @property
    def instance_id(self) -> str:
        """An id of EC2's form; the same for the same name and type."""
        told = f"{self.name} {self.instance_type.name} {self.kubernetes}"
        return f"i-0{hashlib.sha256(told.encode()).hexdigest()[:16]}"


def node_object(machine: Machine) -> Object:
    """The Node as it registers."""
    kind = machine.instance_type
    own = {name: value for name, value in kind.labels.items() if not name.startswith(_KARPENTER_LABELS)}
    taints = [*machine.taints, Taint(NOT_READY, "", "NoSchedule")]
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": machine.name,
            "labels": {
                **own,
                "kubernetes.io/hostname": machine.name,
                "topology.kubernetes.io/region": machine.region,
                "topology.kubernetes.io/zone": machine.zone,
                **machine.labels,
            },
            "annotations": {**machine.annotations},
        },
        "spec": {
            "providerID": f"aws:///{machine.zone}/{machine.instance_id}",
            "taints": [taint_object(each) for each in taints],
        },
        "status": {
            **resources_of(machine),
            "addresses": [
                {"type": "InternalIP", "address": machine.address},
                {"type": "InternalDNS", "address": machine.name},
                {"type": "Hostname", "address": machine.name},
            ],
            "nodeInfo": _node_info(machine),
        },
    }


def taint_object(taint: Taint) -> dict[str, str]:
    """A taint as it stands in a Node."""
    told = {"key": taint.key, "value": taint.value, "effect": taint.effect}
    return {name: value for name, value in told.items() if value}


def resources_of(machine: Machine) -> dict[str, Any]:
    """`capacity` and `allocatable`, with the reservations that `fit.NodeShape` explains, and no GPUs."""
    kind = machine.instance_type
    allocatable = shape_of(machine).allocatable
    disk = machine.disk_gib * _GIB
    return {
        "capacity": {
            "cpu": str(kind.vcpus),
            "ephemeral-storage": f"{disk // 1024}Ki",
            "memory": f"{kind.memory_mib * 1024}Ki",
            "pods": str(machine.pods),
        },
        "allocatable": {
            "cpu": f"{int(allocatable['cpu'] * 1000)}m",
            # A tenth is for the kubelet's eviction threshold, 1 GiB its reservation.
            "ephemeral-storage": str(disk * 9 // 10 - _GIB),
            "memory": f"{int(allocatable['memory']) // 1024}Ki",
            "pods": str(machine.pods),
        },
    }


def shape_of(machine: Machine) -> NodeShape:
    """The machine as the rehearsal's checks see it: with whole GPUs."""
    kind = machine.instance_type
    return NodeShape(
        pool="",
        labels=machine.labels,
        taints=tuple(machine.taints),
        cpu_millis=kind.vcpus * 1000,
        memory_mib=kind.memory_mib,
        gpus=kind.gpus,
        pods=machine.pods,
    )


def gpus_of(node: Object) -> int:
    """How many GPUs the instance of a Node has; 0 for an instance type that is not known."""
    name = (node["metadata"].get("labels") or {}).get("node.kubernetes.io/instance-type", "")
    found = all_types().get(name)
    return found.gpus if found else 0


def with_gpus(status: Mapping[str, Any], gpus: int) -> Object:
    """A Node's status with as many GPUs advertised."""
    changed = dict(status)
    for name in ("capacity", "allocatable"):
        changed[name] = {**(status.get(name) or {}), GPU: str(Decimal(gpus))}
    return changed


def _node_info(machine: Machine) -> dict[str, str]:
    architecture = {"x86_64": "amd64"}.get(machine.instance_type.architecture, "arm64")
    digest = hashlib.sha256(machine.kubernetes.encode()).hexdigest()
    build = hashlib.sha256(machine.instance_id.encode()).hexdigest()
    return {
        "architecture": architecture,
        "bootID": _uuid(build[32:]),
        "containerRuntimeVersion": _RUNTIME,
        "kernelVersion": f"{_KERNEL}.{machine.instance_type.architecture.replace('arm64', 'aarch64')}",
        "kubeProxyVersion": "",
        "kubeletVersion": f"v{machine.kubernetes}-eks-{digest[:7]}",
        "machineID": f"ec2{build[:29]}",
        "operatingSystem": "linux",
        "osImage": _OS_IMAGE,
        "systemUUID": _uuid(build),
    }


def _uuid(digits: str) -> str:
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:32]))
