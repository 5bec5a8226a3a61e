"""What is asked of EKS happens in the cluster: operations as boto3 calls them, on a client without a server."""

from types import SimpleNamespace

import pytest

from emulator.eks import addons as addon_operations
from emulator.eks import nodegroups as group_operations
from emulator.eks.addons import Addons
from emulator.eks.base import EksState
from emulator.eks.errands import Errands
from emulator.eks.nodegroups import Nodegroups

REGION = "eu-west-1"


class Eks(Nodegroups, Addons):
    """EKS with one cluster, in a network of two subnets, without IAM."""

    state = None
    region = REGION

    def subnet(self, subnet_id):
        number = int(subnet_id)
        zone = f"{REGION}{'ab'[number]}"
        return SimpleNamespace(vpc_id="vpc-1", cidr_block=f"10.0.{number}.0/24", availability_zone=zone)

    def require_role(self, arn, trusted):
        pass


@pytest.fixture
def errands(client, monkeypatch):
    made = Errands(lambda name: client if name == "prod" else None)
    for module in (addon_operations, group_operations):
        monkeypatch.setattr(module, "errands", made)
    return made


@pytest.fixture
def eks(errands):
    """`eks("create_nodegroup", nodegroupName=...)` calls an operation and waits for its errands."""
    state = EksState(REGION, "210987654321")
    for name in ("prod", "described"):
        state.clusters[name] = {"name": name, "version": "1.35", "resourcesVpcConfig": {"vpcId": "vpc-1"}}

    def call(operation, cluster="prod", **params):
        service = Eks()
        service.state = state
        service.params = {"clusterName": cluster, **params}
        getattr(service, operation)()
        errands.wait()

    return call


GROUP = {
    "nodegroupName": "system",
    "subnets": ["0", "1"],
    "nodeRole": "arn:aws:iam::210987654321:role/node",
    "instanceTypes": ["m7i.large"],
    "scalingConfig": {"minSize": 1, "desiredSize": 2, "maxSize": 4},
}


def nodes(client):
    return client.list(client.resources["nodes"])


def test_a_node_group_lives_in_the_cluster_as_long_as_it_exists(client, eks):
    eks("create_nodegroup", **GROUP)
    assert len(nodes(client)) == 2
    eks("update_nodegroup_config", nodegroupName="system", scalingConfig={"desiredSize": 3})
    assert len(nodes(client)) == 3
    eks("update_nodegroup_config", nodegroupName="system", scalingConfig={"desiredSize": 1})
    assert len(nodes(client)) == 1
    eks("delete_nodegroup", nodegroupName="system")
    assert nodes(client) == []


def test_labels_and_taints_reach_nodes_that_run(client, eks):
    eks("create_nodegroup", **GROUP, labels={"role": "system"})
    eks(
        "update_nodegroup_config",
        nodegroupName="system",
        labels={"addOrUpdateLabels": {"team": "search"}, "removeLabels": ["role"]},
        taints={"addOrUpdateTaints": [{"key": "dedicated", "value": "gpu", "effect": "NO_EXECUTE"}]},
    )
    for node in nodes(client):
        assert node["metadata"]["labels"]["team"] == "search"
        assert "role" not in node["metadata"]["labels"]
        assert {"key": "dedicated", "value": "gpu", "effect": "NoExecute"} in node["spec"]["taints"]


def test_a_new_release_comes_with_new_nodes(client, eks):
    eks("create_nodegroup", **GROUP, releaseVersion="1.35.1-20260101")
    old = {node["metadata"]["name"] for node in nodes(client)}
    eks("update_nodegroup_version", nodegroupName="system", releaseVersion="1.35.7-20260903")
    assert len(nodes(client)) == 2
    assert old.isdisjoint(node["metadata"]["name"] for node in nodes(client))


def test_an_addon_is_installed_changed_and_removed(client, eks):
    def replicas():
        deployments = client.list(client.resources["deployments.apps"])
        return {each["metadata"]["name"]: each["spec"]["replicas"] for each in deployments}

    eks("create_addon", addonName="coredns")
    assert replicas() == {"coredns": 2}
    eks("update_addon", addonName="coredns", configurationValues='{"replicaCount": 4}')
    assert replicas() == {"coredns": 4}
    eks("delete_addon", addonName="coredns")
    assert replicas() == {}


def test_an_addon_may_be_preserved(client, eks):
    eks("create_addon", addonName="kube-proxy")
    eks("delete_addon", addonName="kube-proxy", preserve=True)
    assert [each["metadata"]["name"] for each in client.list(client.resources["daemonsets.apps"])] == [
        "kube-proxy"
    ]


def test_in_a_cluster_that_only_describes_nothing_happens(client, eks):
    eks("create_nodegroup", "described", **GROUP)
    eks("update_nodegroup_config", "described", nodegroupName="system", scalingConfig={"desiredSize": 3})
    eks("create_addon", "described", addonName="coredns")
    eks("delete_addon", "described", addonName="coredns")
    eks("delete_nodegroup", "described", nodegroupName="system")
    assert client.store.version == 1
