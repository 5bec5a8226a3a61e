"""Checks Kubernetes objects against the API schema of one pinned version, as strictly as the API server.

The schemas are those of the `kubernetes-validate` package (its strict variant: an unknown field is an error,
where the API server would drop it with a warning nobody reads), with the vocabulary of
`vocabulary`. Custom resources are checked against the structural schema of their
CustomResourceDefinition. `rules` adds what no schema can say.

Not covered: CEL rules (`x-kubernetes-validations`), admission webhooks, and rules between two objects.
"""

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import jsonschema_rs

from emulator.cluster.admission.definitions import closure
from emulator.cluster.admission.reporting import problems_of
from emulator.cluster.admission.rules import check_rules
from emulator.cluster.admission.structure import Structure
from emulator.cluster.admission.vocabulary import add_vocabulary
from emulator.package_data import folder as package_folder
from emulator.package_data import read_json
from emulator.problem import Problem, closest, one_of

_Definitions = dict[str, dict[str, Any]]
_Validator = jsonschema_rs.Draft202012Validator
_OBJECT_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"


class KubernetesSchemas:
    """The kinds of one Kubernetes version (`"1.35"`) and of the given CustomResourceDefinitions.

    Raises `ValueError` for a version that has no schema, with the list of those that do.
    """

    def __init__(self, version: str, custom: Iterable[Mapping[str, Any]] = ()) -> None:
        self._custom: dict[tuple[str, str], dict[str, Any]] = {}
        self.change_version(version)
        for definition in custom:
            self.add_custom_resource_definition(definition)

    def change_version(self, version: str) -> None:
        """Take the built-in kinds of another version. Raises `ValueError` as the constructor does."""
        self._definitions = _load(version)
        self._kinds = _kinds(version)
        self.version = version
        self._validators: dict[tuple[str, str], tuple[_Validator, dict[str, Any]]] = {}
        self._structures: dict[tuple[str, str], Structure] = {}

    def add_custom_resource_definition(self, crd: Mapping[str, Any]) -> None:
        """Learn the kinds of a CustomResourceDefinition manifest, so that objects of them are checked.

        Raises `ValueError` for one without group, kind or versions.
        """
        try:
            spec = crd["spec"]
            group, kind, versions = spec["group"], spec["names"]["kind"], spec["versions"]
        except (KeyError, TypeError) as missing:
            raise ValueError(f"the CustomResourceDefinition has no {missing}") from None
        for version in versions:
            if version.get("served", True):
                schema = version.get("schema", {}).get("openAPIV3Schema", {"type": "object"})
                self._forget(f"{group}/{version['name']}", kind)
                self._custom[f"{group}/{version['name']}", kind] = schema

    def remove_custom_resource_definition(self, crd: Mapping[str, Any]) -> None:
        """Forget the kinds of a CustomResourceDefinition."""
        spec = crd["spec"]
        for version in spec["versions"]:
            self._forget(f"{spec['group']}/{version['name']}", spec["names"]["kind"])

    def fault_of_definition(self, crd: Mapping[str, Any]) -> str:
        """Why the schemas of a CustomResourceDefinition cannot be used; empty when they can."""
        trial = KubernetesSchemas(self.version, [crd])
        for key in trial._custom:
            try:
                trial._compile(key)
            except (ValueError, TypeError, AttributeError) as fault:
                return str(fault)
        return ""

    def structure(self, api_version: str, kind: str) -> Structure | None:
        """The shape of a kind's objects; None for a kind that there is not."""
        key = (api_version, kind)
        if key not in self._structures:
            if key in self._custom:
                schema = {**self._custom[key], "properties": _with_meta(self._custom[key])}
                self._structures[key] = Structure(schema, self._definitions, custom=True)
            elif key in self._kinds:
                reference = {"$ref": f"#/$defs/{self._kinds[key]}"}
                self._structures[key] = Structure(reference, self._definitions)
            else:
                return None
        return self._structures[key]

    def definition(self, name: str) -> Structure:
        """The shape of one built-in definition, such as `io.k8s.api.core.v1.PodSpec`."""
        return Structure({"$ref": f"#/$defs/{name}"}, self._definitions)

    def check(self, manifest: Mapping[str, Any]) -> list[Problem]:
        """Return everything the API server would refuse or silently drop of one object."""
        found = self.check_shape(manifest)
        return found or check_rules(manifest)  # rules between fields presume their shape

    def check_shape(self, manifest: Mapping[str, Any]) -> list[Problem]:
        """Return what does not fit the schema of the object's kind."""
        key = (str(manifest.get("apiVersion", "")), str(manifest.get("kind", "")))
        if key not in self._kinds and key not in self._custom:
            return [self._no_such_kind(*key)]
        if key not in self._validators:
            self._validators[key] = self._compile(key)
        validator, schema = self._validators[key]
        found: list[Problem] = []
        if not validator.is_valid(manifest):
            for error in validator.iter_errors(manifest):
                found += problems_of(error, schema, custom=key in self._custom)
        return list({problem.property: problem for problem in reversed(found)}.values())[::-1]

    def _forget(self, api_version: str, kind: str) -> None:
        for known in (self._custom, self._validators, self._structures):
            known.pop((api_version, kind), None)

    def _compile(self, key: tuple[str, str]) -> tuple[_Validator, dict[str, Any]]:
        if key in self._custom:
            schema = _custom_schema(self._custom[key])
            schema["$defs"] = closure(self._definitions, [_OBJECT_META])
        else:
            name = self._kinds[key]
            # Compiling all of Kubernetes for a kind would take too long.
            schema = {"$ref": f"#/$defs/{name}", "$defs": closure(self._definitions, [name])}
        try:
            return _Validator(schema), schema
        except ValueError:  # a pattern in Go's dialect that Rust's does not know
            schema = _without_patterns(schema)
            return _Validator(schema), schema

    def _no_such_kind(self, api_version: str, kind: str) -> Problem:
        known = [*self._kinds, *self._custom]
        reason = f"is no kind of Kubernetes {self.version} nor of a CustomResourceDefinition seen so far"
        versions = [version for version, name in known if name == kind]
        if versions:
            return Problem("apiVersion", api_version, f"has no kind {kind}", one_of(versions, api_version))
        meant = closest(kind, [name for _, name in known])
        version = next((version for version, name in known if name == meant), "")
        remedy = "declare its CustomResourceDefinition first, or a kind of this version"
        return Problem("kind", kind, reason, f"did you mean {version} {meant}?" if meant else remedy)


