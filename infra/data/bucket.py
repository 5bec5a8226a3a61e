"""The one way to make a bucket: private, encrypted, versioned, TLS only, and tidied by lifecycle rules."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra import iam
from infra.environment import Environment

INCOMPLETE_UPLOAD_DAYS = 7


@dataclass(frozen=True)
class PrivateBucketArgs:
    """What the bucket is for; its name is `pinwheel-<environment>-<purpose>-<account>`."""

    environment: Environment
    purpose: str
    noncurrent_days: int
    """How long overwritten and deleted objects stay."""
    key: aws.kms.Key | None = None
    """None: S3's own key: for public files, and for logs, which S3 does not deliver under a customer key."""
    expiry_days: int | None = None
    """How long objects stay; None: until deleted."""
    access_logs: "PrivateBucket | None" = None
    """Where requests to this bucket are logged."""
    statements: Sequence[iam.Statement] = ()
    """What the bucket's policy allows, beside what IAM does."""


class PrivateBucket(pulumi.ComponentResource):
    """`bucket` is the bucket itself; depend on the component to have its policy and settings, too."""

    def __init__(
        self, name: str, args: PrivateBucketArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("pinwheel:data:PrivateBucket", name, None, opts)
        environment = args.environment
        self.name = bucket_name(environment, args.purpose)
        self.bucket = aws.s3.Bucket(
            name,
            bucket=self.name,
            force_destroy=not environment.protect,
            tags={"Name": self.name},
            opts=pulumi.ResourceOptions(parent=self, protect=environment.protect),
        )
        # Beneath the component, not the bucket: `depends_on` waits for a component's own children only.
        self._name, self._beneath = name, pulumi.ResourceOptions(parent=self)
        self._private(args)
        versioning = aws.s3.BucketVersioning(
            name,
            bucket=self.bucket.id,
            versioning_configuration=aws.s3.BucketVersioningVersioningConfigurationArgs(status="Enabled"),
            opts=self._beneath,
        )
        aws.s3.BucketServerSideEncryptionConfiguration(
            name, bucket=self.bucket.id, rules=[_encryption(args.key)], opts=self._beneath
        )
        aws.s3.BucketLifecycleConfiguration(
            name,
            bucket=self.bucket.id,
            rules=_lifecycle(args),
            # S3 takes rules about old versions only where there are versions.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[versioning]),
        )
        if args.access_logs is not None:
            aws.s3.BucketLogging(
                name,
                bucket=self.bucket.id,
                target_bucket=args.access_logs.bucket.id,
                target_prefix=f"{args.purpose}/",
                # S3 tries whether it may deliver before it takes the setting.
                opts=pulumi.ResourceOptions(parent=self, depends_on=[args.access_logs]),
            )
        self.register_outputs({"name": self.bucket.bucket, "arn": self.bucket.arn})

    def _private(self, args: PrivateBucketArgs) -> None:
        block = aws.s3.BucketPublicAccessBlock(
            self._name,
            bucket=self.bucket.id,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=self._beneath,
        )
        aws.s3.BucketOwnershipControls(
            self._name,
            bucket=self.bucket.id,
            rule=aws.s3.BucketOwnershipControlsRuleArgs(object_ownership="BucketOwnerEnforced"),
            opts=self._beneath,
        )
        aws.s3.BucketPolicy(
            self._name,
            bucket=self.bucket.id,
            policy=iam.document(_tls_only(self.bucket.arn), *args.statements),
            # S3 answers 409 when both are put at the same time.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[block]),
        )


def bucket_name(environment: Environment, purpose: str) -> str:
    """Bucket names are shared by all of AWS: the account makes ours unique."""
    return f"{environment.resource_name(purpose)}-{environment.account}"


def _tls_only(arn: pulumi.Output[str]) -> iam.Statement:
    return {
        "Sid": "OnlyTls",
        "Effect": "Deny",
        "Principal": "*",
        "Action": ["s3:*"],
        "Resource": [arn, pulumi.Output.concat(arn, "/*")],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


def _encryption(key: aws.kms.Key | None) -> aws.s3.BucketServerSideEncryptionConfigurationRuleArgs:
    default = aws.s3.BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultArgs
    if key is None:
        return aws.s3.BucketServerSideEncryptionConfigurationRuleArgs(
            apply_server_side_encryption_by_default=default(sse_algorithm="AES256")
        )
    return aws.s3.BucketServerSideEncryptionConfigurationRuleArgs(
        apply_server_side_encryption_by_default=default(sse_algorithm="aws:kms", kms_master_key_id=key.arn),
        bucket_key_enabled=True,  # one KMS call for many objects: KMS charges by the call
    )


def _lifecycle(args: PrivateBucketArgs) -> list[aws.s3.BucketLifecycleConfigurationRuleArgs]:
    everything = aws.s3.BucketLifecycleConfigurationRuleFilterArgs(prefix="")
    rules = [
        aws.s3.BucketLifecycleConfigurationRuleArgs(
            id="forget-old-versions",
            status="Enabled",
            filter=everything,
            noncurrent_version_expiration=aws.s3.BucketLifecycleConfigurationRuleNoncurrentVersionExpirationArgs(
                noncurrent_days=args.noncurrent_days
            ),
        ),
        aws.s3.BucketLifecycleConfigurationRuleArgs(
            id="abandon-uploads",
            status="Enabled",
            filter=everything,
            abort_incomplete_multipart_upload=aws.s3.BucketLifecycleConfigurationRuleAbortIncompleteMultipartUploadArgs(
                days_after_initiation=INCOMPLETE_UPLOAD_DAYS
            ),
        ),
    ]
    if args.expiry_days is None:
        # Delete markers that hide nothing any more; S3 allows that only in a rule without `days`.
        expiration = aws.s3.BucketLifecycleConfigurationRuleExpirationArgs(expired_object_delete_marker=True)
    else:
        expiration = aws.s3.BucketLifecycleConfigurationRuleExpirationArgs(days=args.expiry_days)
    rules.append(
        aws.s3.BucketLifecycleConfigurationRuleArgs(
            id="expire", status="Enabled", filter=everything, expiration=expiration
        )
    )
    return rules
