"""State of the emulated MSK and what all its operations share."""

from typing import Any, ClassVar, Final

from moto.core.base_backend import BackendDict

from emulator.operations import OperationError, Operations, State, new_id

KAFKA_VERSIONS: Final = {
    "2.8.1": "DEPRECATED",
    "3.4.0": "DEPRECATED",
    "3.5.1": "ACTIVE",
    "3.6.0": "ACTIVE",
    "3.7.x": "ACTIVE",
    "3.7.x.kraft": "ACTIVE",
    "3.8.x": "ACTIVE",
    "3.8.x.kraft": "ACTIVE",
    "3.9.x": "ACTIVE",
    "3.9.x.kraft": "ACTIVE",
    "4.0.x.kraft": "ACTIVE",
    "4.1.x.kraft": "ACTIVE",
}
"""https://docs.aws.amazon.com/msk/latest/developerguide/supported-kafka-versions.html"""


class KafkaState(State):
    """Everything MSK knows in one account and region, by ARN."""

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.clusters: dict[str, dict[str, Any]] = {}
        """In the shape of DescribeClusterV2, with the tags."""
        self.operations: dict[str, dict[str, Any]] = {}
        self.configurations: dict[str, dict[str, Any]] = {}
        """In the shape of DescribeConfiguration."""
        self.revisions: dict[str, list[dict[str, Any]]] = {}
        """A configuration's revisions, oldest first, in the shape of DescribeConfigurationRevision."""
        self.topics: dict[tuple[str, str], dict[str, Any]] = {}
        """By cluster ARN and name, in the shape of DescribeTopic."""
        self.scram_secrets: dict[str, list[str]] = {}
        """ARNs of secrets by cluster ARN, in the order of association."""
        self.policies: dict[str, dict[str, str]] = {}
        """Cluster policies by cluster ARN: `Policy` and `CurrentVersion`."""


kafka_states = BackendDict(KafkaState, "kafka")


class KafkaOperations(Operations):
    """Base of MSK's operations: lookups that fail as AWS's do."""

    service: ClassVar[str] = "kafka"
    invalid_code: ClassVar[str] = "BadRequestException"

    @property
    def state(self) -> KafkaState:
        """The state of the request's account and region."""
        return kafka_states[self.current_account][self.region]

    def cluster(self) -> dict[str, Any]:
        """The cluster that the request names. Raises NotFoundException."""
        arn = self.params["ClusterArn"]
        if arn not in self.state.clusters:
            raise not_found(f"Cluster {arn} does not exist")
        return self.state.clusters[arn]

    def provisioned(self) -> dict[str, Any]:
        """The cluster that the request names, which must not be serverless."""
        cluster = self.cluster()
        if cluster["ClusterType"] != "PROVISIONED":
            raise self.invalid("This operation is not supported for serverless clusters.")
        return cluster

    def require_latest(self, resource: dict[str, Any]) -> None:
        """Refuse a change of a version that is not the present one: somebody else changed the resource."""
        version = self.params["CurrentVersion"]
        if version != resource["CurrentVersion"]:
            raise self.invalid(
                f"This operation cannot be performed on version {version} of the cluster: "
                f"the current one is {resource['CurrentVersion']}"
            )


def new_version() -> str:
    """A resource version such as `K3P5ROKL5A1OLE`."""
    return f"K{new_id(13).upper()}"


def not_found(message: str) -> OperationError:
    """404: the named resource does not exist."""
    return OperationError("NotFoundException", message)


def conflict(message: str) -> OperationError:
    """409: the name is taken, or something still depends on the resource."""
    return OperationError("ConflictException", message)
