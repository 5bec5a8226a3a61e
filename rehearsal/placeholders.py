"""Stand-in outputs of a resource that was not created, so that the program goes on and every refusal is found.

They have the shape that the SDK declares for the type, down to nested objects, and carry a marker by which
everything that needs it is recognised.
"""

import importlib
import inspect
import json
import typing
from collections.abc import Mapping
from functools import cache
from typing import Any

from pulumi import _types  # pyright: ignore[reportPrivateUsage] - no public way to a resource's outputs

from rehearsal.checks.texts import texts
from rehearsal.service_models import operation_output

MARKER = "not-created:"
_DEPTH = 4
_RESPONSE_DEPTH = 6
_MODULES = {"index": "", "lambda": "lambda_"}
"""Modules whose Python name is another."""


def outputs(token: str, name: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The outputs of a resource of type `token` that does not exist; given inputs stand as they are.

    `name` is the refused resource's, or `<refused>.<name>` for one that waits for it: `mentions` finds the former.
    """
    made_up = {key: _value(kind, f"{MARKER}{name}.{key}", _DEPTH) for key, kind in _declared(token).items()}
    return _merged(made_up, as_declared(token, inputs))


def _merged(made_up: dict[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """What is given, and beside it what only AWS could add, at every depth."""
    merged = {**made_up, **given}
    for key, value in given.items():
        if isinstance(value, Mapping) and isinstance(made_up.get(key), dict):
            merged[key] = _merged(made_up[key], value)
    return merged


def as_declared(token: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Inputs as the outputs of the same name: a policy that is given as an object comes back as a string."""
    declared = _declared(token)
    return {
        key: json.dumps(value) if isinstance(value, Mapping) and declared.get(key) is str else value
        for key, value in inputs.items()
    }


@cache
def _declared(token: str) -> dict[str, Any]:
    """The types of the outputs that the SDK declares for a type; nothing for a type that it does not have."""
    kind = _class(token)
    if kind is None:
        return {}
    names = _types.resource_py_to_pulumi_names(kind)
    return {names.get(key, key): _without_none(value) for key, value in _types.resource_types(kind).items()}


@cache
def declares(token: str, name: str) -> bool:
    """Whether resources of type `token` have an output `name` (in Pulumi's case)."""
    return name in _declared(token)


def response(service: str, operation: str) -> dict[str, Any]:
    """A stand-in for the response of a call that was not made, in the shape of the service's model."""
    shape = operation_output(service, operation)
    return {} if shape is None else _member(shape, f"{MARKER}{operation}", _RESPONSE_DEPTH)


def _member(shape: Any, marker: str, depth: int) -> Any:
    kind = shape.type_name
    if kind == "structure":
        members = shape.members.items() if depth else ()
        return {name: _member(member, f"{marker}.{name}", depth - 1) for name, member in members}
    if kind == "list":
        return [_member(shape.member, marker, depth - 1)] if depth else []
    if kind == "map":
        return {}
    if kind in ("integer", "long", "float", "double"):
        return 1
    return False if kind == "boolean" else marker


def mentions(value: Any) -> str:
    """The name of the refused resource that `value` mentions at any depth, or an empty string."""
    for _, text in texts(value):
        _, marker, rest = text.partition(MARKER)
        if marker and (name := rest.split(".", 1)[0].split('"', 1)[0]):
            return name
    return ""


@cache
def _class(token: str) -> type | None:
    """`aws:eks/cluster:Cluster` is pulumi_aws.eks.Cluster, `random:index/randomId:RandomId` is
    pulumi_random.RandomId.
    """
    package, module, name = token.split(":")
    # `kubernetes:storage.k8s.io/v1:StorageClass` is pulumi_kubernetes.storage.v1.StorageClass; the others' second
    # part repeats the name.
    first, _, second = module.partition("/")
    module = f"{first.split('.')[0]}.{second}" if package == "kubernetes" else first
    path = f"pulumi_{package}.{_MODULES.get(module, module)}".removesuffix(".")
    try:
        found = getattr(importlib.import_module(path), name, None)
    except ImportError:
        return None
    return found if inspect.isclass(found) else None


def _without_none(kind: Any) -> Any:
    arguments = typing.get_args(kind)
    return next(each for each in arguments if each is not type(None)) if type(None) in arguments else kind


def _value(kind: Any, marker: str, depth: int) -> Any:
    kind = _without_none(kind)
    if kind is str:
        return marker
    if kind is int or kind is float:
        return 1
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (list, typing.Sequence) or (origin is not None and "Sequence" in str(origin)):
        return [_value(arguments[0], marker, depth - 1)] if depth and arguments else []
    if depth and _types.is_output_type(kind):
        names = _types._py_to_pulumi_names_from_py_properties(kind)  # pyright: ignore[reportPrivateUsage]
        return {
            names.get(key, key): _value(value, marker, depth - 1)
            for key, value in _types.output_type_types(kind).items()
        }
    return None
