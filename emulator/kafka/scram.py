"""SCRAM secrets of MSK clusters."""

from collections.abc import Callable
from typing import Any

from moto.core.responses import ActionResult
from moto.secretsmanager.models import secretsmanager_backends

from emulator.kafka.base import KafkaOperations

_DEFAULT_KEY = "alias/aws/secretsmanager"
_MAXIMUM = 10
"""Secrets a call: https://docs.aws.amazon.com/msk/latest/developerguide/msk-password-limitations.html"""


class ScramSecrets(KafkaOperations):
    """Associate, disassociate and list. A secret that does not fit is reported, and the others are taken."""

    def batch_associate_scram_secret(self) -> ActionResult:
        """The secret's name starts with AmazonMSK_, and its key is not the default one."""
        return self._batch(self._association_problem, list.append)

    def batch_disassociate_scram_secret(self) -> ActionResult:
        """The secret must be associated."""
        return self._batch(self._disassociation_problem, list.remove)

    def list_scram_secrets(self) -> ActionResult:
        """In the order of association."""
        secrets = self.state.scram_secrets.get(self.cluster()["ClusterArn"], [])
        found, token = self.page(secrets, self.params.get("MaxResults"), self.params.get("NextToken"))
        return ActionResult({"SecretArnList": found, "NextToken": token})

    def _batch(
        self,
        problem_of: Callable[[str, list[str]], tuple[str, str] | None],
        apply: Callable[[list[str], str], None],
    ) -> ActionResult:
        cluster, arns = self.provisioned(), self.params["SecretArnList"]
        if len(arns) > _MAXIMUM:
            raise self.invalid(f"At most {_MAXIMUM} secrets a call, got {len(arns)}")
        scram = (cluster["Provisioned"].get("ClientAuthentication") or {}).get("Sasl", {}).get("Scram", {})
        if not scram.get("Enabled"):
            raise self.invalid(f"SASL/SCRAM authentication is not enabled on cluster {cluster['ClusterArn']}")
        secrets = self.state.scram_secrets.setdefault(cluster["ClusterArn"], [])
        unprocessed: list[dict[str, Any]] = []
        for arn in arns:
            problem = problem_of(arn, secrets)
            if problem is None:
                apply(secrets, arn)
            else:
                unprocessed.append({"SecretArn": arn, "ErrorCode": problem[0], "ErrorMessage": problem[1]})
        return ActionResult({"ClusterArn": cluster["ClusterArn"], "UnprocessedScramSecrets": unprocessed})

    def _association_problem(self, arn: str, present: list[str]) -> tuple[str, str] | None:
        secret: Any = secretsmanager_backends[self.current_account][self.region].secrets.get(arn)
        if secret is None:
            return "InvalidSecretArn", "The provided secret ARN is invalid: no such secret in this region"
        if not secret.name.startswith("AmazonMSK_"):
            return "InvalidSecretArn", f"The secret's name {secret.name!r} does not start with AmazonMSK_"
        if not secret.kms_key_id or _DEFAULT_KEY in secret.kms_key_id:
            return (
                "InvalidSecretKey",
                "The secret is encrypted with the default key; use a customer managed KMS key",
            )
        if arn in present:
            return "SecretAlreadyAssociated", "The secret is already associated with the cluster"
        return None

    def _disassociation_problem(self, arn: str, present: list[str]) -> tuple[str, str] | None:
        return (
            None
            if arn in present
            else ("SecretNotAssociated", "The secret is not associated with the cluster")
        )
