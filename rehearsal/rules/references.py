"""References to resources that do not exist: ids and ARNs that nothing in this rehearsal has created.

AWS finds these when the resource is created, moto mostly never.
"""

import re
from collections.abc import Iterable, Iterator

from emulator.problem import Problem, closest
from infra.environment import Environment
from rehearsal.checks.texts import texts
from rehearsal.record import Record, Status
from rehearsal.rules.rule import Rule

_EC2_ID = re.compile(r"(subnet|sg|vpc|rtb|nat|igw|eipalloc|vpce|lt|eni|acl|pl|fl)-[0-9a-f]{8,17}")
_ARN = re.compile(r"arn:aws[a-z-]*:([a-z0-9-]+):([a-z0-9-]*):(\d{12}|):[^*\s\"]+")
"""Of an account, or of a service whose ARNs have none (S3, Route 53); those of AWS itself say `aws` there."""
_EC2_NAMES = {
    "subnet": "subnet", "sg": "security group", "vpc": "VPC", "rtb": "route table", "nat": "NAT gateway",
    "igw": "internet gateway", "eipalloc": "elastic IP", "vpce": "VPC endpoint", "lt": "launch template",
}  # fmt: skip


class References(Rule):
    """Every id and ARN must be one that a resource before it brought forth, or that the environment states."""

    def __init__(self, environment: Environment) -> None:
        self._account = environment.account
        self._known: set[str] = {
            *environment.cluster.administrators,
            f"arn:aws:s3:::{environment.artifacts_bucket}",
        }

    def check(self, record: Record) -> Iterable[Problem]:
        """All strings of the inputs that are an id or an ARN as a whole; policies are judged elsewhere."""
        return self._problems(record) if record.type.startswith("aws:") else ()

    def _problems(self, record: Record) -> Iterator[Problem]:
        for path, value in texts(record.inputs):
            if value not in self._known:
                yield from self._unknown(value, path)

    def _unknown(self, value: str, path: str) -> Iterator[Problem]:
        found = _EC2_ID.fullmatch(value)
        if found:
            kind = found[1]
            have = sorted(each for each in self._known if each.startswith(f"{kind}-"))
            yield _missing(path, value, _EC2_NAMES.get(kind, kind), have)
            return
        found = _ARN.fullmatch(value)
        if found is None:
            return
        service, _, account = found.groups()
        have = sorted(each for each in self._known if each.startswith(f"arn:aws:{service}:"))
        if account and account != self._account:
            yield Problem(
                path,
                value,
                f"belongs to account {account}",
                f"an ARN of this environment's account {self._account}",
            )
        elif not any(value.startswith((f"{each}:", f"{each}/")) for each in have):
            yield _missing(path, value, f"{service} resource", have)

    def remember(self, record: Record) -> None:
        """Everything that identifies the resource."""
        if record.status is Status.CREATED:  # else what was refused in its inputs would be known
            self._known.add(record.id)
            self._known.update(
                value
                for _, value in texts(record.outputs)
                if value.startswith("arn:") or _EC2_ID.fullmatch(value)
            )


def _missing(path: str, value: str, kind: str, have: list[str]) -> Problem:
    meant = closest(value, have)
    hint = f"did you mean {meant}?" if meant else f"there are {', '.join(have[:5]) or 'none'}"
    return Problem(
        path, value, f"is no {kind} of this rehearsal", f"the output of the resource that creates it; {hint}"
    )
