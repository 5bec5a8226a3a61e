"""Which services this package answers itself and which of moto's are loaded at the start."""

import importlib
from collections.abc import Callable
from functools import cache
from typing import Any, Final

PRELOADED: Final = (
    *("ec2", "iam", "logs", "route53", "s3", "kms", "eks", "sqs", "events", "secretsmanager", "rds", "kafka"),
    *("glue", "kafkaconnect", "backup", "ecr", "cloudwatch", "lambda", "ssm", "sns", "sts"),
)
"""Services in the order in which the layers use them, by signing name or moto's name."""


OWN: Final = {
    "eks": "emulator.eks.responses:EksResponse",
    "kafka": "emulator.kafka.responses:KafkaResponse",
    "kafkaconnect": "emulator.kafkaconnect.responses:KafkaConnectResponse",
    "rds": "emulator.rds.responses:EmulatedRdsResponse",
    "rds-data": "emulator.rds.data_api:DataApi",
    "glue": "emulator.glue.responses:EmulatedGlueResponse",
    "backup": "emulator.backup:EmulatedBackupResponse",
    "cognito-idp": "emulator.cognito:EmulatedCognitoResponse",
    "kms": "emulator.kms:EmulatedKmsResponse",
    "lambda": "emulator.functions.responses:EmulatedLambdaResponse",
    "secretsmanager": "emulator.secretsmanager:EmulatedSecretsManagerResponse",
    "sqs": "emulator.sqs:EmulatedSqsResponse",
}
"""By signing name: module and class of the services that this package answers or extends."""


@cache
def own_handler(signing: str) -> Callable[..., Any] | None:
    """The handler of a service that this package answers, imported when first needed; None for moto's."""
    if signing not in OWN:
        return None
    module, _, name = OWN[signing].partition(":")
    handler: Callable[..., Any] = getattr(importlib.import_module(module), name).dispatch
    return handler
