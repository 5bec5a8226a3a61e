"""KMS: moto's, with the rotation period that it forgets."""

import json
from typing import Any, Final

from moto.kms.responses import KmsResponse

_DEFAULT_DAYS: Final = 365


class EmulatedKmsResponse(KmsResponse):
    """KMS with rotation periods."""

    def enable_key_rotation(self) -> str:
        """Rotate every so many days (90 to 2560), a year unless said otherwise."""
        answer = super().enable_key_rotation()
        self._key().rotation_period_in_days = self._get_param("RotationPeriodInDays") or _DEFAULT_DAYS
        return answer

    def get_key_rotation_status(self) -> str:
        """Whether and how often the key rotates."""
        status = json.loads(super().get_key_rotation_status())
        key = self._key()
        if status["KeyRotationEnabled"]:
            status |= {
                "KeyId": key.id,
                "RotationPeriodInDays": getattr(key, "rotation_period_in_days", _DEFAULT_DAYS),
            }
        return json.dumps(status)

    def _key(self) -> Any:
        return self.kms_backend.keys[self.kms_backend.get_key_id(self._get_param("KeyId"))]
