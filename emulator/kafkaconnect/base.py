"""State of the emulated MSK Connect and what all its operations share."""

from typing import Any, ClassVar

from moto.core.base_backend import BackendDict
from moto.core.responses import ActionResult

from emulator.operations import OperationError, State, new_id, new_uuid
from emulator.tagging import Tagging


class KafkaConnectState(State):
    """Everything MSK Connect knows in one account and region, by ARN, in the shapes of Describe..."""

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.plugins: dict[str, dict[str, Any]] = {}
        self.worker_configurations: dict[str, dict[str, Any]] = {}
        self.connectors: dict[str, dict[str, Any]] = {}
        self.operations: dict[str, dict[str, Any]] = {}
        self.tags: dict[str, dict[str, str]] = {}


kafkaconnect_states = BackendDict(KafkaConnectState, "kafkaconnect")


class KafkaConnectOperations(Tagging):
    """Base of MSK Connect's operations: names, lookups, lists and tags."""

    service: ClassVar[str] = "kafkaconnect"
    invalid_code: ClassVar[str] = "BadRequestException"

    @property
    def state(self) -> KafkaConnectState:
        """The state of the request's account and region."""
        return kafkaconnect_states[self.current_account][self.region]

    def new_arn(self, kind: str, name: str) -> str:
        """A new resource's ARN; its tags are recorded."""
        arn = self.state.arn("kafkaconnect", f"{kind}/{name}/{new_uuid()}-{1 + int(new_id(1), 16) % 9}")
        self.state.tags[arn] = dict(self.params.get("tags") or {})
        return arn

    def require_new_name(self, resources: dict[str, dict[str, Any]], key: str, name: str) -> None:
        """Names are unique per kind of resource."""
        if any(resource[key] == name for resource in resources.values()):
            raise OperationError("ConflictException", f"A resource with the name {name} already exists")

    def one(self, resources: dict[str, dict[str, Any]], arn: str) -> dict[str, Any]:
        """A resource. Raises NotFoundException."""
        if arn not in resources:
            raise OperationError("NotFoundException", f"The resource {arn} does not exist")
        return resources[arn]

    def listed(
        self, resources: dict[str, dict[str, Any]], output: str, key: str, prefix: str | None
    ) -> ActionResult:
        """A page of the resources whose name starts as asked."""
        matching = [item for item in resources.values() if item[key].startswith(prefix or "")]
        found, token = self.page(matching, self.params.get("maxResults"), self.params.get("nextToken"))
        return ActionResult({output: found, "nextToken": token})

    def tags_of(self, arn: str) -> dict[str, str]:
        """The tags of a resource. Raises NotFoundException."""
        if arn not in self.state.tags:
            raise OperationError("NotFoundException", f"The resource {arn} does not exist")
        return self.state.tags[arn]
