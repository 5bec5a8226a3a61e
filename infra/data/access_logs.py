"""Where S3 records who asked for what in the layer's buckets."""

import pulumi

from infra import iam
from infra.data.bucket import PrivateBucket, PrivateBucketArgs, bucket_name
from infra.environment import Environment

RETENTION_DAYS = 90


def access_logs(
    environment: Environment, options: pulumi.ResourceOptions, *, purpose: str = "access-logs"
) -> PrivateBucket:
    """A bucket that S3's logging service, acting for this account, may write to: one a layer.

    Source: S3 user guide, "Permissions for log delivery".
    """
    deliver = iam.allow(
        ["s3:PutObject"],
        [f"arn:aws:s3:::{bucket_name(environment, purpose)}/*"],
        principal={"Service": "logging.s3.amazonaws.com"},
        conditions={"StringEquals": {"aws:SourceAccount": environment.account}},
        sid="LogDelivery",
    )
    return PrivateBucket(
        purpose,
        PrivateBucketArgs(
            environment=environment,
            purpose=purpose,
            noncurrent_days=1,
            expiry_days=RETENTION_DAYS,
            statements=[deliver],
        ),
        options,
    )
