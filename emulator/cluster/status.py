"""Refusals of a Kubernetes API server: `Status` objects with the code, reason and details that clients read.

https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/; the wording follows
`k8s.io/apimachinery/pkg/api/errors`, because tools and people match on it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from emulator.cluster.resources import Resource


@dataclass(frozen=True)
class Cause:
    """One field of an object that is not valid."""

    field: str
    """Path such as `spec.template.spec.containers[0].name`."""
    message: str
    reason: str = "FieldValueInvalid"
    """FieldValueInvalid, FieldValueRequired, FieldValueNotSupported, FieldValueDuplicate, FieldValueForbidden, ..."""


class ApiError(Exception):
    """What the server answers instead of what was asked for."""

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        *,
        name: str = "",
        group: str = "",
        kind: str = "",
        causes: Sequence[Cause] = (),
        retry_after: int | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.name = name
        self.group = group
        self.kind = kind
        self.causes = tuple(causes)
        self.retry_after = retry_after
        """Seconds."""

    def body(self) -> dict[str, Any]:
        """The `Status` object."""
        told: dict[str, Any] = {"name": self.name, "group": self.group, "kind": self.kind}
        details = {key: value for key, value in told.items() if value}
        if self.causes:
            details["causes"] = [
                {"reason": each.reason, "message": each.message, "field": each.field} for each in self.causes
            ]
        if self.retry_after is not None:
            details["retryAfterSeconds"] = self.retry_after
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            **({"details": details} if details else {}),
            "code": self.code,
        }


def not_found(resource: "Resource", name: str) -> ApiError:
    """404: no such object."""
    return ApiError(
        *(404, "NotFound", f'{resource.qualified} "{name}" not found'),
        **_about(resource, name),
    )


def already_exists(resource: "Resource", name: str) -> ApiError:
    """409: the name is taken."""
    return ApiError(
        *(409, "AlreadyExists", f'{resource.qualified} "{name}" already exists'),
        **_about(resource, name),
    )


def conflict(resource: "Resource", name: str, message: str = "") -> ApiError:
    """409: somebody else was faster."""
    message = message or (
        "the object has been modified; please apply your changes to the latest version and try again"
    )
    return ApiError(
        *(409, "Conflict", f'Operation cannot be fulfilled on {resource.qualified} "{name}": {message}'),
        **_about(resource, name),
    )


def invalid(resource: "Resource", name: str, causes: Sequence[Cause]) -> ApiError:
    """422: fields that are not valid, all of them at once."""
    told = [f"{each.field}: {each.message}" for each in causes]
    text = told[0] if len(told) == 1 else f"[{', '.join(told)}]"
    qualified = f"{resource.kind}.{resource.group}" if resource.group else resource.kind
    return ApiError(
        *(422, "Invalid", f'{qualified} "{name}" is invalid: {text}'),
        name=name,
        group=resource.group,
        kind=resource.kind,
        causes=causes,
    )


def bad_request(message: str) -> ApiError:
    """400: the request makes no sense."""
    return ApiError(400, "BadRequest", message)


def forbidden(resource: "Resource", name: str, message: str) -> ApiError:
    """403: understood and refused."""
    return ApiError(
        *(403, "Forbidden", f'{resource.qualified} "{name}" is forbidden: {message}'),
        **_about(resource, name),
    )


def _about(resource: "Resource", name: str) -> dict[str, Any]:
    return {"name": name, "group": resource.group, "kind": resource.plural}
