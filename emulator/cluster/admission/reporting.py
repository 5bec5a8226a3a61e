"""Says the errors of the JSON schema validator in the words of the person who wrote the manifest.

Each problem also carries its cause as the API server puts it: `k8s.io/apimachinery/pkg/util/validation/field`
for built-in kinds, `k8s.io/kube-openapi/pkg/validation/errors` for custom ones.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

import jsonschema_rs

from emulator.cluster.admission import refusal
from emulator.cluster.admission.refusal import Refusal, shown
from emulator.cluster.quantities import EXAMPLES, PATTERN
from emulator.cluster.status import Cause
from emulator.problem import Problem, join, one_of

_EKS_EFFECTS: Final = {"NO_SCHEDULE", "PREFER_NO_SCHEDULE", "NO_EXECUTE"}


def problems_of(error: jsonschema_rs.ValidationError, schema: Any, *, custom: bool) -> list[Problem]:  # noqa: PLR0911
    """Say one error; `custom` is whether the schema is that of a CustomResourceDefinition."""
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
            path = join(where, kind["property"])
            remedy = f"give {kind['property']}"
            return [Refusal(path, None, "is required", remedy, refusal.required(path))]
        case "type":
            wanted = " or ".join(name for name in kind["types"] if name != "null")
            cause = refusal.invalid(where, _json_type(value), _wrong_type(where, value, wanted))
            reason = f"is {_type(value)}, not {wanted}"
            return [Refusal(where, value, reason, f"give {_article(wanted)}", cause)]
        case "enum":
            choices = [str(choice) for choice in kind["options"] if choice is not None]
            other = f" ({value} is EKS's word for it)" if value in _EKS_EFFECTS else ""
            cause = refusal.not_supported(where, value, choices if custom else sorted(choices))
            remedy = one_of(choices, value) + other
            return [Refusal(where, value, "is not a value of this field", remedy, cause)]
        case "pattern":
            wanted = EXAMPLES if kind["pattern"] == PATTERN else f"match {kind['pattern']}"
            cause = refusal.invalid(where, value, f"{where} in body should match '{kind['pattern']}'")
            return [Refusal(where, value, "does not have the form Kubernetes takes", wanted, cause)]
        case "minimum" | "maximum":
            limits = _at(schema, error.schema_path[:-1])
            least, most = limits.get("minimum", "any"), limits.get("maximum", "any")
            cause = refusal.invalid(where, value, _out_of_range(where, value, limits, custom=custom))
            return [Refusal(where, value, "is out of range", f"from {least} to {most}", cause)]
        case "anyOf" | "oneOf":
            branches = [" and ".join(each.message for each in branch) for branch in kind.get("context", ())]
            remedy = f"not so: {'; or '.join(branches)}"
            cause = refusal.invalid(where, "", _none_fits(where, error.kind.name))
            return [Refusal(where, value, "fits none of the alternatives", remedy, cause)]
        case name:
            constraint = _at(schema, error.schema_path)
            cause = _cause_of(name, where, value, constraint)
            remedy = f"{name}: {json.dumps(constraint)}"
            return [Refusal(where, value, f"breaks {name} of the schema", remedy, cause)]


def _wrong_type(where: str, value: object, wanted: str) -> str:
    return f"{where} in body must be of type {wanted.replace(' or ', ',')}: {shown(_json_type(value))}"


def _out_of_range(where: str, value: float, limits: Mapping[str, Any], *, custom: bool) -> str:
    low = "minimum" in limits and value < limits["minimum"]
    if custom:
        side = f"greater than or equal to {limits['minimum']}" if low else ""
        return f"{where} in body should be {side or 'less than or equal to ' + str(limits.get('maximum'))}"
    if limits.get("minimum") == 0 and low:
        return "must be greater than or equal to 0"
    return f"must be between {limits.get('minimum')} and {limits.get('maximum')}, inclusive"


def _none_fits(where: str, name: str) -> str:
    if name == "anyOf":
        return f'"{where}" must validate at least one schema (anyOf)'
    return f'"{where}" must validate one and only one schema (oneOf). Found none valid'


def _cause_of(name: str, where: str, value: Any, constraint: Any) -> Cause:
    if name == "maxLength":
        return refusal.too_long(where, constraint)
    if name in {"maxItems", "maxProperties"}:
        text = f"Too many: {len(value)}: must have at most {constraint} items"
        return Cause(where, text, "FieldValueTooMany")
    shortfalls = {
        "minLength": f"should be at least {constraint} chars long",
        "minItems": f"should have at least {constraint} items",
        "exclusiveMinimum": f"should be greater than {constraint}",
        "exclusiveMaximum": f"should be less than {constraint}",
    }
    told = shortfalls.get(name, f"breaks {name}: {json.dumps(constraint)}")
    counted = len(value) if name == "minItems" else value
    return refusal.invalid(where, counted, f"{where} in body {told}")


def _at(schema: Any, path: Iterable[str | int]) -> Any:
    for step in path:
        schema = schema[step]
    return schema


def _json_type(value: object) -> str:
    names: dict[type, str] = {str: "string", bool: "boolean", int: "integer", float: "number"}
    names |= {dict: "object", list: "array"}
    return "null" if value is None else names.get(type(value), type(value).__name__)


def _type(value: object) -> str:
    names: dict[type, str] = {str: "a string", bool: "true or false", int: "an integer", float: "a number"}
    names |= {dict: "an object", list: "a list"}
    return "null" if value is None else names.get(type(value), type(value).__name__)


def _article(word: str) -> str:
    return f"an {word}" if word[0] in "aio" else f"a {word}"
