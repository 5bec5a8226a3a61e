"""Which node takes a pod: the filters of the Kubernetes scheduler that look at one pod and one node.

https://kubernetes.io/docs/concepts/scheduling-eviction/kube-scheduler/: node selector, required node
affinity, taints and requests against what the node can allocate.

What a node can allocate is what the instance has less the reservations of EKS's AMIs (nodeadm's kubelet
defaults in https://github.com/awslabs/amazon-eks-ami): memory 255 MiB + 11 MiB a pod, and 100 MiB of hard
eviction threshold; CPU 6% of the first core, 1% of the second, 0.5% of the next two, 0.25% of the rest. What
the kernel keeps of an instance's memory (some 2 to 4%) is not subtracted: it differs by type.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from emulator.cluster.quantities import parse_quantity

GPU = "nvidia.com/gpu"
EPHEMERAL_STORAGE = "ephemeral-storage"
_MIB = 1024**2
_EVICTION_MIB = 100
_CPU_RESERVED = ((1000, 60), (1000, 10), (1000, 5), (1000, 5))
"""Of the first four cores: (milli-cores, milli-cores reserved); above, 2.5 of every thousand."""
DAEMON_TOLERATIONS = (
    "node.kubernetes.io/not-ready",
    "node.kubernetes.io/unreachable",
    "node.kubernetes.io/disk-pressure",
    "node.kubernetes.io/memory-pressure",
    "node.kubernetes.io/pid-pressure",
    "node.kubernetes.io/unschedulable",
)
"""What the DaemonSet controller adds: kubernetes.io/docs/concepts/workloads/controllers/daemonset/."""


@dataclass(frozen=True)
class Taint:
    """A taint of a node, its effect in Kubernetes' vocabulary: NoSchedule, PreferNoSchedule or NoExecute."""

    key: str
    value: str
    effect: str

    def __str__(self) -> str:
        return f"{self.key}={self.value}:{self.effect}" if self.value else f"{self.key}:{self.effect}"


@dataclass(frozen=True)
class NodeShape:
    """One kind of node that can exist: a node group's, or one Karpenter may launch for a NodePool."""

    pool: str
    labels: Mapping[str, str]
    taints: tuple[Taint, ...]
    cpu_millis: int
    """What the instance type has, in thousandths of a core."""
    memory_mib: int
    gpus: int
    """GPUs as the device plugin counts them: time-slicing replicas already multiplied in."""
    pods: int
    """Pods the node takes at most (maxPods)."""

    @property
    def allocatable(self) -> dict[str, Decimal]:
        """What pods can have of it: cores, bytes, GPUs and pods."""
        left, reserved = self.cpu_millis, Decimal(0)
        for cores, share in _CPU_RESERVED:
            reserved += Decimal(min(left, cores) * share) / cores
            left = max(0, left - cores)
        cpu = (self.cpu_millis - reserved - Decimal(left) * 25 / 10000) / 1000
        memory = (self.memory_mib - 255 - 11 * self.pods - _EVICTION_MIB) * _MIB
        return {"cpu": cpu, "memory": Decimal(memory), GPU: Decimal(self.gpus), "pods": Decimal(self.pods)}


def first_reason(
    pod: Mapping[str, Any], shape: NodeShape, requests: Mapping[str, Decimal], *, daemon: bool
) -> tuple[str, str] | None:
    """The first filter that keeps a pod from a node, as (field of the pod's spec, reason); None if it fits."""
    for key, value in (pod.get("nodeSelector") or {}).items():
        if shape.labels.get(key) != value:
            has = f"{key}={shape.labels[key]}" if key in shape.labels else f"no label {key}"
            return "nodeSelector", f"has {has}, the pod wants {key}={value}"
    unmet = _unmet_affinity(pod, shape.labels)
    if unmet is not None:
        return "affinity", unmet
    tolerations: list[Mapping[str, Any]] = list(pod.get("tolerations") or ())
    if daemon:
        tolerations += [{"key": key, "operator": "Exists"} for key in DAEMON_TOLERATIONS]
    for taint in shape.taints:
        if taint.effect != "PreferNoSchedule" and not any(tolerates(t, taint) for t in tolerations):
            return "tolerations", f"untolerated taint {taint}"
    allocatable = shape.allocatable
    for name, amount in requests.items():
        # How large its disk is, a shape does not say.
        if name != EPHEMERAL_STORAGE and amount > allocatable.get(name, 0):
            has = _amount(name, allocatable.get(name, Decimal(0)))
            return "resources", f"needs {_amount(name, amount)}, has {has}"
    return None


