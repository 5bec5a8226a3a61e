"""Connectors of MSK Connect. They are described as RUNNING; no worker process stands behind them yet."""

from typing import Any, Final

from moto.core.responses import ActionResult
from moto.logs.models import logs_backends

from emulator.kafka.base import new_version
from emulator.kafkaconnect.base import KafkaConnectOperations
from emulator.operations import new_uuid, now, picked

CONNECT_VERSIONS: Final = ("2.7.1", "3.7.x")
"""https://docs.aws.amazon.com/msk/latest/developerguide/msk-connect-kafka-connect-versions.html"""

_GIVEN: Final = (
    *("capacity", "connectorConfiguration", "connectorDescription", "connectorName", "kafkaCluster"),
    *("kafkaClusterClientAuthentication", "kafkaClusterEncryptionInTransit", "kafkaConnectVersion"),
    *("logDelivery", "networkType", "plugins", "serviceExecutionRoleArn", "workerConfiguration"),
)


class Connectors(KafkaConnectOperations):
    """Create, describe, list, update, pause, resume, restart and delete connectors."""

    def create_connector(self) -> ActionResult:
        """RUNNING at once; its references are looked up in IAM, EC2 and the plugins."""
        params = self.params
        self.require_new_name(self.state.connectors, "connectorName", params["connectorName"])
        self._require_capacity(params["capacity"])
        self._require_references(params)
        if params["kafkaConnectVersion"] not in CONNECT_VERSIONS:
            raise self.invalid(f"kafkaConnectVersion is one of {', '.join(CONNECT_VERSIONS)}")
        for required in ("connector.class", "tasks.max"):
            if required not in params["connectorConfiguration"]:
                raise self.invalid(f"connectorConfiguration lacks {required}")
        arn = self.new_arn("connector", params["connectorName"])
        self.state.connectors[arn] = {
            "connectorArn": arn,
            "connectorState": "RUNNING",
            "creationTime": now(),
            "currentVersion": new_version(),
            "networkType": "IPV4",
            **picked(params, *_GIVEN),
        }
        output = {"connectorArn": arn, "connectorName": params["connectorName"], "connectorState": "CREATING"}
        return ActionResult(output)

    def describe_connector(self) -> ActionResult:
        """The connector."""
        return ActionResult(self._connector())

    def list_connectors(self) -> ActionResult:
        """In the order of creation."""
        prefix = self.params.get("connectorNamePrefix")
        return self.listed(self.state.connectors, "connectors", "connectorName", prefix)

    def update_connector(self) -> ActionResult:
        """Another capacity or configuration; a stale version is refused."""
        connector, params = self._connector(), self.params
        self._require_version(connector)
        changes = picked(params, "capacity", "connectorConfiguration", "plugins", "workerConfiguration")
        if not changes:
            raise self.invalid("Nothing to update: give capacity or connectorConfiguration")
        if "capacity" in changes:
            self._require_capacity(changes["capacity"])
        self._require_references(connector | changes)
        kind = (
            "UPDATE_CONNECTOR_CONFIGURATION"
            if "connectorConfiguration" in changes
            else "UPDATE_WORKER_SETTING"
        )
        before = dict(connector)
        connector |= changes
        details = {
            "originConnectorConfiguration": before["connectorConfiguration"],
            "targetConnectorConfiguration": connector["connectorConfiguration"],
            "originWorkerSetting": picked(before, "capacity", "plugins", "workerConfiguration"),
            "targetWorkerSetting": picked(connector, "capacity", "plugins", "workerConfiguration"),
        }
        operation = self._done(connector, kind, "UPDATE_COMPLETE", details)
        output = {"connectorArn": connector["connectorArn"], "connectorState": "UPDATING"}
        return ActionResult(output | {"connectorOperationArn": operation})

    def pause_connector(self) -> ActionResult:
        """PAUSED at once."""
        return self._switch("RUNNING", "PAUSED", "PAUSE_CONNECTOR", "PAUSE_COMPLETE")

    def resume_connector(self) -> ActionResult:
        """RUNNING at once."""
        return self._switch("PAUSED", "RUNNING", "RESUME_CONNECTOR", "RESUME_COMPLETE")

    def restart_connector(self) -> ActionResult:
        """RUNNING at once."""
        return self._switch("RUNNING", "RUNNING", "RESTART_CONNECTOR", "RESTART_COMPLETE")

    def delete_connector(self) -> ActionResult:
        """Gone at once."""
        connector = self._connector()
        if self.params.get("currentVersion"):
            self._require_version(connector)
        arn = connector["connectorArn"]
        del self.state.connectors[arn], self.state.tags[arn]
        return ActionResult({"connectorArn": arn, "connectorState": "DELETING"})

    def describe_connector_operation(self) -> ActionResult:
        """An operation, which is complete."""
        return ActionResult(self.one(self.state.operations, self.params["connectorOperationArn"]))

    def list_connector_operations(self) -> ActionResult:
        """Newest first."""
        arn = self._connector()["connectorArn"]
        matching = [item for item in self.state.operations.values() if item["connectorArn"] == arn]
        found, token = self.page(matching[::-1], self.params.get("maxResults"), self.params.get("nextToken"))
        return ActionResult({"connectorOperations": found, "nextToken": token})

    def _connector(self) -> dict[str, Any]:
        return self.one(self.state.connectors, self.params["connectorArn"])

    def _switch(self, present: str, state: str, kind: str, done: str) -> ActionResult:
        connector = self._connector()
        if connector["connectorState"] != present:
            raise self.invalid(f"The connector is {connector['connectorState']}, not {present}")
        connector["connectorState"] = state
        operation = self._done(connector, kind, done, {})
        return ActionResult({"connectorArn": connector["connectorArn"], "connectorOperationArn": operation})

    def _done(self, connector: dict[str, Any], kind: str, state: str, details: dict[str, Any]) -> str:
        arn = self.state.arn(
            "kafkaconnect", f"connector-operation/{connector['connectorArn'].split('/', 1)[1]}/{new_uuid()}"
        )
        self.state.operations[arn] = {
            "connectorArn": connector["connectorArn"],
            "connectorOperationArn": arn,
            "connectorOperationState": state,
            "connectorOperationType": kind,
            "creationTime": now(),
            "endTime": now(),
            **details,
        }
        connector["currentVersion"] = new_version()
        return arn

    def _require_version(self, connector: dict[str, Any]) -> None:
        if self.params["currentVersion"] != connector["currentVersion"]:
            raise self.invalid(
                f"currentVersion is {connector['currentVersion']}, not {self.params['currentVersion']}"
            )

    def _require_capacity(self, capacity: dict[str, Any]) -> None:
        scaling, provisioned = capacity.get("autoScaling"), capacity.get("provisionedCapacity")
        if bool(scaling) == bool(provisioned):
            raise self.invalid("capacity: give exactly one of autoScaling and provisionedCapacity")
        if scaling and scaling["minWorkerCount"] > scaling["maxWorkerCount"]:
            raise self.invalid("capacity: minWorkerCount is larger than maxWorkerCount")

    def _require_references(self, params: dict[str, Any]) -> None:
        self.require_role(params["serviceExecutionRoleArn"], "kafkaconnect.amazonaws.com")
        for item in params["plugins"]:
            plugin = item["customPlugin"]
            if plugin["customPluginArn"] not in self.state.plugins:
                raise self.invalid(f"The custom plugin {plugin['customPluginArn']} does not exist")
        worker = params.get("workerConfiguration")
        if worker and worker["workerConfigurationArn"] not in self.state.worker_configurations:
            raise self.invalid(f"The worker configuration {worker['workerConfigurationArn']} does not exist")
        vpc = params["kafkaCluster"]["apacheKafkaCluster"]["vpc"]
        vpcs = {self.subnet(subnet).vpc_id for subnet in vpc["subnets"]}
        if len(vpcs) != 1:
            raise self.invalid("The connector's subnets must belong to one VPC")
        for group in vpc.get("securityGroups") or []:
            self.require_security_group(group, vpcs.copy().pop())
        logs = ((params.get("logDelivery") or {}).get("workerLogDelivery") or {}).get("cloudWatchLogs") or {}
        groups = logs_backends[self.current_account][self.region].groups
        if logs.get("enabled") and logs.get("logGroup") not in groups:
            raise self.invalid(f"The log group {logs.get('logGroup')!r} does not exist")
