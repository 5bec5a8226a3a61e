"""The lake: its bucket, the bucket that logs who read it, and the Glue database of its tables."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra import encryption
from infra.data.bucket import PrivateBucket, PrivateBucketArgs
from infra.environment import PROJECT, Environment


@dataclass(frozen=True)
class LakeArgs:
    """Whose lake, and where requests to it are logged."""

    environment: Environment
    access_logs: PrivateBucket


class Lake(pulumi.ComponentResource):
    """`bucket` holds data and metadata files, `database` is where Glue lists the tables."""

    def __init__(self, name: str, args: LakeArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("pinwheel:data:Lake", name, None, opts)
        environment = args.environment
        self.key = encryption.key(environment, "lake", options=pulumi.ResourceOptions(parent=self))
        self.storage = PrivateBucket(
            "lake",
            PrivateBucketArgs(
                environment=environment,
                purpose="lake",
                noncurrent_days=environment.lake.noncurrent_retention,
                key=self.key,
                access_logs=args.access_logs,
            ),
            pulumi.ResourceOptions(parent=self),
        )
        self.bucket = self.storage.bucket
        self.database = aws.glue.CatalogDatabase(
            "lake",
            name=f"{PROJECT}_{environment.name}".replace("-", "_"),  # Athena and Spark take no hyphens
            description="Iceberg tables of the lake",
            location_uri=pulumi.Output.concat("s3://", self.bucket.bucket, "/"),
            opts=pulumi.ResourceOptions(parent=self, protect=environment.protect),
        )
        self.register_outputs({"bucket": self.bucket.bucket, "database": self.database.name})
