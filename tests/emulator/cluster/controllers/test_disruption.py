"""Budgets count healthy pods, and evictions that they do not allow are refused."""

from typing import Any

import pytest

from emulator.cluster.controllers.disruption import evict
from emulator.cluster.status import ApiError
from emulator.cluster.store import Object
from tests.emulator.cluster.controllers.conftest import World, deployment, template

BUDGETS = "poddisruptionbudgets.policy"


def budget(world: World, name: str = "web", **spec: Any) -> None:
    told = {"selector": {"matchLabels": {"app": "web"}}, **spec}
    world.create(BUDGETS, {"metadata": {"name": name}, "spec": told})


def counts(world: World) -> tuple[int, int, int, int]:
    """Expected, desired, healthy, allowed."""
    status = world.get(BUDGETS, "web")["status"]
    names = ("expectedPods", "desiredHealthy", "currentHealthy", "disruptionsAllowed")
    expected, desired, healthy, allowed = (status[name] for name in names)
    return expected, desired, healthy, allowed


def eviction(name: str, **options: Any) -> Object:
    told: Object = {"kind": "Eviction", "apiVersion": "policy/v1", "metadata": {"name": name}}
    return {**told, **({"deleteOptions": options} if options else {})}


def try_to_evict(world: World, name: str, **options: Any) -> None:
    evict(world.store, world.resources, "default", name, eviction(name, **options))


def refusal(world: World, name: str, **options: Any) -> ApiError:
    with pytest.raises(ApiError) as refused:
        try_to_evict(world, name, **options)
    return refused.value


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"minAvailable": 2}, (5, 2, 5, 3)),
        ({"minAvailable": "50%"}, (5, 3, 5, 2)),
        ({"maxUnavailable": 1}, (5, 4, 5, 1)),
        ({"maxUnavailable": "30%"}, (5, 3, 5, 2)),
        ({"maxUnavailable": 0}, (5, 5, 5, 0)),
    ],
)
def test_what_is_allowed(world: World, spec: dict[str, Any], expected: tuple[int, int, int, int]):
    world.create("deployments.apps", deployment(replicas=5))
    budget(world, **spec)
    assert counts(world) == expected
    (condition,) = world.get(BUDGETS, "web")["status"]["conditions"]
    sufficient = condition["status"] == "True", condition["reason"] == "SufficientPods"
    assert sufficient == ((True, True) if expected[3] else (False, False))


def test_a_percentage_is_of_the_scale_and_not_of_the_pods_that_are_there(world: World):
    budget(world, maxUnavailable="50%")
    world.behaviour = lambda pod: "unready"
    world.create("deployments.apps", deployment(replicas=4))
    assert counts(world) == (4, 2, 0, 0)
    for name in world.names("pods")[:3]:
        world.set_ready(name, ready=True)
    assert counts(world) == (4, 2, 3, 1)


def test_an_eviction_takes_from_the_budget_at_once(world: World):
    world.create("deployments.apps", deployment(replicas=3))
    budget(world, minAvailable=2)
    world.behaviour = lambda pod: "hangs"
    first, second, _ = world.names("pods")

    try_to_evict(world, first)  # and nothing is reconciled between the two
    refused = refusal(world, second)

    assert "deletionTimestamp" in world.get("pods", first)["metadata"]
    assert "deletionTimestamp" not in world.get("pods", second)["metadata"]
    assert refused.code == 429
    assert refused.message == "Cannot evict pod as it would violate the pod's disruption budget."
    told = next(
        each
        for each in world.get("pods", first)["status"]["conditions"]
        if each["type"] == "DisruptionTarget"
    )
    assert (told["reason"], told["message"]) == ("EvictionByEvictionAPI", "Eviction API: evicting")


def test_the_refusal_says_which_budget_and_why(world: World):
    world.create("deployments.apps", deployment(replicas=2))
    budget(world, minAvailable=2)
    body = refusal(world, world.names("pods")[0]).body()

    assert body["reason"] == "TooManyRequests"
    assert body["details"]["causes"] == [
        {
            "reason": "DisruptionBudget",
            "message": "The disruption budget web needs 2 healthy pods and has 2 currently",
            "field": "",
        }
    ]


def test_evictions_go_on_when_the_replacement_is_ready(world: World):
    world.create("deployments.apps", deployment(replicas=2))
    budget(world, minAvailable=1)
    evicted = world.names("pods")
    for name in evicted:
        try_to_evict(world, name)
        world.settle()
    assert not set(evicted) & set(world.names("pods"))
    assert counts(world) == (2, 1, 2, 1)


