"""Which properties of which types hold IAM policies, and of what kind."""

from collections.abc import Iterable, Iterator, Mapping

from emulator.problem import Problem
from rehearsal.checks.iam_policy import Kind, check_policy
from rehearsal.record import Record
from rehearsal.rules.rule import Rule

_POLICIES: dict[str, tuple[tuple[str, Kind], ...]] = {
    "aws:backup/vaultPolicy:VaultPolicy": (("policy", "resource"),),
    "aws:ec2/vpcEndpoint:VpcEndpoint": (("policy", "resource"),),
    "aws:ecr/repositoryPolicy:RepositoryPolicy": (("policy", "resource"),),
    "aws:iam/policy:Policy": (("policy", "identity"),),
    "aws:iam/role:Role": (("assumeRolePolicy", "trust"),),
    "aws:iam/rolePolicy:RolePolicy": (("policy", "identity"),),
    "aws:kms/key:Key": (("policy", "resource"),),
    "aws:msk/clusterPolicy:ClusterPolicy": (("policy", "resource"),),
    "aws:s3/bucketPolicy:BucketPolicy": (("policy", "resource"),),
    "aws:secretsmanager/secretPolicy:SecretPolicy": (("policy", "resource"),),
    "aws:sns/topicPolicy:TopicPolicy": (("policy", "resource"),),
    "aws:sqs/queuePolicy:QueuePolicy": (("policy", "resource"),),
}

_SIZE_LIMITS = {"aws:iam/rolePolicy:RolePolicy": 10_240, "aws:kms/key:Key": 32_768}
"""Where AWS allows another size than the kind's usual one (IAM and KMS quotas)."""


class Policies(Rule):
    """IAM policies are valid, and name what they give access to."""

    def check(self, record: Record) -> Iterable[Problem]:
        """The policy documents of this resource."""
        return self._problems(record) if record.type in _POLICIES else ()

    def _problems(self, record: Record) -> Iterator[Problem]:
        for name, kind in _POLICIES[record.type]:
            document = record.inputs.get(name)
            if isinstance(document, str | Mapping):
                yield from check_policy(document, kind, name, _SIZE_LIMITS.get(record.type))
