"""CloudWatch log groups: named, encrypted and kept as long as the environment says."""

import pulumi
import pulumi_aws as aws

from infra import encryption
from infra.environment import Environment


def log_key(environment: Environment, layer: str, options: pulumi.ResourceOptions) -> aws.kms.Key:
    """The key of a layer's log groups."""
    return encryption.key(
        environment, f"{layer}-logs", services=[f"logs.{environment.region}.amazonaws.com"], options=options
    )


def log_group(
    logical_name: str, *, name: str, retention_days: int, key: aws.kms.Key, options: pulumi.ResourceOptions
) -> aws.cloudwatch.LogGroup:
    """An encrypted log group `name`, e.g. `/aws/eks/pinwheel-prod-cluster/cluster`."""
    return aws.cloudwatch.LogGroup(
        logical_name, name=name, retention_in_days=retention_days, kms_key_id=key.arn, opts=options
    )
