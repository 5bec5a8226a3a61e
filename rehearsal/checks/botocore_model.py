"""Checks a boto3 request against the botocore model of its operation, as strictly as AWS does.

botocore's own validator looks at types, required members and minimum lengths only, and moto at even less, so
`amiType="AL2023_x86_64_NVIDEA"` passes both and fails twenty minutes into a real `pulumi up`. This module
checks what the models (the `service-2` files of the installed botocore) say besides: enums, patterns,
maximum lengths and ranges. Where AWS's documentation says what a model leaves out, or a model is wrong,
`botocore_overrides` has the rule and its source.

Every shape is compiled once into a function; a valid request builds no path and no list.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from functools import cache
from numbers import Real
from typing import Any, cast

from emulator.problem import MASKED, Problem, closest, letters, one_of
from rehearsal.checks.botocore_overrides import EXCEPTIONS, SUPPLEMENTS
from rehearsal.checks.java_patterns import matcher
from rehearsal.service_models import raw_model

Check = Callable[[Any], Sequence[Problem]]
"""Checks one value; the properties of the problems are relative to it."""

_FINE: Sequence[Problem] = ()
_LONGEST_SHOWN = 200
_KUBERNETES_WORDS = {"NoSchedule", "PreferNoSchedule", "NoExecute"}
"""Taint effects, which the EKS API spells NO_SCHEDULE, PREFER_NO_SCHEDULE and NO_EXECUTE."""


def check_request(
    service: str,
    operation: str,
    request: Mapping[str, object],
    property_of: Callable[[str], str] = lambda path: path,
) -> list[Problem]:
    """Return everything AWS would refuse about the parameters of one call.

    `service` and `operation` are boto3's names (`eks`, `CreateNodegroup`); `property_of` maps the path of a
    parameter (`scalingConfig.minSize`) to the Pulumi property it was taken from. Raises `KeyError` for an
    operation the service does not have, which is a mistake of the adapter and not of the program.
    """
    problems = _service(service).input_check(operation)(request)
    return [
        Problem(property_of(problem.property), problem.value, problem.reason, problem.remedy)
        for problem in problems
    ]


@cache
def _service(name: str) -> "_Service":
    return _Service(name)


class _Service:
    """The shapes of one service, compiled as they are met."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.model: dict[str, Any] = raw_model(name)
        self.checks: dict[str, Check] = {}
        self._inputs: dict[str, Check] = {}
        # A check that is half compiled calls itself for ever: no other thread may see it.
        self._compiling = threading.Lock()

    def input_check(self, operation: str) -> Check:
        known = self._inputs.get(operation)
        if known is None:
            with self._compiling:
                known = self._inputs[operation] = self._input_check(operation)
        return known

    def _input_check(self, operation: str) -> Check:
        described = self.model["operations"].get(operation)
        if described is None:
            raise KeyError(
                f"{self.name} has no operation {operation}: {one_of(self.model['operations'], operation)}"
            )
        return self.check(described["input"]["shape"]) if "input" in described else _no_parameters

    def check(self, shape_name: str) -> Check:
        if shape_name not in self.checks:
            # Shapes refer to themselves: until this one is compiled, look it up when called.
            self.checks[shape_name] = lambda value: self.checks[shape_name](value)  # noqa: PLW0108
            self.checks[shape_name] = self._compile(shape_name)
        return self.checks[shape_name]

    def _compile(self, shape_name: str, member: str = "") -> Check:
        shape: dict[str, Any] = {**self.model["shapes"][shape_name]}
        shape |= SUPPLEMENTS.get((self.name, member or shape_name), {})
        for constraint in EXCEPTIONS.get((self.name, member or shape_name), {}):
            shape.pop(constraint, None)
        match shape["type"]:
            case "structure":
                check = self._structure(shape_name, shape)
            case "list":
                check = self._list(shape)
            case "map":
                check = self._map(shape)
            case "string" | "character":
                check = _string(shape, f"{self.name}'s {shape_name}")
            case "integer" | "long":
                check = _number(shape, int, "an integer")
            case "float" | "double":
                check = _number(shape, Real, "a number")
            case "boolean":
                check = _boolean
            case "blob":
                check = _blob(shape)
            case "timestamp":
                check = _timestamp
            case other:
                raise NotImplementedError(f"botocore type {other} of {self.name} {shape_name}")
        return check

    def _member(self, structure: str, name: str, shape_name: str) -> Check:
        member = f"{structure}.{name}"
        special = (self.name, member) in SUPPLEMENTS or (self.name, member) in EXCEPTIONS
        return self._compile(shape_name, member) if special else self.check(shape_name)

    def _structure(self, shape_name: str, shape: dict[str, Any]) -> Check:
        if shape.get("document"):
            return lambda _: _FINE
        members = {n: self._member(shape_name, n, m["shape"]) for n, m in shape["members"].items()}
        filled_in = {n for n, m in shape["members"].items() if m.get("idempotencyToken")}  # by botocore
        required = [name for name in shape.get("required", ()) if name not in filled_in]
        is_union: bool = shape.get("union", False)

        def check(value: Any) -> Sequence[Problem]:
            if not isinstance(value, Mapping):
                return _wrong_type(value, "an object")
            found: list[Problem] = []
            for name, member in value.items():
                member_check = members.get(name)
                if member_check is None:
                    found.append(Problem(name, member, "is not a parameter", one_of(members, name)))
                elif problems := member_check(member):
                    found += [problem.at(name) for problem in problems]
            for name in required:
                if name not in value:
                    found.append(Problem(name, None, "is required", f"give {name}"))
            if is_union and len(value) != 1:
                reason = f"has {len(value)} members where AWS takes exactly one"
                found.append(Problem("", value, reason, one_of(members)))
            return found

        return check

    def _list(self, shape: dict[str, Any]) -> Check:
        member_check = self.check(shape["member"]["shape"])
        length = _length(shape, "items")

        def check(value: Any) -> Sequence[Problem]:
            if not isinstance(value, list | tuple):
                return _wrong_type(value, "a list")
            found = [*length(value)] if length else []
            for place, member in enumerate(cast("Sequence[Any]", value)):
                if problems := member_check(member):
                    found += [problem.at(f"[{place}]") for problem in problems]
            return found

        return check

    def _map(self, shape: dict[str, Any]) -> Check:
        key_check = self.check(shape["key"]["shape"])
        value_check = self.check(shape["value"]["shape"])
        length = _length(shape, "entries")

        def check(value: Any) -> Sequence[Problem]:
            if not isinstance(value, Mapping):
                return _wrong_type(value, "an object")
            found = [*length(value)] if length else []
            for key, member in value.items():
                found += [Problem(str(key), key, f"as a key {p.reason}", p.remedy) for p in key_check(key)]
                if problems := value_check(member):
                    found += [problem.at(str(key)) for problem in problems]
            return found

        return check


