"""Queues and topics: their settings travel as attributes, all of them text."""

import json
from collections.abc import Mapping
from typing import Any

from rehearsal.adapters import Order, adapter
from rehearsal.cloud import Created

_QUEUE_NAMES = {
    "maxMessageSize": "MaximumMessageSize",
    "messageRetentionSeconds": "MessageRetentionPeriod",
    "receiveWaitTimeSeconds": "ReceiveMessageWaitTimeSeconds",
    "visibilityTimeoutSeconds": "VisibilityTimeout",
}
_QUEUE_RANGES = {
    "delaySeconds": (0, 900),
    "kmsDataKeyReusePeriodSeconds": (60, 86_400),
    "maxMessageSize": (1024, 1_048_576),
    "messageRetentionSeconds": (60, 1_209_600),
    "receiveWaitTimeSeconds": (0, 20),
    "visibilityTimeoutSeconds": (0, 43_200),
}
"""SQS API reference, SetQueueAttributes. The model knows attributes as text only."""


_TOPIC_NAMES = {
    f"{protocol}{setting}": f"{protocol.upper()}{setting}"
    for protocol in ("http", "sqs")
    for setting in ("FailureFeedbackRoleArn", "SuccessFeedbackRoleArn", "SuccessFeedbackSampleRate")
}
_NOT_ATTRIBUTES = frozenset({"name", "namePrefix", "region", "tags", "tagsAll"})


@adapter("aws:sqs/queue:Queue")
def queue(order: Order) -> Created:
    """A queue."""
    name = order.default_name(suffix=".fifo" if order.inputs.get("fifoQueue") else "")
    for key, (least, most) in _QUEUE_RANGES.items():
        order.keep_within(key, least, most)
    settings = {key: value for key, value in order.inputs.items() if key not in _NOT_ATTRIBUTES}
    answer = order.create(
        "sqs",
        "CreateQueue",
        renames={"name": "QueueName"},
        omit=settings,
        extra={"Attributes": _attributes(settings, _QUEUE_NAMES)},
    )
    # What AWS answers; the emulator's own address has a port that the next rehearsal will not have.
    url = f"https://sqs.{order.cloud.region}.amazonaws.com/{order.cloud.account}/{name}"
    return answer.created(url, {"arn": order.arn("sqs", name), "name": name, "url": url})


@adapter("aws:sqs/queuePolicy:QueuePolicy")
def queue_policy(order: Order) -> Created:
    """Who may use a queue."""
    return _queue_setting(order, "Policy")


@adapter("aws:sqs/redrivePolicy:RedrivePolicy")
def redrive_policy(order: Order) -> Created:
    """Where messages go that nobody could process."""
    return _queue_setting(order, "RedrivePolicy")


def _queue_setting(order: Order, attribute: str) -> Created:
    key = attribute[0].lower() + attribute[1:]
    answer = order.create(
        "sqs",
        "SetQueueAttributes",
        omit=(key,),
        extra={"Attributes": {attribute: _text(order.inputs.get(key))}},
        tagged=False,
    )
    return answer.created(order.inputs.get("queueUrl", ""))


@adapter("aws:sns/topic:Topic")
def topic(order: Order) -> Created:
    """A topic."""
    fifo = bool(order.inputs.get("fifoTopic"))
    name = order.default_name(suffix=".fifo" if fifo else "")
    settings = {key: value for key, value in order.inputs.items() if key not in _NOT_ATTRIBUTES}
    answer = order.create(
        "sns", "CreateTopic", omit=settings, extra={"Attributes": _attributes(settings, _TOPIC_NAMES)}
    )
    arn = answer.response["TopicArn"]
    return answer.created(arn, {"arn": arn, "name": name, "owner": order.cloud.account})


@adapter("aws:sns/topicPolicy:TopicPolicy")
def topic_policy(order: Order) -> Created:
    """Who may publish and subscribe."""
    answer = order.create(
        "sns",
        "SetTopicAttributes",
        renames={"arn": "TopicArn", "policy": "AttributeValue"},
        extra={"AttributeName": "Policy"},
        tagged=False,
    )
    return answer.created(order.inputs.get("arn", ""), {"owner": order.cloud.account})


@adapter("aws:sns/topicSubscription:TopicSubscription")
def topic_subscription(order: Order) -> Created:
    """Who gets a topic's messages."""
    settings = {
        key: value
        for key, value in order.inputs.items()
        if key
        not in {"topic", "protocol", "endpoint", "confirmationTimeoutInMinutes", "endpointAutoConfirms"}
        and key not in _NOT_ATTRIBUTES
    }
    answer = order.create(
        "sns",
        "Subscribe",
        renames={"topic": "TopicArn"},
        # The last two are how long, and whether, the provider waits for the endpoint to confirm.
        omit=(*settings, "confirmationTimeoutInMinutes", "endpointAutoConfirms"),
        extra={"Attributes": _attributes(settings, {}), "ReturnSubscriptionArn": True},
        tagged=False,
    )
    arn = answer.response["SubscriptionArn"]
    return answer.created(arn, {"arn": arn, "ownerId": order.cloud.account})


def _attributes(settings: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, str]:
    return {
        names.get(key) or key[0].upper() + key[1:]: _text(value)
        for key, value in settings.items()
        if value is not None
    }


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
