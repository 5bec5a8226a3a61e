"""The stage on which a rehearsal plays: judges a resource, has its adapter create it, and remembers it.

Everything that a rule must know about the resources before it is kept here, over all layers.
"""

import re
import threading
from dataclasses import replace
from typing import Any

from emulator.problem import MASKED, Problem
from infra.data.connect import PLUGIN_KEY
from infra.environment import Environment
from rehearsal import adapters, placeholders
from rehearsal.adapters import Order
from rehearsal.checks.texts import texts
from rehearsal.cloud import Cloud, Created, NotSent, Refused
from rehearsal.record import Record, Status
from rehearsal.rules import Rules

_FIRST_REGION = "us-east-1"
"""Where S3 takes no location constraint."""

_SHORTEST_SECRET = 4
"""Characters; shorter ones would be found in every word."""


class Stage:
    """One environment's rehearsal in the emulated cloud."""

    def __init__(self, environment: Environment, cloud: Cloud) -> None:
        adapters.load()
        self.environment = environment
        self.cloud = cloud
        self.rules = Rules(environment)
        self.stack_outputs: dict[str, dict[str, Any]] = {}
        """By stack; those of a program that crashed are not here."""
        self.crashed: set[str] = set()
        """Stacks whose program crashed."""
        self._missing: dict[str, str] = {}
        """URN of each resource that was not created -> the name of the refused one that is to blame."""
        self._told: dict[str, list[Problem]] = {}
        """URN -> what was found wrong with the resource."""
        self._furnish()
        self._lock = threading.Lock()

    def _furnish(self) -> None:
        """The account as a deployment finds it: the administrators' roles, and the artifacts that operators upload."""
        for arn in self.environment.cluster.administrators:
            path, _, name = arn.partition(":role/")[2].rpartition("/")
            request = {
                "RoleName": name,
                "AssumeRolePolicyDocument": "{}",
                "Path": f"/{path}/" if path else "/",
            }
            self._unless_there("iam", "CreateRole", request)
        bucket = self.environment.artifacts_bucket
        place = {} if self.cloud.region == _FIRST_REGION else {"LocationConstraint": self.cloud.region}
        configuration = {"CreateBucketConfiguration": place} if place else {}
        self._unless_there("s3", "CreateBucket", {"Bucket": bucket, **configuration})
        self._unless_there(
            "s3", "PutObject", {"Bucket": bucket, "Key": PLUGIN_KEY, "Body": b"a plugin's place"}
        )

    def _unless_there(self, service: str, operation: str, request: dict[str, Any]) -> None:
        try:
            self.cloud.call(service, operation, request)
        except Refused as refused:
            if "Already" not in str(refused):
                raise

    def create(self, record: Record, provider_tags: dict[str, str]) -> None:
        """Judges and creates one resource; fills in its id, outputs, status and problems."""
        record.waits_for = self._missing_need(record)
        adapter = adapters.find(record.type)
        problems = list(self.rules.check(record))
        if adapter is not None:
            told = {each.property for each in problems}
            played = self._played(record, adapter, provider_tags, dry=bool(problems or record.waits_for))
            problems += [each for each in played if not each.property or each.property not in told]
        problems = [
            each
            for each in problems
            if not placeholders.mentions(each.value) and not self._told_before(record, each)
        ]
        self._told[record.urn] = problems
        record.problems = [_without_secrets(each, record) for each in problems]
        if record.problems:
            record.status = Status.FAILED
        if record.status is not Status.CREATED:
            name = f"{record.waits_for}.{record.name}" if record.waits_for else record.name
            record.id = placeholders.MARKER + name
            record.outputs = placeholders.outputs(record.type, name, record.inputs)
            if record.problems or record.waits_for:
                with self._lock:
                    self._missing[record.urn] = record.waits_for or record.name
        # A refused resource is remembered too: what needs it is not wrong for that.
        self.rules.remember(record)

    def _played(
        self, record: Record, adapter: Any, provider_tags: dict[str, str], *, dry: bool
    ) -> list[Problem]:
        """Runs the adapter; `dry`, it only has its first request judged."""
        tags = (
            {**provider_tags, **(record.inputs.get("tags") or {})} if record.type.startswith("aws:") else {}
        )
        order = Order(self.cloud, record.type, record.name, record.urn, record.inputs, tags)
        try:
            with self.cloud.acting_for(record.urn, dry=dry):
                created: Created = adapter(order)
        except NotSent:
            return []
        except Refused as refused:
            return list(refused.problems)
        except Exception as error:
            # An adapter presumes the shapes that the SDK declares; what breaks it is the resource's fault or its own.
            # In a dry run it may be a stand-in's, or that of the value that the rules have refused.
            if dry:
                return []
            reason = f"broke its adapter: {type(error).__name__}: {error}"
            return [
                Problem(
                    "", record.name, reason, "inputs of the shape the SDK declares, or a corrected adapter"
                )
            ]
        if dry:
            return []
        record.id = created.id
        record.unchecked = created.unchecked
        record.outputs = {**placeholders.as_declared(record.type, record.inputs), **created.outputs}
        if tags and placeholders.declares(record.type, "tagsAll"):
            record.outputs["tagsAll"] = tags
        record.status = Status.CREATED
        return []

    def _told_before(self, record: Record, problem: Problem) -> bool:
        """Whether what the record depends on was refused for the very value that it hands on."""
        return any(problem in self._told.get(dependency, ()) for dependency in record.dependencies)

    def _missing_need(self, record: Record) -> str:
        for dependency in record.dependencies:
            if dependency in self._missing:
                return self._missing[dependency]
        return placeholders.mentions(record.inputs)


def _without_secrets(problem: Problem, record: Record) -> Problem:
    """The same problem, with nothing in it of the resource's secret inputs."""
    hidden = [record.inputs.get(name) for name in record.secret_inputs]
    secrets = [value for _, value in texts(hidden) if len(value) >= _SHORTEST_SECRET]
    if re.split(r"[.\[]", problem.property, maxsplit=1)[0] in record.secret_inputs:
        problem = replace(problem, value=MASKED)
    if any(secret in str(problem.value) for secret in secrets):
        problem = replace(problem, value=MASKED)
    for secret in secrets:
        problem = replace(
            problem,
            reason=problem.reason.replace(secret, MASKED),
            remedy=problem.remedy.replace(secret, MASKED),
        )
    return problem
