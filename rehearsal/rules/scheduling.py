"""Whether every pod fits a node that the program can have: judged when all layers are known."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from emulator.cluster.scheduling.fit import NodeShape, Taint, matches
from emulator.instance_types import InstanceType, all_types, zones_offering
from emulator.problem import Problem
from infra.environment import Environment
from rehearsal.checks.scheduling import check_pod
from rehearsal.record import Record, Status
from rehearsal.rules.kubernetes import manifest_of
from rehearsal.rules.rule import Rule

_POD_OF = {
    "CronJob": ("spec", "jobTemplate", "spec", "template", "spec"),
    "DaemonSet": ("spec", "template", "spec"),
    "Deployment": ("spec", "template", "spec"),
    "Job": ("spec", "template", "spec"),
    "Pod": ("spec",),
    "ReplicaSet": ("spec", "template", "spec"),
    "StatefulSet": ("spec", "template", "spec"),
}
_EFFECTS = {"NO_SCHEDULE": "NoSchedule", "PREFER_NO_SCHEDULE": "PreferNoSchedule", "NO_EXECUTE": "NoExecute"}
"""EKS's words -> Kubernetes'. A word in the wrong place is refused there, and counts here as what was meant."""
_POOL_LABEL = "pinwheel.io/gpu-pool"


class Scheduling(Rule):
    """Collects node groups, Karpenter's NodePools and workloads; then places each workload's pod."""

    def __init__(self, environment: Environment) -> None:
        self._region = environment.region
        self._slices = {pool.name: pool.time_slices for pool in environment.cluster.gpu_pools}
        self._shapes: list[NodeShape] = []
        self._unknown_pool = False
        """A pool was refused for what decides who fits: it may be the one that a pod was meant for."""
        self._workloads: list[tuple[str, dict[str, Any]]] = []

    def remember(self, record: Record) -> None:
        """Where pods can go, and what wants to."""
        manifest = manifest_of(record)
        if record.type == "aws:eks/nodeGroup:NodeGroup":
            self._add_pool(record, lambda: self._of_node_group(record))
        elif manifest is not None and manifest["kind"] == "NodePool":
            self._add_pool(record, lambda: self._of_node_pool(manifest))
        elif manifest is not None and manifest["kind"] in _POD_OF and not _asks_nonsense(record):
            self._workloads.append((record.urn, manifest))

    def _add_pool(self, record: Record, shapes_of: Callable[[], Iterator[NodeShape]]) -> None:
        try:
            shapes = list(shapes_of())
        except (AttributeError, LookupError, TypeError):
            shapes = []
        self._shapes += shapes
        if not shapes and record.status is Status.FAILED:
            self._unknown_pool = True

    def whole(self) -> Iterator[tuple[str, Problem]]:
        """New workloads that fit nowhere. Nothing is said while no nodes, or not all of them, are known."""
        workloads, self._workloads = self._workloads, []
        if not self._shapes or self._unknown_pool:
            return
        shapes = sorted(self._shapes, key=lambda shape: (shape.pool, shape.cpu_millis))
        for urn, manifest in sorted(workloads, key=lambda each: each[0]):
            path = _POD_OF[manifest["kind"]]
            spec: Any = manifest
            for step in path:
                spec = spec.get(step) if isinstance(spec, Mapping) else None
            if not isinstance(spec, Mapping):
                continue  # refused by the schema
            workload = f"{manifest['kind']} {manifest['metadata']['name']}"
            for problem in check_pod(
                _as_meant(spec), shapes, ".".join(path), workload, daemon=manifest["kind"] == "DaemonSet"
            ):
                yield urn, problem

    def _of_node_group(self, record: Record) -> Iterator[NodeShape]:
        inputs = record.inputs
        taints = tuple(
            Taint(each["key"], each.get("value", ""), _meant(each["effect"]))
            for each in inputs.get("taints") or ()
        )
        labels = {
            "eks.amazonaws.com/nodegroup": inputs.get("nodeGroupName", record.name),
            **(inputs.get("labels") or {}),
        }
        for name in inputs.get("instanceTypes") or ():
            if name in all_types():
                yield self._shape(record.name, all_types()[name], labels, taints)

    def _of_node_pool(self, manifest: Mapping[str, Any]) -> Iterator[NodeShape]:
        template = manifest["spec"]["template"]
        spec, pool = template["spec"], manifest["metadata"]["name"]
        labels = {"karpenter.sh/nodepool": pool, **(template.get("metadata", {}).get("labels") or {})}
        taints = tuple(
            Taint(each["key"], each.get("value", ""), _meant(each["effect"]))
            for each in spec.get("taints") or ()
        )
        by_type = [each for each in spec["requirements"] if each["key"] in _ANY_TYPE.labels]
        chosen: dict[str, Any] = {}
        for requirement in spec["requirements"]:
            if requirement["key"] not in _ANY_TYPE.labels and requirement.get("operator") == "In":
                chosen[requirement["key"]] = requirement["values"][0]
        for candidate in all_types().values():
            if _meets(candidate, by_type) and zones_offering(candidate.name, self._region):
                yield self._shape(pool, candidate, {**chosen, **labels}, taints)

    def _shape(
        self, pool: str, kind: InstanceType, labels: Mapping[str, str], taints: tuple[Taint, ...]
    ) -> NodeShape:
        return NodeShape(
            pool=pool,
            labels={**kind.labels, **labels},
            taints=taints,
            cpu_millis=kind.vcpus * 1000,
            memory_mib=kind.memory_mib,
            gpus=kind.gpus * self._slices.get(labels.get(_POOL_LABEL, ""), 1),
            pods=kind.pods,
        )


def _asks_nonsense(record: Record) -> bool:
    """Whether the schema has refused what the workload asks for, so that no node can be said to have it."""
    return any(".resources." in problem.property for problem in record.problems)


def _meant(effect: str) -> str:
    return _EFFECTS.get(effect, effect)


def _as_meant(pod: Mapping[str, Any]) -> dict[str, Any]:
    tolerations = [
        {**each, "effect": _meant(each["effect"])} if each.get("effect") else each
        for each in pod.get("tolerations") or ()
    ]
    return {**pod, "tolerations": tolerations}


_ANY_TYPE = InstanceType("m7i.large", 2, 8192, 0, "x86_64")


def _meets(candidate: InstanceType, requirements: Sequence[Mapping[str, Any]]) -> bool:
    labels = candidate.labels
    return all(matches(requirement, labels) for requirement in requirements)
