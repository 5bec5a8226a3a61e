"""The seam between the emulated MSK and what serves Kafka's protocol.

Every broker address that MSK hands out comes from `addresses`. Today that is `aws_addresses`: the names
and ports that AWS would give, behind which nothing listens. A real broker process replaces it by calling
`set_provider` with a function that returns where it listens.
"""

from collections.abc import Callable, Mapping
from typing import Any

Addresses = Mapping[str, list[str]]
"""`host:port` of each broker, by the field of GetBootstrapBrokers: `BootstrapBrokerStringTls`, ..."""

Provider = Callable[[Mapping[str, Any], str], Addresses]
"""Takes a cluster in the shape of DescribeClusterV2 and its region."""

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


_provider: list[Provider] = [aws_addresses]


def set_provider(provider: Provider) -> None:
    """Let another function say where brokers listen."""
    _provider[0] = provider


def addresses(cluster: Mapping[str, Any], region: str) -> Addresses:
    """Where the cluster's brokers listen, as the present provider says."""
    return _provider[0](cluster, region)


def _enabled(settings: Mapping[str, Any], name: str) -> bool:
    return bool((settings.get(name) or {}).get("Enabled"))
