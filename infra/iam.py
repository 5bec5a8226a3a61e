"""IAM documents as plain data, and the role that carries them.

Statements are written with `allow`, whose `resources` are ARNs known from other resources: the rehearsal
refuses `*` for an action that supports ARNs.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
import pulumi_aws as aws

VERSION = "2012-10-17"

Statement = dict[str, Any]


def allow(
    actions: Sequence[str],
    resources: Sequence[pulumi.Input[str]],
    *,
    conditions: Mapping[str, Mapping[str, Any]] | None = None,
    principal: Mapping[str, Any] | None = None,
    sid: str | None = None,
) -> Statement:
    """An Allow statement. `principal` only in resource policies."""
    statement: Statement = {"Effect": "Allow", "Action": list(actions), "Resource": list(resources)}
    if sid is not None:
        statement["Sid"] = sid
    if principal is not None:
        statement["Principal"] = dict(principal)
    if conditions is not None:
        statement["Condition"] = {operator: dict(tests) for operator, tests in conditions.items()}
    return statement


def document(*statements: Statement) -> pulumi.Output[str]:
    """The policy of `statements` as JSON, once every ARN in it is known."""
    return pulumi.Output.json_dumps({"Version": VERSION, "Statement": list(statements)})


def trust(service: str, *, conditions: Mapping[str, Mapping[str, Any]] | None = None) -> str:
    """Trust policy for an AWS service principal, e.g. `ec2.amazonaws.com`.

    `conditions` only where the service's own guide shows them: a service that does not send the key, such as
    `aws:SourceAccount`, can then never take the role, and says so only when it first tries.
    """
    statement: Statement = {
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": ["sts:AssumeRole"],
    }
    if conditions is not None:
        statement["Condition"] = {operator: dict(tests) for operator, tests in conditions.items()}
    return json.dumps({"Version": VERSION, "Statement": [statement]})


def pod_identity_trust(account: str) -> str:
    """Trust policy for EKS Pod Identity, limited to clusters of this account.

    Source: EKS user guide, "Pod Identity role" - `sts:TagSession` is required beside `sts:AssumeRole`.
    """
    statement: Statement = {
        "Effect": "Allow",
        "Principal": {"Service": "pods.eks.amazonaws.com"},
        "Action": ["sts:AssumeRole", "sts:TagSession"],
        "Condition": {"StringEquals": {"aws:SourceAccount": account}},
    }
    return json.dumps({"Version": VERSION, "Statement": [statement]})


def role(
    logical_name: str,
    *,
    name: str,
    description: str,
    trust_policy: str,
    statements: Sequence[Statement] = (),
    managed_policies: Sequence[str] = (),
    options: pulumi.ResourceOptions,
) -> aws.iam.Role:
    """A role with one inline policy and attached AWS-managed policies (names below `policy/`).

    The policies stand beside the role, not under it: `depends_on` a component covers its children, but not
    the children of a resource, and who waits for a role waits for what it may do.
    """
    result = aws.iam.Role(
        logical_name,
        name=name,
        description=description,
        assume_role_policy=trust_policy,
        opts=options,
    )
    if statements:
        aws.iam.RolePolicy(
            logical_name, name=name, role=result.name, policy=document(*statements), opts=options
        )
    for policy in managed_policies:
        aws.iam.RolePolicyAttachment(
            f"{logical_name}-{policy.rsplit('/', 1)[-1]}",
            role=result.name,
            policy_arn=f"arn:aws:iam::aws:policy/{policy}",
            opts=options,
        )
    return result
