"""What a NodePool of Karpenter can launch: instance types, zones, labels, taints and limits.

https://karpenter.sh/docs/concepts/nodepools/ (`karpenter.sh/v1`) and its EC2NodeClass.
"""

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

import orjson

from emulator.cluster.quantities import parse_quantity
from emulator.cluster.scheduling.demand import ZONE
from emulator.cluster.scheduling.fit import GPU, Taint, matches
from emulator.cluster.store import Object
from emulator.instance_types import InstanceType, all_types, zones_offering

API: Final = "karpenter.sh/v1"
POOL: Final = "karpenter.sh/nodepool"
INITIALIZED: Final = "karpenter.sh/initialized"
"""Label of nodes that are ready and have all their devices."""
FINALIZER: Final = "karpenter.sh/termination"
CAPACITY_TYPE: Final = "karpenter.sh/capacity-type"
_NODE_CLASS: Final = "karpenter.k8s.aws/ec2nodeclass"
_TYPE_LABELS: Final = frozenset(InstanceType("m7i.large", 2, 8192, 0, "x86_64").labels)
_CAPACITY_ORDER: Final = ("reserved", "spot", "on-demand")
"""Karpenter takes the cheapest that is allowed."""
_SECONDS: Final = {"h": 3600, "m": 60, "s": 1}
_GIB_PER_GB: Final = 1000**3 / 1024**3
_ROOT_DISK_GIB: Final = 20


@dataclass(frozen=True)
class Pool:
    """A NodePool with its EC2NodeClass."""

    name: str
    region: str
    weight: int
    types: tuple[InstanceType, ...]
    """What its requirements allow and the region sells: fewest vCPUs first, then least memory."""
    choices: tuple[Mapping[str, str], ...]
    """Labels, as far as requirements leave a choice or say them: zone, capacity type, ..."""
    labels: Mapping[str, str]
    taints: tuple[Taint, ...]
    limits: Mapping[str, Decimal]
    root_disk_gib: int
    uses_instance_store: bool
    max_pods: int
    node_class: Mapping[str, str]

    def disk_gib(self, kind: InstanceType) -> int:
        """What pods' ephemeral storage is on."""
        if self.uses_instance_store and kind.instance_store_gb:
            return int(kind.instance_store_gb * _GIB_PER_GB)
        return self.root_disk_gib

    def exceeded(self, kinds: Sequence[InstanceType]) -> bool:
        """Whether nodes of these types are more than the limits allow."""
        total = {
            "cpu": sum(kind.vcpus for kind in kinds),
            "memory": sum(kind.memory_mib for kind in kinds) * 1024**2,
            GPU: sum(kind.gpus for kind in kinds),
            "nodes": len(kinds),
        }
        return any(total.get(name, 0) > limit for name, limit in self.limits.items())


def pool_of(node_pool: Object, node_class: Object | None, region: str) -> Pool:
    """Read a NodePool. Its EC2NodeClass may be missing."""
    spec = node_pool["spec"]
    template, node = spec["template"], spec["template"]["spec"]
    name, metadata = node_pool["metadata"]["name"], spec["template"].get("metadata") or {}
    requirements: list[Mapping[str, Any]] = node.get("requirements") or []
    settings = (node_class or {}).get("spec") or {}
    reference = node.get("nodeClassRef") or {}
    return Pool(
        name=name,
        region=region,
        weight=spec.get("weight") or 0,
        types=_types(orjson.dumps(requirements), region),
        choices=tuple(_choices(requirements, region)),
        labels={POOL: name, _NODE_CLASS: reference.get("name", ""), **(metadata.get("labels") or {})},
        taints=tuple(
            Taint(each["key"], each.get("value") or "", each["effect"])
            for each in template["spec"].get("taints") or ()
        ),
        limits={key: parse_quantity(amount) for key, amount in (spec.get("limits") or {}).items()},
        root_disk_gib=_root_disk(settings),
        uses_instance_store=settings.get("instanceStorePolicy") == "RAID0",
        max_pods=(settings.get("kubelet") or {}).get("maxPods") or 0,
        node_class=reference,
    )


@dataclass(frozen=True)
class Lifetime:
    """How long a pool's nodes live, in seconds; None: for ever."""

    empty: float | None
    """Of a node that no pod needs."""
    at_most: float | None


def lifetime_of(node_pool: Object) -> Lifetime:
    """What a NodePool says of it."""
    spec = node_pool["spec"]
    return Lifetime(
        empty=seconds((spec.get("disruption") or {}).get("consolidateAfter") or "0s"),
        at_most=seconds(spec["template"]["spec"].get("expireAfter") or "720h"),
    )


def seconds(duration: str) -> float | None:
    """Of a duration such as `1h30m`; None for `Never`."""
    if duration == "Never":
        return None
    return float(sum(int(n) * _SECONDS[unit] for n, unit in re.findall(r"(\d+)([hms])", duration)))


@lru_cache(maxsize=64)
def _types(encoded_requirements: bytes, region: str) -> tuple[InstanceType, ...]:
    requirements = orjson.loads(encoded_requirements)
    asked = [each for each in requirements if each["key"] in _TYPE_LABELS]
    found = [
        kind
        for kind in all_types().values()
        if all(matches(each, kind.labels) for each in asked) and zones_offering(kind.name, region)
    ]
    return tuple(sorted(found, key=lambda kind: (kind.vcpus, kind.memory_mib, kind.name)))


@lru_cache(maxsize=64)
def _zones(region: str) -> tuple[str, ...]:
    return tuple(sorted({zone for kind in all_types() for zone in zones_offering(kind, region)}))


def _choices(requirements: Sequence[Mapping[str, Any]], region: str) -> Iterator[dict[str, str]]:
    """Every combination of label values that a node may get."""
    asked = [each for each in requirements if each["key"] not in _TYPE_LABELS]
    values: dict[str, list[str]] = {ZONE: [*_zones(region)], CAPACITY_TYPE: ["on-demand"]}
    for each in asked:
        if each["operator"] == "In":
            values[each["key"]] = list(each.get("values") or ())
    values[CAPACITY_TYPE].sort(
        key=lambda value: _CAPACITY_ORDER.index(value) if value in _CAPACITY_ORDER else 9
    )
    for combination in itertools.product(*values.values()):
        labels = dict(zip(values, combination, strict=True))
        if all(matches(each, labels) for each in asked):
            yield labels


def _root_disk(node_class_spec: Mapping[str, Any]) -> int:
    mappings = node_class_spec.get("blockDeviceMappings") or ()
    for mapping in sorted(mappings, key=lambda each: not each.get("rootVolume")):
        size = (mapping.get("ebs") or {}).get("volumeSize")
        if size:
            return int(parse_quantity(size) / 1024**3)
    return _ROOT_DISK_GIB
