"""The services' buckets: pictures of pins, models, and snapshots of the search index."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra import encryption
from infra.data.access_logs import access_logs
from infra.data.bucket import PrivateBucket, PrivateBucketArgs
from infra.environment import Environment
from infra.workloads.platform import Storage
from infra.workloads.service import BUCKETS

NONCURRENT_DAYS = {"images": 30, "models": 90, "snapshots": 3}
"""How long what was overwritten or deleted stays. A snapshot's parts are large, and older ones of no use."""

UPLOAD_MAX_AGE_SECONDS = 3600
"""How long a browser need not ask again whether it may upload."""


@dataclass(frozen=True)
class BucketsArgs:
    """The environment; its `workloads.origins` may upload from a browser."""

    environment: Environment


class Buckets(pulumi.ComponentResource):
    """`storage` by the names of `service.BUCKETS`, each with a key of its own."""

    def __init__(self, name: str, args: BucketsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("pinwheel:workloads:Buckets", name, None, opts)
        self._environment = args.environment
        beneath = pulumi.ResourceOptions(parent=self)
        self._requests = access_logs(args.environment, beneath, purpose="service-access-logs")
        self.storage = {bucket: self._storage(bucket) for bucket in BUCKETS}
        origins = args.environment.workloads.origins
        if origins:
            images = self.storage["images"].bucket
            aws.s3.BucketCorsConfiguration(
                "images",
                bucket=images.bucket.id,
                cors_rules=[
                    aws.s3.BucketCorsConfigurationCorsRuleArgs(
                        # POST is a presigned form; what it may be is the form's policy's to say.
                        allowed_methods=["GET", "HEAD", "POST", "PUT"],
                        allowed_origins=list(origins),
                        allowed_headers=["*"],
                        expose_headers=["ETag"],
                        max_age_seconds=UPLOAD_MAX_AGE_SECONDS,
                    )
                ],
                opts=beneath,
            )
        self.register_outputs({each: storage.bucket.name for each, storage in self.storage.items()})

    def _storage(self, bucket: str) -> Storage:
        beneath = pulumi.ResourceOptions(parent=self)
        key = encryption.key(self._environment, bucket, options=beneath)
        private = PrivateBucket(
            bucket,
            PrivateBucketArgs(
                environment=self._environment,
                purpose=bucket,
                noncurrent_days=NONCURRENT_DAYS[bucket],
                key=key,
                access_logs=self._requests,
            ),
            beneath,
        )
        return Storage(private, key.arn)
