"""Application Auto Scaling: what may grow, and when it does."""

from typing import Any

from rehearsal.adapters import Order, adapter
from rehearsal.cloud import Created


@adapter("aws:appautoscaling/target:Target")
def target(order: Order) -> Created:
    """A dimension of a resource that may be scaled."""
    answer = order.create("application-autoscaling", "RegisterScalableTarget")
    return answer.created(
        order.inputs.get("resourceId", ""), {"arn": answer.response.get("ScalableTargetARN")}
    )


@adapter("aws:appautoscaling/policy:Policy")
def policy(order: Order) -> Created:
    """When a target is scaled."""
    name = order.default_name()
    inputs = order.inputs
    order.inputs = {"policyType": "StepScaling", **inputs}
    answer = order.create(
        "application-autoscaling",
        "PutScalingPolicy",
        renames={"name": "PolicyName"},
        tagged=False,
    )
    outputs: dict[str, Any] = {
        "arn": answer.response.get("PolicyARN"),
        "name": name,
        "alarmArns": [each.get("AlarmARN") for each in answer.response.get("Alarms") or ()],
    }
    return answer.created(name, outputs)
