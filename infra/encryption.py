"""Customer-managed KMS keys, one for each kind of data, so that access to one never opens another."""

from collections.abc import Sequence

import pulumi
import pulumi_aws as aws

from infra import iam
from infra.environment import Environment


def key(
    environment: Environment,
    purpose: str,
    *,
    services: Sequence[str] = (),
    options: pulumi.ResourceOptions,
) -> aws.kms.Key:
    """A rotated key with alias `alias/pinwheel-<environment>-<purpose>`.

    The account's IAM policies decide who uses it; `services` (e.g. `logs.us-east-1.amazonaws.com`) may use it
    on behalf of this account only. In a key policy the resource `*` means this key and nothing else.
    """
    name = environment.resource_name(purpose)
    owner = iam.allow(
        ["kms:*"],
        ["*"],
        principal={"AWS": f"arn:aws:iam::{environment.account}:root"},
        sid="AccountAdministersByIam",
    )
    usage = [
        iam.allow(
            ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"],
            ["*"],
            principal={"Service": service},
            conditions=_of_this_account(environment, service),
            sid=f"Service{index}",
        )
        for index, service in enumerate(services)
    ]
    result = aws.kms.Key(
        f"{purpose}-key",
        description=f"{name}: encrypts {purpose}",
        enable_key_rotation=True,
        deletion_window_in_days=30 if environment.protect else 7,
        policy=iam.document(owner, *usage),
        opts=pulumi.ResourceOptions.merge(options, pulumi.ResourceOptions(protect=environment.protect)),
    )
    aws.kms.Alias(
        f"{purpose}-key",
        name=f"alias/{name}",
        target_key_id=result.key_id,
        opts=pulumi.ResourceOptions(parent=result),
    )
    return result


def _of_this_account(environment: Environment, service: str) -> dict[str, dict[str, str]]:
    """CloudWatch Logs says for whom it encrypts in the encryption context; other services in aws:SourceAccount."""
    if service.startswith("logs."):
        groups = f"arn:aws:logs:{environment.region}:{environment.account}:log-group:*"
        return {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": groups}}
    return {"StringEquals": {"aws:SourceAccount": environment.account}}
