"""Instance types that exist and that every zone in use offers."""

from collections.abc import Iterable, Iterator

from emulator.instance_types import all_types, zones_offering
from emulator.problem import Problem, closest
from infra.environment import Environment
from rehearsal.record import Record
from rehearsal.rules.rule import Rule

_DATABASE_FAMILIES = ("t3", "t4g", "r5", "r6g", "r6i", "r7g", "r7i", "r8g", "x2g")
"""Aurora MySQL version 3: Aurora user guide, "Supported DB engines for DB instance classes"."""

_BROKER_FAMILIES = ("t3", "m5", "m7g")
"""MSK developer guide, "Broker types": standard and express brokers; t3 only as small."""


class InstanceTypes(Rule):
    """A type that one zone does not offer starts nodes in the other zones only, until there is none left."""

    def __init__(self, environment: Environment) -> None:
        self._region, self._zones = environment.region, environment.zones

    def check(self, record: Record) -> Iterable[Problem]:
        """Node groups, launch templates, instances, databases and brokers."""
        return self._problems(record) if record.type.startswith("aws:") else ()

    def _problems(self, record: Record) -> Iterator[Problem]:
        if record.type.startswith("aws:rds/"):
            yield from self._sold(
                record.inputs.get("instanceClass"), "instanceClass", "db.", _DATABASE_FAMILIES
            )
        elif record.type == "aws:msk/cluster:Cluster":
            brokers = record.inputs.get("brokerNodeGroupInfo") or {}
            given = str(brokers.get("instanceType", "")).replace("express.", "kafka.", 1)
            yield from self._sold(given, "brokerNodeGroupInfo.instanceType", "kafka.", _BROKER_FAMILIES)
        else:
            for index, name in enumerate(record.inputs.get("instanceTypes") or ()):
                yield from self._offered(name, f"instanceTypes[{index}]")
            if isinstance(record.inputs.get("instanceType"), str):
                yield from self._offered(record.inputs["instanceType"], "instanceType")

    def _offered(self, name: str, path: str) -> Iterator[Problem]:
        if name not in all_types():
            meant = closest(name, all_types())
            yield Problem(
                path,
                name,
                "is not an EC2 instance type",
                f"did you mean {meant}?" if meant else "e.g. m7i.xlarge",
            )
            return
        lacking = [zone for zone in self._zones if zone not in zones_offering(name, self._region)]
        if lacking:
            offered = ", ".join(sorted(zones_offering(name, self._region))) or "no zone of the region"
            yield Problem(
                path,
                name,
                f"is not offered in {', '.join(lacking)}",
                f"a type that {', '.join(self._zones)} all offer; {name} is sold in {offered}",
            )

    def _sold(self, name: object, path: str, prefix: str, families: tuple[str, ...]) -> Iterator[Problem]:
        """Managed services sell some EC2 types, under a prefix of their own; `db.serverless` has no size."""
        if not isinstance(name, str) or name == "db.serverless":
            return
        family, _, size = name.removeprefix(prefix).partition(".")
        sizes = sorted(each.partition(".")[2] for each in all_types() if each.startswith(f"{family}."))
        if not name.startswith(prefix) or family not in families:
            yield Problem(
                path,
                name,
                "is not sold by this service",
                f"{prefix}<family>.<size> with a family of {', '.join(families)}",
            )
        elif size not in sizes and not (family == "t3" and size == "small"):
            yield Problem(path, name, f"is not a size of {family}", f"one of {', '.join(sizes)}")
