"""What the gateway reads from its environment, beside what every service does."""

from pathlib import Path

from pydantic import Field

from services.common.settings import CommonSettings, HttpUrl


class GatewaySettings(CommonSettings):
    """Of the gateway."""

    service_name: str = Field(default="gateway", min_length=1, max_length=63)
    gateway_configuration: Path
    """Envoy's bootstrap in JSON, as generated. On EKS and the laptop a ConfigMap's file."""
    gateway_concurrency: int = Field(default=2, ge=1, le=128)
    """Worker threads; about the CPUs that the pod requests."""
    aws_endpoint_url: HttpUrl | None = None
    """In the place of AWS, as boto3 has it: the user pool's keys are fetched here. Unset: from AWS itself."""
