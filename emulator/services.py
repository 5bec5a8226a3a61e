"""Which services this package answers itself and which of moto's are loaded at the start."""

from collections.abc import Callable
from functools import cache
from typing import Any, Final

PRELOADED: Final = (
    *("ec2", "iam", "logs", "route53", "s3", "kms", "sqs", "events", "secretsmanager", "rds"),
    *("glue", "ecr", "cloudwatch", "backup", "lambda", "ssm", "sns", "sts"),
)
"""moto's names, in the order in which the layers use them."""


def _eks() -> Callable[..., Any]:
    from emulator.eks.responses import EksResponse  # noqa: PLC0415 - each service loads when it is first used

    return EksResponse.dispatch


def _kafka() -> Callable[..., Any]:
    from emulator.kafka.responses import KafkaResponse  # noqa: PLC0415

    return KafkaResponse.dispatch


def _kafkaconnect() -> Callable[..., Any]:
    from emulator.kafkaconnect.responses import KafkaConnectResponse  # noqa: PLC0415

    return KafkaConnectResponse.dispatch


OWN: Final[dict[str, Callable[[], Callable[..., Any]]]] = {
    "eks": _eks,
    "kafka": _kafka,
    "kafkaconnect": _kafkaconnect,
}
"""By signing name: what loads the service and returns its handler."""


@cache
def own_handler(signing: str) -> Callable[..., Any] | None:
    """The handler of a service that this package answers; None for moto's."""
    load = OWN.get(signing)
    return load() if load else None
