"""Private endpoints of AWS services."""

from rehearsal.adapters import Order, adapter
from rehearsal.cloud import Created


@adapter("aws:ec2/vpcEndpoint:VpcEndpoint")
def vpc_endpoint(order: Order) -> Created:
    """A gateway or interface endpoint."""
    answer = order.create_ec2(
        "CreateVpcEndpoint",
        "vpc-endpoint",
        renames={"policy": "PolicyDocument"},
        omit=("autoAccept",),  # a further call, made only for endpoint services of the same account
    )
    endpoint = answer.response["VpcEndpoint"]
    identity = endpoint["VpcEndpointId"]
    return answer.created(
        identity,
        {
            "arn": order.arn("ec2", f"vpc-endpoint/{identity}"),
            "dnsEntries": endpoint.get("DnsEntries", []),
            "networkInterfaceIds": endpoint.get("NetworkInterfaceIds", []),
            "state": endpoint.get("State"),
            "ownerId": order.cloud.account,
        },
    )
