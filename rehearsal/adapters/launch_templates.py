"""EC2 launch templates."""

from rehearsal.adapters import Order, adapter
from rehearsal.cloud import Created

_RENAMES = {
    "name": "LaunchTemplateName",
    "description": "VersionDescription",
    "vpcSecurityGroupIds": "SecurityGroupIds",
    "securityGroupNames": "SecurityGroups",
    "networkInterfaces.securityGroups": "Groups",
    "networkInterfaces.ipv4AddressCount": "SecondaryPrivateIpAddressCount",
    "networkInterfaces.ipv4Prefixes": "Ipv4Prefixes.Ipv4Prefix",
    "networkInterfaces.ipv6Prefixes": "Ipv6Prefixes.Ipv6Prefix",
    "networkInterfaces.ipv6Addresses": "Ipv6Addresses.Ipv6Address",
}


@adapter("aws:ec2/launchTemplate:LaunchTemplate")
def launch_template(order: Order) -> Created:
    """A launch template's first version."""
    name = order.default_name()
    specifications = [
        {
            "ResourceType": each.get("resourceType"),
            "Tags": [{"Key": key, "Value": value} for key, value in (each.get("tags") or {}).items()],
        }
        for each in order.inputs.get("tagSpecifications") or ()
    ]
    answer = order.create_ec2(
        "CreateLaunchTemplate",
        "launch-template",
        within="LaunchTemplateData",
        renames=_RENAMES,
        # Which version is the default matters only from the second one on.
        omit=("tagSpecifications", "updateDefaultVersion", "defaultVersion"),
        extra={"LaunchTemplateData.TagSpecifications": specifications} if specifications else None,
    )
    created = answer.response["LaunchTemplate"]
    identity = created["LaunchTemplateId"]
    return answer.created(
        identity,
        {
            "arn": order.arn("ec2", f"launch-template/{identity}"),
            "name": name,
            "latestVersion": created["LatestVersionNumber"],
            "defaultVersion": created["DefaultVersionNumber"],
        },
    )
