"""MSK clusters: creation with all the references checked, description, brokers, policies and tags."""

from typing import Any, Final

from moto.core.responses import ActionResult

from emulator.kafka import brokers
from emulator.kafka.base import KAFKA_VERSIONS, new_version, not_found
from emulator.kafka.cluster_checks import ClusterChecks
from emulator.operations import new_id, new_uuid, now, picked

_GIVEN: Final = (
    *(
        "BrokerNodeGroupInfo",
        "ClientAuthentication",
        "EncryptionInfo",
        "EnhancedMonitoring",
        "OpenMonitoring",
    ),
    *("LoggingInfo", "NumberOfBrokerNodes", "StorageMode", "Rebalancing"),
)


class Clusters(ClusterChecks):
    """Create, describe, list and delete clusters."""

    def create_cluster(self) -> ActionResult:
        """A provisioned cluster, by the first version of the API."""
        cluster = self._create_provisioned(self.params)
        return ActionResult(picked(cluster, "ClusterArn", "ClusterName") | {"State": "CREATING"})

    def create_cluster_v2(self) -> ActionResult:
        """A provisioned or a serverless cluster."""
        params = self.params
        if bool(params.get("Provisioned")) == bool(params.get("Serverless")):
            raise self.invalid("Specify exactly one of provisioned and serverless")
        if params.get("Provisioned"):
            cluster = self._create_provisioned({**params, **params["Provisioned"]})
        else:
            cluster = self._create_serverless()
        output = picked(cluster, "ClusterArn", "ClusterName", "ClusterType")
        return ActionResult(output | {"State": "CREATING"})

    def describe_cluster_v2(self) -> ActionResult:
        """ACTIVE as soon as it exists: only the answer to the creation says CREATING."""
        return ActionResult({"ClusterInfo": self.cluster()})

    def describe_cluster(self) -> ActionResult:
        """A provisioned cluster, in the first version's shape."""
        return ActionResult({"ClusterInfo": _first_version(self.provisioned())})

    def list_clusters_v2(self) -> ActionResult:
        """Filtered by the start of the name and by type."""
        kind = self.params.get("ClusterTypeFilter")
        clusters = [
            cluster for cluster in self._named() if not kind or cluster["ClusterType"] == kind.upper()
        ]
        found, token = self.page(clusters, self.params.get("MaxResults"), self.params.get("NextToken"))
        return ActionResult({"ClusterInfoList": found, "NextToken": token})

    def list_clusters(self) -> ActionResult:
        """Provisioned clusters only."""
        clusters = [
            _first_version(cluster) for cluster in self._named() if cluster["ClusterType"] == "PROVISIONED"
        ]
        found, token = self.page(clusters, self.params.get("MaxResults"), self.params.get("NextToken"))
        return ActionResult({"ClusterInfoList": found, "NextToken": token})

    def delete_cluster(self) -> ActionResult:
        """Gone at once, with its topics, secrets' associations and policy."""
        cluster = self.cluster()
        if self.params.get("CurrentVersion"):
            self.require_latest(cluster)
        arn = cluster["ClusterArn"]
        brokers.provider().delete_cluster(cluster)
        del self.state.clusters[arn]
        self.state.scram_secrets.pop(arn, None)
        self.state.policies.pop(arn, None)
        for key in [key for key in self.state.topics if key[0] == arn]:
            del self.state.topics[key]
        return ActionResult({"ClusterArn": arn, "State": "DELETING"})

    def get_bootstrap_brokers(self) -> ActionResult:
        """One comma-separated string per open listener; see `emulator.kafka.brokers`."""
        found = brokers.provider().addresses(self.cluster(), self.region)
        return ActionResult({name: ",".join(addresses) for name, addresses in found.items()})

    def list_nodes(self) -> ActionResult:
        """The brokers of a provisioned cluster, spread over its subnets."""
        cluster = self.provisioned()
        provisioned = cluster["Provisioned"]
        group = provisioned["BrokerNodeGroupInfo"]
        nodes: list[dict[str, Any]] = []
        for index, host in enumerate(brokers.hosts(cluster, self.region)):
            subnet = group["ClientSubnets"][index % len(group["ClientSubnets"])]
            nodes.append(
                {
                    "AddedToClusterTime": cluster["CreationTime"].isoformat(),
                    "InstanceType": group["InstanceType"],
                    "NodeType": "BROKER",
                    "NodeARN": f"{cluster['ClusterArn'].replace(':cluster/', ':broker/')}/{index + 1}",
                    "BrokerNodeInfo": {
                        "BrokerId": float(index + 1),
                        "ClientSubnet": subnet,
                        "CurrentBrokerSoftwareInfo": provisioned["CurrentBrokerSoftwareInfo"],
                        "Endpoints": [host],
                    },
                }
            )
        found, token = self.page(nodes, self.params.get("MaxResults"), self.params.get("NextToken"))
        return ActionResult({"NodeInfoList": found, "NextToken": token})

    def list_kafka_versions(self) -> ActionResult:
        """The versions in `emulator.kafka.base`."""
        versions = [{"Version": name, "Status": status} for name, status in KAFKA_VERSIONS.items()]
        found, token = self.page(versions, self.params.get("MaxResults"), self.params.get("NextToken"))
        return ActionResult({"KafkaVersions": found, "NextToken": token})

    def put_cluster_policy(self) -> ActionResult:
        """A resource policy; a stale version is refused."""
        arn = self.cluster()["ClusterArn"]
        present, given = self.state.policies.get(arn), self.params.get("CurrentVersion")
        if given and present and present["CurrentVersion"] != given:
            raise self.invalid(f"The policy's current version is {present['CurrentVersion']}, not {given}")
        policy = {"CurrentVersion": new_version(), "Policy": self.params["Policy"]}
        self.state.policies[arn] = policy
        return ActionResult({"CurrentVersion": policy["CurrentVersion"]})

    def get_cluster_policy(self) -> ActionResult:
        """Raises NotFoundException when the cluster has none."""
        return ActionResult(self._policy())

    def delete_cluster_policy(self) -> ActionResult:
        """Raises NotFoundException when the cluster has none."""
        self._policy()
        del self.state.policies[self.params["ClusterArn"]]
        return ActionResult({})

    def tag_resource(self) -> ActionResult:
        """Add or replace tags."""
        self._tags().update(self.params["Tags"])
        return ActionResult(None)

    def untag_resource(self) -> ActionResult:
        """Remove tags; keys that are not there are no error."""
        tags = self._tags()
        for key in self.params["TagKeys"]:
            tags.pop(key, None)
        return ActionResult(None)

    def list_tags_for_resource(self) -> ActionResult:
        """All tags."""
        return ActionResult({"Tags": self._tags()})

    def _tags(self) -> dict[str, str]:
        arn = self.params["ResourceArn"]
        if arn not in self.state.clusters:
            raise not_found(f"Resource {arn} does not exist")
        return self.state.clusters[arn]["Tags"]

    def _policy(self) -> dict[str, str]:
        arn = self.cluster()["ClusterArn"]
        if arn not in self.state.policies:
            raise not_found(f"Cluster {arn} has no policy")
        return self.state.policies[arn]

    def _named(self) -> list[dict[str, Any]]:
        prefix = self.params.get("ClusterNameFilter") or ""
        return [
            cluster for cluster in self.state.clusters.values() if cluster["ClusterName"].startswith(prefix)
        ]

    def _create_provisioned(self, given: dict[str, Any]) -> dict[str, Any]:
        self.require_new_name(given["ClusterName"])
        self.require_version(given["KafkaVersion"])
        self.require_brokers(given)
        self.require_log_targets(given.get("LoggingInfo") or {})
        software: dict[str, Any] = {"KafkaVersion": given["KafkaVersion"]}
        configuration = given.get("ConfigurationInfo")
        if configuration:
            self.require_configuration(configuration, given["KafkaVersion"])
            software["ConfigurationArn"] = configuration["Arn"]
            software["ConfigurationRevision"] = configuration["Revision"]
        provisioned: dict[str, Any] = {
            "EnhancedMonitoring": "DEFAULT",
            "StorageMode": "LOCAL",
            "CustomerActionStatus": "NONE",
            **picked(given, *_GIVEN),
            "CurrentBrokerSoftwareInfo": software,
        }
        group = {"BrokerAZDistribution": "DEFAULT", **given["BrokerNodeGroupInfo"]}
        group["ZoneIds"] = [self.subnet(subnet).availability_zone_id for subnet in group["ClientSubnets"]]
        group.setdefault("ConnectivityInfo", {"PublicAccess": {"Type": "DISABLED"}})
        provisioned["BrokerNodeGroupInfo"] = group
        encryption = given.get("EncryptionInfo") or {}
        provisioned["EncryptionInfo"] = {
            "EncryptionAtRest": encryption.get("EncryptionAtRest") or self._default_key(),
            "EncryptionInTransit": {"ClientBroker": "TLS", "InCluster": True}
            | (encryption.get("EncryptionInTransit") or {}),
        }
        return self._keep(given, "cluster", {"ClusterType": "PROVISIONED", "Provisioned": provisioned})

    def _create_serverless(self) -> dict[str, Any]:
        given = self.params
        self.require_new_name(given["ClusterName"])
        for config in given["Serverless"]["VpcConfigs"]:
            vpcs = {self.subnet(subnet).vpc_id for subnet in config["SubnetIds"]}
            for group in config.get("SecurityGroupIds") or []:
                self.require_security_group(group, vpcs.copy().pop())
        more = {"ClusterType": "SERVERLESS", "Serverless": given["Serverless"]}
        return self._keep(given, "cluster", more)

    def _keep(self, given: dict[str, Any], kind: str, more: dict[str, Any]) -> dict[str, Any]:
        name = given["ClusterName"]
        arn = self.state.arn("kafka", f"{kind}/{name}/{new_uuid()}-{1 + int(new_id(1), 16) % 9}")
        cluster = {
            "ClusterArn": arn,
            "ClusterName": name,
            "CreationTime": now(),
            "CurrentVersion": new_version(),
            "State": "ACTIVE",
            "Tags": dict(given.get("Tags") or {}),
            **more,
        }
        brokers.provider().create_cluster(cluster, self.region, self._properties(cluster))
        self.state.clusters[arn] = cluster
        return cluster

    def _properties(self, cluster: dict[str, Any]) -> bytes:
        """`server.properties` of the cluster's configuration; empty without one."""
        software = cluster.get("Provisioned", {}).get("CurrentBrokerSoftwareInfo", {})
        if "ConfigurationArn" not in software:
            return b""
        revisions = self.state.revisions[software["ConfigurationArn"]]
        return revisions[software["ConfigurationRevision"] - 1]["ServerProperties"]

    def _default_key(self) -> dict[str, str]:
        # The AWS managed key aws/kafka, which exists in every account that uses MSK.
        return {"DataVolumeKMSKeyId": self.state.arn("kms", "alias/aws/kafka")}


def _first_version(cluster: dict[str, Any]) -> dict[str, Any]:
    return {**cluster, **cluster["Provisioned"]}
