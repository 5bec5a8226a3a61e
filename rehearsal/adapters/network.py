"""VPC, subnets, routes and what they lead to."""

from rehearsal.adapters import Order, adapter
from rehearsal.cloud import Created


@adapter("aws:ec2/vpc:Vpc")
def vpc(order: Order) -> Created:
    """A VPC, with the DNS attributes that the API sets one at a time."""
    answer = order.create_ec2("CreateVpc", "vpc", omit=("enableDnsSupport", "enableDnsHostnames"))
    created = answer.response["Vpc"]
    identity = created["VpcId"]
    for attribute in ("enableDnsSupport", "enableDnsHostnames"):
        if attribute in order.inputs:
            member = attribute[0].upper() + attribute[1:]
            order.call(
                "ec2", "ModifyVpcAttribute", VpcId=identity, **{member: {"Value": order.inputs[attribute]}}
            )
    return answer.created(
        identity, {"arn": order.arn("ec2", f"vpc/{identity}"), "ownerId": created.get("OwnerId")}
    )


@adapter("aws:ec2/subnet:Subnet")
def subnet(order: Order) -> Created:
    """A subnet."""
    answer = order.create_ec2("CreateSubnet", "subnet", omit=("mapPublicIpOnLaunch",))
    identity = answer.response["Subnet"]["SubnetId"]
    if order.inputs.get("mapPublicIpOnLaunch"):
        order.call("ec2", "ModifySubnetAttribute", SubnetId=identity, MapPublicIpOnLaunch={"Value": True})
    return answer.created(identity, {"arn": order.arn("ec2", f"subnet/{identity}")})


@adapter("aws:ec2/internetGateway:InternetGateway")
def internet_gateway(order: Order) -> Created:
    """An internet gateway, attached."""
    answer = order.create_ec2("CreateInternetGateway", "internet-gateway", omit=("vpcId",))
    identity = answer.response["InternetGateway"]["InternetGatewayId"]
    if "vpcId" in order.inputs:
        order.call("ec2", "AttachInternetGateway", InternetGatewayId=identity, VpcId=order.inputs["vpcId"])
    return answer.created(identity, {"arn": order.arn("ec2", f"internet-gateway/{identity}")})


@adapter("aws:ec2/routeTable:RouteTable")
def route_table(order: Order) -> Created:
    """A route table; its routes are resources of their own."""
    answer = order.create_ec2("CreateRouteTable", "route-table")
    identity = answer.response["RouteTable"]["RouteTableId"]
    return answer.created(identity, {"arn": order.arn("ec2", f"route-table/{identity}")})


@adapter("aws:ec2/route:Route")
def route(order: Order) -> Created:
    """One route."""
    answer = order.create("ec2", "CreateRoute", tagged=False)
    destination = order.inputs.get("destinationCidrBlock") or order.inputs.get("destinationPrefixListId")
    return answer.created(
        f"r-{order.inputs['routeTableId']}-{destination}", {"state": "active", "origin": "CreateRoute"}
    )


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
    return answer.created(identity, {"allocationId": identity, "publicIp": answer.response["PublicIp"]})


@adapter("aws:ec2/natGateway:NatGateway")
def nat_gateway(order: Order) -> Created:
    """A NAT gateway."""
    answer = order.create_ec2("CreateNatGateway", "natgateway")
    return answer.created(answer.response["NatGateway"]["NatGatewayId"])


@adapter("aws:ec2/flowLog:FlowLog")
def flow_log(order: Order) -> Created:
    """Flow logs of a VPC."""
    answer = order.create_ec2(
        "CreateFlowLogs",
        "vpc-flow-log",
        renames={"iamRoleArn": "DeliverLogsPermissionArn"},
        omit=("vpcId",),
        extra={"ResourceType": "VPC", "ResourceIds": [order.inputs["vpcId"]]},
    )
    identity = answer.response["FlowLogIds"][0]
    return answer.created(identity, {"arn": order.arn("ec2", f"vpc-flow-log/{identity}")})
