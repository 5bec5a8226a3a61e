"""MSK topics by the control-plane API (no Kafka client needed)."""

import base64
import binascii
import re
from typing import Any

from moto.core.responses import ActionResult

from emulator.kafka.base import KafkaOperations
from emulator.kafka.brokers import provider
from emulator.operations import OperationError

_NAME = re.compile(r"[a-zA-Z0-9._-]{1,249}")


class Topics(KafkaOperations):
    """Create, describe, list, update and delete topics; describe partitions."""

    def create_topic(self) -> ActionResult:
        """ACTIVE at once; Kafka's rules for names, and no more replicas than brokers."""
        params, cluster = self.params, self.cluster()
        name, arn = params["TopicName"], cluster["ClusterArn"]
        if not _NAME.fullmatch(name) or name in {".", ".."}:
            raise self.invalid(f"Topic name {name!r}: 1 to 249 of letters, digits, '.', '_' and '-'")
        if (arn, name) in self.state.topics:
            raise OperationError("TopicExistsException", f"Topic '{name}' already exists.")
        brokers = cluster.get("Provisioned", {}).get("NumberOfBrokerNodes", 3)
        if params["ReplicationFactor"] > brokers:
            raise self.invalid(
                f"Replication factor {params['ReplicationFactor']} is larger than the {brokers} available brokers"
            )
        self._require_configs()
        topic = {
            "TopicArn": f"{arn.replace(':cluster/', ':topic/')}/{name}",
            "TopicName": name,
            "ReplicationFactor": params["ReplicationFactor"],
            "PartitionCount": params["PartitionCount"],
            "Configs": params.get("Configs") or "",
            "Status": "ACTIVE",
        }
        provider().declare_topic(cluster, topic)
        self.state.topics[arn, name] = topic
        return ActionResult(topic | {"Status": "CREATING"})

    def describe_topic(self) -> ActionResult:
        """The topic."""
        return ActionResult(self._topic())

    def list_topics(self) -> ActionResult:
        """In order, all or those whose name starts as asked."""
        arn, prefix = self.cluster()["ClusterArn"], self.params.get("TopicNameFilter") or ""
        topics = [
            {**self.state.topics[owner, name], "OutOfSyncReplicaCount": 0}
            for owner, name in sorted(self.state.topics)
            if owner == arn and name.startswith(prefix)
        ]
        found, token = self.page(topics, self.params.get("MaxResults"), self.params.get("NextToken"))
        return ActionResult({"Topics": found, "NextToken": token})

    def update_topic(self) -> ActionResult:
        """More partitions or other settings; Kafka cannot take partitions away."""
        cluster, topic, count = self.cluster(), self._topic(), self.params.get("PartitionCount")
        if count is not None and count < topic["PartitionCount"]:
            raise self.invalid(
                f"Topic currently has {topic['PartitionCount']} partitions, which is higher than the requested {count}"
            )
        self._require_configs()
        updated = topic | {"PartitionCount": count or topic["PartitionCount"]}
        if self.params.get("Configs") is not None:
            updated["Configs"] = self.params["Configs"]
        provider().declare_topic(cluster, updated)
        topic.update(updated)
        return ActionResult(topic | {"Status": "UPDATING"})

    def delete_topic(self) -> ActionResult:
        """Gone at once."""
        topic = self._topic()
        provider().delete_topic(self.cluster(), topic["TopicName"])
        del self.state.topics[self.params["ClusterArn"], topic["TopicName"]]
        return ActionResult(topic | {"Status": "DELETING"})

    def describe_topic_partitions(self) -> ActionResult:
        """Leaders and replicas, dealt to the brokers in turn."""
        topic, cluster = self._topic(), self.cluster()
        brokers = cluster.get("Provisioned", {}).get("NumberOfBrokerNodes", 3)
        partitions: list[dict[str, Any]] = []
        for number in range(topic["PartitionCount"]):
            replicas = [(number + offset) % brokers + 1 for offset in range(topic["ReplicationFactor"])]
            partitions.append(
                {"Partition": number, "Leader": replicas[0], "Replicas": replicas, "Isr": replicas}
            )
        found, token = self.page(partitions, self.params.get("MaxResults"), self.params.get("NextToken"))
        return ActionResult({"Partitions": found, "NextToken": token})

    def _topic(self) -> dict[str, Any]:
        arn, name = self.cluster()["ClusterArn"], self.params["TopicName"]
        if (arn, name) not in self.state.topics:
            raise OperationError("NotFoundException", f"Topic {name} does not exist in cluster {arn}")
        return self.state.topics[arn, name]

    def _require_configs(self) -> None:
        configs = self.params.get("Configs")
        if not configs:
            return
        try:
            base64.b64decode(configs, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError) as error:
            raise self.invalid(f"configs must be properties encoded as Base64: {error}") from error
