"""MSK configurations: `server.properties` with revisions."""

import re
from typing import Any

from moto.core.responses import ActionResult

from emulator.kafka.base import KAFKA_VERSIONS, KafkaOperations, conflict, not_found
from emulator.operations import new_id, new_uuid, now

_PROPERTY = re.compile(rb"[A-Za-z0-9._]+\s*=.*")


class Configurations(KafkaOperations):
    """Create, describe, list, update (a new revision) and delete configurations."""

    def create_configuration(self) -> ActionResult:
        """ACTIVE at once, as revision 1."""
        params = self.params
        name = params["Name"]
        if any(item["Name"] == name for item in self.state.configurations.values()):
            raise conflict(f"A configuration with the name {name} already exists")
        unknown = [item for item in params.get("KafkaVersions") or [] if item not in KAFKA_VERSIONS]
        if unknown:
            raise self.invalid(f"Unsupported KafkaVersion {unknown}. Valid values: {list(KAFKA_VERSIONS)}")
        arn = self.state.arn("kafka", f"configuration/{name}/{new_uuid()}-{1 + int(new_id(1), 16) % 9}")
        self.state.revisions[arn] = []
        self.state.configurations[arn] = {
            "Arn": arn,
            "CreationTime": now(),
            "Description": params.get("Description") or "",
            "KafkaVersions": params.get("KafkaVersions") or [],
            "Name": name,
            "State": "ACTIVE",
        }
        try:
            self._add_revision(arn)
        except Exception:
            del self.state.configurations[arn], self.state.revisions[arn]
            raise
        return ActionResult(self.state.configurations[arn])

    def describe_configuration(self) -> ActionResult:
        """The configuration with its latest revision's number."""
        return ActionResult(self._configuration())

    def list_configurations(self) -> ActionResult:
        """In the order of creation."""
        configurations = list(self.state.configurations.values())
        found, token = self.page(configurations, self.params.get("MaxResults"), self.params.get("NextToken"))
        return ActionResult({"Configurations": found, "NextToken": token})

    def update_configuration(self) -> ActionResult:
        """A new revision; clusters keep theirs until they are updated."""
        configuration = self._configuration()
        self._add_revision(configuration["Arn"])
        return ActionResult(configuration)

    def delete_configuration(self) -> ActionResult:
        """Refused while a cluster uses it."""
        arn = self._configuration()["Arn"]
        for cluster in self.state.clusters.values():
            software = cluster.get("Provisioned", {}).get("CurrentBrokerSoftwareInfo", {})
            if software.get("ConfigurationArn") == arn:
                raise self.invalid(f"The configuration is in use by cluster {cluster['ClusterArn']}")
        del self.state.configurations[arn], self.state.revisions[arn]
        return ActionResult({"Arn": arn, "State": "DELETING"})

    def describe_configuration_revision(self) -> ActionResult:
        """A revision with its properties."""
        arn, number = self._configuration()["Arn"], self.params["Revision"]
        revisions = self.state.revisions[arn]
        if not 1 <= number <= len(revisions):
            raise not_found(f"Configuration {arn} has no revision {number}")
        return ActionResult({"Arn": arn, **revisions[number - 1]})

    def list_configuration_revisions(self) -> ActionResult:
        """Oldest first."""
        revisions = self.state.revisions[self._configuration()["Arn"]]
        found, token = self.page(revisions, self.params.get("MaxResults"), self.params.get("NextToken"))
        return ActionResult({"Revisions": found, "NextToken": token})

    def _configuration(self) -> dict[str, Any]:
        arn = self.params["Arn"]
        if arn not in self.state.configurations:
            raise not_found(f"Configuration {arn} does not exist")
        return self.state.configurations[arn]

    def _add_revision(self, arn: str) -> None:
        properties = self.params["ServerProperties"]
        if isinstance(properties, str):
            properties = properties.encode()
        for number, line in enumerate(properties.splitlines(), 1):
            text = line.strip()
            if text and not text.startswith((b"#", b"!")) and not _PROPERTY.fullmatch(text):
                raise self.invalid(
                    f"serverProperties line {number}: {text.decode(errors='replace')!r} is not key=value"
                )
        revisions = self.state.revisions[arn]
        revision = {
            "CreationTime": now(),
            "Description": self.params.get("Description") or "",
            "Revision": len(revisions) + 1,
            "ServerProperties": properties,
        }
        revisions.append(revision)
        summary = {key: revision[key] for key in ("CreationTime", "Description", "Revision")}
        self.state.configurations[arn]["LatestRevision"] = summary
