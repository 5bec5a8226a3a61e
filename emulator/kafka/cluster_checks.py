"""What MSK refuses when a cluster is created: above all references to what does not exist."""

from typing import Any, Final

from moto.logs.models import logs_backends
from moto.s3.models import s3_backends

from emulator.kafka.base import KAFKA_VERSIONS, KafkaOperations, conflict

_MAXIMUM_ZONES: Final = 3
_MINIMUM_ZONES: Final = 2


class ClusterChecks(KafkaOperations):
    """Each raises ConflictException or BadRequestException."""

    def require_new_name(self, name: str) -> None:
        """Refuse a name that another cluster has."""
        if any(cluster["ClusterName"] == name for cluster in self.state.clusters.values()):
            raise conflict(f"A cluster with the name {name} already exists")

    def require_version(self, version: str) -> None:
        """Refuse a version of Kafka that MSK does not run."""
        if version not in KAFKA_VERSIONS:
            raise self.invalid(
                f"Unsupported KafkaVersion [{version}]. Valid values: [{', '.join(KAFKA_VERSIONS)}]"
            )

    def require_brokers(self, given: dict[str, Any]) -> None:
        """Refuse subnets, counts, types and keys that MSK cannot make brokers of."""
        group, count = given["BrokerNodeGroupInfo"], given["NumberOfBrokerNodes"]
        subnets = [self.subnet(subnet) for subnet in group["ClientSubnets"]]
        zones = {subnet.availability_zone for subnet in subnets}
        if len(zones) < len(subnets) or not _MINIMUM_ZONES <= len(zones) <= _MAXIMUM_ZONES:
            raise self.invalid(
                f"Specify either two or three client subnets, each in a zone of its own; got {len(subnets)} "
                f"in {len(zones)} zones"
            )
        vpcs = {subnet.vpc_id for subnet in subnets}
        if len(vpcs) > 1:
            raise self.invalid("The client subnets must belong to one VPC")
        for security_group in group.get("SecurityGroups") or []:
            self.require_security_group(security_group, vpcs.copy().pop())
        if count % len(subnets):
            raise self.invalid(
                "The number of broker nodes must be a multiple of Availability Zones in the Client Subnets "
                f"parameter: {count} is not a multiple of {len(subnets)}"
            )
        kind = group["InstanceType"]
        if not kind.startswith(("kafka.", "express.")):
            raise self.invalid(f"Unsupported InstanceType [{kind}]: it starts with kafka. or express.")
        if kind.startswith("express."):
            if group.get("StorageInfo"):
                raise self.invalid("Express brokers take no StorageInfo: their storage grows by itself")
        elif given.get("Rebalancing"):
            raise self.invalid("Rebalancing is supported for Express brokers only")
        self._require_key(given.get("EncryptionInfo") or {})

    def _require_key(self, encryption: dict[str, Any]) -> None:
        from moto.kms.models import kms_backends  # noqa: PLC0415 - loads only when a key is used

        key = (encryption.get("EncryptionAtRest") or {}).get("DataVolumeKMSKeyId")
        known = kms_backends[self.current_account][self.region].keys
        if key and "alias/aws/" not in key and key.rsplit("/", 1)[-1] not in known:
            raise self.invalid(f"The KMS key {key!r} does not exist")

    def require_configuration(self, info: dict[str, Any], version: str) -> None:
        """Refuse a configuration that is not there, or not for this version of Kafka."""
        configuration = self.state.configurations.get(info["Arn"])
        if configuration is None:
            raise self.invalid(f"The configuration {info['Arn']} does not exist")
        if not 1 <= info["Revision"] <= len(self.state.revisions[info["Arn"]]):
            raise self.invalid(f"The configuration {info['Arn']} has no revision {info['Revision']}")
        if configuration["KafkaVersions"] and version not in configuration["KafkaVersions"]:
            raise self.invalid(
                f"The configuration {info['Arn']} is for Kafka {', '.join(configuration['KafkaVersions'])}, "
                f"not for {version}"
            )

    def require_log_targets(self, logging: dict[str, Any]) -> None:
        """Refuse log groups and buckets that do not exist."""
        targets = logging.get("BrokerLogs") or {}
        group = targets.get("CloudWatchLogs") or {}
        if (
            group.get("Enabled")
            and group.get("LogGroup") not in logs_backends[self.current_account][self.region].groups
        ):
            raise self.invalid(
                f"The specified CloudWatch Logs log group {group.get('LogGroup')!r} does not exist"
            )
        bucket = targets.get("S3") or {}
        if (
            bucket.get("Enabled")
            and bucket.get("Bucket") not in s3_backends[self.current_account][self.partition].buckets
        ):
            raise self.invalid(f"The specified S3 bucket {bucket.get('Bucket')!r} does not exist")
