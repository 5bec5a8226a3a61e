"""Security groups and their rules."""

from rehearsal.adapters import Order, adapter
from rehearsal.cloud import Created


@adapter("aws:ec2/securityGroup:SecurityGroup")
def security_group(order: Order) -> Created:
    """A security group without inline rules: rules are resources of their own."""
    answer = order.create_ec2("CreateSecurityGroup", "security-group", renames={"name": "GroupName"})
    identity = answer.response["GroupId"]
    # AWS gives a new group a rule that lets everything out; the provider removes it.
    order.call(
        "ec2",
        "RevokeSecurityGroupEgress",
        GroupId=identity,
        IpPermissions=[{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}],
    )
    return answer.created(
        identity, {"arn": order.arn("ec2", f"security-group/{identity}"), "ownerId": order.cloud.account}
    )


@adapter("aws:ec2/defaultSecurityGroup:DefaultSecurityGroup")
def default_security_group(order: Order) -> Created:
    """Adopts the VPC's default security group and takes its rules away."""
    found = order.call(
        "ec2",
        "DescribeSecurityGroups",
        Filters=[
            {"Name": "vpc-id", "Values": [order.inputs["vpcId"]]},
            {"Name": "group-name", "Values": ["default"]},
        ],
    )
    group = found["SecurityGroups"][0]
    identity = group["GroupId"]
    for operation, permissions in (
        ("RevokeSecurityGroupIngress", group.get("IpPermissions")),
        ("RevokeSecurityGroupEgress", group.get("IpPermissionsEgress")),
    ):
        if permissions:
            order.call("ec2", operation, GroupId=identity, IpPermissions=permissions)
    return Created(
        identity, {"arn": order.arn("ec2", f"security-group/{identity}"), "ownerId": order.cloud.account}
    )


@adapter("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule")
def ingress_rule(order: Order) -> Created:
    """One rule for traffic into a group."""
    return _rule(order, "AuthorizeSecurityGroupIngress")


@adapter("aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule")
def egress_rule(order: Order) -> Created:
    """One rule for traffic out of a group."""
    return _rule(order, "AuthorizeSecurityGroupEgress")


def _rule(order: Order, operation: str) -> Created:
    inputs = order.inputs
    described = {"Description": inputs["description"]} if "description" in inputs else {}
    permission = {"IpProtocol": inputs["ipProtocol"]}
    if "fromPort" in inputs:
        permission |= {"FromPort": inputs["fromPort"], "ToPort": inputs["toPort"]}
    for given, member, key in (
        ("cidrIpv4", "IpRanges", "CidrIp"),
        ("cidrIpv6", "Ipv6Ranges", "CidrIpv6"),
        ("referencedSecurityGroupId", "UserIdGroupPairs", "GroupId"),
        ("prefixListId", "PrefixListIds", "PrefixListId"),
    ):
        if given in inputs:
            permission[member] = [{key: inputs[given], **described}]
    tags = [{"Key": key, "Value": value} for key, value in order.tags.items()]
    response = order.call(
        "ec2",
        operation,
        GroupId=inputs["securityGroupId"],
        IpPermissions=[permission],
        TagSpecifications=[{"ResourceType": "security-group-rule", "Tags": tags}],
    )
    identity = response["SecurityGroupRules"][0]["SecurityGroupRuleId"]
    return Created(
        identity,
        {"arn": order.arn("ec2", f"security-group-rule/{identity}"), "securityGroupRuleId": identity},
    )
