"""Custom plugins and worker configurations of MSK Connect."""

import base64
import binascii
from typing import Any

from moto.core.responses import ActionResult
from moto.s3.models import s3_backends

from emulator.kafkaconnect.base import KafkaConnectOperations
from emulator.operations import OperationError, now


class Plugins(KafkaConnectOperations):
    """Custom plugins: archives in S3."""

    def create_custom_plugin(self) -> ActionResult:
        """ACTIVE at once; the archive must be in S3, as AWS demands."""
        params = self.params
        self.require_new_name(self.state.plugins, "name", params["name"])
        location = params["location"]["s3Location"]
        archive = self._archive(location)
        arn = self.new_arn("custom-plugin", params["name"])
        self.state.plugins[arn] = {
            "creationTime": now(),
            "customPluginArn": arn,
            "customPluginState": "ACTIVE",
            "description": params.get("description") or "",
            "latestRevision": {
                "contentType": params["contentType"],
                "creationTime": now(),
                "description": params.get("description") or "",
                "fileDescription": {"fileMd5": archive.etag.strip('"'), "fileSize": archive.size},
                "location": {"s3Location": location},
                "revision": 1,
            },
            "name": params["name"],
        }
        output = {
            "customPluginArn": arn,
            "customPluginState": "CREATING",
            "name": params["name"],
            "revision": 1,
        }
        return ActionResult(output)

    def describe_custom_plugin(self) -> ActionResult:
        """The plugin with its latest revision."""
        return ActionResult(self.one(self.state.plugins, self.params["customPluginArn"]))

    def list_custom_plugins(self) -> ActionResult:
        """In the order of creation."""
        return self.listed(self.state.plugins, "customPlugins", "name", self.params.get("namePrefix"))

    def delete_custom_plugin(self) -> ActionResult:
        """Refused while a connector uses it."""
        arn = self.params["customPluginArn"]
        self.one(self.state.plugins, arn)
        for connector in self.state.connectors.values():
            if arn in [item["customPlugin"]["customPluginArn"] for item in connector["plugins"]]:
                raise self.invalid(f"The plugin is in use by connector {connector['connectorName']}")
        del self.state.plugins[arn], self.state.tags[arn]
        return ActionResult({"customPluginArn": arn, "customPluginState": "DELETING"})

    def _archive(self, location: dict[str, Any]) -> Any:
        bucket = location["bucketArn"].rsplit(":", 1)[-1]
        buckets = s3_backends[self.current_account][self.partition].buckets
        if bucket not in buckets:
            raise self.invalid(f"The S3 bucket {location['bucketArn']} does not exist")
        if location["fileKey"] not in buckets[bucket].keys:
            raise self.invalid(f"The S3 bucket {bucket} has no object {location['fileKey']!r}")
        return buckets[bucket].keys[location["fileKey"]]


class WorkerConfigurations(KafkaConnectOperations):
    """Properties of Kafka Connect workers."""

    def create_worker_configuration(self) -> ActionResult:
        """ACTIVE at once, as revision 1."""
        params = self.params
        self.require_new_name(self.state.worker_configurations, "name", params["name"])
        try:
            properties = base64.b64decode(params["propertiesFileContent"], validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            # AWS takes plain text as well.
            properties = params["propertiesFileContent"]
        for required in ("key.converter", "value.converter"):
            if f"{required}=" not in properties.replace(" ", ""):
                raise self.invalid(f"propertiesFileContent lacks {required}")
        arn = self.new_arn("worker-configuration", params["name"])
        revision = {
            "creationTime": now(),
            "description": params.get("description") or "",
            "propertiesFileContent": params["propertiesFileContent"],
            "revision": 1,
        }
        self.state.worker_configurations[arn] = {
            "creationTime": now(),
            "description": params.get("description") or "",
            "latestRevision": revision,
            "name": params["name"],
            "workerConfigurationArn": arn,
            "workerConfigurationState": "ACTIVE",
        }
        return ActionResult(self.state.worker_configurations[arn])

    def describe_worker_configuration(self) -> ActionResult:
        """The configuration with its properties."""
        return ActionResult(self.one(self.state.worker_configurations, self.params["workerConfigurationArn"]))

    def list_worker_configurations(self) -> ActionResult:
        """In the order of creation."""
        prefix = self.params.get("namePrefix")
        return self.listed(self.state.worker_configurations, "workerConfigurations", "name", prefix)

    def delete_worker_configuration(self) -> ActionResult:
        """Refused while a connector uses it."""
        arn = self.params["workerConfigurationArn"]
        self.one(self.state.worker_configurations, arn)
        for connector in self.state.connectors.values():
            if (connector.get("workerConfiguration") or {}).get("workerConfigurationArn") == arn:
                raise OperationError(
                    "BadRequestException",
                    f"The configuration is in use by connector {connector['connectorName']}",
                )
        del self.state.worker_configurations[arn], self.state.tags[arn]
        return ActionResult({"workerConfigurationArn": arn, "workerConfigurationState": "DELETING"})
