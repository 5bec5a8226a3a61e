"""Karpenter launches what pods need, no more than pools allow, and takes away what nobody needs."""

from datetime import timedelta

import pytest
import yaml

from emulator.cluster.resources import Resource
from emulator.cluster.scheduling.pools import seconds
from emulator.instance_types import all_types

GPU = "nvidia.com/gpu"
ZONE = "topology.kubernetes.io/zone"
TYPE = "node.kubernetes.io/instance-type"
KINDS = (("NodePool", "karpenter.sh"), ("EC2NodeClass", "karpenter.k8s.aws"), ("NodeClaim", "karpenter.sh"))


def is_in(key, *values):
    return {"key": key, "operator": "In", "values": list(values)}


@pytest.fixture
def world(karpenter_world):
    for kind, group in KINDS[:2]:
        define(karpenter_world, kind, group)
    return karpenter_world


def define(world, kind, group):
    plural = {"EC2NodeClass": "ec2nodeclasses"}.get(kind, f"{kind.lower()}s")
    world.resources.define(
        {
            "metadata": {"name": f"{plural}.{group}"},
            "spec": {
                "group": group,
                "scope": "Cluster",
                "names": {"kind": kind, "plural": plural},
                "versions": [{"name": "v1"}],
            },
        }
    )


def resource(world, kind) -> Resource:
    return world.resources.of_kind(f"{dict(KINDS)[kind]}/v1", kind)


def pool(world, name="general", *, requirements=(), labels=None, taints=(), limits=None, weight=1, **others):
    zones = is_in(ZONE, "eu-west-1a", "eu-west-1b")
    general = [
        is_in("karpenter.k8s.aws/instance-category", "c", "m", "r"),
        is_in("kubernetes.io/arch", "amd64"),
        {"key": "karpenter.k8s.aws/instance-generation", "operator": "Gt", "values": ["5"]},
        {"key": "karpenter.k8s.aws/instance-cpu", "operator": "Gt", "values": ["1"]},
    ]
    template = {
        "nodeClassRef": {"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": name},
        "requirements": [zones, *(requirements or general)],
        "taints": list(taints),
        **others.pop("template", {}),
    }
    spec = {
        "weight": weight,
        "limits": limits or {},
        "template": {"metadata": {"labels": labels or {}}, "spec": template},
        "disruption": {"consolidationPolicy": "WhenEmpty", "consolidateAfter": "5m", **others},
    }
    return world.store.create(resource(world, "NodePool"), {"metadata": {"name": name}, "spec": spec})


def types(world):
    return [node["metadata"]["labels"][TYPE] for node in world.nodes]


def test_a_pod_that_fits_nowhere_gets_the_smallest_node_that_takes_it(world):
    pool(world, labels={"pinwheel.io/node-role": "general"})
    world.pod("web", requests={"cpu": "1", "memory": "1Gi"})
    node = world.where("web")
    (found,) = world.nodes
    assert found["metadata"]["name"] == node == "ip-100-64-0-5.eu-west-1.compute.internal"
    labels = found["metadata"]["labels"]
    kind = all_types()[labels[TYPE]]
    assert (kind.vcpus, kind.memory_mib) == (2, 4096)
    assert labels["karpenter.sh/nodepool"] == "general"
    assert labels["karpenter.sh/capacity-type"] == "on-demand"
    assert labels["karpenter.sh/initialized"] == "true"
    assert labels["pinwheel.io/node-role"] == "general"
    assert labels[ZONE] == "eu-west-1a"
    (nominated,) = world.events("web", "Nominated")
    assert nominated.startswith("Pod should schedule on: nodeclaim/general-")
    assert nominated.endswith(f", node/{node}")


def test_pods_that_come_together_share_a_node_of_the_right_size(world):
    pool(world)
    for number in range(6):
        world.pod(f"web-{number}", requests={"cpu": "1", "memory": "1Gi"})
    assert len({world.where(f"web-{number}") for number in range(6)}) == 1
    (kind,) = types(world)
    assert all_types()[kind].vcpus == 8


def test_daemon_sets_are_reckoned_with(world):
    pool(world)
    template = {"spec": {"containers": [{"name": "agent", "resources": {"requests": {"cpu": "1"}}}]}}
    world.create(
        "daemonsets.apps",
        {"metadata": {"name": "agent", "namespace": "default"}, "spec": {"template": template}},
    )
    world.pod("web", requests={"cpu": "1"})
    world.manager.settle()
    (kind,) = types(world)
    assert all_types()[kind].vcpus == 4


