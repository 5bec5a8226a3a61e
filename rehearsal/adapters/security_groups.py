"""Security groups and their rules."""

from rehearsal.adapters import Order, adapter
from rehearsal.cloud import Created

_DEFAULT_DESCRIPTION = "Managed by Pulumi"
_SOURCES = {
    "cidrIpv4": ("IpRanges", "CidrIp"),
    "cidrIpv6": ("Ipv6Ranges", "CidrIpv6"),
    "referencedSecurityGroupId": ("UserIdGroupPairs", "GroupId"),
    "prefixListId": ("PrefixListIds", "PrefixListId"),
}


@adapter("aws:ec2/securityGroup:SecurityGroup")
def security_group(order: Order) -> Created:
    """A security group without inline rules: rules are resources of their own."""
    name = order.default_name()
    order.inputs.setdefault("description", _DEFAULT_DESCRIPTION)
    answer = order.create_ec2(
        "CreateSecurityGroup",
        "security-group",
        renames={"name": "GroupName"},
        omit=("revokeRulesOnDelete",),  # concerns deletion only
    )
    identity = answer.response["GroupId"]
    # AWS gives a new group a rule that lets everything out; the provider removes it.
    order.call(
        "ec2",
        "RevokeSecurityGroupEgress",
        GroupId=identity,
        IpPermissions=[{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}],
    )
    return answer.created(
        identity,
        {
            "arn": order.arn("ec2", f"security-group/{identity}"),
            "ownerId": order.cloud.account,
            "name": name,
            "description": order.inputs["description"],
        },
    )


@adapter("aws:ec2/defaultSecurityGroup:DefaultSecurityGroup")
def default_security_group(order: Order) -> Created:
    """Adopts the VPC's default security group: its rules are taken away, its tags set."""
    found = order.further(
        "ec2",
        "DescribeSecurityGroups",
        "vpcId",
        renames={"vpcId": "Filters.Values"},
        **{"Filters.Name": "vpc-id"},
    )["SecurityGroups"]
    group = next((each for each in found if each["GroupName"] == "default"), None)
    if group is None:
        order.refuse("vpcId", order.inputs.get("vpcId"), "has no default security group", "the id of a VPC")
        return Created("")
    identity = group["GroupId"]
    for operation, permissions in (
        ("RevokeSecurityGroupIngress", group.get("IpPermissions")),
        ("RevokeSecurityGroupEgress", group.get("IpPermissionsEgress")),
    ):
        if permissions:
            order.call("ec2", operation, GroupId=identity, IpPermissions=permissions)
    if order.tags:
        order.call("ec2", "CreateTags", Resources=[identity], Tags=order.tag_list)
    inline = tuple(key for key in ("ingress", "egress") if order.inputs.get(key))
    outputs = {
        "arn": order.arn("ec2", f"security-group/{identity}"),
        "ownerId": order.cloud.account,
        "name": "default",
    }
    return Created(identity, outputs, unchecked=inline)


@adapter("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule")
def ingress_rule(order: Order) -> Created:
    """One rule for traffic into a group."""
    return _rule(order, "AuthorizeSecurityGroupIngress")


@adapter("aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule")
def egress_rule(order: Order) -> Created:
    """One rule for traffic out of a group."""
    return _rule(order, "AuthorizeSecurityGroupEgress")


def _rule(order: Order, operation: str) -> Created:
    source = next((key for key in _SOURCES if order.inputs.get(key)), "cidrIpv4")
    member, key = _SOURCES[source]
    answer = order.create_ec2(
        operation,
        "security-group-rule",
        renames={
            "securityGroupId": "GroupId",
            "ipProtocol": "IpPermissions.IpProtocol",
            "fromPort": "IpPermissions.FromPort",
            "toPort": "IpPermissions.ToPort",
            "description": f"IpPermissions.{member}.Description",
            source: f"IpPermissions.{member}.{key}",
        },
    )
    identity = answer.response["SecurityGroupRules"][0]["SecurityGroupRuleId"]
    return answer.created(
        identity,
        {"arn": order.arn("ec2", f"security-group-rule/{identity}"), "securityGroupRuleId": identity},
    )
