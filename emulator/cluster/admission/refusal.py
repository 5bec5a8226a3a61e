"""A problem of a Kubernetes object that says too how an API server would put it."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from emulator.cluster.status import Cause
from emulator.problem import Problem


@dataclass(frozen=True)
class Refusal(Problem):
    """A problem with its cause in a `Status`; it reads like any other problem."""

    cause: Cause


def required(field: str, detail: str = "") -> Cause:
    """Something is missing."""
    return Cause(field, f"Required value: {detail}" if detail else "Required value", "FieldValueRequired")


def invalid(field: str, value: object, detail: str) -> Cause:
    """A value is wrong."""
    return Cause(field, f"Invalid value: {shown(value)}: {detail}")


def not_supported(field: str, value: object, supported: Iterable[str]) -> Cause:
    """A value is none of those there are."""
    choices = ", ".join(f'"{each}"' for each in supported)
    return Cause(
        *(field, f"Unsupported value: {shown(value)}: supported values: {choices}", "FieldValueNotSupported")
    )


def duplicate(field: str, value: object) -> Cause:
    """A value that must be there once."""
    return Cause(field, f"Duplicate value: {shown(value)}", "FieldValueDuplicate")


def not_found(field: str, value: object) -> Cause:
    """A value that refers to nothing."""
    return Cause(field, f"Not found: {shown(value)}", "FieldValueNotFound")


def forbidden(field: str, detail: str) -> Cause:
    """A value that must not stand here."""
    return Cause(field, f"Forbidden: {detail}", "FieldValueForbidden")


def too_long(field: str, longest: int) -> Cause:
    """More bytes than allowed."""
    return Cause(field, f"Too long: may not be more than {longest} bytes", "FieldValueTooLong")


def shown(value: object) -> str:
    """A value as `field.Error` prints it."""
    if value is None:
        return "null"
    if isinstance(value, str):
        return quoted(value)
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, default=str)


def quoted(text: str) -> str:
    """A text as Go's %q prints it."""
    return json.dumps(text, ensure_ascii=False)


def go_text(value: Any) -> str:
    """A value as Go's %v prints decoded JSON: `map[a:1 b:[x y]]`."""
    if isinstance(value, dict):
        return f"map[{' '.join(f'{key}:{go_text(value[key])}' for key in sorted(value))}]"
    if isinstance(value, list):
        return f"[{' '.join(go_text(item) for item in value)}]"
    if isinstance(value, bool):
        return str(value).lower()
    return "<nil>" if value is None else str(value)