def _string(shape: dict[str, Any], what: str) -> Check:
    choices: list[str] | None = shape.get("enum")
    enum = frozenset(choices) if choices else None
    pattern: str | None = shape.get("pattern")
    matches = matcher(pattern) if pattern else None
    advice: str | None = shape.get("advice")
    length = _length(shape, "characters")
    sensitive: bool = shape.get("sensitive", False)

    def check(value: Any) -> Sequence[Problem]:
        if not isinstance(value, str):
            return _wrong_type(value, "a string")
        found: list[Problem] = []
        shown = (
            MASKED if sensitive else value if len(value) <= _LONGEST_SHOWN else value[:_LONGEST_SHOWN] + "..."
        )
        if enum is not None and choices is not None:
            if value not in enum:
                found.append(Problem("", shown, f"is not a value of {what}", _enum_remedy(choices, value)))
        elif matches is not None and not matches(value):
            found.append(Problem("", shown, "does not have the form AWS takes", advice or f"match {pattern}"))
        if length:
            found += [Problem("", shown, problem.reason, problem.remedy) for problem in length(value)]
        return found

    return check


def _enum_remedy(choices: list[str], value: str) -> str:
    remedy = one_of(choices, value)
    meant = closest(value, choices)
    if meant is not None and letters(meant) == letters(value):
        other = "Kubernetes' word for it" if value in _KUBERNETES_WORDS else "the same word spelled otherwise"
        remedy += f" ({value} is {other})"
    return remedy


def _number(shape: dict[str, Any], kind: type, called: str) -> Check:
    least: float | None = shape.get("min")
    most: float | None = shape.get("max")
    allowed: list[int] | None = shape.get("allowed")

    def check(value: Any) -> Sequence[Problem]:
        if not isinstance(value, kind) or isinstance(value, bool):
            return _wrong_type(value, called)
        if allowed is not None and value not in allowed:
            return [Problem("", value, "is not a value AWS takes", f"one of {', '.join(map(str, allowed))}")]
        if (least is not None and value < least) or (most is not None and value > most):
            return [Problem("", value, "is out of range", _between(least, most, ""))]
        return _FINE

    return check


def _boolean(value: Any) -> Sequence[Problem]:
    return _FINE if isinstance(value, bool) else _wrong_type(value, "true or false")


def _blob(shape: dict[str, Any]) -> Check:
    length = _length(shape, "bytes")

    def check(value: Any) -> Sequence[Problem]:
        if hasattr(value, "read"):
            return _FINE
        if not isinstance(value, bytes | bytearray | str):
            return _wrong_type(value, "bytes")
        return length(value) if length else _FINE

    return check


def _timestamp(value: Any) -> Sequence[Problem]:
    # botocore also takes seconds since the epoch and most spellings of a date.
    good = isinstance(value, date | str | int | float) and value is not True and value is not False
    return _FINE if good else _wrong_type(value, "a time")


def _no_parameters(value: Any) -> Sequence[Problem]:
    return [
        Problem(name, member, "is not a parameter", "the call takes none") for name, member in value.items()
    ]


def _length(shape: dict[str, Any], unit: str) -> Check | None:
    least: int | None = shape.get("min")
    most: int | None = shape.get("max")
    if not least and most is None:
        return None
    lowest, highest = least or 0, most if most is not None else float("inf")

    def check(value: Any) -> Sequence[Problem]:
        if lowest <= len(value) <= highest:
            return _FINE
        return [Problem("", value, f"has {len(value)} {unit}", _between(least, most, f" {unit}"))]

    return check


def _between(least: float | None, most: float | None, unit: str) -> str:
    if least is None:
        return f"at most {most:g}{unit}"
    if most is None:
        return f"at least {least:g}{unit}"
    return f"exactly {least:g}{unit}" if least == most else f"from {least:g} to {most:g}{unit}"


def _wrong_type(value: Any, wanted: str) -> Sequence[Problem]:
    names = {
        bool: "true or false",
        str: "a string",
        int: "an integer",
        float: "a number",
        list: "a list",
        dict: "an object",
    }
    actual = "empty (null)" if value is None else names.get(type(value), type(value).__name__)
    return [Problem("", value, f"is {actual}, not {wanted}", f"give {wanted}")]
