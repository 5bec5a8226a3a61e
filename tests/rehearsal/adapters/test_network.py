"""VPC, subnets, routes, security groups, endpoints."""

from tests.rehearsal.conftest import ACCOUNT, REGION, TAGS, Play


def test_a_vpc_gets_its_attributes_and_the_providers_tags(play: Play):
    created = play("aws:ec2/vpc:Vpc", cidrBlock="10.31.0.0/16", enableDnsHostnames=True)

    (found,) = play.ask("ec2", "DescribeVpcs", VpcIds=[created.id])["Vpcs"]
    attribute = play.ask("ec2", "DescribeVpcAttribute", VpcId=created.id, Attribute="enableDnsHostnames")
    assert found["CidrBlock"] == "10.31.0.0/16"
    assert {tag["Key"]: tag["Value"] for tag in found["Tags"]} == TAGS
    assert attribute["EnableDnsHostnames"] == {"Value": True}
    assert created.outputs["arn"] == f"arn:aws:ec2:{REGION}:{ACCOUNT}:vpc/{created.id}"


def test_a_subnet_in_a_vpc_that_is_not_there_is_refused_with_the_emulators_reason(play: Play):
    (problem,) = play.refused(
        "aws:ec2/subnet:Subnet", vpcId="vpc-0123456789abcdef0", cidrBlock="10.20.200.0/24"
    )

    assert "vpc-0123456789abcdef0" in problem.reason
    assert problem.property == "vpcId"


def test_a_subnet_that_overlaps_another_is_refused(play: Play, vpc: str, subnets: list[str]):
    (problem,) = play.refused("aws:ec2/subnet:Subnet", vpcId=vpc, cidrBlock="10.20.0.0/24")

    assert "conflicts with another subnet" in problem.reason


def test_a_route_leads_through_a_nat_gateway(play: Play, vpc: str, subnets: list[str]):
    table = play("aws:ec2/routeTable:RouteTable", vpcId=vpc)
    address = play("aws:ec2/eip:Eip", domain="vpc")
    gateway = play("aws:ec2/natGateway:NatGateway", allocationId=address.id, subnetId=subnets[0])

    route = play(
        "aws:ec2/route:Route",
        routeTableId=table.id,
        destinationCidrBlock="0.0.0.0/0",
        natGatewayId=gateway.id,
    )

    # The id of the real provider: the table, then the CRC-32 of the destination.
    assert route.id == f"r-{table.id}1080289494"
    (found,) = play.ask("ec2", "DescribeRouteTables", RouteTableIds=[table.id])["RouteTables"]
    assert gateway.id in [each.get("NatGatewayId") for each in found["Routes"]]


def test_a_new_security_group_lets_nothing_out(play: Play, vpc: str):
    created = play("aws:ec2/securityGroup:SecurityGroup", vpcId=vpc, logical_name="brokers")

    (found,) = play.ask("ec2", "DescribeSecurityGroups", GroupIds=[created.id])["SecurityGroups"]
    assert found["IpPermissionsEgress"] == []
    assert found["Description"] == "Managed by Pulumi"
    assert found["GroupName"] == created.outputs["name"]
    assert found["GroupName"].startswith("brokers-")


def test_a_rule_names_its_source(play: Play, vpc: str, security_group: str):
    created = play(
        "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
        securityGroupId=security_group,
        referencedSecurityGroupId=security_group,
        description="each other",
        ipProtocol="tcp",
        fromPort=9094,
        toPort=9094,
    )

    (found,) = play.ask("ec2", "DescribeSecurityGroupRules", SecurityGroupRuleIds=[created.id])[
        "SecurityGroupRules"
    ]
    assert found["ReferencedGroupInfo"]["GroupId"] == security_group
    assert found["FromPort"] == 9094
    assert created.unchecked == ()


def test_a_rule_of_a_group_that_is_not_there_is_refused(play: Play):
    (problem,) = play.refused(
        "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule",
        securityGroupId="sg-0123456789abcdef0",
        cidrIpv4="0.0.0.0/0",
        ipProtocol="-1",
    )

    assert "sg-0123456789abcdef0" in problem.reason


def test_the_default_security_group_loses_its_rules(play: Play):
    vpc = play("aws:ec2/vpc:Vpc", cidrBlock="10.32.0.0/16").id

    adopted = play("aws:ec2/defaultSecurityGroup:DefaultSecurityGroup", vpcId=vpc, ingress=[], egress=[])

    (found,) = play.ask("ec2", "DescribeSecurityGroups", GroupIds=[adopted.id])["SecurityGroups"]
    assert found["GroupName"] == "default"
    assert found["IpPermissions"] == found["IpPermissionsEgress"] == []


def test_the_default_security_group_of_no_vpc_is_refused(play: Play):
    (problem,) = play.refused(
        "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup", vpcId="vpc-0123456789abcdef0"
    )

    assert (problem.property, problem.value) == ("vpcId", "vpc-0123456789abcdef0")


def test_an_endpoint_of_a_wrong_kind_is_named_by_its_property(play: Play, vpc: str):
    (problem,) = play.refused(
        "aws:ec2/vpcEndpoint:VpcEndpoint",
        vpcId=vpc,
        serviceName=f"com.amazonaws.{REGION}.s3",
        vpcEndpointType="gateway",
    )

    assert (problem.property, problem.value) == ("vpcEndpointType", "gateway")
    assert "Gateway" in problem.remedy


def test_flow_logs_of_a_wrong_destination_and_traffic_are_refused_together(play: Play, vpc: str):
    problems = play.refused(
        "aws:ec2/flowLog:FlowLog", vpcId=vpc, trafficType="EVERYTHING", logDestinationType="cloudwatch"
    )

    assert {problem.property for problem in problems} == {"trafficType", "logDestinationType"}


def test_a_launch_templates_properties_are_found_where_the_api_has_them(play: Play, security_group: str):
    created = play(
        "aws:ec2/launchTemplate:LaunchTemplate",
        name="gpu",
        metadataOptions={"httpTokens": "required", "httpPutResponseHopLimit": 1},
        blockDeviceMappings=[
            {"deviceName": "/dev/xvda", "ebs": {"volumeSize": 100, "volumeType": "gp3", "encrypted": "true"}}
        ],
        vpcSecurityGroupIds=[security_group],
        tagSpecifications=[{"resourceType": "instance", "tags": {"Name": "gpu"}}],
        updateDefaultVersion=True,
    )

    (version,) = play.ask("ec2", "DescribeLaunchTemplateVersions", LaunchTemplateId=created.id)[
        "LaunchTemplateVersions"
    ]
    data = version["LaunchTemplateData"]
    assert data["MetadataOptions"]["HttpTokens"] == "required"
    assert data["TagSpecifications"][0]["Tags"] == [{"Key": "Name", "Value": "gpu"}]
    assert data["SecurityGroupIds"] == [security_group]
    assert created.outputs["latestVersion"] == 1
    assert created.unchecked == ()


def test_a_launch_templates_mistakes_are_named_by_their_nested_properties(play: Play):
    problems = play.refused(
        "aws:ec2/launchTemplate:LaunchTemplate",
        metadataOptions={"httpTokens": "mandatory"},
        blockDeviceMappings=[{"ebs": {"volumeType": "gp4"}}],
    )

    assert {problem.property: problem.value for problem in problems} == {
        "metadataOptions.httpTokens": "mandatory",
        "blockDeviceMappings[0].ebs.volumeType": "gp4",
    }
