"""What the API server checks of the selectors within an object, wherever its kind has one.

The rules are those of `k8s.io/apimachinery/pkg/apis/meta/v1/validation` for labels of objects, and of
`k8s.io/kubernetes/pkg/apis/core/validation` for those of nodes. Which operators there are is in `vocabulary`.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from emulator.cluster import names
from emulator.cluster.admission import refusal
from emulator.cluster.admission.metadata import check_labels
from emulator.cluster.admission.refusal import Refusal
from emulator.cluster.admission.structure import Structure
from emulator.cluster.status import Cause
from emulator.problem import join

_LABEL_SELECTOR: Final = "io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelector"
_NODE_SELECTOR_REQUIREMENT: Final = "io.k8s.api.core.v1.NodeSelectorRequirement"


def check_selectors(structure: Structure, obj: Mapping[str, Any]) -> Iterator[Cause]:
    """Yield what is wrong with the selectors of an object's spec, which has the right shape."""
    spec = structure.field("spec")
    if spec is not None and "spec" in obj:
        yield from _within(spec, obj["spec"], "spec")


def _within(structure: Structure, value: Any, path: str) -> Iterator[Cause]:
    if isinstance(value, dict):
        if structure.definition == _LABEL_SELECTOR:
            yield from _label_selector(value, path)
        elif structure.definition == _NODE_SELECTOR_REQUIREMENT:
            yield from _node_requirement(value, path)
        else:
            for name, inner in value.items():
                field = structure.field(name)
                if field is not None and isinstance(inner, dict | list):
                    yield from _within(field, inner, join(path, name))
    elif isinstance(value, list) and structure.item is not None:
        for place, inner in enumerate(value):
            yield from _within(structure.item, inner, f"{path}[{place}]")


def _label_selector(selector: Mapping[str, Any], path: str) -> Iterator[Cause]:
    labels = check_labels(selector.get("matchLabels") or {}, join(path, "matchLabels"))
    yield from (problem.cause for problem in labels if isinstance(problem, Refusal))
    for place, each in enumerate(selector.get("matchExpressions") or ()):
        where = join(path, f"matchExpressions[{place}]")
        yield from _values(each, where)
        yield from _key(each, where)
        for number, value in enumerate(each.get("values") or ()):
            told = names.label_value_error(value)
            if told:
                yield refusal.invalid(f"{where}.values[{number}]", value, told)


def _node_requirement(requirement: Mapping[str, Any], path: str) -> Iterator[Cause]:
    if path.rpartition(".")[2].startswith("matchFields"):
        return
    yield from _values(requirement, path)
    if requirement.get("operator") in {"Gt", "Lt"} and len(requirement.get("values") or ()) != 1:
        yield refusal.required(
            f"{path}.values", "must be specified single value when `operator` is 'Lt' or 'Gt'"
        )
    yield from _key(requirement, path)


def _values(requirement: Mapping[str, Any], path: str) -> Iterator[Cause]:
    operator, values = requirement.get("operator"), requirement.get("values")
    if operator in {"In", "NotIn"} and not values:
        yield refusal.required(f"{path}.values", "must be specified when `operator` is 'In' or 'NotIn'")
    elif operator in {"Exists", "DoesNotExist"} and values:
        text = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
        yield refusal.forbidden(f"{path}.values", text)


def _key(requirement: Mapping[str, Any], path: str) -> Iterator[Cause]:
    key = requirement.get("key", "")
    told = names.key_error(key)
    if told:
        yield refusal.invalid(f"{path}.key", key, told)
