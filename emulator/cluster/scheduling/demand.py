"""What a pod asks of the scheduler, read once for all pods that ask the same.

The replicas of a workload differ in little but their names; the scheduler counts and compares what they ask
for thousands of times.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

import orjson

from emulator.cluster.owners import controller_of
from emulator.cluster.scheduling.fit import pod_requests
from emulator.cluster.selectors import LabelSelector
from emulator.cluster.store import Object

HOSTNAME: Final = "kubernetes.io/hostname"
ZONE: Final = "topology.kubernetes.io/zone"
_REQUIRED: Final = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED: Final = "preferredDuringSchedulingIgnoredDuringExecution"
_LEAST_CPU, _LEAST_MEMORY = Decimal("0.1"), Decimal(200 * 1000 * 1000)
"""What a container without requests counts for when nodes are compared (`GetNonzeroRequests`)."""
_READ: Final = (
    *("nodeSelector", "affinity", "tolerations", "topologySpreadConstraints", "overhead", "resources"),
    *("preemptionPolicy", "hostNetwork"),
)


@dataclass(frozen=True)
class Term:
    """One term of pod affinity or anti-affinity: pods to be near to, or far from."""

    topology_key: str
    selector: LabelSelector
    namespaces: frozenset[str]
    namespace_selector: LabelSelector

    def matches(
        self, namespace: str, labels: Mapping[str, str], namespaces: Mapping[str, Mapping[str, str]]
    ) -> bool:
        """Whether it means a pod of `namespace` with these labels; `namespaces` gives namespaces' labels."""
        if namespace not in self.namespaces and not self.namespace_selector.matches(
            namespaces.get(namespace, {})
        ):
            return False
        return self.selector.matches(labels)


@dataclass(frozen=True)
class Spread:
    """One topology spread constraint."""

    topology_key: str
    max_skew: int
    required: bool
    """DoNotSchedule; else ScheduleAnyway."""
    selector: LabelSelector
    min_domains: int
    honours_affinity: bool
    honours_taints: bool


@dataclass(frozen=True, eq=False)
class Demand:
    """What a pod asks for. Two of them are the same only when they are the same object."""

    namespace: str
    labels: Mapping[str, str]
    owner: str
    """Uid of the controller, or empty."""
    is_daemon: bool
    """Whether the controller is a DaemonSet."""
    priority: int
    preempts: bool
    requests: Mapping[str, Decimal]
    """Cores, bytes, devices, and one pod."""
    weight: tuple[Decimal, Decimal]
    """Cores and bytes as nodes are compared by: containers that ask for nothing count for a little."""
    node_selector: Mapping[str, str]
    node_terms: Sequence[Mapping[str, Any]] | None
    """Of required node affinity; None when there is none."""
    preferred_nodes: Sequence[Mapping[str, Any]]
    tolerations: Sequence[Mapping[str, Any]]
    ports: frozenset[tuple[str, str, int]]
    """Ports of the host: address, protocol, number."""
    near: tuple[Term, ...]
    away: tuple[Term, ...]
    preferred: tuple[tuple[int, Term], ...]
    """Preferred pod affinity with its weights; negative ones are of anti-affinity."""
    spread: tuple[Spread, ...]

    @property
    def gains_by_pods(self) -> bool:
        """Whether a pod that is placed can open a node to it."""
        return bool(self.near or self.spread)

    @property
    def relates(self) -> bool:
        """Whether it says anything of other pods."""
        return bool(self.near or self.away or self.preferred)

    @property
    def named_nodes(self) -> frozenset[str] | None:
        """The only nodes that required affinity names, as DaemonSets do; None when it names none."""
        if not self.node_terms:
            return None
        named: set[str] = set()
        for term in self.node_terms:
            fields = [
                each
                for each in term.get("matchFields") or ()
                if each["key"] == "metadata.name" and each["operator"] == "In"
            ]
            if not fields:
                return None
            named.update(fields[0]["values"])
        return frozenset(named)


def demand_of(pod: Object, priority: int) -> Demand:
    """What a pod asks for. Raises ValueError for quantities, and ApiError for selectors, that are none."""
    spec, metadata = pod["spec"], pod["metadata"]
    controller = controller_of(pod) or {"uid": "", "kind": ""}
    owner = [controller["uid"], controller["kind"]]
    asked: Object = {name: spec[name] for name in _READ if spec.get(name)}
    for kind in ("initContainers", "containers"):
        asked[kind] = [
            {name: each[name] for name in ("resources", "ports", "restartPolicy") if each.get(name)}
            for each in spec.get(kind) or ()
        ]
    namespace, labels = metadata.get("namespace") or "", metadata.get("labels") or {}
    return _read(orjson.dumps([namespace, labels, owner, priority, asked]))


