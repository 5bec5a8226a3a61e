"""The shape of a kind, to walk over its objects: which fields there are, and how lists and maps are merged.

Built-in kinds (OpenAPI definitions with references) and custom ones (structural schemas) look the same here.
How lists and maps merge: https://kubernetes.io/docs/reference/using-api/server-side-apply/#merge-strategy
"""

from collections.abc import Mapping
from functools import cached_property
from typing import Any, Final

_NO_SCHEMA: Final[Mapping[str, Any]] = {}


class Structure:
    """One value's place in a schema. `custom` is that of a CustomResourceDefinition."""

    def __init__(
        self, schema: Mapping[str, Any], definitions: Mapping[str, dict[str, Any]], *, custom: bool = False
    ) -> None:
        reference = str(schema.get("$ref", ""))
        self.definition = reference.rpartition("/")[2]
        """Name of the OpenAPI definition, such as `io.k8s.api.apps.v1.DeploymentSpec`; empty without one."""
        if self.definition:
            schema = {**definitions[self.definition], **schema}
        self.schema = schema
        self.custom = custom
        self._definitions = definitions
        self._fields: dict[str, Structure | None] = {}

    @cached_property
    def types(self) -> tuple[str, ...]:
        """JSON types it may have besides null; empty when any."""
        if self.schema.get("x-kubernetes-int-or-string"):
            return ("integer", "string")
        given = self.schema.get("type", ())
        named = [given] if isinstance(given, str) else list(given)
        return tuple(name for name in named if name != "null")

    @property
    def nullable(self) -> bool:
        """Whether null is a value of its own, not the same as leaving the field out."""
        return self.custom and bool(self.schema.get("nullable"))

    @cached_property
    def properties(self) -> Mapping[str, Any]:
        """The named fields."""
        return self.schema.get("properties") or _NO_SCHEMA

    @cached_property
    def open(self) -> bool:
        """Whether it takes fields that no schema names: free-form JSON."""
        if self.custom:
            return bool(
                self.schema.get("x-kubernetes-preserve-unknown-fields")
                or self.schema.get("additionalProperties") is True
                or not self.types
            )
        return not self.properties and not isinstance(self.schema.get("additionalProperties"), Mapping)

    @cached_property
    def of_keys(self) -> "Structure | None":
        """What stands under the keys of a map; None for what is no map, or a map of anything."""
        inner = self.schema.get("additionalProperties")
        return self._under(inner) if isinstance(inner, Mapping) else None

    @cached_property
    def item(self) -> "Structure | None":
        """What a list holds."""
        inner = self.schema.get("items")
        return self._under(inner) if isinstance(inner, Mapping) else None

    def field(self, name: str) -> "Structure | None":
        """What a field, or a key of a map, holds; None when the schema does not say."""
        if name not in self._fields:
            inner = self.properties.get(name)
            self._fields[name] = self._under(inner) if isinstance(inner, Mapping) else self.of_keys
        return self._fields[name]

    @property
    def list_type(self) -> str:
        """`map`, `set` or `atomic`."""
        return str(self.schema.get("x-kubernetes-list-type", "atomic"))

    @property
    def list_keys(self) -> tuple[str, ...]:
        """The fields that tell the items of a list of type `map` apart."""
        return tuple(self.schema.get("x-kubernetes-list-map-keys", ()))

    @property
    def atomic(self) -> bool:
        """Whether an object is replaced as a whole."""
        return self.schema.get("x-kubernetes-map-type") == "atomic"

    @property
    def patch_strategies(self) -> tuple[str, ...]:
        """`merge`, `replace`, `retainKeys`: what a strategic merge patch does."""
        return tuple(str(self.schema.get("x-kubernetes-patch-strategy", "")).split(","))

    @property
    def merge_key(self) -> str:
        """By which a strategic merge patch tells items apart; empty for plain values."""
        return str(self.schema.get("x-kubernetes-patch-merge-key", ""))

    @cached_property
    def go_type(self) -> str:
        """Its type as Go names it in messages: `int32`, `[]v1.Container`, `map[string]string`."""
        if self.definition:
            *_, version, name = self.definition.rsplit(".", 2)
            return f"{version}.{name}"
        if "array" in self.types:
            return f"[]{self.item.go_type if self.item else 'interface {}'}"
        if "object" in self.types:
            return f"map[string]{self.of_keys.go_type if self.of_keys else 'interface {}'}"
        if self.schema.get("format") in {"int32", "int64"}:
            return str(self.schema["format"])
        return {"boolean": "bool", "integer": "int", "number": "float64", "string": "string"}.get(
            self.types[0] if self.types else "", "interface {}"
        )

    def _under(self, schema: Mapping[str, Any]) -> "Structure":
        custom = self.custom and "$ref" not in schema
        return Structure(schema, self._definitions, custom=custom)


def key_of_item(structure: Structure, item: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that tell an item of a list of type `map` apart, with what they are when left out."""
    return {key: item.get(key, _DEFAULT_OF_KEYS.get(key, "")) for key in structure.list_keys}


_DEFAULT_OF_KEYS: Final = {"protocol": "TCP"}
"""The published schema gives no defaults; a port's protocol is the one key that may be left out."""