@cache
def _load(version: str) -> _Definitions:
    schemas = package_folder("kubernetes_validate") / "kubernetes-json-schema"
    folder = schemas / f"v{version}.0-local-strict"
    if not folder.is_dir():
        names = [entry.name for entry in schemas.iterdir() if entry.name.endswith("-local-strict")]
        versions = sorted(
            (n[1:].split(".0-")[0] for n in names), key=lambda v: [int(p) for p in v.split(".")]
        )
        raise ValueError(f"there are no schemas of Kubernetes {version}: one of {', '.join(versions)}")
    definitions: _Definitions = read_json(folder / "_definitions.json")["$defs"]
    add_vocabulary(definitions)
    return definitions


@cache
def _kinds(version: str) -> dict[tuple[str, str], str]:
    """Map (apiVersion, kind) to the name of its definition."""
    kinds: dict[tuple[str, str], str] = {}
    for name, definition in _load(version).items():
        for kind in definition.get("x-kubernetes-group-version-kind", ()):
            group = f"{kind['group']}/" if kind["group"] else ""
            kinds[f"{group}{kind['version']}", kind["kind"]] = name
    return kinds


def _custom_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    strict = _strict(schema)
    strict["properties"] = _with_meta(strict)
    return strict


def _with_meta(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The properties of a custom resource, with those that every object has."""
    return {
        **schema.get("properties", {}),
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"$ref": f"#/$defs/{_OBJECT_META}"},
    }


def _strict(schema: Any) -> Any:
    """Turn a structural schema into the JSON schema that refuses the fields the API server would prune.

    https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/#field-pruning
    The branches of `anyOf` and its like are left alone: they only restrict what stands beside them.
    """
    strict = {key: value for key, value in schema.items() if key not in {"nullable", "example", "default"}}
    if schema.get("x-kubernetes-int-or-string"):
        strict.setdefault("type", ["integer", "string"])
    if isinstance(schema.get("properties"), Mapping):
        strict["properties"] = {name: _strict(field) for name, field in schema["properties"].items()}
    if isinstance(schema.get("items"), Mapping):
        strict["items"] = _strict(schema["items"])
    if isinstance(schema.get("additionalProperties"), Mapping):
        strict["additionalProperties"] = _strict(schema["additionalProperties"])
    elif schema.get("type") == "object" and "additionalProperties" not in schema:
        strict["additionalProperties"] = bool(schema.get("x-kubernetes-preserve-unknown-fields"))
        strict.setdefault("properties", {})  # without any, the validator does not name the unknown fields
    if schema.get("x-kubernetes-embedded-resource"):
        fields = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}}
        strict["properties"] = {"metadata": {"type": "object"}, **fields, **strict.get("properties", {})}
    for bound in ("exclusiveMinimum", "exclusiveMaximum"):  # OpenAPI 3.0: a flag beside the bound
        if isinstance(strict.get(bound), bool) and strict.pop(bound):
            strict[bound] = strict.pop(bound.removeprefix("exclusive").lower())
    if schema.get("nullable") and isinstance(strict.get("type"), str):
        strict["type"] = [strict["type"], "null"]
        if "enum" in strict:
            strict["enum"] = [*strict["enum"], None]
    return strict


def _without_patterns(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_without_patterns(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {k: _without_patterns(v) for k, v in schema.items() if not (k == "pattern" and isinstance(v, str))}
