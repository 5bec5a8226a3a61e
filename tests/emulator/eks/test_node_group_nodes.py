"""A managed node group is seen as Nodes in the cluster, and its updates change them."""

import ipaddress

import pytest

from emulator.cluster.resources import Resources
from emulator.eks import nodes as eks_nodes
from emulator.eks.nodes import GROUP, IMAGE, group_nodes, relabel, remove, replace, scale

NODES, PODS = Resources()["nodes"], Resources()["pods"]
SUBNETS = [("10.0.0.0/24", "eu-west-1a"), ("10.0.1.0/24", "eu-west-1b"), ("10.0.2.0/24", "eu-west-1c")]
ZONE = "topology.kubernetes.io/zone"


def group(desired=3, *, template=None, subnets=SUBNETS, **changes):
    described = {
        "nodegroupName": "system",
        "clusterName": "prod",
        "releaseVersion": "1.35.7-20260903",
        "amiType": "AL2023_x86_64_STANDARD",
        "capacityType": "ON_DEMAND",
        "instanceTypes": ["m7i.large", "m6i.large"],
        "labels": {"pinwheel.io/node-role": "system"},
        "taints": [{"key": "CriticalAddonsOnly", "value": "true", "effect": "NO_SCHEDULE"}],
        "scalingConfig": {"minSize": 0, "maxSize": 10, "desiredSize": desired},
        **changes,
    }
    return group_nodes(described, "eu-west-1", subnets, template or {})


def names(client):
    return [node["metadata"]["name"] for node in client.list(NODES)]


def test_each_instance_is_a_node_in_the_zones_by_turns(client):
    scale(client, group())
    nodes = client.list(NODES)
    assert sorted(node["metadata"]["labels"][ZONE] for node in nodes) == [zone for _, zone in SUBNETS]
    for node in nodes:
        labels = node["metadata"]["labels"]
        assert labels[GROUP] == "system"
        assert labels["eks.amazonaws.com/capacityType"] == "ON_DEMAND"
        assert labels["pinwheel.io/node-role"] == "system"
        assert labels["node.kubernetes.io/instance-type"] == "m7i.large"
        taints = [(each["key"], each.get("value"), each["effect"]) for each in node["spec"]["taints"]]
        assert ("CriticalAddonsOnly", "true", "NoSchedule") in taints
        address = ipaddress.ip_address(node["status"]["addresses"][0]["address"])
        (block,) = [block for block, zone in SUBNETS if zone == labels[ZONE]]
        assert address in ipaddress.ip_network(block)


def test_nodes_are_the_same_each_time(client):
    wanted = group()
    scale(client, wanted)
    first = names(client)
    remove(client, "system")
    assert names(client) == []
    scale(client, group(subnets=list(reversed(SUBNETS))))
    assert names(client) == first


def test_a_repeated_errand_changes_nothing(client):
    scale(client, group())
    before = client.store.version
    scale(client, group())
    assert client.store.version == before


def test_addresses_are_unique_until_the_subnet_is_full(client):
    tiny = [("10.0.0.0/28", "eu-west-1a")]
    scale(client, group(11, subnets=tiny))
    assert len(set(names(client))) == 11
    with pytest.raises(ValueError, match=r"10\.0\.0\.0/28 has no address left"):
        scale(client, group(12, subnets=tiny))


def test_scaling_down_ends_the_newest(client):
    scale(client, group(2))
    oldest = set(names(client))
    scale(client, group(5))
    scale(client, group(2))
    assert set(names(client)) == oldest


def pod(client, name, node, *, owner="ReplicaSet"):
    owners = [{"kind": owner, "controller": True}]
    metadata = {"name": name, "namespace": "default", "ownerReferences": owners}
    client.store.create(
        PODS, {"metadata": metadata, "spec": {"nodeName": node}, "status": {"phase": "Running"}}
    )


def test_nodes_are_drained_before_they_end(client):
    scale(client, group(1))
    (node,) = names(client)
    pod(client, "web", node)
    pod(client, "agent", node, owner="DaemonSet")
    remove(client, "system")
    assert names(client) == []
    assert client.asked[-2:] == ["evict web", f"delete nodes {node}"]
    assert [each["metadata"]["name"] for each in client.list(PODS)] == ["agent"]


def test_a_drain_that_gets_stuck_ends_all_the_same(client, monkeypatch):
    monkeypatch.setattr(eks_nodes, "_DRAIN_SECONDS", 0.01)
    monkeypatch.setattr(eks_nodes, "_DRAIN_POLL_SECONDS", 0.02)
    scale(client, group(1))
    (node,) = names(client)
    client.kept.add("web")
    pod(client, "web", node)
    remove(client, "system")
    assert names(client) == []


def test_labels_and_taints_change_on_nodes_that_run(client):
    before = group(1)
    scale(client, before)
    (name,) = names(client)
    cordoned = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}
    node = client.store.get(NODES, "", name)
    node = {**node, "spec": {**node["spec"], "taints": [*node["spec"]["taints"], cordoned]}}
    node["metadata"] = {**node["metadata"], "labels": {**node["metadata"]["labels"], "by-hand": "yes"}}
    client.store.update(NODES, node)
    after = group(1, labels={"team": "search"}, taints=[{"key": "spot", "effect": "PREFER_NO_SCHEDULE"}])
    relabel(client, before, after)
    (node,) = client.list(NODES)
    labels = node["metadata"]["labels"]
    assert "pinwheel.io/node-role" not in labels
    assert (labels["team"], labels["by-hand"]) == ("search", "yes")
    assert node["spec"]["taints"] == [
        {"key": "spot", "effect": "PreferNoSchedule"},
        {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"},
        cordoned,
    ]


def test_a_new_release_replaces_each_node_and_keeps_the_number(client):
    scale(client, group(2))
    old = set(names(client))
    updated = group(2, releaseVersion="1.36.3-20260903")
    replace(client, updated)
    nodes = client.list(NODES)
    assert len(nodes) == 2
    assert old.isdisjoint(names(client))
    for node in nodes:
        assert node["status"]["nodeInfo"]["kubeletVersion"].startswith("v1.36.3-eks-")
        assert node["metadata"]["labels"][IMAGE] == updated.labels[IMAGE]
    created = [number for number, each in enumerate(client.asked) if each.startswith("create")]
    deleted = [number for number, each in enumerate(client.asked) if each.startswith("delete")]
    assert created[2] < deleted[0] < created[3] < deleted[1]
    replace(client, updated)
    assert client.list(NODES) == nodes


def test_the_launch_template_says_what_the_group_does_not():
    template = {
        "InstanceType": "g5.xlarge",
        "BlockDeviceMappings": [{"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 100}}],
    }
    wanted = group(instanceTypes=None, launchTemplate={"id": "lt-1", "version": "3"}, template=template)
    assert (wanted.instance_type, wanted.disk_gib) == ("g5.xlarge", 100)
    assert wanted.labels["eks.amazonaws.com/sourceLaunchTemplateVersion"] == "3"
