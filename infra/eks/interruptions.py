"""News of nodes that EC2 is about to take away: events that lead into a queue which Karpenter reads."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_aws as aws

from infra import iam
from infra.environment import Environment

EVENTS: Mapping[str, Mapping[str, Any]] = {
    "spot-interruption": {"source": ["aws.ec2"], "detail-type": ["EC2 Spot Instance Interruption Warning"]},
    "rebalance": {"source": ["aws.ec2"], "detail-type": ["EC2 Instance Rebalance Recommendation"]},
    "instance-state": {"source": ["aws.ec2"], "detail-type": ["EC2 Instance State-change Notification"]},
    "scheduled-change": {
        "source": ["aws.health"],
        "detail-type": ["AWS Health Event"],
        "detail": {"service": ["EC2"], "eventTypeCategory": ["scheduledChange"]},
    },
}
"""EventBridge patterns, as Karpenter's documentation of interruption handling lists them."""


@dataclass(frozen=True)
class InterruptionsArgs:
    """The environment whose region's events are watched."""

    environment: Environment


class Interruptions(pulumi.ComponentResource):
    """The queue `pinwheel-<environment>-interruptions` and the rules that feed it.

    A message is news for minutes only: it is dropped after five.
    """

    def __init__(
        self, name: str, args: InterruptionsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("pinwheel:eks:Interruptions", name, None, opts)
        environment = args.environment
        queue = aws.sqs.Queue(
            "interruptions",
            name=environment.resource_name("interruptions"),
            message_retention_seconds=300,
            sqs_managed_sse_enabled=True,
            tags={"Name": environment.resource_name("interruptions")},
            opts=pulumi.ResourceOptions(parent=self),
        )
        rules = [self._rule(environment, event, pattern) for event, pattern in EVENTS.items()]
        policy = aws.sqs.QueuePolicy(
            "interruptions",
            queue_url=queue.url,
            policy=iam.document(
                iam.allow(
                    ["sqs:SendMessage"],
                    [queue.arn],
                    principal={"Service": "events.amazonaws.com"},
                    conditions={"ArnEquals": {"aws:SourceArn": [rule.arn for rule in rules]}},
                    sid="OurRulesSend",
                ),
                {
                    "Sid": "TlsOnly",
                    "Effect": "Deny",
                    "Principal": {"AWS": "*"},
                    "Action": ["sqs:*"],
                    "Resource": [queue.arn],
                    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                },
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        for event, rule in zip(EVENTS, rules, strict=True):
            aws.cloudwatch.EventTarget(
                event,
                rule=rule.name,
                arn=queue.arn,
                target_id="karpenter",
                opts=pulumi.ResourceOptions(parent=self, depends_on=[policy]),
            )
        self.queue_name: pulumi.Output[str] = queue.name
        self.queue_arn: pulumi.Output[str] = queue.arn
        self.register_outputs({"queue_name": self.queue_name})

    def _rule(
        self, environment: Environment, event: str, pattern: Mapping[str, Any]
    ) -> aws.cloudwatch.EventRule:
        return aws.cloudwatch.EventRule(
            event,
            name=environment.resource_name(event),
            description=f"{event} of EC2 instances, for Karpenter",
            event_pattern=json.dumps(pattern),
            tags={"Name": environment.resource_name(event)},
            opts=pulumi.ResourceOptions(parent=self),
        )
