"""Budgets and whom they warn."""

from datetime import UTC, datetime
from typing import Any

from rehearsal.adapters import Order, adapter
from rehearsal.cloud import Created

_TIME = "%Y-%m-%d_%H:%M"


@adapter("aws:budgets/budget:Budget")
def budget(order: Order) -> Created:
    """A budget with its notifications."""
    name = order.default_name()
    inputs = order.inputs
    filters = {each.get("name"): each.get("values") for each in inputs.get("costFilters") or ()}
    order.inputs = {
        **inputs,
        "notifications": [_notification(each) for each in inputs.get("notifications") or ()],
    }
    answer = order.create(
        "budgets",
        "CreateBudget",
        within="Budget",
        renames={
            "name": "BudgetName",
            "limitAmount": "Budget.BudgetLimit.Amount",
            "limitUnit": "Budget.BudgetLimit.Unit",
            "notifications": "NotificationsWithSubscribers",
            **{f"notifications.{key}": f"Notification.{key[0].upper()}{key[1:]}" for key in _NOTIFICATION},
        },
        omit=("costFilters", "plannedLimits", "timePeriodStart", "timePeriodEnd", "accountId"),
        extra={
            "AccountId": inputs.get("accountId") or order.cloud.account,
            **({"Budget.CostFilters": filters} if filters else {}),
            **_period(order),
            **_planned(inputs.get("plannedLimits") or ()),
        },
    )
    arn = f"arn:aws:budgets::{order.cloud.account}:budget/{name}"
    return answer.created(f"{order.cloud.account}:{name}", {"arn": arn, "name": name})


_NOTIFICATION = ("comparisonOperator", "notificationType", "threshold", "thresholdType")


def _notification(given: dict[str, Any]) -> dict[str, Any]:
    subscribers = [
        {"subscriptionType": kind, "address": address}
        for kind, key in (("EMAIL", "subscriberEmailAddresses"), ("SNS", "subscriberSnsTopicArns"))
        for address in given.get(key) or ()
    ]
    return {**{key: given.get(key) for key in _NOTIFICATION}, "subscribers": subscribers}


def _period(order: Order) -> dict[str, Any]:
    period: dict[str, Any] = {}
    for key, member in (("timePeriodStart", "Start"), ("timePeriodEnd", "End")):
        given = order.inputs.get(key)
        if given:
            try:
                period[f"Budget.TimePeriod.{member}"] = datetime.strptime(given, _TIME).replace(tzinfo=UTC)
            except ValueError:
                order.refuse(
                    key, given, "is not a time", "year-month-day_hour:minute, as in 2027-01-31_00:00"
                )
    return period


def _planned(limits: Any) -> dict[str, Any]:
    planned = {
        each.get("startTime"): {"Amount": each.get("amount"), "Unit": each.get("unit")} for each in limits
    }
    return {"Budget.PlannedBudgetLimits": planned} if planned else {}
