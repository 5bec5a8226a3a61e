"""Checks IAM policy documents: the grammar, the names in them, and wildcards where an ARN is known.

Sources: the IAM policy grammar and quotas
(reference_policies_grammar.html and reference_iam-quotas.html in
https://docs.aws.amazon.com/IAM/latest/UserGuide/), and what `iam_catalog` and `iam_conditions` know.

Not covered: condition keys of single services, values of conditions, policy variables, permission boundaries
and service control policies, whether a principal exists, and what several policies allow together. A resource
policy may say `*` for "this resource" (as KMS key policies must) and is not judged for it.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from emulator.problem import Problem, join, one_of
from rehearsal.checks.iam_catalog import matching_actions, services
from rehearsal.checks.iam_conditions import check_condition
from rehearsal.checks.iam_resources import ARN, check_resources, elements, is_arn, listed

Kind = Literal["identity", "trust", "resource"]

SIZE_LIMITS: dict[Kind, int] = {"identity": 6144, "trust": 2048, "resource": 20480}
"""Characters without whitespace: a managed policy, a trust policy by default quota, a bucket policy."""

_VERSION = "2012-10-17"
_ACTION_KEYS = ["Action", "NotAction"]
_RESOURCE_KEYS = ["Resource", "NotResource"]
_PRINCIPAL_KEYS = ["Principal", "NotPrincipal"]
_PRINCIPALS = ["AWS", "Service", "Federated", "CanonicalUser"]
_ACCOUNT = re.compile(r"\d{12}")
_SERVICE_PRINCIPAL = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*\.amazonaws\.com(\.cn)?")


def check_policy(
    document: str | Mapping[str, Any],
    kind: Kind,
    property: str = "policy",  # noqa: A002  (the name of the field of Problem)
    size_limit: int | None = None,
) -> list[Problem]:
    """Return what IAM would refuse of a policy, or accept although it allows more than is meant.

    `kind` says where it is attached: to an identity, to a role as its trust policy, or to a resource.
    `size_limit` overrides the one of `SIZE_LIMITS`: 10,240 for all the inline policies of a role together.
    """
    text = document if isinstance(document, str) else json.dumps(document, default=str)
    try:
        policy = json.loads(text)
    except ValueError as reason:
        return [
            Problem(
                property, text[:80], f"is not JSON ({reason})", "a JSON object with Version and Statement"
            )
        ]
    if not isinstance(policy, dict):
        return [Problem(property, policy, "is not a policy", "a JSON object with Version and Statement")]
    found = [*_check_frame(policy, text, size_limit or SIZE_LIMITS[kind])]
    statements, several = listed(policy.get("Statement"))
    sids: set[str] = set()
    for place, statement in enumerate(statements):
        path = f"Statement[{place}]" if several else "Statement"
        if not isinstance(statement, dict):
            found.append(Problem(path, statement, "is not a statement", "an object with Effect and Action"))
            continue
        found += [problem.at(path) for problem in _check_statement(statement, kind)]
        sid = statement.get("Sid")
        if isinstance(sid, str) and sid in sids:
            found.append(Problem(f"{path}.Sid", sid, "is the Sid of another statement", "a Sid of its own"))
        sids |= {sid} if isinstance(sid, str) and sid else set()
    return [problem.at(property) for problem in found]


def _check_frame(policy: Mapping[str, Any], text: str, limit: int) -> Iterator[Problem]:
    known = ["Version", "Statement", "Id"]
    for name in sorted(policy.keys() - set(known)):
        yield Problem(name, policy[name], "is no element of a policy", one_of(known, name))
    if policy.get("Version") != _VERSION:
        yield Problem(
            "Version", policy.get("Version"), "is not the current policy language", f"only {_VERSION}"
        )
    if not policy.get("Statement"):
        yield Problem("Statement", policy.get("Statement"), "is required", "at least one statement")
    size = len(re.sub(r"\s", "", text))
    if size > limit:
        reason = f"has {size} characters without whitespace"
        yield Problem("", f"{text[:60]}...", reason, f"at most {limit}: split it or shorten it")


def _check_statement(statement: Mapping[str, Any], kind: Kind) -> Iterator[Problem]:
    yield from _check_grammar(statement, kind)
    allowing = statement.get("Effect") == "Allow"
    for name in _ACTION_KEYS:
        for path, action in elements(statement, name):
            yield from _check_action(action, path, broad=kind == "identity" and allowing)
    for name in _RESOURCE_KEYS:
        for path, resource in elements(statement, name):
            yield from _check_arn(resource, path)
    for name in _PRINCIPAL_KEYS:
        yield from _check_principal(statement.get(name), name)
    if kind == "trust":
        yield from _check_trust(statement)
    yield from check_condition(statement.get("Condition"))
    if kind == "identity" and "Action" in statement and "Resource" in statement:
        yield from check_resources(statement)


def _check_grammar(statement: Mapping[str, Any], kind: Kind) -> Iterator[Problem]:
    known = ["Sid", "Effect", *_ACTION_KEYS, "Condition"]
    known += _PRINCIPAL_KEYS if kind != "identity" else []
    known += _RESOURCE_KEYS if kind != "trust" else []
    for name in sorted(statement.keys() - set(known)):
        reason = f"is no element of a statement of {'an' if kind == 'identity' else 'a'} {kind} policy"
        yield Problem(name, statement[name], reason, one_of(known, name))
    effect = statement.get("Effect")
    if effect not in ("Allow", "Deny"):
        yield Problem("Effect", effect, "is no effect", one_of(["Allow", "Deny"], effect))
    sid = statement.get("Sid", "")
    if not isinstance(sid, str) or not re.fullmatch("[A-Za-z0-9]*", sid):
        yield Problem("Sid", sid, "is not a Sid", "letters and digits only")
    needed = [_ACTION_KEYS]
    needed += [_PRINCIPAL_KEYS] if kind != "identity" else []
    about_itself = all(str(action).startswith("ecr:") for action in listed(statement.get("Action"))[0])
    if kind == "identity" or (kind == "resource" and not about_itself):  # a repository's policy names none
        needed.append(_RESOURCE_KEYS)
    for pair in needed:
        if len(statement.keys() & set(pair)) != 1:
            yield Problem(pair[0], None, f"needs exactly one of {' and '.join(pair)}", f"give {pair[0]}")


def _check_action(action: Any, path: str, *, broad: bool) -> Iterator[Problem]:
    if not isinstance(action, str):
        yield Problem(path, action, "is not an action", "such as eks:DescribeCluster")
        return
    service, colon, name = action.partition(":")
    if broad and "*" in {action, name}:
        yield Problem(path, action, "allows everything", "the actions that are needed, by name")
    if action == "*":
        return
    if not colon:
        yield Problem(path, action, "is not an action", "service:Action, such as eks:DescribeCluster")
    elif service.lower() not in services():
        yield Problem(path, action, f"is of no service of AWS ({service})", one_of(services(), service))
    elif not matching_actions(action):
        known = services()[service.lower()]["Actions"]
        reason = "matches no action of AWS" if "*" in name else "is no action of AWS"
        yield Problem(path, action, reason, f"{service}: {one_of(known, name)} (case does not matter)")


def _check_arn(resource: Any, path: str) -> Iterator[Problem]:
    if not is_arn(resource):
        remedy = "arn:partition:service:region:account:resource, such as arn:aws:s3:::pins/*"
        yield Problem(path, resource, "is not an ARN", remedy)


def _check_principal(principal: Any, name: str) -> Iterator[Problem]:
    if principal is None or principal == "*":
        return
    if not isinstance(principal, Mapping):
        yield Problem(
            name, principal, "is not a principal", 'an object such as {"Service": "eks.amazonaws.com"}'
        )
        return
    for kind in principal:
        if kind not in _PRINCIPALS:
            yield Problem(
                join(name, kind), principal[kind], "is no kind of principal", one_of(_PRINCIPALS, kind)
            )
    for path, value in elements(principal, "Service"):
        if not isinstance(value, str) or not _SERVICE_PRINCIPAL.fullmatch(value):
            yield Problem(join(name, path), value, "is not a service principal", "such as eks.amazonaws.com")
    for path, value in elements(principal, "AWS"):
        good = isinstance(value, str) and (value == "*" or _ACCOUNT.fullmatch(value) or ARN.fullmatch(value))
        if not good:
            remedy = "an account's 12 digits or the ARN of a role, a user or a root"
            yield Problem(join(name, path), value, "is not an AWS principal", remedy)


def _check_trust(statement: Mapping[str, Any]) -> Iterator[Problem]:
    actions = {str(action).lower(): path for path, action in elements(statement, "Action")}
    for action, path in actions.items():
        if not action.startswith("sts:") and action != "*":
            remedy = "sts:AssumeRole, sts:TagSession or sts:AssumeRoleWithWebIdentity"
            yield Problem(path, action, "is not an action on a role's trust", remedy)
    principal = statement.get("Principal")
    open_to_all = principal == "*" or (
        isinstance(principal, Mapping) and "*" in listed(principal.get("AWS"))[0]
    )
    if open_to_all and statement.get("Effect") == "Allow" and not statement.get("Condition"):
        yield Problem("Principal", principal, "lets anybody assume the role", "name who may assume it")
    trusted = listed(principal.get("Service"))[0] if isinstance(principal, Mapping) else []
    # https://docs.aws.amazon.com/eks/latest/userguide/pod-id-role.html
    if "pods.eks.amazonaws.com" in trusted and not {"sts:assumerole", "sts:tagsession"} <= actions.keys():
        remedy = "both sts:AssumeRole and sts:TagSession"
        yield Problem("Action", statement.get("Action"), "is not enough for EKS Pod Identity", remedy)
