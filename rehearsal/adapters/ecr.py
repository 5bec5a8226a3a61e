"""Image repositories."""

from rehearsal.adapters import Order, adapter
from rehearsal.cloud import Created


@adapter("aws:ecr/repository:Repository")
def repository(order: Order) -> Created:
    """A repository."""
    name = order.default_name()
    answer = order.create(
        "ecr",
        "CreateRepository",
        renames={"name": "repositoryName"},
        omit=("forceDelete",),  # concerns deletion only
    )
    created = answer.response["repository"]
    account, region = order.cloud.account, order.cloud.region
    return answer.created(
        name,
        {
            "arn": created["repositoryArn"],
            "name": name,
            "registryId": account,
            "repositoryUrl": f"{account}.dkr.ecr.{region}.amazonaws.com/{name}",
        },
    )


@adapter("aws:ecr/lifecyclePolicy:LifecyclePolicy")
def lifecycle_policy(order: Order) -> Created:
    """Which images go."""
    return _of_repository(order, "PutLifecyclePolicy", "lifecyclePolicyText")


@adapter("aws:ecr/repositoryPolicy:RepositoryPolicy")
def repository_policy(order: Order) -> Created:
    """Who may pull and push."""
    return _of_repository(order, "SetRepositoryPolicy", "policyText")


def _of_repository(order: Order, operation: str, document: str) -> Created:
    renames = {"repository": "repositoryName", "policy": document}
    answer = order.create("ecr", operation, renames=renames, tagged=False)
    return answer.created(order.inputs.get("repository", ""), {"registryId": order.cloud.account})
