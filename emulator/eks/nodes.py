"""The nodes of managed node groups, in the cluster's own API.

There is one Node for each instance that the group's Auto Scaling group would run. Names and ids are the same
for the same cluster, group and number, so that a rehearsal can be compared with the last one.
"""

import hashlib
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Any, Final

from emulator.cluster.client import ClusterClient
from emulator.cluster.owners import controller_of
from emulator.cluster.pods import is_terminated
from emulator.cluster.resources import Resources
from emulator.cluster.scheduling.fit import Taint
from emulator.cluster.scheduling.machines import Machine, node_object, taint_object
from emulator.cluster.status import ApiError
from emulator.cluster.store import Object, is_terminating
from emulator.instance_types import all_types

GROUP: Final = "eks.amazonaws.com/nodegroup"
IMAGE: Final = "eks.amazonaws.com/nodegroup-image"
NUMBER: Final = "pinwheel.io/node-number"
"""Annotation: the node's place in its group. The newest have the highest."""
_TEMPLATE_VERSION: Final = "eks.amazonaws.com/sourceLaunchTemplateVersion"
_TEMPLATE_ID: Final = "eks.amazonaws.com/sourceLaunchTemplateId"
_EFFECTS: Final = {
    "NO_SCHEDULE": "NoSchedule",
    "PREFER_NO_SCHEDULE": "PreferNoSchedule",
    "NO_EXECUTE": "NoExecute",
}
_RESERVED_ADDRESSES: Final = 4
"""The first of a subnet, which are AWS's; the last is, too."""
_DRAIN_SECONDS: Final = 60.0
"""EKS drains for 15 minutes and then gives up; here the next errand is waiting."""
_DRAIN_POLL_SECONDS: Final = 0.2
_NOT_FOUND, _CONFLICT, _TOO_MANY = 404, 409, 429

_RESOURCES: Final = Resources()
_NODES: Final = _RESOURCES["nodes"]
_PODS: Final = _RESOURCES["pods"]


@dataclass(frozen=True)
class GroupNodes:
    """The nodes that a group is to have."""

    cluster: str
    group: str
    region: str
    subnets: tuple[tuple[str, str], ...]
    """CIDR block and zone of each."""
    instance_type: str
    desired: int
    disk_gib: int
    kubernetes: str
    """Patch version, such as `1.35.7`."""
    labels: Mapping[str, str]
    taints: tuple[Taint, ...]

    def machine(self, number: int, used: set[str]) -> Machine:
        """The instance with a number: in the zones by turns, at the next address that is not `used`."""
        block, zone = self.subnets[number % len(self.subnets)]
        return Machine(
            address=_address(f"{self.cluster}/{self.group}/{number}", IPv4Network(block), used),
            instance_type=all_types()[self.instance_type],
            zone=zone,
            region=self.region,
            kubernetes=self.kubernetes,
            disk_gib=self.disk_gib,
            labels=self.labels,
            taints=self.taints,
            annotations={NUMBER: str(number)},
        )


def group_nodes(
    nodegroup: Mapping[str, Any],
    region: str,
    subnets: Iterable[tuple[str, str]],
    template: Mapping[str, Any],
) -> GroupNodes:
    """What a node group, as EKS describes it, runs.

    `subnets` are CIDR blocks with their zones; `template` is the data of the launch template's version, empty
    when there is none. Of several instance types the first is taken, as On-Demand groups do.
    """
    types = nodegroup.get("instanceTypes") or [template.get("InstanceType") or "t3.medium"]
    release = str(nodegroup["releaseVersion"])
    image = hashlib.sha256(f"{nodegroup['amiType']} {release} {region}".encode()).hexdigest()[:16]
    labels = {
        **nodegroup["labels"],
        GROUP: nodegroup["nodegroupName"],
        IMAGE: f"ami-0{image}",
        "eks.amazonaws.com/capacityType": nodegroup["capacityType"],
    }
    named = nodegroup.get("launchTemplate")
    if named:
        labels |= {_TEMPLATE_ID: named["id"], _TEMPLATE_VERSION: named["version"]}
    return GroupNodes(
        cluster=nodegroup["clusterName"],
        group=nodegroup["nodegroupName"],
        region=region,
        subnets=tuple(sorted(subnets, key=lambda each: (each[1], each[0]))),
        instance_type=types[0],
        desired=nodegroup["scalingConfig"]["desiredSize"],
        disk_gib=nodegroup.get("diskSize") or _root_disk(template),
        kubernetes=release.partition("-")[0],
        labels=labels,
        taints=tuple(
            Taint(each["key"], each.get("value") or "", _EFFECTS[each["effect"]])
            for each in nodegroup["taints"]
        ),
    )


def scale(client: ClusterClient, wanted: GroupNodes) -> None:
    """Start the nodes that are missing, or end the newest when there are too many."""
    present = _of_group(client, wanted.group)
    surplus = present[wanted.desired :]
    if surplus:
        _end(client, surplus)
    _start(client, wanted, max(0, wanted.desired - len(present)), first=_next_number(present))


