"""A small Karpenter: launches nodes for pods that found none. What ends them again is `disruption`.

https://karpenter.sh/docs/concepts/nodepools/. It reads the NodePools and EC2NodeClasses of the cluster, and
keeps NodeClaims where the cluster has them.
"""

import contextlib
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Literal

from emulator.cluster.conditions import condition
from emulator.cluster.controllers.events import record
from emulator.cluster.resources import Resource, Resources
from emulator.cluster.scheduling.demand import ZONE, Demand, demand_of
from emulator.cluster.scheduling.fit import DAEMON_TOLERATIONS, GPU
from emulator.cluster.scheduling.machines import Machine, gpus_of, node_object, with_gpus
from emulator.cluster.scheduling.pools import API, FINALIZER, INITIALIZED, POOL, Pool, pool_of
from emulator.cluster.scheduling.simulation import Launch, Simulation
from emulator.cluster.scheduling.state import ClusterState
from emulator.cluster.status import ApiError
from emulator.cluster.store import Event, Key, Object, Store, is_terminating
from emulator.eks.versions import DEFAULT_VERSION, VERSIONS
from emulator.instance_types import InstanceType, all_types

_NODE_CLASS_API: Final = "karpenter.k8s.aws/v1"
_COMPONENT: Final = "karpenter"
_PROVISION: Final[Key] = ("", "")
_NUMBER: Final = "pinwheel.io/node-number"
_NETWORK: Final = "100.64"
"""Where the nodes' addresses are: this process does not know the cluster's subnets, whose own nodes are there."""


class Provisioner:
    """Karpenter, as one of the cluster's controllers."""

    def __init__(self, store: Store, resources: Resources, region: str) -> None:
        self._store = store
        self._resources = resources
        self._region = region
        self._nodes = resources["nodes"]
        self._pods = resources["pods"]
        self._daemon_sets = resources["daemonsets.apps"]
        self._state = ClusterState(store, resources)
        self._state.follow()
        self._unschedulable: dict[Key, None] = {}
        self._told: dict[Key, str] = {}
        """What pods were told last: where they will go, or why no pool can help."""
        self._last_number = 0
        self._kubernetes = ""
        """The version that new nodes run."""

    def concerned(self, event: Event) -> Iterable[Key]:
        """One key for all: pods that begin to wait, and nodes and pools while some do."""
        if event.resource.key == self._pods.key:
            return [_PROVISION] if self._begins_to_wait(event) else []
        is_pool = (event.resource.api_version, event.resource.kind) == (API, "NodePool")
        if self._unschedulable and (is_pool or event.resource.key == self._nodes.key):
            return [_PROVISION]
        return []

    def reconcile(self, key: Key) -> float | None:  # noqa: ARG002 - there is one
        """Launch what all pods that wait need together."""
        pools = list(self._pools())
        if pools and self._unschedulable:
            self._provision(pools)
        return None

    def _begins_to_wait(self, event: Event) -> bool:
        """Whether a pod was told, just now, that it fits nowhere."""
        if event.type == "DELETED" or not _is_unschedulable(event.object):
            self._unschedulable.pop(event.key, None)
            self._told.pop(event.key, None)
            return False
        self._unschedulable[event.key] = None
        before = event.before and condition(event.before, "PodScheduled")
        return before != condition(event.object, "PodScheduled")

    def _provision(self, pools: list[Pool]) -> None:
        self._kubernetes = self._newest_kubernetes()
        state = ClusterState(self._store, self._resources)
        for node in state.nodes:
            if POOL in node.labels and node.object and node.labels.get(INITIALIZED) != "true":
                state.put(_as_it_will_be(node.object))
        pods: dict[Key, Demand] = {}
        for key in self._unschedulable:
            with contextlib.suppress(ValueError, ApiError):  # what it asks for makes no sense
                demand = state.demand(self._store.get(self._pods, *key))
                if not demand.is_daemon:
                    pods[key] = demand
        used = self._used_types()
        plan = Simulation(state, pools, list(self._daemons(state)), used, self._machine).run(pods)
        for launch in plan.launches:
            self._launch(launch)
        for key, name in plan.expected.items():
            self._nominate(key, name, f"node/{name}")
        for key, reason in plan.failures.items():
            if self._told.get(key) != reason:
                self._told[key] = reason
                self._record(key, "Warning", "FailedScheduling", f"Failed to schedule pod, {reason}")

    def _launch(self, launch: Launch) -> None:
        self._last_number = max(self._last_number, int(launch.machine.annotations[_NUMBER]))
        node = node_object(launch.machine)
        node["metadata"]["finalizers"] = [FINALIZER]
        claim_name = f"{launch.pool.name}-{hashlib.sha256(launch.machine.name.encode()).hexdigest()[:5]}"
        resource = self._resources.of_kind(API, "NodeClaim")
        if resource is not None:
            claim = self._store.create(resource, _node_claim(resource, claim_name, launch, node))
            node["metadata"]["ownerReferences"] = [
                {
                    "apiVersion": API,
                    "kind": "NodeClaim",
                    "name": claim_name,
                    "uid": claim["metadata"]["uid"],
                    "blockOwnerDeletion": True,
                }
            ]
        self._store.create(self._nodes, node)
        for key in launch.pods:
            name = launch.machine.name
            self._nominate(key, name, f"nodeclaim/{claim_name}, node/{name}")

    def _nominate(self, key: Key, node: str, where: str) -> None:
        if self._told.get(key) != node:
            self._told[key] = node
            self._record(key, "Normal", "Nominated", f"Pod should schedule on: {where}")

    def _record(self, key: Key, kind: Literal["Normal", "Warning"], reason: str, message: str) -> None:
        pod = self._store.get(self._pods, *key)
        record(self._store, self._resources, pod, kind, reason, message, _COMPONENT)

    def _machine(self, place: int, pool: Pool, kind: InstanceType, choice: Mapping[str, str]) -> Machine:
        """The machine at a place of a plan: numbers go on from the highest that any node had."""
        numbers = [_number(node.object) for node in self._state.nodes if node.object]
        number = max([self._last_number, *numbers]) + 1 + place
        labels = {
            **kind.labels,
            **choice,
            **pool.labels,
            "karpenter.sh/registered": "true",
        }
        return Machine(
            address=f"{_NETWORK}.{number // 250}.{number % 250 + 4}",
            instance_type=kind,
            zone=choice[ZONE],
            region=self._region,
            kubernetes=self._kubernetes,
            disk_gib=pool.disk_gib(kind),
            labels=labels,
            taints=pool.taints,
            annotations={_NUMBER: str(number)},
            max_pods=pool.max_pods,
        )

    def _newest_kubernetes(self) -> str:
        """The version of the nodes there are, as the newest image for the cluster would have."""
        found = [
            node.object["status"]["nodeInfo"]["kubeletVersion"].removeprefix("v").partition("-")[0]
            for node in self._state.nodes
            if node.object and (node.object.get("status") or {}).get("nodeInfo", {}).get("kubeletVersion")
        ]
        return max(found, default=VERSIONS[DEFAULT_VERSION].patch, key=_in_order)

    def _used_types(self) -> dict[str, list[InstanceType]]:
        used: dict[str, list[InstanceType]] = {}
        for node in self._state.nodes:
            kind = all_types().get(node.labels.get("node.kubernetes.io/instance-type", ""))
            if POOL in node.labels and kind:
                used.setdefault(node.labels[POOL], []).append(kind)
        return used

    def _daemons(self, state: ClusterState) -> Iterator[Demand]:
        for daemon_set in self._store.list(self._daemon_sets):
            template = daemon_set["spec"]["template"]
            tolerations = [
                *(template["spec"].get("tolerations") or ()),
                *({"key": key, "operator": "Exists"} for key in DAEMON_TOLERATIONS),
            ]
            pod = {
                "metadata": {"namespace": daemon_set["metadata"]["namespace"]},
                "spec": {**template["spec"], "tolerations": tolerations},
            }
            yield demand_of(pod, state.priority(template["spec"]))

    def _pools(self) -> Iterator[Pool]:
        pools = self._resources.of_kind(API, "NodePool")
        classes = self._resources.of_kind(_NODE_CLASS_API, "EC2NodeClass")
        for each in self._store.list(pools) if pools else ():
            if not is_terminating(each):
                name = each["spec"]["template"]["spec"].get("nodeClassRef", {}).get("name", "")
                node_class = self._store.find(classes, "", name) if classes else None
                yield pool_of(each, node_class, self._region)