def _unmet_affinity(pod: Mapping[str, Any], labels: Mapping[str, str]) -> str | None:
    """Return the expression of required node affinity that fails, or None if one of the terms is met."""
    affinity = (pod.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    failed: str | None = None
    for term in required.get("nodeSelectorTerms") or ():
        unmet = [e for e in term.get("matchExpressions") or () if not matches(e, labels)]
        if not unmet and (term.get("matchExpressions") or term.get("matchFields")):
            return None
        for expression in unmet[:1]:
            values = ", ".join(expression.get("values") or ())
            wanted = f"{expression['key']} {expression['operator']} {values}".rstrip()
            failed = (
                failed or f"has {expression['key']}={labels.get(expression['key'])}, affinity wants {wanted}"
            )
    return failed


_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,18}")
_OPERATORS: dict[str, Callable[[str | None, Sequence[str]], bool]] = {
    "In": lambda value, values: value in values,
    "NotIn": lambda value, values: value not in values,
    "Exists": lambda value, _: value is not None,
    "DoesNotExist": lambda value, _: value is None,
    "Gt": lambda value, values: (
        bool(values) and _are_numbers(value, *values) and int(value or 0) > int(values[0])
    ),
    "Lt": lambda value, values: (
        bool(values) and _are_numbers(value, *values) and int(value or 0) < int(values[0])
    ),
}


def matches(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Whether labels satisfy one `{key, operator, values}` of a node selector or a NodePool."""
    operator = _OPERATORS.get(expression.get("operator", ""))
    return operator is not None and operator(labels.get(expression["key"]), expression.get("values") or ())


def _are_numbers(*values: str | None) -> bool:
    """Whether each is a whole number of Go's int64: what is none satisfies no comparison."""
    return all(value is not None and _NUMBER.fullmatch(value) for value in values)


def tolerates(toleration: Mapping[str, Any], taint: Taint) -> bool:
    """Whether one toleration covers a taint."""
    if toleration.get("effect") and toleration["effect"] != taint.effect:
        return False
    if toleration.get("key") and toleration["key"] != taint.key:
        return False
    if toleration.get("operator", "Equal") == "Exists":
        return True
    return bool(toleration.get("key")) and (toleration.get("value") or "") == taint.value


def pod_requests(pod: Mapping[str, Any]) -> dict[str, Decimal]:
    """Return what a pod asks of a node: cores, bytes, devices, and one pod.

    The sum of the containers and sidecars (init containers that restart always), or what an init container
    needs beside the sidecars started before it if that is more, plus overhead
    (https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/#resource-sharing-within-containers).
    What `spec.resources` asks for the whole pod counts instead. Raises `ValueError` for a quantity that is none.
    """
    running: dict[str, Decimal] = {}
    peak: dict[str, Decimal] = {}
    for container in pod.get("initContainers") or ():
        asked = dict(_container_requests(container))
        if container.get("restartPolicy") == "Always":
            running = _add(running, asked)
            asked = {}
        peak = _most(peak, _add(running, asked))
    for container in pod.get("containers") or ():
        running = _add(running, dict(_container_requests(container)))
    overhead = {name: parse_quantity(amount) for name, amount in (pod.get("overhead") or {}).items()}
    asked = {**_most(peak, running), **dict(_container_requests(pod))}
    return _add(_add(asked, overhead), {"pods": Decimal(1)})


def _container_requests(container: Mapping[str, Any]) -> Iterator[tuple[str, Decimal]]:
    resources = container.get("resources") or {}
    # A limit without a request is the request too.
    asked = {**(resources.get("limits") or {}), **(resources.get("requests") or {})}
    for name, quantity in asked.items():
        if name in {"cpu", "memory", EPHEMERAL_STORAGE} or "/" in name:
            yield name, parse_quantity(quantity)


def _add(left: Mapping[str, Decimal], right: Mapping[str, Decimal]) -> dict[str, Decimal]:
    return {name: left.get(name, Decimal(0)) + right.get(name, Decimal(0)) for name in {**left, **right}}


def _most(left: Mapping[str, Decimal], right: Mapping[str, Decimal]) -> dict[str, Decimal]:
    return {name: max(left.get(name, Decimal(0)), right.get(name, Decimal(0))) for name in {**left, **right}}


def _amount(name: str, amount: Decimal) -> str:
    match name:
        case "cpu":
            return f"{amount.normalize():f} CPUs"
        case "memory":
            return f"{amount / _MIB:.0f} MiB of memory"
        case "nvidia.com/gpu":
            return f"{amount:f} GPUs"
        case _:
            return f"{amount:f} {name}"