def relabel(client: ClusterClient, before: GroupNodes, after: GroupNodes) -> None:
    """Give the nodes there are the labels and taints of the group, and leave alone what others put there."""
    gone = {name: None for name in before.labels if name not in after.labels}
    labels = {**after.labels}
    for name in (IMAGE, _TEMPLATE_ID, _TEMPLATE_VERSION):  # of the instance, not of the group
        labels.pop(name, None)
        gone.pop(name, None)
    for node in _of_group(client, after.group):
        spec = node.get("spec") or {}
        kept = [
            each
            for each in spec.get("taints") or ()
            if Taint(each["key"], each.get("value") or "", each["effect"]) not in before.taints
        ]
        own = [taint_object(each) for each in after.taints]
        patch = {
            "metadata": {
                "labels": {**gone, **labels},
                "resourceVersion": node["metadata"]["resourceVersion"],
            },
            "spec": {"taints": [*own, *kept]},
        }
        client.patch(_NODES, "", node["metadata"]["name"], patch)


def replace(client: ClusterClient, wanted: GroupNodes) -> None:
    """Replace nodes of another image or launch template, one by one: a new one comes before an old one goes."""
    present = _of_group(client, wanted.group)
    number = _next_number(present)
    for node in present:
        if _instance_labels(node["metadata"]["labels"]) == _instance_labels(wanted.labels):
            continue
        _start(client, wanted, 1, first=number)
        number += 1
        _end(client, [node])


def remove(client: ClusterClient, group: str) -> None:
    """End all nodes of a group."""
    _end(client, _of_group(client, group))


def _of_group(client: ClusterClient, group: str) -> list[Object]:
    """The group's nodes, the oldest first."""
    return sorted(client.list(_NODES, label_selector=f"{GROUP}={group}"), key=_number)


def _number(node: Object) -> int:
    return int((node["metadata"].get("annotations") or {}).get(NUMBER, 0))


def _next_number(present: Sequence[Object]) -> int:
    return max((_number(node) + 1 for node in present), default=0)


def _instance_labels(labels: Mapping[str, str]) -> list[str | None]:
    return [labels.get(name) for name in (IMAGE, _TEMPLATE_ID, _TEMPLATE_VERSION)]


def _start(client: ClusterClient, wanted: GroupNodes, count: int, first: int) -> None:
    used = set(_addresses(client.list(_NODES))) if count else set[str]()
    for number in range(first, first + count):
        machine = wanted.machine(number, used)
        used.add(machine.address)
        try:
            client.create(_NODES, node_object(machine))
        except ApiError as refusal:
            if refusal.code != _CONFLICT:  # an attempt before this one got so far
                raise


def _addresses(nodes: Iterable[Object]) -> Iterator[str]:
    for node in nodes:
        for each in (node.get("status") or {}).get("addresses") or ():
            yield each["address"]


def _end(client: ClusterClient, nodes: Sequence[Object]) -> None:
    """Cordon and drain nodes together, then delete them."""
    names = [node["metadata"]["name"] for node in nodes]
    for name in names:
        _unless_gone(lambda name=name: client.patch(_NODES, "", name, {"spec": {"unschedulable": True}}))
    deadline = time.monotonic() + _DRAIN_SECONDS
    while time.monotonic() < deadline:
        pods = [pod for pod in client.list(_PODS) if _is_to_move(pod, names)]
        if not pods:
            break
        for pod in pods:
            _evict(client, pod)
        time.sleep(_DRAIN_POLL_SECONDS)
    for name in names:
        _unless_gone(lambda name=name: client.delete(_NODES, "", name))


def _is_to_move(pod: Object, nodes: Sequence[str]) -> bool:
    """Whether a pod holds up the end of its node: DaemonSets' pods and those that have ended do not."""
    controller = controller_of(pod)
    return (
        pod["spec"].get("nodeName") in nodes
        and not (controller and controller["kind"] == "DaemonSet")
        and not is_terminated(pod)
    )


def _evict(client: ClusterClient, pod: Object) -> None:
    metadata = pod["metadata"]
    if is_terminating(pod):
        return
    told = {"name": metadata["name"], "namespace": metadata["namespace"]}
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": told}
    path = f"{_PODS.path(metadata['namespace'], metadata['name'])}/eviction"
    try:
        client.request("POST", path, eviction)
    except ApiError as refusal:
        if refusal.code not in {_NOT_FOUND, _TOO_MANY}:  # a budget's time may come
            raise


def _unless_gone(call: Any) -> None:
    try:
        call()
    except ApiError as refusal:
        if refusal.code != _NOT_FOUND:
            raise


def _address(seed: str, block: IPv4Network, used: set[str]) -> str:
    """An address of the block that looks drawn by lot, as EC2's do, but follows from the seed."""
    hosts = block.num_addresses - _RESERVED_ADDRESSES - 1
    start = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8], "big")
    for step in range(hosts):
        place = _RESERVED_ADDRESSES + (start + step) % hosts
        found = str(IPv4Address(int(block.network_address) + place))
        if found not in used:
            return found
    raise ValueError(f"subnet {block} has no address left for another node; use a larger one")


def _root_disk(template: Mapping[str, Any]) -> int:
    """GiB of the root volume that a launch template asks for; 20 is EKS's default."""
    for mapping in template.get("BlockDeviceMappings") or template.get("BlockDeviceMapping") or ():
        size = (mapping.get("Ebs") or {}).get("VolumeSize")
        if size:
            return int(size)
    return 20