def test_what_pods_ask_of_nodes_is_kept(world):
    pool(world)
    world.pod("b", requests={"cpu": "1"}, nodeSelector={ZONE: "eu-west-1b"})
    world.pod("a", requests={"cpu": "1"}, nodeSelector={ZONE: "eu-west-1a"})
    world.pod("large", requests={"cpu": "1"}, nodeSelector={"karpenter.k8s.aws/instance-size": "4xlarge"})
    for name, key, value in (
        ("b", ZONE, "eu-west-1b"),
        ("a", ZONE, "eu-west-1a"),
        ("large", "karpenter.k8s.aws/instance-size", "4xlarge"),
    ):
        assert world.get_node(world.where(name))["metadata"]["labels"][key] == value


def test_pods_that_must_be_apart_get_nodes_of_their_own(world):
    pool(world)
    term = {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": {"app": "web"}}}
    apart = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    for number in range(3):
        world.pod(f"web-{number}", labels={"app": "web"}, affinity=apart, requests={"cpu": "100m"})
    assert len({world.where(f"web-{number}") for number in range(3)}) == 3
    assert len(world.nodes) == 3


def test_a_spread_over_zones_gets_nodes_in_them(world):
    pool(world)
    constraint = {
        "topologyKey": ZONE,
        "maxSkew": 1,
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": {"app": "web"}},
        "minDomains": 2,
    }
    for number in range(4):
        world.pod(
            f"web-{number}",
            labels={"app": "web"},
            topologySpreadConstraints=[constraint],
            requests={"cpu": "1"},
        )
    zones = [world.get_node(world.where(f"web-{number}"))["metadata"]["labels"][ZONE] for number in range(4)]
    assert sorted(zones) == ["eu-west-1a", "eu-west-1a", "eu-west-1b", "eu-west-1b"]


def test_limits_hold(world):
    pool(world, limits={"cpu": "4"})
    world.pod("fits", requests={"cpu": "3"})
    assert world.where("fits")
    world.pod("waits", requests={"cpu": "3"})
    assert world.where("waits") is None
    message = 'Failed to schedule pod, all available instance types exceed limits for nodepool: "general"'
    assert message in world.events("waits", "FailedScheduling")


def test_a_pod_that_no_pool_takes_is_told_why(world):
    pool(world, taints=[{"key": "dedicated", "value": "gpu", "effect": "NoSchedule"}])
    pool(world, "other", weight=10)
    world.pod("web", requests={GPU: "1"})
    assert world.where("web") is None
    assert world.nodes == []
    karpenter = [each for each in world.events("web", "FailedScheduling") if each.startswith("Failed to")]
    assert karpenter == [
        'Failed to schedule pod, incompatible with nodepool "other", no instance type satisfied resources and '
        'requirements; incompatible with nodepool "general", did not tolerate taint '
        "(taint=dedicated=gpu:NoSchedule)"
    ]


def test_the_heavier_pool_is_asked_first(world):
    pool(world, "light")
    pool(world, "heavy", weight=50)
    world.pod("web", requests={"cpu": "1"})
    assert world.get_node(world.where("web"))["metadata"]["labels"]["karpenter.sh/nodepool"] == "heavy"


def test_spot_comes_before_on_demand_where_both_are_allowed(world):
    pool(
        world,
        template={
            "requirements": [
                is_in(TYPE, "m7i.large"),
                is_in("karpenter.sh/capacity-type", "on-demand", "spot"),
            ]
        },
    )
    world.pod("web", requests={"cpu": "1"})
    world.pod("steady", requests={"cpu": "1"}, nodeSelector={"karpenter.sh/capacity-type": "on-demand"})
    labels = [
        world.get_node(world.where(name))["metadata"]["labels"]["karpenter.sh/capacity-type"]
        for name in ("web", "steady")
    ]
    assert labels == ["spot", "on-demand"]


def test_a_gpu_node_waits_for_its_device_plugin_and_nobody_launches_another(world):
    pool(world, "gpu", requirements=[is_in(TYPE, "g5.xlarge")], labels={"gpu": "a10g"})
    world.pod("search", requests={GPU: "1"}, nodeSelector={"gpu": "a10g"})
    assert world.where("search") is None
    (node,) = world.nodes
    assert "karpenter.sh/initialized" not in node["metadata"]["labels"]
    world.pass_(120)
    assert len(world.nodes) == 1
    containers = [{"name": "plugin", "image": "nvidia/k8s-device-plugin:v0.19.3"}]
    world.pod("plugin", containers=containers, nodeName=node["metadata"]["name"])
    world.change("pods", "plugin", "default", status={"phase": "Running"})
    assert world.where("search") == node["metadata"]["name"]
    assert (
        world.get_node(node["metadata"]["name"])["metadata"]["labels"]["karpenter.sh/initialized"] == "true"
    )


def test_an_empty_node_goes_after_its_time(world):
    pool(world)
    world.pod("web", requests={"cpu": "1"})
    node = world.where("web")
    world.pass_(1000)
    assert [each["metadata"]["name"] for each in world.nodes] == [node]
    world.delete("pods", "web", "default")
    world.manager.settle()
    world.pass_(299)
    assert len(world.nodes) == 1
    world.pass_(1)
    assert world.nodes == []
    assert world.events(node, "DisruptionTerminating") == ["Disrupting Node: Empty"]


def test_a_pod_that_comes_in_time_keeps_the_node(world):
    pool(world)
    world.pod("web", requests={"cpu": "1"})
    node = world.where("web")
    world.delete("pods", "web", "default")
    world.manager.settle()
    world.pass_(200)
    world.pod("next", requests={"cpu": "1"})
    assert world.where("next") == node
    world.pass_(600)
    assert len(world.nodes) == 1


def test_names_are_not_used_twice(world):
    pool(world, consolidateAfter="0s")
    world.pod("web", requests={"cpu": "1"})
    first = world.where("web")
    world.delete("pods", "web", "default")
    world.pass_(60)
    assert world.nodes == []
    world.pod("web", requests={"cpu": "1"})
    assert world.where("web") != first


def test_a_node_that_is_deleted_is_drained_first(world):
    pool(world, consolidateAfter="Never")
    world.pod("web", requests={"cpu": "1"}, terminationGracePeriodSeconds=30)
    node = world.where("web")
    world.delete("nodes", node)
    world.manager.settle()
    assert {"key": "karpenter.sh/disrupted", "effect": "NoSchedule"} in world.get_node(node)["spec"]["taints"]
    assert "deletionTimestamp" in world.get("web")["metadata"]
    world.delete("pods", "web", "default")
    world.pass_(1)
    assert world.nodes == []


def test_a_budget_delays_the_end_of_a_node(world):
    pool(world, consolidateAfter="Never")
    world.pod("web", labels={"app": "web"}, requests={"cpu": "1"}, terminationGracePeriodSeconds=0)
    node = world.where("web")
    status = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    world.change("pods", "web", "default", status=status)
    budget = {
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}},
        "status": {
            "disruptionsAllowed": 0,
            "currentHealthy": 1,
            "desiredHealthy": 1,
            "observedGeneration": 1,
        },
    }
    world.create("poddisruptionbudgets.policy", budget)
    world.delete("nodes", node)
    world.pass_(10)
    assert "deletionTimestamp" not in world.get("web")["metadata"]
    world.change("poddisruptionbudgets.policy", "web", "default", status={"disruptionsAllowed": 1})
    world.pass_(1)
    world.pass_(1)
    assert world.nodes == []


