"""Which properties state a version that AWS supports only for a time."""

from collections.abc import Iterable, Iterator

from emulator.problem import Problem
from rehearsal.checks.versions import check_version
from rehearsal.record import Record
from rehearsal.rules.rule import Rule

_VERSIONS = {
    "aws:eks/cluster:Cluster": (("version", "eks"),),
    "aws:eks/nodeGroup:NodeGroup": (("version", "eks"),),
    "aws:msk/cluster:Cluster": (("kafkaVersion", "msk"),),
    "aws:mskconnect/connector:Connector": (("kafkaconnectVersion", "msk-connect"),),
    "aws:eks/addon:Addon": (("addonVersion", "eks-addon"),),
    "aws:rds/cluster:Cluster": (("engineVersion", "aurora-mysql"),),
    "aws:rds/clusterInstance:ClusterInstance": (("engineVersion", "aurora-mysql"),),
}


class Versions(Rule):
    """Versions within their window of support."""

    def check(self, record: Record) -> Iterable[Problem]:
        """The versions this resource states."""
        return self._problems(record) if record.type in _VERSIONS else ()

    def _problems(self, record: Record) -> Iterator[Problem]:
        policy = record.inputs.get("upgradePolicy") or {}
        extended = policy.get("supportType") == "EXTENDED"  # EKS: paid for, so it is support
        for name, product in _VERSIONS[record.type]:
            version = record.inputs.get(name)
            if isinstance(version, str):
                yield from check_version(product, version, name, extended=extended)
