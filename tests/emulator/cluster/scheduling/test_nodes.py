"""Readiness, the taints that follow, and whom they evict."""

import pytest

from emulator.cluster.scheduling.fit import Taint
from emulator.cluster.scheduling.machines import Machine, node_object
from emulator.instance_types import all_types

NOT_READY = "node.kubernetes.io/not-ready"
UNREACHABLE = "node.kubernetes.io/unreachable"


def machine(name="m7i.large", **others):
    settings = {"kubernetes": "1.35.7", "disk_gib": 20, "labels": {"pinwheel.io/node-role": "general"}}
    return Machine("10.0.1.23", all_types()[name], "eu-west-1a", "eu-west-1", **{**settings, **others})


def taints(world, name):
    return [(each["key"], each["effect"]) for each in world.get_node(name)["spec"].get("taints", ())]


def ready(world, name, status):
    conditions = [{"type": "Ready", "status": status}]
    world.change("nodes", name, status={"conditions": conditions})
    world.manager.settle()


def test_a_machine_registers_as_one_of_eks_does():
    node = node_object(machine(taints=[Taint("dedicated", "gpu", "NoSchedule")]))
    assert node["metadata"]["name"] == "ip-10-0-1-23.eu-west-1.compute.internal"
    assert node["metadata"]["labels"] == {
        "node.kubernetes.io/instance-type": "m7i.large",
        "kubernetes.io/arch": "amd64",
        "kubernetes.io/os": "linux",
        "kubernetes.io/hostname": "ip-10-0-1-23.eu-west-1.compute.internal",
        "topology.kubernetes.io/region": "eu-west-1",
        "topology.kubernetes.io/zone": "eu-west-1a",
        "pinwheel.io/node-role": "general",
    }
    assert node["spec"]["providerID"].startswith("aws:///eu-west-1a/i-0")
    assert node["spec"]["taints"] == [
        {"key": "dedicated", "value": "gpu", "effect": "NoSchedule"},
        {"key": NOT_READY, "effect": "NoSchedule"},
    ]
    status = node["status"]
    assert status["capacity"] == {
        "cpu": "2",
        "memory": f"{8 * 1024**2}Ki",
        "ephemeral-storage": f"{20 * 1024**2}Ki",
        "pods": "110",
    }
    assert status["allocatable"]["cpu"] == "1930m"
    assert status["nodeInfo"]["kubeletVersion"].startswith("v1.35.7-eks-")
    assert node == node_object(machine(taints=[Taint("dedicated", "gpu", "NoSchedule")]))


