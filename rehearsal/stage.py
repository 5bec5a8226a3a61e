"""The stage on which a rehearsal plays: judges a resource, has its adapter create it, and remembers it.

Everything that a rule must know about the resources before it is kept here, over all layers.
"""

import contextlib
import threading
from typing import Any

from infra.environment import Environment
from rehearsal import adapters, placeholders
from rehearsal.adapters import Order
from rehearsal.checks.problem import Problem
from rehearsal.cloud import Cloud, Created, NotSent, Refused
from rehearsal.record import Record, Status
from rehearsal.rules import Rules


class Stage:
    """One environment's rehearsal in the emulated cloud."""

    def __init__(self, environment: Environment, cloud: Cloud) -> None:
        adapters.load()
        self.environment = environment
        self.cloud = cloud
        self.rules = Rules(environment)
        self._failed: set[str] = set()
        self._admit_administrators()
        self._lock = threading.Lock()

    def _admit_administrators(self) -> None:
        """The account as a deployment finds it: the roles that the environment names are there already."""
        for arn in self.environment.cluster.administrators:
            path, _, name = arn.partition(":role/")[2].rpartition("/")
            request = {"RoleName": name, "AssumeRolePolicyDocument": "{}", "Path": f"/{path}/" if path else "/"}
            with contextlib.suppress(Refused):  # a kept world has them
                self.cloud.call("iam", "CreateRole", request)

    def create(self, record: Record, provider_tags: dict[str, str]) -> None:
        """Judges and creates one resource; fills in its id, outputs, status and problems."""
        record.waits_for = self._missing_need(record)
        adapter = adapters.find(record.type)
        problems = list(self.rules.check(record))
        if adapter is not None:
            problems += self._played(record, adapter, provider_tags, dry=bool(problems or record.waits_for))
        record.problems = [each for each in problems if not placeholders.mentions(each.value)]
        if record.problems:
            record.status = Status.FAILED
        if record.status is not Status.CREATED:
            record.id = placeholders.MARKER + record.name
            record.outputs = placeholders.outputs(record.type, record.name, record.inputs)
            if adapter is not None:
                with self._lock:
                    self._failed.add(record.urn)
        # A refused resource is remembered too: what needs it is not wrong for that.
        self.rules.remember(record)

    def _played(self, record: Record, adapter: Any, provider_tags: dict[str, str], *, dry: bool) -> list[Problem]:
        """Runs the adapter; `dry`, it only has its first request judged."""
        tags = {**provider_tags, **(record.inputs.get("tags") or {})} if record.type.startswith("aws:") else {}
        order = Order(self.cloud, record.type, record.name, record.urn, record.inputs, tags)
        try:
            with self.cloud.acting_for(record.urn, dry=dry):
                created: Created = adapter(order)
        except NotSent:
            return []
        except Refused as refused:
            return list(refused.problems)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            # An adapter presumes the shapes that the SDK declares; what breaks it is the resource's fault or its own.
            reason = f"broke its adapter: {type(error).__name__}: {error}"
            return [Problem("", record.name, reason, "inputs of the shape the SDK declares, or a corrected adapter")]
        if dry:
            return []
        record.id = created.id
        record.unchecked = created.unchecked
        record.outputs = {**record.inputs, **created.outputs}
        if tags:
            record.outputs["tagsAll"] = tags
        record.status = Status.CREATED
        return []

    def _missing_need(self, record: Record) -> str:
        for dependency in record.dependencies:
            if dependency in self._failed:
                return dependency.rsplit("::", 1)[-1]
        return placeholders.mentions(record.inputs)
