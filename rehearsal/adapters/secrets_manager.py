"""Secrets, their values, who may read them, and their rotation."""

import uuid

from rehearsal.adapters import Order, adapter
from rehearsal.cloud import Created


@adapter("aws:secretsmanager/secret:Secret")
def secret(order: Order) -> Created:
    """A secret without a value yet."""
    name = order.default_name()
    answer = order.create(
        "secretsmanager",
        "CreateSecret",
        renames={"replicas": "AddReplicaRegions"},
        omit=("policy", "recoveryWindowInDays"),
        extra={"ClientRequestToken": _token(order)},
    )
    arn = answer.response["ARN"]
    if order.inputs.get("policy"):
        order.further(
            "secretsmanager",
            "PutResourcePolicy",
            "policy",
            renames={"policy": "ResourcePolicy"},
            SecretId=arn,
        )
    if order.inputs.get("recoveryWindowInDays"):  # 0 deletes at once
        order.keep_within("recoveryWindowInDays", 7, 30)  # Secrets Manager API reference, DeleteSecret
    return answer.created(arn, {"arn": arn, "name": name})


@adapter("aws:secretsmanager/secretVersion:SecretVersion")
def secret_version(order: Order) -> Created:
    """A secret's value."""
    answer = order.create(
        "secretsmanager",
        "PutSecretValue",
        renames={"secretStringWo": "SecretString"},
        omit=("secretBinary", "secretStringWoVersion"),  # the version tells that the value changed
        extra={
            "ClientRequestToken": _token(order),
            **({"SecretBinary": order.bytes_of("secretBinary")} if order.inputs.get("secretBinary") else {}),
        },
        tagged=False,
    )
    version = answer.response["VersionId"]
    return answer.created(
        f"{order.inputs.get('secretId')}|{version}",
        {
            "arn": answer.response["ARN"],
            "versionId": version,
            "versionStages": answer.response.get("VersionStages"),
        },
    )


@adapter("aws:secretsmanager/secretPolicy:SecretPolicy")
def secret_policy(order: Order) -> Created:
    """Who may read a secret."""
    answer = order.create(
        "secretsmanager",
        "PutResourcePolicy",
        renames={"secretArn": "SecretId", "policy": "ResourcePolicy"},
        tagged=False,
    )
    return answer.created(order.inputs.get("secretArn", ""))


@adapter("aws:secretsmanager/secretRotation:SecretRotation")
def secret_rotation(order: Order) -> Created:
    """How often a secret gets a new value, and by whom."""
    answer = order.create(
        "secretsmanager", "RotateSecret", extra={"ClientRequestToken": _token(order)}, tagged=False
    )
    return answer.created(order.inputs.get("secretId", ""), {"rotationEnabled": True})


def _token(order: Order) -> str:
    """What becomes the version's id; the SDK would draw it at random."""
    return str(uuid.UUID(order.digits(32)))