def test_a_node_that_becomes_ready_has_a_heartbeat_and_a_lease(world):
    world.create("nodes", node_object(machine()))
    world.manager.settle()
    name = machine().name
    conditions = world.get_node(name)["status"]["conditions"]
    assert {each["lastHeartbeatTime"] for each in conditions} == {"2026-09-03T12:00:00Z"}
    lease = world.store.get(world.resources["leases.coordination.k8s.io"], "kube-node-lease", name)
    assert lease["spec"] == {
        "holderIdentity": name,
        "leaseDurationSeconds": 40,
        "renewTime": "2026-09-03T12:00:00.000000Z",
    }
    (owner,) = lease["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["uid"]) == ("Node", world.get_node(name)["metadata"]["uid"])


def test_in_north_virginia_names_are_shorter():
    assert machine(labels={}).name.endswith(".eu-west-1.compute.internal")
    virginian = Machine("10.0.1.23", all_types()["m7i.large"], "us-east-1a", "us-east-1", "1.35.7", 20, {})
    assert virginian.name == "ip-10-0-1-23.ec2.internal"


def test_a_node_becomes_ready_and_takes_pods(world):
    node = world.create("nodes", node_object(machine()))
    name = node["metadata"]["name"]
    world.pod("web")
    assert world.where("web") == name
    conditions = {each["type"]: each["status"] for each in world.get_node(name)["status"]["conditions"]}
    assert conditions == {
        "MemoryPressure": "False",
        "DiskPressure": "False",
        "PIDPressure": "False",
        "Ready": "True",
    }
    assert taints(world, name) == []
    assert world.events(name, "NodeReady") == [f"Node {name} status is now: NodeReady"]


def test_what_its_coming_brings_is_there_before_it_is_ready(world):
    """A DaemonSet's pod, which tolerates that the node is not ready, gets the last place."""
    world.pod("web", requests={"cpu": "1500m"})
    node = world.create("nodes", node_object(machine()))
    tolerations = [{"key": NOT_READY, "operator": "Exists"}]
    world.pod("agent", requests={"cpu": "1500m"}, tolerations=tolerations)
    assert world.where("agent") == node["metadata"]["name"]
    assert "Insufficient cpu" in world.why("web")


def test_cordon_taints_and_uncordon_takes_away(world):
    world.node("n1", taints=["dedicated=gpu:NoSchedule"])
    world.change("nodes", "n1", spec={"unschedulable": True})
    world.manager.settle()
    assert taints(world, "n1") == [
        ("dedicated", "NoSchedule"),
        ("node.kubernetes.io/unschedulable", "NoSchedule"),
    ]
    world.change("nodes", "n1", spec={"unschedulable": False})
    world.manager.settle()
    assert taints(world, "n1") == [("dedicated", "NoSchedule")]


@pytest.mark.parametrize(("status", "key"), [("False", NOT_READY), ("Unknown", UNREACHABLE)])
def test_a_node_that_breaks_is_tainted_until_it_is_well(world, status, key):
    world.node("n1")
    ready(world, "n1", status)
    assert taints(world, "n1") == [(key, "NoExecute"), (key, "NoSchedule")]
    ready(world, "n1", "True")
    assert taints(world, "n1") == []


def test_pods_leave_a_broken_node_when_their_time_is_up(world):
    world.node("n1")
    world.pod("at-once", terminationGracePeriodSeconds=0)
    soon = [{"key": NOT_READY, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}]
    world.pod("later", tolerations=soon, terminationGracePeriodSeconds=5)
    world.pod("never", tolerations=[{"operator": "Exists"}])
    world.manager.settle()
    ready(world, "n1", "False")
    names = [pod["metadata"]["name"] for pod in world.store.list(world.resources["pods"])]
    assert names == ["later", "never"]
    assert world.events("at-once", "TaintManagerEviction") == ["Marking for deletion Pod default/at-once"]
    world.pass_(299)
    assert "deletionTimestamp" not in world.get("later")["metadata"]
    world.pass_(1)
    assert world.get("later")["metadata"]["deletionGracePeriodSeconds"] == 5
    (told,) = [e for e in world.get("later")["status"]["conditions"] if e["type"] == "DisruptionTarget"]
    assert told["reason"] == "DeletionByTaintManager"
    world.pass_(10_000)
    assert "deletionTimestamp" not in world.get("never")["metadata"]


def test_a_node_that_recovers_in_time_keeps_its_pods(world):
    world.node("n1")
    soon = [{"key": NOT_READY, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}]
    world.pod("web", tolerations=soon)
    world.manager.settle()
    ready(world, "n1", "False")
    world.pass_(200)
    ready(world, "n1", "True")
    world.pass_(1000)
    assert "deletionTimestamp" not in world.get("web")["metadata"]


def test_a_pod_that_comes_by_itself_to_a_tainted_node_is_sent_away(world):
    world.node("n1", taints=["gone=:NoExecute"])
    world.manager.settle()
    world.pod("web", nodeName="n1", terminationGracePeriodSeconds=0)
    world.manager.settle()
    assert world.store.list(world.resources["pods"]) == []


def test_a_node_without_a_spec_is_borne(world):
    world.create("nodes", {"metadata": {"name": "bare"}})
    world.pod("web")
    assert "1 Too many pods" in world.why("web")
    assert taints(world, "bare") == [] if "spec" in world.get_node("bare") else True
