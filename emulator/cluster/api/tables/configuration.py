"""The columns of what pods are given and of who may do what."""

from collections.abc import Mapping
from typing import Any, Final

from emulator.cluster.api.tables.columns import (
    AGE,
    CREATED_AT,
    NAME,
    UNSET,
    Column,
    at,
    column,
    field,
)
from emulator.cluster.conditions import condition
from emulator.cluster.store import Object


def _entries(*parts: str) -> Column:
    return column("Data", lambda obj: sum(len(obj.get(part) or ()) for part in parts), "integer")


def _role(binding: Object) -> str:
    return f"{binding['roleRef']['kind']}/{binding['roleRef']['name']}"


def _subjects(title: str, kind: str) -> Column:
    def cell(binding: Object) -> str:
        return ", ".join(_subject(each) for each in binding.get("subjects") or () if each["kind"] == kind)

    return column(title, cell, wide=True)


def _subject(subject: Mapping[str, Any]) -> str:
    return f"{subject['namespace']}/{subject['name']}" if subject.get("namespace") else subject["name"]


def _usage(prefix: str, *, limits: bool) -> Column:
    """`used/hard` of a quota's limits, or of all else."""

    def cell(quota: Object) -> str:
        used = at(quota, "status.used") or {}
        hard = at(quota, "status.hard") or at(quota, "spec.hard") or {}
        return ", ".join(
            f"{name}: {used.get(name, '0')}/{value}"
            for name, value in sorted(hard.items())
            if name.startswith("limits.") == limits
        )

    return column(prefix, cell)


def _available(service: Object) -> str:
    found = condition(service, "Available")
    if found is None or found["status"] == "True":
        return "True"
    return f"{found['status']} ({found['reason']})" if found.get("reason") else found["status"]


def _backed_by(service: Object) -> str:
    reference = at(service, "spec.service")
    return f"{reference['namespace']}/{reference['name']}" if reference else "Local"


def _parameter_kind(policy: Object) -> str:
    kind = at(policy, "spec.paramKind")
    return f"{kind['apiVersion']}/{kind['kind']}" if kind else UNSET


def _parameters(binding: Object) -> str:
    reference = at(binding, "spec.paramRef")
    if not reference:
        return UNSET
    return f"{reference.get('namespace') or '*'}/{reference.get('name') or '*'}"


CONFIG_MAPS: Final = (NAME, _entries("data", "binaryData"), AGE)
SECRETS: Final = (NAME, field("Type", "type"), _entries("data"), AGE)
SERVICE_ACCOUNTS: Final = (
    NAME,
    column("Secrets", lambda obj: len(obj.get("secrets") or ()), "integer"),
    AGE,
)
RESOURCE_QUOTAS: Final = (NAME, _usage("Request", limits=False), _usage("Limit", limits=True), AGE)
ROLES: Final = (NAME, CREATED_AT)
BINDINGS: Final = (
    NAME,
    column("Role", _role),
    AGE,
    _subjects("Users", "User"),
    _subjects("Groups", "Group"),
    _subjects("ServiceAccounts", "ServiceAccount"),
)
WEBHOOKS: Final = (NAME, column("Webhooks", lambda obj: len(obj.get("webhooks") or ()), "integer"), AGE)
ADMISSION_POLICIES: Final = (
    NAME,
    column("Validations", lambda obj: len(at(obj, "spec.validations") or ()), "integer"),
    column("ParamKind", _parameter_kind),
    AGE,
)
ADMISSION_BINDINGS: Final = (
    NAME,
    field("PolicyName", "spec.policyName"),
    column("ParamRef", _parameters),
    AGE,
)
API_SERVICES: Final = (NAME, column("Service", _backed_by), column("Available", _available), AGE)
