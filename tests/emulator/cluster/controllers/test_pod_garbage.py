"""Pods on nodes that are gone, and too many that have ended, are removed."""

from tests.emulator.cluster.controllers.conftest import World, deployment, template


def test_pods_of_a_node_that_is_gone_are_replaced(world: World):
    world.create("deployments.apps", deployment())
    before = world.names("pods")
    world.behaviour = lambda pod: "pending"
    world.delete("nodes", "node-1")
    world.wait(39)
    assert world.names("pods") == before
    world.wait(1)
    assert len(world.names("pods")) == 3
    assert not set(before) & set(world.names("pods"))


def test_a_node_that_comes_back_keeps_its_pods(world: World):
    world.create("deployments.apps", deployment())
    before = world.names("pods")
    world.delete("nodes", "node-1")
    world.wait(20)
    world.node("node-1")
    world.wait(60)
    assert world.names("pods") == before


def test_a_pod_that_hangs_in_its_deletion_goes_with_its_node(world: World):
    world.create("deployments.apps", deployment(replicas=1))
    (name,) = world.names("pods")
    world.behaviour = lambda pod: "hangs"
    world.delete("pods", name)
    world.delete("nodes", "node-1")
    world.wait(40)
    assert name not in world.names("pods")


def test_pods_that_have_ended_are_kept_up_to_a_bound(world: World):
    world.behaviour = lambda pod: "succeeds"
    for number in range(510):
        pod = {"metadata": {"name": f"p{number}"}, "spec": template({})["spec"]}
        world.create("pods", pod, settle=False)
    world.settle()
    assert len(world.names("pods")) == 500
    assert "p0" not in world.names("pods")
    assert "p509" in world.names("pods")
