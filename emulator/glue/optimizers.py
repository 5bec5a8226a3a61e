"""Table optimizers of Iceberg tables: compaction, snapshot retention, orphan file deletion. None ever runs."""

from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.glue.exceptions import AlreadyExistsException, EntityNotFoundException, InvalidInputException
from moto.glue.models import GlueBackend, glue_backends
from moto.glue.responses import GlueResponse
from moto.iam.models import iam_backends

_SETTINGS = {
    "compaction": "compactionConfiguration",
    "retention": "retentionConfiguration",
    "orphan_file_deletion": "orphanFileDeletionConfiguration",
}

Key = tuple[str, str, str, str]
"""Account, database, table and type."""


class GlueState(GlueBackend):
    """moto's Glue, and table optimizers."""

    def __init__(self, region_name: str, account_id: str) -> None:
        super().__init__(region_name, account_id)
        self.optimizers: dict[Key, dict[str, Any]] = {}
        """TableOptimizer by key; a table's optimizers go when the table does."""


# moto's other services find Glue through this dictionary, too.
glue_backends.backend = GlueState


class Optimizers(GlueResponse):
    """Create, get, update and delete table optimizers."""

    @property
    def optimizers(self) -> dict[Key, dict[str, Any]]:
        """The optimizers of the request's account and region."""
        backend: Any = glue_backends[self.current_account][self.region]
        return backend.optimizers

    def create_table_optimizer(self) -> ActionResult:
        """One of each type per Iceberg table; the role must exist and trust Glue."""
        key = self._key(self.parameters)
        self._require_iceberg_table(key)
        if key in self.optimizers:
            raise AlreadyExistsException(f"Table optimizer of type {key[3]}")
        configuration = self.parameters["TableOptimizerConfiguration"]
        self._require_configuration(key[3], configuration)
        self.optimizers[key] = {
            "type": key[3],
            "configuration": {"enabled": True, **configuration},
            "configurationSource": "table",
        }
        return EmptyResult()

    def get_table_optimizer(self) -> ActionResult:
        """The optimizer."""
        key = self._key(self.parameters)
        account, database, table, _ = key
        names = {"CatalogId": account, "DatabaseName": database, "TableName": table}
        return ActionResult({**names, "TableOptimizer": self._optimizer(key)})

    def update_table_optimizer(self) -> ActionResult:
        """The given settings replace the present ones."""
        key = self._key(self.parameters)
        optimizer = self._optimizer(key)
        configuration = self.parameters["TableOptimizerConfiguration"]
        merged = optimizer["configuration"] | configuration
        self._require_configuration(key[3], merged)
        optimizer["configuration"] = merged
        return EmptyResult()

    def delete_table_optimizer(self) -> ActionResult:
        """Gone at once."""
        key = self._key(self.parameters)
        self._optimizer(key)
        del self.optimizers[key]
        return EmptyResult()

    def batch_get_table_optimizer(self) -> ActionResult:
        """Those that exist; the others are failures."""
        found: list[dict[str, Any]] = []
        failures: list[dict[str, Any]] = []
        for entry in self.parameters["Entries"]:
            key = (self.current_account, entry.get("databaseName"), entry.get("tableName"), entry.get("type"))
            optimizer = self.optimizers.get(key)
            if optimizer is None:
                error = {"ErrorCode": "EntityNotFoundException", "ErrorMessage": "Table optimizer not found"}
                failures.append({**entry, "error": error})
            else:
                found.append({**entry, "tableOptimizer": optimizer})
        return ActionResult({"TableOptimizers": found, "Failures": failures})

    def list_table_optimizer_runs(self) -> ActionResult:
        """Always empty: no optimizer runs here."""
        key = self._key(self.parameters)
        self._optimizer(key)
        account, database, table, _ = key
        names = {"CatalogId": account, "DatabaseName": database, "TableName": table}
        return ActionResult({**names, "TableOptimizerRuns": []})

    def forget_optimizers(self, database: str, table: str) -> None:
        """A table's deletion takes its optimizers along."""
        for key in list(self.optimizers):
            if key[:3] == (self.current_account, database, table):
                del self.optimizers[key]

    def _key(self, named: dict[str, Any]) -> Key:
        missing = [name for name in ("DatabaseName", "TableName", "Type") if not named.get(name)]
        if missing:
            raise InvalidInputException("TableOptimizer", f"{', '.join(missing)} is required")
        if named["Type"] not in _SETTINGS:
            raise InvalidInputException(
                "TableOptimizer", f"Type {named['Type']!r} is not one of {', '.join(_SETTINGS)}"
            )
        return self.current_account, named["DatabaseName"], named["TableName"], named["Type"]

    def _optimizer(self, key: Key) -> dict[str, Any]:
        if key not in self.optimizers:
            raise EntityNotFoundException(f"Table optimizer of type {key[3]} not found for {key[1]}.{key[2]}")
        return self.optimizers[key]

    def _require_iceberg_table(self, key: Key) -> None:
        table = self.glue_backend.get_table(key[1], key[2]).as_dict()
        if (table.get("Parameters") or {}).get("table_type", "").upper() != "ICEBERG":
            raise InvalidInputException("CreateTableOptimizer", f"{key[1]}.{key[2]} is not an Iceberg table")

    def _require_configuration(self, kind: str, configuration: dict[str, Any]) -> None:
        role = configuration.get("roleArn")
        roles = iam_backends[self.current_account][self.partition].roles.values()
        found = next((item for item in roles if item.arn == role), None)
        if found is None or '"glue.amazonaws.com"' not in str(found.assume_role_policy_document):
            raise InvalidInputException(
                "TableOptimizer", f"The role {role!r} does not exist or does not trust Glue"
            )
        others = [name for other, name in _SETTINGS.items() if other != kind and configuration.get(name)]
        if others:
            raise InvalidInputException("TableOptimizer", f"{', '.join(others)} does not go with type {kind}")
