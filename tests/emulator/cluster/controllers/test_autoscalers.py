"""Without metrics an autoscaler holds its bounds, and says what it lacks."""

from typing import Any

import pytest

from emulator.cluster.store import Object
from tests.emulator.cluster.controllers.conftest import World, deployment

AUTOSCALERS = "horizontalpodautoscalers.autoscaling"


def autoscaler(world: World, kind: str = "Deployment", **spec: Any) -> None:
    target = {"apiVersion": "apps/v1", "kind": kind, "name": "web"}
    told = {"scaleTargetRef": target, "minReplicas": 2, "maxReplicas": 4, **spec}
    world.create(AUTOSCALERS, {"metadata": {"name": "web"}, "spec": told})


def conditions(world: World) -> dict[str, Object]:
    return {each["type"]: each for each in world.get(AUTOSCALERS, "web")["status"]["conditions"]}


@pytest.mark.parametrize(("replicas", "becomes"), [(1, 2), (2, 2), (3, 3), (4, 4), (9, 4)])
def test_the_bounds_are_held(world: World, replicas: int, becomes: int):
    world.create("deployments.apps", deployment(replicas=replicas))
    autoscaler(world)
    assert world.get("deployments.apps", "web")["spec"]["replicas"] == becomes
    status = world.get(AUTOSCALERS, "web")["status"]
    assert (status["currentReplicas"], status["desiredReplicas"]) == (becomes, becomes)
    assert ("lastScaleTime" in status) == (replicas != becomes)


def test_scaling_beyond_the_bounds_is_taken_back(world: World):
    world.create("deployments.apps", deployment(replicas=3))
    autoscaler(world)
    world.change("deployments.apps", "web", replicas=10)
    assert world.get("deployments.apps", "web")["spec"]["replicas"] == 4
    message = "New size: 4; reason: Current number of replicas above Spec.MaxReplicas"
    assert message in world.messages("web")


def test_it_says_that_there_are_no_metrics(world: World):
    world.create("deployments.apps", deployment())
    autoscaler(world)
    told = conditions(world)
    assert told["AbleToScale"]["reason"] == "SucceededGetScale"
    assert (told["ScalingActive"]["status"], told["ScalingActive"]["reason"]) == (
        "False",
        "FailedGetResourceMetric",
    )
    assert "(get pods.metrics.k8s.io)" in told["ScalingActive"]["message"]
    assert world.reasons("web").count("FailedGetResourceMetric") == 1


def test_a_target_scaled_to_zero_is_left_there(world: World):
    world.create("deployments.apps", deployment(replicas=0))
    autoscaler(world)
    assert world.get("deployments.apps", "web")["spec"]["replicas"] == 0
    assert conditions(world)["ScalingActive"]["reason"] == "ScalingDisabled"


def test_a_missing_target_is_said_and_found_when_it_comes(world: World):
    autoscaler(world)
    told = conditions(world)["AbleToScale"]
    assert told["reason"] == "FailedGetScale"
    assert told["message"].endswith('deployments.apps "web" not found')

    world.create("deployments.apps", deployment(replicas=1))
    assert conditions(world)["AbleToScale"]["status"] == "True"
    assert world.get("deployments.apps", "web")["spec"]["replicas"] == 2


def test_what_cannot_be_scaled_is_said(world: World):
    autoscaler(world, kind="Wardrobe")
    assert 'no matches for kind "Wardrobe" in group "apps"' in conditions(world)["AbleToScale"]["message"]


def test_metrics_that_are_not_of_resources_are_named(world: World):
    world.create("deployments.apps", deployment())
    metric = {
        "type": "Pods",
        "pods": {"metric": {"name": "queue_length"}, "target": {"type": "AverageValue"}},
    }
    autoscaler(world, metrics=[metric])
    told = conditions(world)["ScalingActive"]
    assert told["reason"] == "FailedGetPodsMetric"
    assert "queue_length" in told["message"]
