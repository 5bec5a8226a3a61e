"""The monthly budget of an environment: mails before the money is gone, not after."""

import pulumi
import pulumi_aws as aws

from infra.environment import Environment


def budget(environment: Environment, options: pulumi.ResourceOptions) -> aws.budgets.Budget:
    """Costs of this environment's resources (by tag): mails at 80% forecast and at 100% actual."""
    return aws.budgets.Budget(
        "monthly",
        name=environment.resource_name("monthly"),
        budget_type="COST",
        time_unit="MONTHLY",
        limit_amount=str(environment.budget.monthly_usd),
        limit_unit="USD",
        cost_filters=[
            aws.budgets.BudgetCostFilterArgs(
                name="TagKeyValue", values=[f"user:environment${environment.name}"]
            )
        ],
        notifications=[
            aws.budgets.BudgetNotificationArgs(
                comparison_operator="GREATER_THAN",
                threshold=threshold,
                threshold_type="PERCENTAGE",
                notification_type=kind,
                subscriber_email_addresses=list(environment.budget.notify),
            )
            for kind, threshold in (("FORECASTED", 80), ("ACTUAL", 100))
        ],
        opts=options,
    )
