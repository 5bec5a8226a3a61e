"""DaemonSets run one pod on each node that takes it."""

from typing import Any

from emulator.cluster.store import Object, copy_of
from tests.emulator.cluster.controllers.conftest import World, template

SETS, PODS = "daemonsets.apps", "pods"


def daemon_set(image: str = "agent:1", pod: dict[str, Any] | None = None, **spec: Any) -> Object:
    labels = {"app": "agent"}
    told = {"selector": {"matchLabels": labels}, "template": template(labels, image, **(pod or {})), **spec}
    return {"metadata": {"name": "agent"}, "spec": told}


def nodes_of(world: World) -> list[str]:
    return sorted(pod["spec"]["nodeName"] for pod in world.objects(PODS))


def images(world: World) -> list[str]:
    return sorted(pod["spec"]["containers"][0]["image"] for pod in world.objects(PODS))


def test_every_node_gets_a_pod_also_those_that_come_later(world: World):
    world.create(SETS, daemon_set())
    assert nodes_of(world) == ["node-1"]
    world.node("node-2")
    assert nodes_of(world) == ["node-1", "node-2"]
    status = world.get(SETS, "agent")["status"]
    assert status == {
        "currentNumberScheduled": 2,
        "desiredNumberScheduled": 2,
        "numberMisscheduled": 0,
        "numberReady": 2,
        "observedGeneration": 1,
        "updatedNumberScheduled": 2,
        "numberAvailable": 2,
    }


def test_a_pod_is_meant_for_one_node_and_tolerates_what_ails_it(world: World):
    world.create(SETS, daemon_set())
    (pod,) = world.objects(PODS)
    required = pod["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    field = {"key": "metadata.name", "operator": "In", "values": ["node-1"]}
    assert required == {"nodeSelectorTerms": [{"matchFields": [field]}]}
    keys = {each["key"] for each in pod["spec"]["tolerations"]}
    assert {"node.kubernetes.io/not-ready", "node.kubernetes.io/unschedulable"} <= keys


def test_selectors_and_taints_choose_the_nodes(world: World):
    gpu = {"key": "nvidia.com/gpu", "value": "true", "effect": "NoSchedule"}
    world.node("gpu-1", taints=[gpu], pool="gpu")
    world.node("cordoned", taints=[{"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}])
    world.create(SETS, daemon_set())
    assert nodes_of(world) == ["cordoned", "node-1"]

    tolerant = {
        "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}],
        "nodeSelector": {"pool": "gpu"},
    }
    world.change(SETS, "agent", template=template({"app": "agent"}, "agent:1", **tolerant))
    assert nodes_of(world) == ["gpu-1"]


def test_a_pod_leaves_a_node_whose_labels_no_longer_fit(world: World):
    world.node("gpu-1", pool="gpu")
    world.create(SETS, daemon_set(pod={"nodeSelector": {"pool": "gpu"}}))
    assert nodes_of(world) == ["gpu-1"]

    node = copy_of(world.get("nodes", "gpu-1"))
    node["metadata"]["labels"]["pool"] = "cpu"
    world.store.update(world.resource("nodes"), node)
    world.settle()
    assert nodes_of(world) == []
    assert world.get(SETS, "agent")["status"]["desiredNumberScheduled"] == 0


def test_a_pod_that_failed_is_replaced(world: World):
    world.create(SETS, daemon_set())
    (name,) = world.names(PODS)
    world.set_status(PODS, name, phase="Failed")
    assert name not in world.names(PODS)
    assert nodes_of(world) == ["node-1"]
    assert "FailedDaemonPod" in world.reasons("agent")


def test_an_update_replaces_one_node_s_pod_at_a_time(world: World):
    for number in (2, 3):
        world.node(f"node-{number}")
    world.create(SETS, daemon_set())
    world.behaviour = lambda pod: "unready"
    world.change(SETS, "agent", template=template({"app": "agent"}, "agent:2"))
    assert images(world) == ["agent:1", "agent:1", "agent:2"]
    assert world.get(SETS, "agent")["status"]["updatedNumberScheduled"] == 1

    world.behaviour = lambda pod: "ready"
    new = next(pod for pod in world.objects(PODS) if pod["spec"]["containers"][0]["image"] == "agent:2")
    world.set_ready(new["metadata"]["name"], ready=True)
    assert images(world) == ["agent:2"] * 3
    status = world.get(SETS, "agent")["status"]
    assert status["updatedNumberScheduled"] == status["numberAvailable"] == 3


def test_with_a_surge_the_new_pod_is_ready_before_the_old_one_goes(world: World):
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    world.create(SETS, daemon_set(updateStrategy=strategy))
    world.behaviour = lambda pod: "unready"
    world.change(SETS, "agent", template=template({"app": "agent"}, "agent:2"))
    assert images(world) == ["agent:1", "agent:2"]

    new = next(pod for pod in world.objects(PODS) if pod["spec"]["containers"][0]["image"] == "agent:2")
    world.set_ready(new["metadata"]["name"], ready=True)
    assert images(world) == ["agent:2"]


def test_history_is_kept_for_undo(world: World):
    world.create(SETS, daemon_set(revisionHistoryLimit=1))
    for number in (2, 3, 4):
        world.change(SETS, "agent", template=template({"app": "agent"}, f"agent:{number}"))
    revisions = sorted(world.objects("controllerrevisions.apps"), key=lambda each: each["revision"])
    assert [each["revision"] for each in revisions] == [3, 4]
    (pod,) = world.objects(PODS)
    digest = pod["metadata"]["labels"]["controller-revision-hash"]
    assert revisions[-1]["metadata"]["labels"]["controller-revision-hash"] == digest
    assert revisions[-1]["metadata"]["name"] == f"agent-{digest}"
