"""The rules by which a rehearsal judges resources: each attaches a pure check to the resource types it concerns.

A rule may look at one resource (`check`), keep what later ones need (`remember`), and speak once more when
every layer is known (`whole`).
"""

import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from emulator.problem import Problem
from infra.environment import Environment
from rehearsal import placeholders
from rehearsal.checks.capacity import check_scaling
from rehearsal.checks.secrets import SecretScan
from rehearsal.record import Record, Status
from rehearsal.rules.instances import InstanceTypes
from rehearsal.rules.interpolations import Interpolations
from rehearsal.rules.kubernetes import KubernetesObjects
from rehearsal.rules.names import Names
from rehearsal.rules.policies import Policies
from rehearsal.rules.references import References
from rehearsal.rules.rule import Rule
from rehearsal.rules.scheduling import Scheduling
from rehearsal.rules.subnets import Subnets
from rehearsal.rules.versions import Versions

_MISSHAPEN = (AttributeError, LookupError, TypeError, ValueError)
"""What reading inputs of an unexpected shape raises."""


class Scaling(Rule):
    """min <= desired <= max, wherever they stand."""

    def check(self, record: Record) -> Iterable[Problem]:
        """Every group of bounds in the inputs."""
        return check_scaling(record.inputs)


class Rules:
    """All rules over all layers of one environment."""

    def __init__(self, environment: Environment) -> None:
        self._rules: tuple[Rule, ...] = (
            Scaling(),
            Policies(),
            References(environment),
            Subnets(),
            InstanceTypes(environment),
            Versions(),
            Interpolations(),
            Names(),
            KubernetesObjects(environment.cluster.kubernetes_version),
            Scheduling(environment),
        )
        self._secrets = SecretScan()
        self._lock = threading.Lock()

    def check(self, record: Record) -> Iterator[Problem]:
        """What the rules have against one resource."""
        for name in record.secret_inputs:
            self._learn(record.inputs.get(name))
        for rule in self._rules:
            with self._lock:
                try:
                    problems = list(rule.check(record))
                except _MISSHAPEN as error:
                    reason = f"cannot be read by the rule {type(rule).__name__} ({error!r})"
                    problems = [Problem("", record.name, reason, "give inputs of the shape the SDK declares")]
            yield from problems

    def remember(self, record: Record) -> None:
        """Keeps what later resources are judged by."""
        for name in record.secret_outputs:
            self._learn(record.outputs.get(name))
        with self._lock:
            for rule in self._rules:
                try:
                    rule.remember(record)
                except _MISSHAPEN:
                    if record.status is not Status.FAILED:
                        raise

    def _learn(self, secret: Any) -> None:
        if not placeholders.mentions(secret):  # a stand-in is no secret, and is part of other stand-ins
            self._secrets.learn(secret)

    def check_whole(self) -> list[tuple[str, Problem]]:
        """What can be said only now; pairs of URN and problem."""
        return [found for rule in self._rules for found in rule.whole()]

    def check_outputs(self, outputs: Mapping[str, Any], secret: frozenset[str]) -> list[Problem]:
        """Plain-text secrets in a stack's outputs; `secret` are the names of those marked so."""
        return self._secrets.check_outputs(outputs, lambda path: path.split(".")[0] in secret)

    def check_shown(self, records: Iterable[Record]) -> list[tuple[str, Problem]]:
        """Secrets that resources show in plain properties; pairs of URN and problem."""
        return [
            (record.urn, problem)
            for record in records
            if record.custom and record.layer_resource
            for problem in self._secrets.check_leaks(record.outputs, record.secret_outputs.__contains__)
        ]