@lru_cache(maxsize=4096)
def _read(encoded: bytes) -> Demand:
    namespace, labels, owner, priority, spec = orjson.loads(encoded)
    affinity = spec.get("affinity") or {}
    nodes, pods, not_pods = (affinity.get(f"{kind}Affinity") or {} for kind in ("node", "pod", "podAnti"))
    required = nodes.get(_REQUIRED)
    requests = pod_requests(spec)
    return Demand(
        namespace=namespace,
        labels=labels,
        owner=owner[0],
        is_daemon=owner[1] == "DaemonSet",
        priority=priority,
        preempts=spec.get("preemptionPolicy") != "Never",
        requests=requests,
        weight=_weight(spec, requests),
        node_selector=spec.get("nodeSelector") or {},
        node_terms=None if required is None else required.get("nodeSelectorTerms") or (),
        preferred_nodes=nodes.get(_PREFERRED) or (),
        tolerations=spec.get("tolerations") or (),
        ports=frozenset(_host_ports(spec)),
        near=tuple(_term(each, namespace, labels) for each in pods.get(_REQUIRED) or ()),
        away=tuple(_term(each, namespace, labels) for each in not_pods.get(_REQUIRED) or ()),
        preferred=tuple(
            (sign * each["weight"], _term(each["podAffinityTerm"], namespace, labels))
            for sign, terms in ((1, pods), (-1, not_pods))
            for each in terms.get(_PREFERRED) or ()
        ),
        spread=tuple(_spread(each, labels) for each in spec.get("topologySpreadConstraints") or ()),
    )


def _weight(spec: Object, requests: Mapping[str, Decimal]) -> tuple[Decimal, Decimal]:
    cpu, memory = requests.get("cpu", Decimal(0)), requests.get("memory", Decimal(0))
    for container in spec["containers"]:
        resources = container.get("resources") or {}
        asked = {**(resources.get("limits") or {}), **(resources.get("requests") or {})}
        cpu += _LEAST_CPU if "cpu" not in asked else 0
        memory += _LEAST_MEMORY if "memory" not in asked else 0
    return cpu, memory


def _host_ports(spec: Object) -> Iterator[tuple[str, str, int]]:
    for container in spec["containers"]:
        for port in container.get("ports") or ():
            number = port.get("hostPort") or (port["containerPort"] if spec.get("hostNetwork") else 0)
            if number:
                yield port.get("hostIP") or "0.0.0.0", port.get("protocol") or "TCP", number  # noqa: S104 - compared


def _term(term: Mapping[str, Any], namespace: str, labels: Mapping[str, str]) -> Term:
    names, selector = term.get("namespaces") or (), term.get("namespaceSelector")
    own = () if names or selector is not None else (namespace,)
    return Term(
        topology_key=term["topologyKey"],
        selector=_with_keys(term, labels),
        namespaces=frozenset([*names, *own]),
        namespace_selector=LabelSelector.of(selector),
    )


def _spread(constraint: Mapping[str, Any], labels: Mapping[str, str]) -> Spread:
    return Spread(
        topology_key=constraint["topologyKey"],
        max_skew=constraint["maxSkew"],
        required=constraint["whenUnsatisfiable"] == "DoNotSchedule",
        selector=_with_keys(constraint, labels),
        min_domains=constraint.get("minDomains") or 1,
        honours_affinity=constraint.get("nodeAffinityPolicy", "Honor") == "Honor",
        honours_taints=constraint.get("nodeTaintsPolicy", "Ignore") == "Honor",
    )


def _with_keys(rule: Mapping[str, Any], labels: Mapping[str, str]) -> LabelSelector:
    """The rule's label selector with what `matchLabelKeys` and `mismatchLabelKeys` add of the pod's own labels."""
    selector = rule.get("labelSelector")
    added = [
        {"key": key, "operator": operator, "values": [labels[key]]}
        for field, operator in (("matchLabelKeys", "In"), ("mismatchLabelKeys", "NotIn"))
        for key in rule.get(field) or ()
        if key in labels
    ]
    if selector is None or not added:
        return LabelSelector.of(selector)
    return LabelSelector.of(
        {**selector, "matchExpressions": [*(selector.get("matchExpressions") or ()), *added]}
    )
