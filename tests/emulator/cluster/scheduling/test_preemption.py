"""Important pods evict others, as few and as unimportant ones as possible."""

import pytest


def full(world, *, priority=0, **spec):
    """Two nodes, each full with two pods."""
    for node in ("n1", "n2"):
        world.node(node, cpu="2")
    for number in range(4):
        world.pod(
            f"batch-{number}", labels={"app": "batch"}, requests={"cpu": "1"}, priority=priority, **spec
        )
    world.manager.settle()


def leaving(world):
    return [
        pod["metadata"]["name"]
        for pod in world.store.list(world.resources["pods"])
        if "deletionTimestamp" in pod["metadata"]
    ]


def test_one_pod_leaves_for_one_that_matters_more(world):
    full(world)
    world.pod("web", requests={"cpu": "1"}, priority=1000)
    assert world.why("web") == "0/2 nodes are available: 2 Insufficient cpu."
    (victim,) = leaving(world)
    node = world.get("web")["status"]["nominatedNodeName"]
    assert world.get(victim)["spec"]["nodeName"] == node
    assert world.get(victim)["metadata"]["deletionGracePeriodSeconds"] == 30
    uid = world.get("web")["metadata"]["uid"]
    assert world.events(victim, "Preempted") == [f"Preempted by pod {uid} on node {node}"]
    world.pod("late", requests={"cpu": "1"})
    world.delete("pods", victim, "default")
    assert world.where("web") == node
    assert "nominatedNodeName" not in world.get("web")["status"]
    assert world.where("late") is None


def test_the_place_is_held_against_pods_that_matter_less(world):
    full(world)
    world.pod("web", requests={"cpu": "2"}, priority=1000)
    world.manager.settle()
    node = world.get("web")["status"]["nominatedNodeName"]
    first, second = leaving(world)
    world.delete("pods", first, "default")
    world.pod("late", requests={"cpu": "1"})
    assert world.where("late") is None
    world.delete("pods", second, "default")
    assert world.where("web") == node


def test_the_least_important_go(world):
    world.node("n1", cpu="2")
    world.node("n2", cpu="2")
    world.pod("high", requests={"cpu": "2"}, priority=500, nodeSelector={"kubernetes.io/hostname": "n1"})
    world.pod("low", requests={"cpu": "2"}, priority=100, nodeSelector={"kubernetes.io/hostname": "n2"})
    world.manager.settle()
    world.pod("web", requests={"cpu": "1"}, priority=1000)
    world.manager.settle()
    assert leaving(world) == ["low"]


def test_a_budget_is_spared_when_there_is_a_choice(world):
    full(world)
    protected = [name for name in ("batch-0", "batch-1", "batch-2", "batch-3") if world.where(name) == "n1"]
    for name in protected:
        world.change("pods", name, "default", metadata={"labels": {"app": "protected"}})
    world.create(
        "poddisruptionbudgets.policy",
        {
            "metadata": {"name": "protected", "namespace": "default"},
            "spec": {"selector": {"matchLabels": {"app": "protected"}}},
            "status": {"disruptionsAllowed": 0},
        },
    )
    world.pod("web", requests={"cpu": "1"}, priority=1000)
    world.manager.settle()
    (victim,) = leaving(world)
    assert victim not in protected


def test_who_never_preempts_waits(world):
    full(world)
    world.pod("web", requests={"cpu": "1"}, priority=1000, preemptionPolicy="Never")
    assert world.why("web") == (
        "0/2 nodes are available: 2 Insufficient cpu. no new claims to deallocate, preemption: "
        "not eligible due to preemptionPolicy=Never."
    )
    assert leaving(world) == []


@pytest.mark.parametrize(("name", "evicts"), [("high", 1), ("system-node-critical", 1), ("none", 0)])
def test_priorities_come_from_classes(world, name, evicts):
    world.create("priorityclasses.scheduling.k8s.io", {"metadata": {"name": "high"}, "value": 1000})
    full(world, priority=999)
    world.pod("web", requests={"cpu": "1"}, priorityClassName=name)
    world.manager.settle()
    assert len(leaving(world)) == evicts


def test_evictions_that_would_not_help_are_not_done(world):
    full(world)
    world.pod("huge", requests={"cpu": "3"}, priority=1000)
    world.pod("picky", requests={"cpu": "1"}, priority=1000, nodeSelector={"role": "gpu"})
    assert "2 Preemption is not helpful for scheduling." in world.why("huge")
    assert "2 Preemption is not helpful for scheduling." in world.why("picky")
    assert leaving(world) == []
