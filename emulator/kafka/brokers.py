"""The seam between the emulated MSK and what serves Kafka's protocol.

Everything that a broker would have to do goes to the present `Provider`. By default nothing is behind MSK:
the addresses are those that AWS would give. `emulator.kafka.server` puts real brokers there.
"""

from collections.abc import Mapping
from typing import Any

Addresses = Mapping[str, list[str]]
"""`host:port` of each broker, by the field of GetBootstrapBrokers: `BootstrapBrokerStringTls`, ..."""

# https://docs.aws.amazon.com/msk/latest/developerguide/port-info.html
_PORTS = {
    "BootstrapBrokerString": 9092,
    "BootstrapBrokerStringTls": 9094,
    "BootstrapBrokerStringSaslScram": 9096,
    "BootstrapBrokerStringSaslIam": 9098,
    "BootstrapBrokerStringPublicTls": 9194,
    "BootstrapBrokerStringPublicSaslScram": 9196,
    "BootstrapBrokerStringPublicSaslIam": 9198,
}
_BOOTSTRAP_BROKERS = 3


def listeners(cluster: Mapping[str, Any]) -> list[str]:
    """The fields of GetBootstrapBrokers that a cluster's authentication and encryption settings open."""
    if cluster["ClusterType"] == "SERVERLESS":
        return ["BootstrapBrokerStringSaslIam"]
    provisioned = cluster["Provisioned"]
    authentication = provisioned.get("ClientAuthentication") or {}
    in_transit = (provisioned.get("EncryptionInfo") or {}).get("EncryptionInTransit") or {}
    client_broker = in_transit.get("ClientBroker", "TLS")
    sasl = authentication.get("Sasl") or {}
    scram, iam = (_enabled(sasl, "Scram"), _enabled(sasl, "Iam"))
    # Without any authentication a cluster takes unauthenticated clients.
    open_to_all = _enabled(authentication, "Unauthenticated") or not (
        scram or iam or _enabled(authentication, "Tls")
    )
    tls = client_broker != "PLAINTEXT" and (open_to_all or _enabled(authentication, "Tls"))
    found = {
        "BootstrapBrokerString": open_to_all and client_broker != "TLS",
        "BootstrapBrokerStringTls": tls,
        "BootstrapBrokerStringSaslScram": scram,
        "BootstrapBrokerStringSaslIam": iam,
    }
    connectivity = provisioned["BrokerNodeGroupInfo"].get("ConnectivityInfo") or {}
    if (connectivity.get("PublicAccess") or {}).get("Type") == "SERVICE_PROVIDED_EIPS":
        found |= {
            # Public access is never open to unauthenticated clients.
            "BootstrapBrokerStringPublicTls": _enabled(authentication, "Tls"),
            "BootstrapBrokerStringPublicSaslScram": scram,
            "BootstrapBrokerStringPublicSaslIam": iam,
        }
    return [name for name, is_open in found.items() if is_open]


def hosts(cluster: Mapping[str, Any], region: str) -> list[str]:
    """The brokers' names, in the order of their ids."""
    unique = cluster["ClusterArn"].rsplit("/", 1)[-1].replace("-", "")[:6]
    domain = f"{cluster['ClusterName'].lower()}.{unique}.c2.kafka.{region}.amazonaws.com"
    if cluster["ClusterType"] == "SERVERLESS":
        return [f"boot-{unique}.c2.kafka-serverless.{region}.amazonaws.com"]
    return [f"b-{number}.{domain}" for number in range(1, cluster["Provisioned"]["NumberOfBrokerNodes"] + 1)]


def aws_addresses(cluster: Mapping[str, Any], region: str) -> Addresses:
    """The addresses that AWS would give: at most three brokers a listener."""
    names = hosts(cluster, region)[:_BOOTSTRAP_BROKERS]
    return {listener: [f"{name}:{_PORTS[listener]}" for name in names] for listener in listeners(cluster)}


class Provider:
    """What stands behind MSK; this one is nothing, and refuses nothing.

    Clusters are in the shape of DescribeClusterV2, topics in that of DescribeTopic, properties are
    `server.properties`. Each method is called before MSK's state changes; its OperationError is the answer.
    """

    def addresses(self, cluster: Mapping[str, Any], region: str) -> Addresses:
        """Where the cluster's brokers listen."""
        return aws_addresses(cluster, region)

    def create_cluster(self, cluster: Mapping[str, Any], region: str, properties: bytes) -> None:
        """A new cluster."""

    def configure_cluster(self, cluster: Mapping[str, Any], properties: bytes) -> None:
        """Another configuration or revision."""

    def delete_cluster(self, cluster: Mapping[str, Any]) -> None:
        """The cluster goes, with its topics."""

    def declare_topic(self, cluster: Mapping[str, Any], topic: Mapping[str, Any]) -> None:
        """A new topic, or one with more partitions or other settings."""

    def delete_topic(self, cluster: Mapping[str, Any], name: str) -> None:
        """The topic goes, with its messages."""


_provider: list[Provider] = [Provider()]


def set_provider(provider: Provider) -> None:
    """Put something else behind MSK."""
    _provider[0] = provider


def provider() -> Provider:
    """What stands behind MSK."""
    return _provider[0]


def _enabled(settings: Mapping[str, Any], name: str) -> bool:
    return bool((settings.get(name) or {}).get("Enabled"))
