"""Secrets Manager: moto's, with rotation schedules, which it forgets unless they are whole days."""

import json
from typing import Any

from moto.secretsmanager.responses import SecretsManagerResponse

from emulator.rds.backend import renew


class EmulatedSecretsManagerResponse(SecretsManagerResponse):
    """Secrets Manager with rotation rules as they were given."""

    def rotate_secret(self) -> str:
        """Turns rotation on; DescribeSecret gives the rules back."""
        answer = super().rotate_secret()
        secret = self._secret()
        rules = self._get_param("RotationRules")
        if rules:
            secret.rotation_enabled = True
            secret.emulated_rotation_rules = rules
        if secret.owning_service == "rds":
            renew(secret)
        return answer

    def describe_secret(self) -> str:
        """With the rotation rules."""
        described = json.loads(super().describe_secret())
        rules = getattr(self._secret(), "emulated_rotation_rules", None)
        if rules and described.get("RotationEnabled"):
            described["RotationRules"] = rules
        return json.dumps(described)

    def _secret(self) -> Any:
        return self.backend.secrets[self._get_param("SecretId")]
