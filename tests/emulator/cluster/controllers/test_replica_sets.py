"""ReplicaSets keep the number of pods, and know which pods are theirs."""

from typing import Any

from emulator.cluster.controllers.pod_control import deletion_order
from emulator.cluster.store import Object, copy_of
from tests.emulator.cluster.controllers.conftest import World, template

PODS = "pods"


def replica_set(replicas: int = 2, **spec: Any) -> Object:
    labels = {"app": "web"}
    told = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template(labels), **spec}
    return {"metadata": {"name": "web"}, "spec": told}


def test_a_pod_that_is_deleted_is_replaced(world: World):
    world.create("replicasets.apps", replica_set())
    first, second = world.names(PODS)
    world.delete(PODS, first)

    assert len(world.names(PODS)) == 2
    assert first not in world.names(PODS)
    assert second in world.names(PODS)


def test_a_pod_that_failed_is_replaced_and_kept(world: World):
    world.create("replicasets.apps", replica_set())
    world.set_status(PODS, world.names(PODS)[0], phase="Failed")

    assert len(world.names(PODS)) == 3
    assert world.get("replicasets.apps", "web")["status"]["replicas"] == 2


def test_an_orphan_that_matches_is_adopted_and_one_whose_labels_change_is_let_go(world: World):
    world.create(PODS, {"metadata": {"name": "stray", "labels": {"app": "web"}}, **_spec()})
    world.create("replicasets.apps", replica_set())
    assert "stray" in world.names(PODS)
    assert len(world.names(PODS)) == 2

    stray = copy_of(world.get(PODS, "stray"))
    assert stray["metadata"]["ownerReferences"][0]["controller"] is True
    stray["metadata"]["labels"] = {"app": "debug"}
    world.store.update(world.resource(PODS), stray)
    world.settle()
    assert "ownerReferences" not in world.get(PODS, "stray")["metadata"]
    assert len(world.names(PODS)) == 3


def test_status_counts_only_pods_that_have_all_labels_of_the_template(world: World):
    labels = {"app": "web", "tier": "front"}
    world.create(PODS, {"metadata": {"name": "stray", "labels": {"app": "web"}}, **_spec()})
    world.create("replicasets.apps", replica_set(template=template(labels)))

    status = world.get("replicasets.apps", "web")["status"]
    assert (status["replicas"], status["fullyLabeledReplicas"]) == (2, 1)


def test_what_serves_least_is_deleted_first():
    def pod(name: str, node: str = "n1", ready: bool = True, age: int = 1, **metadata: Any) -> Object:
        conditions = [
            {"type": "Ready", "status": str(ready), "lastTransitionTime": f"2026-01-01T00:0{age}:00Z"}
        ]
        created = {"creationTimestamp": f"2026-01-01T00:0{age}:00Z"}
        return {
            "metadata": {"name": name, **created, **metadata},
            "spec": {"nodeName": node} if node else {},
            "status": {"phase": "Running" if node else "Pending", "conditions": conditions},
        }

    cheap = {"annotations": {"controller.kubernetes.io/pod-deletion-cost": "-5"}}
    pods = [
        pod("old", age=1),
        pod("young", age=5),
        pod("unready", ready=False),
        pod("unscheduled", node="", ready=False),
        pod("cheap", **cheap),
        pod("crowded", node="n2", age=1),
    ]
    related = [*pods, *(pod(f"other-{n}", node="n2") for n in range(9))]

    names = [each["metadata"]["name"] for each in deletion_order(pods, related)]

    assert names == ["unscheduled", "unready", "cheap", "crowded", "young", "old"]


def test_no_pods_are_made_in_a_namespace_that_is_going(world: World):
    namespace = {"metadata": {"name": "old", "finalizers": ["kubernetes", "example.com/slow"]}}
    world.create("namespaces", namespace)
    world.delete("namespaces", "old")
    told = replica_set()
    told["metadata"]["namespace"] = "old"
    world.store.create(
        world.resource("replicasets.apps"), {"kind": "ReplicaSet", "apiVersion": "apps/v1", **told}
    )
    world.settle()

    assert world.names(PODS, "old") == []


def _spec() -> Object:
    return {"spec": template({})["spec"]}
