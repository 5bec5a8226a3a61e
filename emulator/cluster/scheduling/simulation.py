"""Which nodes Karpenter would launch for pods that found none: its scheduling simulation, in small.

As in https://karpenter.sh/docs/concepts/scheduling/: the largest pod first; each goes to a node that is there
or under way, else to one of those about to be launched, of which a larger type is taken if need be, else to
a new one. Prices are not known here: the type with the fewest vCPUs, then the least memory, is the cheapest.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from emulator.cluster.scheduling.demand import ZONE, Demand
from emulator.cluster.scheduling.filters import Filters, feasible
from emulator.cluster.scheduling.machines import Machine, node_object, resources_of, with_gpus
from emulator.cluster.scheduling.matching import untolerated, wants_node
from emulator.cluster.scheduling.pools import Pool
from emulator.cluster.scheduling.state import ClusterState, NodeState, Placed
from emulator.cluster.store import Key, Object
from emulator.instance_types import InstanceType, zones_offering

MachineOf = Callable[[int, Pool, InstanceType, Mapping[str, str]], Machine]
"""Makes the n-th machine to be launched, of a pool and a type, with what was chosen (zone, ...)."""

_ZERO: Final = Decimal(0)


@dataclass
class Launch:
    """A node that is to be launched. `pods` come to it."""

    pool: Pool
    machine: Machine
    number: int
    choice: Mapping[str, str]
    pods: dict[Key, Demand] = field(default_factory=dict)


@dataclass
class Plan:
    """What comes out."""

    launches: list[Launch] = field(default_factory=list)
    expected: dict[Key, str] = field(default_factory=dict)
    """Pods that will go to a node that is there, with its name."""
    failures: dict[Key, str] = field(default_factory=dict)
    """Pods that no pool can help, and why."""


class Simulation:
    """Works on a cluster state of its own, which it changes."""

    def __init__(
        self,
        state: ClusterState,
        pools: Sequence[Pool],
        daemons: Sequence[Demand],
        used: Mapping[str, Sequence[InstanceType]],
        machine_of: MachineOf,
    ) -> None:
        """`daemons` is what the pods of DaemonSets ask for, `used` the types of each pool's nodes."""
        self._state = state
        self._pools = sorted(pools, key=lambda pool: (-pool.weight, pool.name))
        self._daemons = daemons
        self._used = used
        self._machine_of = machine_of
        self.plan = Plan()

    def run(self, pods: Mapping[Key, Demand]) -> Plan:
        """Find a place for each pod."""
        for key, demand in sorted(pods.items(), key=lambda each: _size(each[1]), reverse=True):
            node = next(feasible(self._state, Filters(self._state, demand, key)), None)
            if node is not None:
                self._expect(key, demand, node)
            elif not self._grow(key, demand):
                self._launch(key, demand)
        return self.plan

    def _expect(self, key: Key, demand: Demand, node: NodeState) -> None:
        self._place(key, demand, node.name)
        launch = next((each for each in self.plan.launches if each.machine.name == node.name), None)
        if launch:
            launch.pods[key] = demand
        else:
            self.plan.expected[key] = node.name

    def _grow(self, key: Key, demand: Demand) -> bool:
        """Take a larger type for a node about to be launched, so that one more pod fits."""
        for launch in self.plan.launches:
            node = self._state.node(launch.machine.name)
            if node is None or untolerated(demand, node):
                continue
            asked = {
                name: amount + node.asked.get(name, _ZERO) for name, amount in demand.requests.items()
            } | {name: amount for name, amount in node.asked.items() if name not in demand.requests}
            for kind in self._possible(launch.pool, launch.choice, asked, instead_of=launch):
                machine = self._machine_of(launch.number, launch.pool, kind, launch.choice)
                self._state.put(_ready(machine))
                stays = all(wants_node(each, node) for each in launch.pods.values())
                if stays and Filters(self._state, demand, key).refusal(node) is None:
                    launch.machine = machine
                    launch.pods[key] = demand
                    self._place(key, demand, node.name)
                    return True
            self._state.put(_ready(launch.machine))
        return False

    def _launch(self, key: Key, demand: Demand) -> None:
        reasons: list[str] = []
        for pool in self._pools:
            launch = self._of_pool(key, demand, pool)
            if launch is not None:
                self.plan.launches.append(launch)
                self._place(key, demand, launch.machine.name)
                return
            reasons.append(self._reason(demand, pool))
        self.plan.failures[key] = "; ".join(reasons)

    def _of_pool(self, key: Key, demand: Demand, pool: Pool) -> Launch | None:
        """The best node of the pool for a pod, which is in the state from then on; None if there is none."""
        number = len(self.plan.launches)
        for choice in sorted(pool.choices, key=self._crowd):
            machine = self._smallest(number, demand, pool, choice)
            if machine is None:
                continue
            node = self._state.put(_ready(machine))
            for place, daemon in enumerate(self._daemons_of(node)):
                self._place((machine.name, f"daemon-{place}"), daemon, machine.name)
            # What refuses it now, pods on other nodes, does so for every type of this choice.
            if Filters(self._state, demand, key).refusal(node) is None:
                return Launch(pool, machine, number, choice, {key: demand})
            self._state.discard(machine.name)
        return None

    def _smallest(self, number: int, demand: Demand, pool: Pool, choice: Mapping[str, str]) -> Machine | None:
        """The smallest machine that is what the pod wants and has room for it and for the DaemonSets' pods."""
        for kind in self._possible(pool, choice, demand.requests):
            machine = self._machine_of(number, pool, kind, choice)
            node = NodeState(machine.name)
            node.describe(_ready(machine))
            if wants_node(demand, node) and _has_room(node, [demand, *self._daemons_of(node)]):
                return machine
        return None

    def _daemons_of(self, node: NodeState) -> list[Demand]:
        return [each for each in self._daemons if wants_node(each, node) and not untolerated(each, node)]

    def _crowd(self, choice: Mapping[str, str]) -> int:
        """How many nodes the zone has: zones are taken by turns."""
        return sum(node.labels.get(ZONE) == choice[ZONE] for node in self._state.nodes)

    def _possible(
        self,
        pool: Pool,
        choice: Mapping[str, str],
        asked: Mapping[str, Decimal],
        instead_of: Launch | None = None,
    ) -> Iterator[InstanceType]:
        """Types that have what is asked, are sold in the zone, and are within the pool's limits."""
        present = [
            *self._used.get(pool.name, ()),
            *(
                each.machine.instance_type
                for each in self.plan.launches
                if each.pool.name == pool.name and each is not instead_of
            ),
        ]
        for kind in pool.types:
            if kind.vcpus < asked.get("cpu", _ZERO) or kind.memory_mib * 1024**2 < asked.get("memory", _ZERO):
                continue
            sold = choice[ZONE] in zones_offering(kind.name, pool.region)
            if sold and not pool.exceeded([*present, kind]):
                yield kind

    def _reason(self, demand: Demand, pool: Pool) -> str:
        unlimited = [
            kind
            for kind in pool.types
            if kind.vcpus >= demand.requests.get("cpu", _ZERO)
            and kind.memory_mib * 1024**2 >= demand.requests.get("memory", _ZERO)
        ]
        if unlimited and not any(
            True for choice in pool.choices for _ in self._possible(pool, choice, demand.requests)
        ):
            return f'all available instance types exceed limits for nodepool: "{pool.name}"'
        why = "no instance type satisfied resources and requirements"
        for choice in pool.choices[:1]:
            node = NodeState(pool.name, taints=pool.taints, labels={**pool.labels, **choice})
            taint = untolerated(demand, node)
            if taint:
                why = f"did not tolerate taint (taint={taint})"
        return f'incompatible with nodepool "{pool.name}", {why}'

    def _place(self, key: Key, demand: Demand, node: str) -> None:
        self._state.place(Placed(key, demand, terminating=False, since=""), node)


def _ready(machine: Machine) -> Object:
    """The Node as it will be when it is ready, with its whole GPUs."""
    node = node_object(machine)
    node["spec"]["taints"] = node["spec"]["taints"][:-1]
    if machine.instance_type.gpus:
        node["status"] = with_gpus(resources_of(machine), machine.instance_type.gpus)
    return node


def _has_room(node: NodeState, demands: Sequence[Demand]) -> bool:
    asked: dict[str, Decimal] = {}
    for demand in demands:
        for name, amount in demand.requests.items():
            asked[name] = asked.get(name, _ZERO) + amount
    return all(amount <= node.allocatable.get(name, _ZERO) for name, amount in asked.items())


def _size(demand: Demand) -> tuple[Decimal, Decimal]:
    return demand.requests.get("cpu", _ZERO), demand.requests.get("memory", _ZERO)
