"""VPC, subnets, routes and what they lead to."""

import zlib

from rehearsal.adapters import Order, adapter
from rehearsal.cloud import Created


@adapter("aws:ec2/vpc:Vpc")
def vpc(order: Order) -> Created:
    """A VPC, with the attributes that the API sets one at a time."""
    attributes = {
        "enableDnsSupport": "EnableDnsSupport",
        "enableDnsHostnames": "EnableDnsHostnames",
        "enableNetworkAddressUsageMetrics": "EnableNetworkAddressUsageMetrics",
    }
    answer = order.create_ec2(
        "CreateVpc",
        "vpc",
        renames={"assignGeneratedIpv6CidrBlock": "AmazonProvidedIpv6CidrBlock"},
        omit=attributes,
    )
    created = answer.response["Vpc"]
    identity = created["VpcId"]
    for attribute, member in attributes.items():
        if order.inputs.get(attribute) is not None:
            order.further(
                "ec2", "ModifyVpcAttribute", attribute, renames={attribute: f"{member}.Value"}, VpcId=identity
            )
    return answer.created(
        identity,
        {
            "arn": order.arn("ec2", f"vpc/{identity}"),
            "ownerId": order.cloud.account,
            "dhcpOptionsId": created.get("DhcpOptionsId"),
        },
    )


@adapter("aws:ec2/subnet:Subnet")
def subnet(order: Order) -> Created:
    """A subnet."""
    # Each is a call of its own, which the provider makes for what differs from the API's default.
    attributes = {
        "mapPublicIpOnLaunch": "MapPublicIpOnLaunch.Value",
        "assignIpv6AddressOnCreation": "AssignIpv6AddressOnCreation.Value",
        "enableDns64": "EnableDns64.Value",
        "enableResourceNameDnsARecordOnLaunch": "EnableResourceNameDnsARecordOnLaunch.Value",
        "enableResourceNameDnsAaaaRecordOnLaunch": "EnableResourceNameDnsAAAARecordOnLaunch.Value",
        "privateDnsHostnameTypeOnLaunch": "PrivateDnsHostnameTypeOnLaunch",
    }
    answer = order.create_ec2("CreateSubnet", "subnet", omit=attributes)
    identity = answer.response["Subnet"]["SubnetId"]
    for attribute in attributes:
        if order.inputs.get(attribute):
            order.further("ec2", "ModifySubnetAttribute", attribute, renames=attributes, SubnetId=identity)
    return answer.created(
        identity, {"arn": order.arn("ec2", f"subnet/{identity}"), "ownerId": order.cloud.account}
    )


@adapter("aws:ec2/internetGateway:InternetGateway")
def internet_gateway(order: Order) -> Created:
    """An internet gateway, attached."""
    answer = order.create_ec2("CreateInternetGateway", "internet-gateway", omit=("vpcId",))
    identity = answer.response["InternetGateway"]["InternetGatewayId"]
    if order.inputs.get("vpcId"):
        order.further("ec2", "AttachInternetGateway", "vpcId", InternetGatewayId=identity)
    return answer.created(
        identity, {"arn": order.arn("ec2", f"internet-gateway/{identity}"), "ownerId": order.cloud.account}
    )


@adapter("aws:ec2/routeTable:RouteTable")
def route_table(order: Order) -> Created:
    """A route table; its routes are resources of their own."""
    answer = order.create_ec2("CreateRouteTable", "route-table")
    identity = answer.response["RouteTable"]["RouteTableId"]
    return answer.created(
        identity, {"arn": order.arn("ec2", f"route-table/{identity}"), "ownerId": order.cloud.account}
    )


@adapter("aws:ec2/route:Route")
def route(order: Order) -> Created:
    """One route."""
    answer = order.create(
        "ec2",
        "CreateRoute",
        renames={"egressOnlyGatewayId": "EgressOnlyInternetGatewayId"},
        omit=("timeouts",),  # the provider's own patience
        tagged=False,
    )
    keys = ("destinationCidrBlock", "destinationIpv6CidrBlock", "destinationPrefixListId")
    destination = next((order.inputs[key] for key in keys if order.inputs.get(key)), "")
    identity = f"r-{order.inputs.get('routeTableId')}{zlib.crc32(destination.encode())}"
    return answer.created(identity, {"state": "active", "origin": "CreateRoute"})


@adapter("aws:ec2/routeTableAssociation:RouteTableAssociation")
def route_table_association(order: Order) -> Created:
    """A subnet's route table."""
    answer = order.create("ec2", "AssociateRouteTable", tagged=False)
    return answer.created(answer.response["AssociationId"])


@adapter("aws:ec2/eip:Eip")
def elastic_ip(order: Order) -> Created:
    """An elastic IP address."""
    answer = order.create_ec2("AllocateAddress", "elastic-ip")
    identity = answer.response["AllocationId"]
    return answer.created(
        identity,
        {
            "allocationId": identity,
            "publicIp": answer.response["PublicIp"],
            "arn": order.arn("ec2", f"elastic-ip/{identity}"),
        },
    )


@adapter("aws:ec2/natGateway:NatGateway")
def nat_gateway(order: Order) -> Created:
    """A NAT gateway."""
    answer = order.create_ec2("CreateNatGateway", "natgateway", renames={"privateIp": "PrivateIpAddress"})
    created = answer.response["NatGateway"]
    address = (created.get("NatGatewayAddresses") or [{}])[0]
    return answer.created(
        created["NatGatewayId"], {"publicIp": address.get("PublicIp"), "privateIp": address.get("PrivateIp")}
    )


@adapter("aws:ec2/flowLog:FlowLog")
def flow_log(order: Order) -> Created:
    """Flow logs of a VPC, a subnet, a network interface or a transit gateway."""
    kinds = {
        "vpcId": "VPC",
        "subnetId": "Subnet",
        "eniId": "NetworkInterface",
        "transitGatewayId": "TransitGateway",
    }
    given = next((key for key in kinds if order.inputs.get(key)), "vpcId")
    answer = order.create_ec2(
        "CreateFlowLogs",
        "vpc-flow-log",
        renames={"iamRoleArn": "DeliverLogsPermissionArn", given: "ResourceIds"},
        extra={"ResourceType": kinds[given]},
    )
    for failed in answer.response.get("Unsuccessful") or ():
        order.refuse(given, order.inputs.get(given), failed["Error"]["Message"], "correct what it names")
    identity = next(iter(answer.response.get("FlowLogIds") or [""]))
    return answer.created(identity, {"arn": order.arn("ec2", f"vpc-flow-log/{identity}")})
