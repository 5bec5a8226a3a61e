"""VPC flow logs: who talked to whom, kept for incidents and audits."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra import iam, logs
from infra.environment import Environment


@dataclass(frozen=True)
class FlowLogsArgs:
    """The VPC to record."""

    environment: Environment
    vpc_id: pulumi.Input[str]


class FlowLogs(pulumi.ComponentResource):
    """All traffic of the VPC, aggregated per minute, into an encrypted log group."""

    def __init__(self, name: str, args: FlowLogsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("pinwheel:network:FlowLogs", name, None, opts)
        environment = args.environment
        beneath = pulumi.ResourceOptions(parent=self)
        key = logs.log_key(environment, "network", beneath)
        self.group = logs.log_group(
            "flow-logs",
            name=f"/aws/vpc/{environment.resource_name('flow-logs')}",
            retention_days=environment.network.flow_log_retention,
            key=key,
            options=beneath,
        )
        writer = iam.role(
            "flow-logs",
            name=environment.resource_name("flow-logs"),
            description="VPC flow logs write their records",
            trust_policy=iam.trust(
                "vpc-flow-logs.amazonaws.com",
                conditions={"StringEquals": {"aws:SourceAccount": environment.account}},
            ),
            statements=[
                iam.allow(
                    ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"],
                    [pulumi.Output.concat(self.group.arn, ":*")],
                ),
                # The service lists groups before it writes to one.
                iam.allow(
                    ["logs:DescribeLogGroups"],
                    [f"arn:aws:logs:{environment.region}:{environment.account}:log-group:*"],
                ),
            ],
            options=beneath,
        )
        aws.ec2.FlowLog(
            "flow-logs",
            vpc_id=args.vpc_id,
            traffic_type="ALL",
            log_destination_type="cloud-watch-logs",
            log_destination=self.group.arn,
            iam_role_arn=writer.arn,
            max_aggregation_interval=60,
            tags={"Name": environment.resource_name("flow-logs")},
            opts=beneath,
        )
        self.register_outputs({"log_group": self.group.name})
