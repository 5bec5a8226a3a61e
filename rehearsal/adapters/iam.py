"""Roles, their policies and instance profiles; OIDC providers."""

from rehearsal.adapters import Order, adapter
from rehearsal.cloud import Created


@adapter("aws:iam/role:Role")
def role(order: Order) -> Created:
    """A role; what it may do are resources of their own, or the two lists of the role itself."""
    name = order.default_name()
    answer = order.create(
        "iam",
        "CreateRole",
        renames={"name": "RoleName", "assumeRolePolicy": "AssumeRolePolicyDocument"},
        # forceDetachPolicies concerns deletion only.
        omit=("forceDetachPolicies", "inlinePolicies", "managedPolicyArns"),
    )
    for policy in order.inputs.get("inlinePolicies") or ():
        order.call(
            "iam",
            "PutRolePolicy",
            RoleName=name,
            PolicyName=policy.get("name"),
            PolicyDocument=policy.get("policy"),
        )
    for arn in order.inputs.get("managedPolicyArns") or ():
        order.call("iam", "AttachRolePolicy", RoleName=name, PolicyArn=arn)
    created = answer.response["Role"]
    return answer.created(name, {"arn": created["Arn"], "name": name, "uniqueId": created["RoleId"]})


@adapter("aws:iam/rolePolicy:RolePolicy")
def role_policy(order: Order) -> Created:
    """An inline policy."""
    name = order.default_name()
    answer = order.create(
        "iam",
        "PutRolePolicy",
        renames={"role": "RoleName", "name": "PolicyName", "policy": "PolicyDocument"},
        tagged=False,
    )
    return answer.created(f"{order.inputs.get('role')}:{name}", {"name": name})


@adapter("aws:iam/rolePolicyAttachment:RolePolicyAttachment")
def role_policy_attachment(order: Order) -> Created:
    """A managed policy of a role."""
    answer = order.create("iam", "AttachRolePolicy", renames={"role": "RoleName"}, tagged=False)
    return answer.created(f"{order.inputs.get('role')}/{order.inputs.get('policyArn')}")


@adapter("aws:iam/policy:Policy")
def policy(order: Order) -> Created:
    """A managed policy of this account."""
    name = order.default_name()
    answer = order.create(
        "iam",
        "CreatePolicy",
        renames={"name": "PolicyName", "policy": "PolicyDocument"},
        omit=("delayAfterPolicyCreationInMs",),  # the provider's own patience
    )
    created = answer.response["Policy"]
    return answer.created(
        created["Arn"], {"arn": created["Arn"], "name": name, "policyId": created["PolicyId"]}
    )


@adapter("aws:iam/instanceProfile:InstanceProfile")
def instance_profile(order: Order) -> Created:
    """An instance profile and the role in it."""
    name = order.default_name()
    answer = order.create(
        "iam", "CreateInstanceProfile", renames={"name": "InstanceProfileName"}, omit=("role",)
    )
    if order.inputs.get("role"):
        order.further(
            "iam",
            "AddRoleToInstanceProfile",
            "role",
            renames={"role": "RoleName"},
            InstanceProfileName=name,
        )
    created = answer.response["InstanceProfile"]
    return answer.created(
        name, {"arn": created["Arn"], "name": name, "uniqueId": created["InstanceProfileId"]}
    )


@adapter("aws:iam/openIdConnectProvider:OpenIdConnectProvider")
def open_id_connect_provider(order: Order) -> Created:
    """An identity provider, for IRSA."""
    answer = order.create("iam", "CreateOpenIDConnectProvider")
    arn = answer.response["OpenIDConnectProviderArn"]
    return answer.created(arn, {"arn": arn})
