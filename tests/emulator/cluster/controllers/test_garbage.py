"""Dependents go with their owner, before it, or stay, as the deletion says."""

import pytest

from emulator.cluster.controllers.garbage import FOREGROUND, ORPHAN
from emulator.cluster.store import Object, copy_of
from tests.emulator.cluster.controllers.conftest import World, deployment


def owned(
    world: World, name: str, *owners: Object, block: bool = False, namespace: str = "default"
) -> Object:
    references = [
        {
            "apiVersion": "v1",
            "kind": owner["kind"],
            "name": owner["metadata"]["name"],
            "uid": owner["metadata"]["uid"],
            "blockOwnerDeletion": block,
        }
        for owner in owners
    ]
    metadata = {"name": name, "namespace": namespace, "ownerReferences": references}
    return world.create("configmaps", {"metadata": metadata})


def test_dependents_of_dependents_go_in_the_background(world: World):
    world.create("deployments.apps", deployment())
    world.delete("deployments.apps", "web")

    assert world.names("replicasets.apps") == []
    assert world.names("pods") == []


def test_in_the_foreground_the_owner_goes_last(world: World):
    world.create("deployments.apps", deployment())
    world.behaviour = lambda pod: "hangs"
    world.delete("deployments.apps", "web", FOREGROUND)

    assert "deletionTimestamp" in world.get("deployments.apps", "web")["metadata"]
    assert len(world.names("replicasets.apps")) == 1
    assert len(world.names("pods")) == 3

    for name in world.names("pods"):
        world.store.delete(world.resource("pods"), "default", name, 0)
    world.settle()
    assert world.names("pods") + world.names("replicasets.apps") + world.names("deployments.apps") == []


def test_orphans_stay_and_can_be_adopted_again(world: World):
    world.create("deployments.apps", deployment())
    (replica_set,) = world.names("replicasets.apps")
    pods = world.names("pods")
    world.delete("deployments.apps", "web", ORPHAN)

    assert world.names("deployments.apps") == []
    assert world.get("replicasets.apps", replica_set)["metadata"].get("ownerReferences") is None
    assert world.names("pods") == pods

    again = world.create("deployments.apps", deployment())
    owner = world.get("replicasets.apps", replica_set)["metadata"]["ownerReferences"][0]
    assert owner["uid"] == again["metadata"]["uid"]
    assert world.names("pods") == pods


def test_an_object_with_two_owners_stays_with_the_other(world: World):
    first, second = owned(world, "first"), owned(world, "second")
    owned(world, "child", first, second)
    world.delete("configmaps", "first")

    references = world.get("configmaps", "child")["metadata"]["ownerReferences"]
    assert [each["name"] for each in references] == ["second"]
    world.delete("configmaps", "second")
    assert "child" not in world.names("configmaps")


def test_what_does_not_block_its_owner_does_not_delay_it(world: World):
    owner = owned(world, "owner")
    child = copy_of(owned(world, "child", owner, block=False))
    child["metadata"]["finalizers"] = ["example.com/slow"]
    world.store.update(world.resource("configmaps"), child)
    world.settle()
    world.delete("configmaps", "owner", FOREGROUND)

    assert "owner" not in world.names("configmaps")
    assert "deletionTimestamp" in world.get("configmaps", "child")["metadata"]


@pytest.mark.parametrize("namespace", ["default", "elsewhere"])
def test_an_owner_that_never_was_or_is_in_another_namespace_does_not_count(world: World, namespace: str):
    ghost = {"kind": "ConfigMap", "metadata": {"name": "ghost", "uid": "no-such-uid"}}
    owner = ghost if namespace == "default" else owned(world, "owner")
    owned(world, "child", owner, namespace=namespace)
    assert "child" not in world.names("configmaps", namespace)