def test_a_budget_that_was_just_written_must_be_counted_first(world: World):
    world.create("deployments.apps", deployment(replicas=2))
    told = {"metadata": {"name": "web"}, "spec": {"selector": {}, "minAvailable": 1}}
    world.create(BUDGETS, told, settle=False)
    refused = refusal(world, world.names("pods")[0])
    assert refused.causes[0].message == "The disruption budget web is still being processed by the server."
    assert refused.retry_after == 10


def test_several_budgets_for_one_pod_are_not_supported(world: World):
    world.create("deployments.apps", deployment(replicas=2))
    budget(world, minAvailable=1)
    budget(world, "other", minAvailable=1)
    refused = refusal(world, world.names("pods")[0])
    assert refused.code == 500
    assert refused.message.startswith("This pod has more than one PodDisruptionBudget")


@pytest.mark.parametrize(
    ("policy", "goes"), [(None, False), ("IfHealthyBudget", False), ("AlwaysAllow", True)]
)
def test_pods_that_are_not_ready_go_if_the_policy_says_so(world: World, policy: str | None, goes: bool):
    world.create("deployments.apps", deployment(replicas=3))
    budget(world, minAvailable=3, **({"unhealthyPodEvictionPolicy": policy} if policy else {}))
    first = world.names("pods")[0]
    world.set_ready(first, ready=False)
    if goes:
        try_to_evict(world, first)
        world.settle()
        assert first not in world.names("pods")
    else:
        assert refusal(world, first).code == 429


def test_an_unready_pod_goes_when_the_budget_is_met_by_the_others(world: World):
    world.create("deployments.apps", deployment(replicas=3))
    budget(world, minAvailable=2)
    first = world.names("pods")[0]
    world.set_ready(first, ready=False)
    assert counts(world)[3] == 0
    try_to_evict(world, first)
    world.settle()
    assert first not in world.names("pods")


def test_a_dry_run_changes_nothing(world: World):
    world.create("deployments.apps", deployment(replicas=2))
    budget(world, minAvailable=1)
    version = world.store.version
    try_to_evict(world, world.names("pods")[0], dryRun=["All"])
    assert world.store.version == version

    world.change(BUDGETS, "web", minAvailable=2)
    assert refusal(world, world.names("pods")[0], dryRun=["All"]).code == 429


def test_pods_without_a_budget_and_pods_that_have_not_started_go(world: World):
    world.behaviour = lambda pod: "pending"
    world.create("deployments.apps", deployment(replicas=1))
    budget(world, minAvailable=1)
    (pending,) = world.names("pods")
    try_to_evict(world, pending)
    world.settle()
    assert pending not in world.names("pods")


def test_preconditions_and_names_must_fit(world: World):
    world.create("deployments.apps", deployment(replicas=1))
    (name,) = world.names("pods")
    assert refusal(world, name, preconditions={"uid": "another"}).code == 409
    with pytest.raises(ApiError, match="name in URL does not match") as refused:
        evict(world.store, world.resources, "default", name, eviction("another"))
    assert refused.value.code == 400
    assert refusal(world, "missing").code == 404


def test_an_eviction_that_is_never_carried_out_is_given_back(world: World):
    world.create("deployments.apps", deployment(replicas=2))
    budget(world, minAvailable=1)
    first = world.names("pods")[0]
    found = world.get(BUDGETS, "web")
    taken = {**found["status"], "disruptionsAllowed": 0, "disruptedPods": {first: "2026-01-01T00:00:00Z"}}
    world.set_status(BUDGETS, "web", **taken)
    assert counts(world)[3] == 0

    world.wait(121)
    assert counts(world)[3] == 1
    assert world.reasons(first) == ["NotDeleted"]


def test_pods_of_what_cannot_be_scaled_allow_nothing(world: World):
    labels = {"app": "web"}
    spec = {"selector": {"matchLabels": labels}, "template": template(labels)}
    world.create("daemonsets.apps", {"metadata": {"name": "web"}, "spec": spec})
    budget(world, maxUnavailable=1)

    (condition,) = world.get(BUDGETS, "web")["status"]["conditions"]
    assert condition["reason"] == "SyncFailed"
    assert condition["message"] == "daemonsets.apps does not implement the scale subresource"
    assert refusal(world, world.names("pods")[0]).causes[0].message == (
        "The disruption budget web does not allow evicting pods currently because it failed sync: "
        "daemonsets.apps does not implement the scale subresource"
    )
