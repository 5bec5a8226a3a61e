"""Compares the ARNs of a statement of an identity policy with those its actions can be limited to.

An ARN that none of the actions is about, or an action that none of the ARNs is for, has no effect in AWS and
is found when something is denied in production. A `*` where an ARN is known works, and allows too much.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from emulator.problem import Problem
from rehearsal.checks.iam_catalog import arn_formats, fits, matching_actions, readable, takes_either
from rehearsal.checks.iam_conditions import is_narrowed

ARN = re.compile(
    r"arn:(aws[a-z-]*|\*):[a-z0-9*?-]+:[a-z0-9*?-]*:(\d{12}|aws|cloudfront|[\d*?]*|):.+", re.DOTALL
)
VARIABLE = re.compile(r"\$\{[^}]*\}")
"""A policy variable, such as `${aws:PrincipalTag/team}`: any text, for these checks."""

_ROLES_FOR_ALL = {"sts:assumerole", "iam:passrole"}


def is_arn(resource: Any) -> bool:
    """Say whether a Resource element has the form of an ARN, or is `*`."""
    text = VARIABLE.sub("*", resource) if isinstance(resource, str) else ""
    return text == "*" or ARN.fullmatch(text) is not None


def check_resources(statement: Mapping[str, Any]) -> Iterator[Problem]:
    """Compare the ARNs of an identity policy's statement with those that its actions take."""
    actions = {str(a): matching_actions(str(a)) for _, a in elements(statement, "Action")}
    resources = elements(statement, "Resource")
    if not all(actions.values()) or not all(is_arn(resource) for _, resource in resources):
        return  # already reported
    formats = {action: [f for one in names for f in arn_formats(one)] for action, names in actions.items()}
    arns = [(path, VARIABLE.sub("*", arn)) for path, arn in resources]
    if statement.get("Effect") == "Allow":
        yield from _check_wildcards(statement, actions, formats, arns)
    if any(arn == "*" for _, arn in arns):
        return
    everything = [form for each in formats.values() for form in each]
    strangers = [(path, arn) for path, arn in arns if not fits(arn, everything)]
    if strangers and everything:
        for path, arn in strangers:
            yield Problem(
                path, arn, "is of no resource that the statement's actions are about", _ways(everything)
            )
        return
    for action, forms in formats.items():
        if any(takes_either(name) for name in actions[action]):
            continue
        if not forms:
            remedy = "a statement of its own with Resource *: it cannot be limited to an ARN"
            yield Problem("Action", action, "has no effect on these resources", remedy)
        elif not any(fits(arn, forms) for _, arn in arns):
            yield Problem("Action", action, "has no effect on these resources", f"also {_ways(forms)}")


def _check_wildcards(
    statement: Mapping[str, Any],
    actions: Mapping[str, tuple[str, ...]],
    formats: Mapping[str, list[str]],
    arns: list[tuple[str, str]],
) -> Iterator[Problem]:
    # `ec2:Describe*` needs *, although two of its 160 actions could do without: the majority decides.
    limitable = [action for action, names in actions.items() if sum(map(_limitable, names)) * 2 > len(names)]
    narrowed = is_narrowed(statement.get("Condition"))
    for path, arn in arns:
        whole = arn == "*" or (arn.split(":", 5)[5:] == ["*"] and not narrowed)
        concerned = [action for action in limitable if arn == "*" or fits(arn, formats[action])]
        if whole and concerned:
            reason = f"uses * where an ARN is known, for {_some(concerned)}"
            remedy = _ways([form for action in concerned for form in formats[action]])
            if len(concerned) < len(actions):
                remedy += "; the other actions need a statement of their own"
            yield Problem(path, arn, reason, remedy)
        elif arn.endswith(":role/*") and not statement.get("Condition"):
            for action in actions:
                if _ROLES_FOR_ALL & set(actions[action]):
                    remedy = "the ARNs of the roles, or a path or prefix such as role/prod-*"
                    yield Problem(path, arn, f"allows {action} on every role of the account", remedy)


def _limitable(action: str) -> bool:
    return bool(arn_formats(action)) and not takes_either(action)


def _ways(formats: list[str]) -> str:
    return f"use {_some([readable(form) for form in dict.fromkeys(formats)])}"


def _some(names: list[str]) -> str:
    shown = 3
    return ", ".join(names[:shown]) + (f" and {len(names) - shown} more" if len(names) > shown else "")


def elements(owner: Mapping[str, Any], name: str) -> list[tuple[str, Any]]:
    """Return each value of an element that takes one or a list, with its path."""
    values, several = listed(owner.get(name))
    return [(f"{name}[{place}]" if several else name, value) for place, value in enumerate(values)]


def listed(value: Any) -> tuple[list[Any], bool]:
    """Return the values of an element that takes one or a list, and whether it was a list."""
    if isinstance(value, list):
        return value, True
    return ([] if value is None else [value]), False
