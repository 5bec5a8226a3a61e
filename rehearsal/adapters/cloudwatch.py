"""Log groups, event rules with their targets, and alarms."""

from typing import Any

from rehearsal.adapters import Order, adapter
from rehearsal.cloud import Created


@adapter("aws:cloudwatch/logGroup:LogGroup")
def log_group(order: Order) -> Created:
    """A log group and how long it keeps its events."""
    name = order.default_name()
    answer = order.create(
        "logs",
        "CreateLogGroup",
        renames={"name": "logGroupName"},
        omit=("retentionInDays", "skipDestroy"),  # skipDestroy: the provider leaves the group at deletion
    )
    if order.inputs.get("retentionInDays"):  # 0 keeps events for ever
        order.further("logs", "PutRetentionPolicy", "retentionInDays", logGroupName=name)
    return answer.created(name, {"arn": order.arn("logs", f"log-group:{name}"), "name": name})


@adapter("aws:cloudwatch/eventRule:EventRule")
def event_rule(order: Order) -> Created:
    """An EventBridge rule."""
    name = order.default_name()
    enabled = order.inputs.get("isEnabled")
    answer = order.create(
        "events",
        "PutRule",
        omit=("isEnabled", "forceDestroy"),  # forceDestroy concerns deletion only
        extra=None if enabled is None else {"State": "ENABLED" if enabled else "DISABLED"},
    )
    bus = order.inputs.get("eventBusName") or "default"
    identity = name if bus == "default" else f"{bus}/{name}"
    return answer.created(identity, {"arn": answer.response["RuleArn"], "name": name, "eventBusName": bus})


@adapter("aws:cloudwatch/eventTarget:EventTarget")
def event_target(order: Order) -> Created:
    """Where a rule sends its events."""
    inputs = order.inputs
    target = inputs.get("targetId") or f"{order.name}-{order.digits(7)}"
    order.inputs = {**inputs, "targetId": target}
    places = {
        "targetId": "Id", "arn": "Arn", "roleArn": "RoleArn", "input": "Input", "inputPath": "InputPath",
        "inputTransformer": "InputTransformer", "deadLetterConfig": "DeadLetterConfig",
        "retryPolicy": "RetryPolicy", "sqsTarget": "SqsParameters", "ecsTarget": "EcsParameters",
        "batchTarget": "BatchParameters", "kinesisTarget": "KinesisParameters",
        "httpTarget": "HttpParameters",
    }  # fmt: skip
    answer = order.create(
        "events",
        "PutTargets",
        renames={
            **{name: f"Targets.{member}" for name, member in places.items()},
            "inputTransformer.inputPaths": "InputPathsMap",
        },
        omit=("forceDestroy",),  # concerns deletion only
        tagged=False,
    )
    for failed in answer.response.get("FailedEntries") or ():
        order.refuse(
            "arn", inputs.get("arn"), f"was refused: {failed.get('ErrorMessage')}", "an ARN of a target"
        )
    return answer.created(f"{inputs.get('rule')}-{target}", {"targetId": target})


@adapter("aws:cloudwatch/metricAlarm:MetricAlarm")
def metric_alarm(order: Order) -> Created:
    """An alarm on one metric or on an expression over several."""
    name = order.default_name()
    inputs = order.inputs
    order.inputs = {
        **inputs,
        "dimensions": _dimensions(inputs.get("dimensions")),
        "metricQueries": [_query(each) for each in inputs.get("metricQueries") or ()],
    }
    answer = order.create(
        "cloudwatch", "PutMetricAlarm", renames={"name": "AlarmName", "metricQueries": "Metrics"}
    )
    return answer.created(name, {"arn": order.arn("cloudwatch", f"alarm:{name}"), "name": name})


def _dimensions(given: dict[str, str] | None) -> list[dict[str, str]]:
    return [{"name": key, "value": value} for key, value in (given or {}).items()]


def _query(given: dict[str, Any]) -> dict[str, Any]:
    """`metric` holds what the API divides in two: which metric, and how it is read."""
    metric = given.get("metric")
    if not metric:
        return given
    read = {key: metric.get(key) for key in ("period", "stat", "unit")}
    which = {
        "namespace": metric.get("namespace"),
        "metricName": metric.get("metricName"),
        "dimensions": _dimensions(metric.get("dimensions")),
    }
    rest = {key: value for key, value in given.items() if key != "metric"}
    return {**rest, "metricStat": {**read, "metric": which}}
