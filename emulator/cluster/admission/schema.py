"""Checks Kubernetes objects against the API schema of one pinned version, as strictly as the API server.

The schemas are those of the `kubernetes-validate` package (its strict variant: an unknown field is an error,
where the API server would drop it with a warning nobody reads), with the vocabulary of
`vocabulary`. Custom resources are checked against the structural schema of their
CustomResourceDefinition. `rules` adds what no schema can say.

Not covered: CEL rules (`x-kubernetes-validations`), admission webhooks, and rules between two objects.
"""

import json
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import jsonschema_rs

from emulator.cluster.admission.rules import check_rules
from emulator.cluster.admission.vocabulary import add_vocabulary
from emulator.cluster.quantities import EXAMPLES, PATTERN
from emulator.package_data import folder as package_folder
from emulator.package_data import read_json
from emulator.problem import Problem, closest, join, one_of

_Definitions = dict[str, dict[str, Any]]
_Validator = jsonschema_rs.Draft202012Validator
_OBJECT_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
_EKS_EFFECTS = {"NO_SCHEDULE", "PREFER_NO_SCHEDULE", "NO_EXECUTE"}


class KubernetesSchemas:
    """The kinds of one Kubernetes version (`"1.35"`) and of the given CustomResourceDefinitions.

    Raises `ValueError` for a version that has no schema, with the list of those that do.
    """

    def __init__(self, version: str, custom: Iterable[Mapping[str, Any]] = ()) -> None:
        self.version = version
        self._definitions = _load(version)
        self._kinds = _kinds(version)
        self._custom: dict[tuple[str, str], dict[str, Any]] = {}
        self._validators: dict[tuple[str, str], tuple[_Validator, dict[str, Any]]] = {}
        for definition in custom:
            self.add_custom_resource_definition(definition)

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
                self._custom[f"{group}/{version['name']}", kind] = schema
                self._validators.pop((f"{group}/{version['name']}", kind), None)

    def check(self, manifest: Mapping[str, Any]) -> list[Problem]:
        """Return everything the API server would refuse or silently drop of one object."""
        key = (str(manifest.get("apiVersion", "")), str(manifest.get("kind", "")))
        if key not in self._kinds and key not in self._custom:
            return [self._no_such_kind(*key)]
        if key not in self._validators:
            self._validators[key] = self._compile(key)
        validator, schema = self._validators[key]
        found: list[Problem] = []
        if not validator.is_valid(manifest):
            for error in validator.iter_errors(manifest):
                found += _problems(error, schema)
        if found:  # rules between fields presume their shape
            return list({problem.property: problem for problem in reversed(found)}.values())[::-1]
        return check_rules(manifest)

    def _compile(self, key: tuple[str, str]) -> tuple[_Validator, dict[str, Any]]:
        if key in self._custom:
            schema = _custom_schema(self._custom[key])
            schema["$defs"] = _closure(self._definitions, _OBJECT_META)
        else:
            name = self._kinds[key]
            schema = {"$ref": f"#/$defs/{name}", "$defs": _closure(self._definitions, name)}
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


def _closure(definitions: _Definitions, name: str) -> _Definitions:
    """Return the definition and all it refers to: compiling all of Kubernetes for a kind takes too long."""
    needed: _Definitions = {}
    waiting = [name]
    while waiting:
        current = waiting.pop()
        if current not in needed:
            needed[current] = definitions[current]
            waiting += _references(definitions[current])
    return needed


def _references(schema: Any) -> list[str]:
    if isinstance(schema, list):
        return [name for item in schema for name in _references(item)]
    if not isinstance(schema, dict):
        return []
    own = schema.get("$ref")
    names = [own.rpartition("/")[2]] if isinstance(own, str) else []
    return names + [name for value in schema.values() for name in _references(value)]


def _custom_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    strict = _strict(schema)
    strict["properties"] = {
        **strict.get("properties", {}),
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"$ref": f"#/$defs/{_OBJECT_META}"},
    }
    return strict


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


def _problems(error: jsonschema_rs.ValidationError, schema: Any) -> list[Problem]:  # noqa: PLR0911
    """Say one error of the validator in the words of the person who wrote the manifest."""
    where = ""
    for step in error.instance_path:
        where = join(where, f"[{step}]" if isinstance(step, int) else step)
    kind: Any = error.kind.as_dict()
    value: Any = error.instance
    match error.kind.name:
        case "additionalProperties":
            known = _at(schema, error.schema_path[:-1]).get("properties", {})
            return [
                Problem(join(where, name), value.get(name), "is no such field", one_of(known, name))
                for name in kind["unexpected"]
            ]
        case "required":
            name = kind["property"]
            return [Problem(join(where, name), None, "is required", f"give {name}")]
        case "type":
            wanted = " or ".join(name for name in kind["types"] if name != "null")
            return [Problem(where, value, f"is {_type(value)}, not {wanted}", f"give {_article(wanted)}")]
        case "enum":
            choices = [str(choice) for choice in kind["options"] if choice is not None]
            other = f" ({value} is EKS's word for it)" if value in _EKS_EFFECTS else ""
            return [Problem(where, value, "is not a value of this field", one_of(choices, value) + other)]
        case "pattern":
            wanted = EXAMPLES if kind["pattern"] == PATTERN else f"match {kind['pattern']}"
            return [Problem(where, value, "does not have the form Kubernetes takes", wanted)]
        case "minimum" | "maximum":
            limits = _at(schema, error.schema_path[:-1])
            least, most = limits.get("minimum", "any"), limits.get("maximum", "any")
            return [Problem(where, value, "is out of range", f"from {least} to {most}")]
        case "anyOf" | "oneOf":
            branches = [" and ".join(each.message for each in branch) for branch in kind.get("context", ())]
            return [
                Problem(where, value, "fits none of the alternatives", f"not so: {'; or '.join(branches)}")
            ]
        case name:
            constraint = _at(schema, error.schema_path)
            return [
                Problem(where, value, f"breaks {name} of the schema", f"{name}: {json.dumps(constraint)}")
            ]


def _at(schema: Any, path: Iterable[str | int]) -> Any:
    for step in path:
        schema = schema[step]
    return schema


def _type(value: object) -> str:
    names: dict[type, str] = {str: "a string", bool: "true or false", int: "an integer", float: "a number"}
    names |= {dict: "an object", list: "a list"}
    return "null" if value is None else names.get(type(value), type(value).__name__)


def _article(word: str) -> str:
    return f"an {word}" if word[0] in "aio" else f"a {word}"