def test_nodes_expire(world):
    pool(world, consolidateAfter="Never", template={"expireAfter": "1h"})
    world.pod("web", requests={"cpu": "1"}, terminationGracePeriodSeconds=0)
    node = world.where("web")
    world.pass_(3600)
    world.pass_(1)
    assert world.nodes == []
    assert world.events(node, "DisruptionTerminating") == ["Disrupting Node: Expired"]


def test_a_pool_that_goes_takes_its_nodes_along(world):
    made = pool(world, consolidateAfter="Never")
    world.pod("web", requests={"cpu": "1"}, terminationGracePeriodSeconds=0)
    assert world.where("web")
    world.store.delete(resource(world, "NodePool"), "", made["metadata"]["name"])
    world.manager.settle()
    world.pass_(1)
    assert world.nodes == []


def test_node_claims_are_kept_where_the_cluster_has_them(world):
    define(world, *KINDS[2])
    pool(world, consolidateAfter="0s")
    world.pod("web", requests={"cpu": "1"})
    node = world.get_node(world.where("web"))
    (claim,) = world.store.list(resource(world, "NodeClaim"))
    assert claim["status"]["nodeName"] == node["metadata"]["name"]
    assert claim["status"]["providerID"] == node["spec"]["providerID"]
    assert node["metadata"]["ownerReferences"][0]["uid"] == claim["metadata"]["uid"]
    world.delete("pods", "web", "default")
    world.pass_(60)
    assert world.store.list(resource(world, "NodeClaim")) == []


def test_the_node_class_says_disk_and_pods(world):
    spec = yaml.safe_load(
        """
        kubelet: {maxPods: 20}
        blockDeviceMappings:
          - {deviceName: /dev/sdb, ebs: {volumeSize: 500Gi}}
          - {deviceName: /dev/xvda, rootVolume: true, ebs: {volumeSize: 80Gi}}
        """
    )
    world.store.create(resource(world, "EC2NodeClass"), {"metadata": {"name": "general"}, "spec": spec})
    pool(world)
    world.pod("web", requests={"cpu": "1", "ephemeral-storage": "60Gi"})
    capacity = world.get_node(world.where("web"))["status"]["capacity"]
    assert (capacity["pods"], capacity["ephemeral-storage"]) == ("20", f"{80 * 1024**2}Ki")


def test_durations():
    assert seconds("1h30m5s") == timedelta(hours=1, minutes=30, seconds=5).total_seconds()
    assert seconds("Never") is None
