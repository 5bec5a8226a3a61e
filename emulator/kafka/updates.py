"""Changes of MSK clusters and the cluster operations that record them. All are complete at once."""

from typing import Any

from moto.core.responses import ActionResult

from emulator.kafka import brokers
from emulator.kafka.base import KAFKA_VERSIONS, new_version, not_found
from emulator.kafka.clusters import Clusters
from emulator.operations import new_uuid, now, picked


class Updates(Clusters):
    """Update a provisioned cluster; describe and list cluster operations.

    The names of operation types and the state UPDATE_COMPLETE are AWS's; its intermediate states never show.
    """

    def update_broker_storage(self) -> ActionResult:
        """Storage can only grow."""
        cluster = self._changeable()
        target = self.params["TargetBrokerEBSVolumeInfo"][0]
        return self._grow(cluster, target.get("VolumeSizeGB"), target.get("ProvisionedThroughput"))

    def update_storage(self) -> ActionResult:
        """Size, throughput or storage mode."""
        cluster = self._changeable()
        mode = self.params.get("StorageMode")
        if mode == "LOCAL" and cluster["Provisioned"]["StorageMode"] == "TIERED":
            raise self.invalid("Tiered storage cannot be turned off")
        if mode:
            cluster["Provisioned"]["StorageMode"] = mode
        return self._grow(cluster, self.params.get("VolumeSizeGB"), self.params.get("ProvisionedThroughput"))

    def _grow(
        self, cluster: dict[str, Any], size: int | None, throughput: dict[str, Any] | None
    ) -> ActionResult:
        group = cluster["Provisioned"]["BrokerNodeGroupInfo"]
        if group["InstanceType"].startswith("express."):
            raise self.invalid("Express brokers have no storage to update")
        storage = dict((group.get("StorageInfo") or {}).get("EbsStorageInfo") or {})
        present = storage.get("VolumeSize", 0)
        if size is not None and size < present:
            raise self.invalid(
                f"The volume size can only be increased: it is {present} GiB, {size} GiB given"
            )
        changes = picked(
            {"VolumeSize": size, "ProvisionedThroughput": throughput}, "VolumeSize", "ProvisionedThroughput"
        )
        group["StorageInfo"] = {"EbsStorageInfo": storage | changes}
        volumes = [
            picked(
                {"KafkaBrokerNodeId": "All", "VolumeSizeGB": size, "ProvisionedThroughput": throughput},
                "KafkaBrokerNodeId",
                "VolumeSizeGB",
                "ProvisionedThroughput",
            )
        ]
        return self._done(
            cluster,
            "UPDATE_BROKER_STORAGE",
            {"BrokerEBSVolumeInfo": [{"KafkaBrokerNodeId": "All", "VolumeSizeGB": present}]},
            {"BrokerEBSVolumeInfo": volumes},
        )

    def update_broker_count(self) -> ActionResult:
        """More or fewer brokers, the same number in every zone."""
        cluster = self._changeable()
        provisioned, target = cluster["Provisioned"], self.params["TargetNumberOfBrokerNodes"]
        zones = len(provisioned["BrokerNodeGroupInfo"]["ClientSubnets"])
        if target % zones:
            raise self.invalid(
                f"The number of broker nodes must be a multiple of the {zones} zones, got {target}"
            )
        before, provisioned["NumberOfBrokerNodes"] = provisioned["NumberOfBrokerNodes"], target
        kind = "INCREASE_BROKER_COUNT" if target > before else "DECREASE_BROKER_COUNT"
        return self._done(cluster, kind, {"NumberOfBrokerNodes": before}, {"NumberOfBrokerNodes": target})

    def update_broker_type(self) -> ActionResult:
        """Another size of broker, of the same kind."""
        cluster = self._changeable()
        group, target = cluster["Provisioned"]["BrokerNodeGroupInfo"], self.params["TargetInstanceType"]
        before = group["InstanceType"]
        if target.split(".")[0] != before.split(".")[0]:
            raise self.invalid(f"Brokers of type {before} cannot become {target}")
        group["InstanceType"] = target
        return self._done(cluster, "UPDATE_BROKER_TYPE", {"InstanceType": before}, {"InstanceType": target})

    def update_cluster_configuration(self) -> ActionResult:
        """Another configuration or revision."""
        cluster = self._changeable()
        software, info = cluster["Provisioned"]["CurrentBrokerSoftwareInfo"], self.params["ConfigurationInfo"]
        self.require_configuration(info, software["KafkaVersion"])
        source = {}
        if "ConfigurationArn" in software:
            source["ConfigurationInfo"] = {
                "Arn": software["ConfigurationArn"],
                "Revision": software["ConfigurationRevision"],
            }
        software |= {"ConfigurationArn": info["Arn"], "ConfigurationRevision": info["Revision"]}
        brokers.provider().configure_cluster(cluster, self._properties(cluster))
        return self._done(cluster, "UPDATE_CLUSTER_CONFIGURATION", source, {"ConfigurationInfo": info})

    def update_cluster_kafka_version(self) -> ActionResult:
        """A newer version with the same kind of metadata quorum."""
        cluster = self._changeable()
        software, target = (
            cluster["Provisioned"]["CurrentBrokerSoftwareInfo"],
            self.params["TargetKafkaVersion"],
        )
        before = software["KafkaVersion"]
        self.require_version(target)
        if target not in _upgrades(before):
            raise self.invalid(
                f"Kafka {before} cannot be upgraded to {target}; it can be to {', '.join(_upgrades(before)) or 'none'}"
            )
        info = self.params.get("ConfigurationInfo")
        if info:
            self.require_configuration(info, target)
            software |= {"ConfigurationArn": info["Arn"], "ConfigurationRevision": info["Revision"]}
            brokers.provider().configure_cluster(cluster, self._properties(cluster))
        software["KafkaVersion"] = target
        return self._done(
            cluster, "UPDATE_CLUSTER_KAFKA_VERSION", {"KafkaVersion": before}, {"KafkaVersion": target}
        )

    def get_compatible_kafka_versions(self) -> ActionResult:
        """Where a cluster, or any version, can be upgraded to."""
        sources = list(KAFKA_VERSIONS)
        if self.params.get("ClusterArn"):
            sources = [self.provisioned()["Provisioned"]["CurrentBrokerSoftwareInfo"]["KafkaVersion"]]
        versions = [{"SourceVersion": source, "TargetVersions": _upgrades(source)} for source in sources]
        return ActionResult({"CompatibleKafkaVersions": versions})

    def update_monitoring(self) -> ActionResult:
        """Metrics level, Prometheus exporters or broker logs."""
        self.require_log_targets(self.params.get("LoggingInfo") or {})
        return self._replace("UPDATE_MONITORING", "EnhancedMonitoring", "OpenMonitoring", "LoggingInfo")

    def update_security(self) -> ActionResult:
        """Client authentication or encryption in transit."""
        return self._replace("UPDATE_SECURITY", "ClientAuthentication", "EncryptionInfo")

    def update_rebalancing(self) -> ActionResult:
        """Intelligent rebalancing, of Express brokers only."""
        return self._replace("UPDATE_REBALANCING", "Rebalancing")

    def update_connectivity(self) -> ActionResult:
        """Public access or multi-VPC connectivity."""
        cluster = self._changeable()
        group = cluster["Provisioned"]["BrokerNodeGroupInfo"]
        before = group["ConnectivityInfo"]
        group["ConnectivityInfo"] = before | (self.params.get("ConnectivityInfo") or {})
        return self._done(
            cluster,
            "UPDATE_CONNECTIVITY",
            {"ConnectivityInfo": before},
            {"ConnectivityInfo": group["ConnectivityInfo"]},
        )

    def reboot_broker(self) -> ActionResult:
        """Nothing changes; the operation is recorded."""
        cluster = self.provisioned()
        count = cluster["Provisioned"]["NumberOfBrokerNodes"]
        unknown = [
            broker for broker in self.params["BrokerIds"] if broker not in map(str, range(1, count + 1))
        ]
        if unknown:
            raise self.invalid(f"The cluster has no broker {', '.join(unknown)}: its ids are 1 to {count}")
        return self._done(cluster, "REBOOT_BROKER", {}, {})

    def describe_cluster_operation(self) -> ActionResult:
        """In the first version's shape."""
        operation = self._operation()
        more = {"CreationTime": operation["StartTime"], **operation["Provisioned"]}
        return ActionResult({"ClusterOperationInfo": operation | more})

    def describe_cluster_operation_v2(self) -> ActionResult:
        """In the second version's shape."""
        return ActionResult({"ClusterOperationInfo": self._operation()})

    def list_cluster_operations(self) -> ActionResult:
        """Newest first, in the first version's shape."""
        found, token = self._operations()
        infos = [item | {"CreationTime": item["StartTime"], **item["Provisioned"]} for item in found]
        return ActionResult({"ClusterOperationInfoList": infos, "NextToken": token})

    def list_cluster_operations_v2(self) -> ActionResult:
        """Newest first."""
        found, token = self._operations()
        return ActionResult({"ClusterOperationInfoList": found, "NextToken": token})

    def _operations(self) -> tuple[Any, str | None]:
        arn = self.cluster()["ClusterArn"]
        found = [item for item in self.state.operations.values() if item["ClusterArn"] == arn]
        return self.page(found[::-1], self.params.get("MaxResults"), self.params.get("NextToken"))

    def _operation(self) -> dict[str, Any]:
        arn = self.params["ClusterOperationArn"]
        if arn not in self.state.operations:
            raise not_found(f"Cluster operation {arn} does not exist")
        return self.state.operations[arn]

    def _changeable(self) -> dict[str, Any]:
        cluster = self.provisioned()
        self.require_latest(cluster)
        return cluster

    def _replace(self, kind: str, *names: str) -> ActionResult:
        cluster = self._changeable()
        before, after = picked(cluster["Provisioned"], *names), picked(self.params, *names)
        if not after:
            raise self.invalid(f"Nothing to update: give one of {', '.join(names)}")
        for name, value in after.items():
            present = cluster["Provisioned"].get(name)
            merged = present | value if isinstance(value, dict) and isinstance(present, dict) else value
            cluster["Provisioned"][name] = merged
        return self._done(cluster, kind, before, after)

    def _done(
        self, cluster: dict[str, Any], kind: str, source: dict[str, Any], target: dict[str, Any]
    ) -> ActionResult:
        name, unique = cluster["ClusterArn"].rsplit("/", 2)[1:]
        arn = self.state.arn("kafka", f"cluster-operation/{name}/{unique}/{new_uuid()}")
        self.state.operations[arn] = {
            "ClusterArn": cluster["ClusterArn"],
            "ClusterType": "PROVISIONED",
            "StartTime": now(),
            "EndTime": now(),
            "OperationArn": arn,
            "OperationState": "UPDATE_COMPLETE",
            "OperationType": kind,
            "Provisioned": {"SourceClusterInfo": source, "TargetClusterInfo": target},
        }
        cluster["CurrentVersion"] = new_version()
        return ActionResult({"ClusterArn": cluster["ClusterArn"], "ClusterOperationArn": arn})


def _upgrades(version: str) -> list[str]:
    """Later versions with the same metadata quorum: ZooKeeper clusters never become KRaft ones."""
    names = list(KAFKA_VERSIONS)
    later = names[names.index(version) + 1 :] if version in names else []
    return [name for name in later if name.endswith(".kraft") == version.endswith(".kraft")]