def _node_claim(resource: Resource, name: str, launch: Launch, node: Object) -> Object:
    machine = launch.machine
    conditions = [
        {"type": kind, "status": "True", "reason": kind, "message": ""}
        for kind in ("Launched", "Registered", "Initialized", "Ready")
    ]
    requirements = [
        {"key": key, "operator": "In", "values": [value]}
        for key, value in sorted(
            {**launch.choice, "node.kubernetes.io/instance-type": machine.instance_type.name}.items()
        )
    ]
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": {"name": name, "labels": dict(machine.labels)},
        "spec": {
            "nodeClassRef": dict(launch.pool.node_class),
            "requirements": requirements,
            "taints": node["spec"]["taints"][:-1],
        },
        "status": {
            "nodeName": machine.name,
            "providerID": node["spec"]["providerID"],
            "capacity": node["status"]["capacity"],
            "allocatable": node["status"]["allocatable"],
            "conditions": conditions,
        },
    }


def _as_it_will_be(node: Object) -> Object:
    """A node under way, as it will be once it is ready and the device plugin runs there."""
    spec, status = node["spec"], node.get("status") or {}
    taints = [each for each in spec.get("taints") or () if not each["key"].startswith("node.kubernetes.io/")]
    if gpus_of(node) and (status.get("allocatable") or {}).get(GPU, "0") == "0":
        status = with_gpus(status, gpus_of(node))
    return {**node, "spec": {**spec, "taints": taints}, "status": status}


def _is_unschedulable(pod: Object) -> bool:
    scheduled = condition(pod, "PodScheduled") or {}
    return (
        scheduled.get("reason") == "Unschedulable"
        and not pod["spec"].get("nodeName")
        and not is_terminating(pod)
        and not (pod.get("status") or {}).get("nominatedNodeName")
    )


def _number(node: Object) -> int:
    annotations = node["metadata"].get("annotations") or {}
    return int(annotations.get(_NUMBER, 0)) if POOL in (node["metadata"].get("labels") or {}) else 0


def _in_order(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", version)]
