"""Where S3 records who asked for what in the layer's buckets."""

import pulumi

from infra import iam
from infra.data.bucket import PrivateBucket, PrivateBucketArgs, bucket_name
from infra.environment import Environment

RETENTION_DAYS = 90
_PURPOSE = "access-logs"


def access_logs(environment: Environment, options: pulumi.ResourceOptions) -> PrivateBucket:
    """A bucket that S3's logging service, acting for this account, may write to.

    Source: S3 user guide, "Permissions for log delivery".
    """
    deliver = iam.allow(
        ["s3:PutObject"],
        [f"arn:aws:s3:::{bucket_name(environment, _PURPOSE)}/*"],
        principal={"Service": "logging.s3.amazonaws.com"},
        conditions={"StringEquals": {"aws:SourceAccount": environment.account}},
        sid="LogDelivery",
    )
    return PrivateBucket(
        _PURPOSE,
        PrivateBucketArgs(
            environment=environment,
            purpose=_PURPOSE,
            noncurrent_days=1,
            expiry_days=RETENTION_DAYS,
            statements=[deliver],
        ),
        options,
    )
