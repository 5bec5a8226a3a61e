"""Objects as bytes, in the form that a client asked for: whole, as rows of a table, or their metadata only."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from emulator.cluster.api.negotiation import Form, form_of, partial_metadata
from emulator.cluster.api.tables import table
from emulator.cluster.resources import Resource, Resources
from emulator.cluster.status import bad_request
from emulator.cluster.store import Object, Store


@dataclass(frozen=True)
class Wanted:
    """What a client asked for."""

    form: Form = "object"
    include_object: str = "Metadata"
    """Of a table's rows: None, Metadata or Object."""

    @classmethod
    def of(cls, accept: str, include_object: str) -> "Wanted":
        """By the Accept header and the query. Raises ApiError 406 and 400."""
        if include_object not in {"", "None", "Metadata", "Object"}:
            raise bad_request(
                f'includeObject: Unsupported value: "{include_object}": supported values: "Metadata", '
                '"None", "Object"'
            )
        return cls(form_of(accept), include_object or "Metadata")


class Representations:
    """Of the objects of one store."""

    def __init__(self, store: Store, resources: Resources) -> None:
        self._store = store
        self._definitions = resources["customresourcedefinitions.apiextensions.k8s.io"]

    def encoded(self, resource: Resource, obj: Object) -> bytes:
        """A whole object, at the version of the resource: versions of one kind differ in nothing else."""
        if obj["apiVersion"] == resource.api_version:
            return self._store.encoded(resource, obj)
        return orjson.dumps({**obj, "apiVersion": resource.api_version})

    def one(self, resource: Resource, obj: Object, wanted: Wanted) -> bytes:
        """One object."""
        if wanted.form == "Table":
            return orjson.dumps(self.table(resource, [obj], wanted.include_object))
        if wanted.form == "PartialObjectMetadata":
            return orjson.dumps(partial_metadata(obj))
        return self.encoded(resource, obj)

    def many(
        self, resource: Resource, objects: Sequence[Object], metadata: dict[str, Any], wanted: Wanted
    ) -> bytes:
        """A list; `metadata` is its own."""
        if wanted.form == "Table":
            rows = self.table(resource, objects, wanted.include_object)
            return orjson.dumps({**rows, "metadata": metadata})
        kind, api_version = f"{resource.kind}List", resource.api_version
        items = [self.encoded(resource, obj) for obj in objects] if wanted.form == "object" else []
        if wanted.form == "PartialObjectMetadata":
            kind, api_version = "PartialObjectMetadataList", "meta.k8s.io/v1"
            items = [orjson.dumps(partial_metadata(obj)) for obj in objects]
        head = orjson.dumps({"kind": kind, "apiVersion": api_version, "metadata": metadata})
        return head[:-1] + b',"items":[' + b",".join(items) + b"]}\n"

    def table(self, resource: Resource, objects: Sequence[Object], include_object: str) -> dict[str, Any]:
        """Rows with the columns that kubectl shows."""
        name = f"{resource.plural}.{resource.group}"
        definition = self._store.find(self._definitions, "", name)
        shown = table(resource, objects, include_object, definition, self._store.clock())
        if len(objects) == 1:
            shown["metadata"] = {"resourceVersion": objects[0]["metadata"].get("resourceVersion", "")}
        return shown
