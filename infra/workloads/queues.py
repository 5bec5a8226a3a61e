"""Queues of asynchronous jobs: one a priority, and one for the jobs that nobody could do.

What the workers expect stands in `services/pin/jobs/README.md`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra import iam
from infra.environment import Environment
from infra.workloads.platform import JobQueues

PRIORITIES = ("high", "default", "low")
DEAD_LETTER = "dead-letter"

VISIBILITY_SECONDS = 120
"""Until a job whose worker died is given to another. Workers state their own with every receive."""
RETENTION_SECONDS = 4 * 86_400
DEAD_LETTER_RETENTION_SECONDS = 14 * 86_400
MAX_RECEIVES = 10
"""Workers count failures and park jobs themselves; this is for a job that ends its worker each time."""


@dataclass(frozen=True)
class QueuesArgs:
    """`names`: the kinds of jobs that services declare."""

    environment: Environment
    names: Sequence[str]


class Queues(pulumi.ComponentResource):
    """`queues` by name."""

    def __init__(self, name: str, args: QueuesArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("pinwheel:workloads:Queues", name, None, opts)
        self._environment = args.environment
        self.queues = {each: self._of(each) for each in args.names}
        self.register_outputs({})

    def _of(self, name: str) -> JobQueues:
        prefix = self._environment.resource_name(name)
        dead_letter = self._queue(f"{prefix}-{DEAD_LETTER}", DEAD_LETTER_RETENTION_SECONDS)
        redrive = pulumi.Output.json_dumps(
            {"deadLetterTargetArn": dead_letter.arn, "maxReceiveCount": MAX_RECEIVES}
        )
        queues = [
            self._queue(f"{prefix}-{priority}", RETENTION_SECONDS, redrive_policy=redrive)
            for priority in PRIORITIES
        ]
        return JobQueues(prefix, [queue.arn for queue in (*queues, dead_letter)])

    def _queue(
        self, name: str, retention_seconds: int, redrive_policy: pulumi.Input[str] | None = None
    ) -> aws.sqs.Queue:
        queue = aws.sqs.Queue(
            name,
            name=name,
            sqs_managed_sse_enabled=True,
            visibility_timeout_seconds=VISIBILITY_SECONDS,
            message_retention_seconds=retention_seconds,
            redrive_policy=redrive_policy,
            tags={"Name": name},
            opts=pulumi.ResourceOptions(parent=self),
        )
        aws.sqs.QueuePolicy(
            name,
            queue_url=queue.url,
            policy=iam.document(_tls_only(queue.arn)),
            opts=pulumi.ResourceOptions(parent=self),
        )
        return queue


def _tls_only(arn: pulumi.Input[str]) -> iam.Statement:
    return {
        "Sid": "TlsOnly",
        "Effect": "Deny",
        "Principal": {"AWS": "*"},
        "Action": ["sqs:*"],
        "Resource": [arn],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
