"""The Glue endpoint: moto's, with Iceberg tables, table versions that guard commits, and optimizers."""

import json
from typing import Any

from moto.core.exceptions import JsonRESTError
from moto.core.responses import ActionResult, EmptyResult
from moto.glue.exceptions import InvalidInputException

from emulator.glue.optimizers import Optimizers
from emulator.keeping import created_again, kept_table, put_back_tables


class EmulatedGlueResponse(Optimizers):
    """Glue with Iceberg."""

    def create_database(self) -> ActionResult:
        """With the tables that it had, in a world whose data is kept."""
        result = super().create_database()
        put_back_tables(str(self.parameters["DatabaseInput"]["Name"]))
        return result

    def create_table(self) -> ActionResult:
        """An Iceberg table gets its first metadata file; every other table is moto's."""
        parameters = self.parameters
        iceberg = (parameters.get("OpenTableFormatInput") or {}).get("IcebergInput")
        if iceberg is None:
            return super().create_table()
        from emulator.glue.iceberg import created_table  # noqa: PLC0415 - pyiceberg takes half a second

        table_input: dict[str, Any] = dict(parameters.get("TableInput") or {})
        table_input.setdefault("Name", parameters.get("Name"))
        database, name = str(parameters.get("DatabaseName")), table_input["Name"]
        if not name:
            raise InvalidInputException("CreateTable", "TableInput.Name is required")
        if name in self.glue_backend.get_database(database).tables:
            if created_again(database, name):
                return EmptyResult()
            self.glue_backend.create_table(database, name, table_input)  # raises moto's AlreadyExists
        try:
            created = kept_table(database, name) or created_table(
                table_input, iceberg, self.current_account, self.partition
            )
        except ValueError as error:
            raise InvalidInputException("CreateTable", str(error)) from error
        self.glue_backend.create_table(database, name, created)
        return EmptyResult()

    def update_table(self) -> ActionResult:
        """With a VersionId, only if it is the present one: what makes concurrent Iceberg commits safe."""
        parameters = self.parameters
        table_input = parameters.get("TableInput") or {}
        name = str(parameters.get("Name") or table_input.get("Name"))
        table: Any = self.glue_backend.get_table(str(parameters.get("DatabaseName")), name)
        present = table.as_dict()["VersionId"]
        expected = parameters.get("VersionId")
        if expected is not None and str(expected) != present:
            raise JsonRESTError(
                "ConcurrentModificationException",
                f"Table {name} has version {present}: the update was made for version {expected}",
            )
        table.update({"Name": name, **table_input})
        if parameters.get("SkipArchive"):
            table.versions.pop(present)
        return EmptyResult()

    def delete_table(self) -> ActionResult:
        """With its optimizers."""
        answer = super().delete_table()
        self.forget_optimizers(self.parameters["DatabaseName"], self.parameters["Name"])
        return answer

    @property
    def parameters(self) -> dict[str, Any]:
        """The request's parameters, parsed once."""
        cached = self.__dict__.get("_parameters")
        if cached is None:
            cached = json.loads(self.body) if self.body else {}
            self.__dict__["_parameters"] = cached
        return cached
