"""Addons show in the cluster what the real ones run."""

import json

import pytest

from emulator.eks.addon_workloads import WORKLOADS, install, manifests, uninstall
from emulator.eks.versions import ADDONS


def addon(name, configuration=None):
    described = {
        "addonName": name,
        "addonVersion": "v1.2.3-eksbuild.1",
        "namespaceConfig": {"namespace": ADDONS[name].namespace},
    }
    if configuration is not None:
        described["configurationValues"] = configuration
    return {obj["metadata"]["name"]: obj for obj in manifests(described, "eu-west-1") if "spec" in obj}


def pod(workload):
    return workload["spec"]["template"]["spec"]


def test_every_addon_has_a_row():
    assert set(WORKLOADS) == set(ADDONS)


@pytest.mark.parametrize(
    ("name", "workloads"),
    [
        ("vpc-cni", {"aws-node": "DaemonSet"}),
        ("kube-proxy", {"kube-proxy": "DaemonSet"}),
        ("coredns", {"coredns": "Deployment"}),
        ("eks-pod-identity-agent", {"eks-pod-identity-agent": "DaemonSet"}),
        ("aws-ebs-csi-driver", {"ebs-csi-controller": "Deployment", "ebs-csi-node": "DaemonSet"}),
        ("metrics-server", {"metrics-server": "Deployment"}),
    ],
)
def test_workloads_have_their_real_names(name, workloads):
    assert {key: obj["kind"] for key, obj in addon(name).items()} == workloads


def test_images_are_those_of_eks():
    (workload,) = addon("kube-proxy").values()
    image = pod(workload)["containers"][0]["image"]
    assert image.endswith(".dkr.ecr.eu-west-1.amazonaws.com/eks/kube-proxy:v1.2.3-eksbuild.1")


def test_configuration_says_where_and_how_many():
    tolerations = [{"key": "CriticalAddonsOnly", "operator": "Exists"}]
    configuration = {
        "nodeSelector": {"role": "system"},
        "tolerations": tolerations,
        "autoScaling": {"enabled": True, "minReplicas": 3},
    }
    (workload,) = addon("coredns", json.dumps(configuration)).values()
    assert workload["spec"]["replicas"] == 3
    assert pod(workload)["nodeSelector"] == {"kubernetes.io/os": "linux", "role": "system"}
    assert pod(workload)["tolerations"] == tolerations


@pytest.mark.parametrize("text", ['{"replicas": 5}', '{"replicaCount": 5}', "replicaCount: 5\n"])
def test_configuration_may_be_yaml_and_say_it_otherwise(text):
    (workload,) = addon("metrics-server", text).values()
    assert workload["spec"]["replicas"] == 5


def test_a_section_is_for_its_workload_only():
    workloads = addon("aws-ebs-csi-driver", json.dumps({"controller": {"nodeSelector": {"role": "system"}}}))
    assert pod(workloads["ebs-csi-controller"])["nodeSelector"]["role"] == "system"
    assert "role" not in pod(workloads["ebs-csi-node"])["nodeSelector"]
    assert pod(workloads["ebs-csi-node"])["tolerations"] == [{"operator": "Exists"}]


def test_configuration_that_cannot_be_read_changes_nothing():
    assert addon("coredns", "a: [") == addon("coredns")


def test_an_addon_comes_and_goes_and_its_namespace_stays(client):
    described = {
        "addonName": "cert-manager",
        "addonVersion": "v1.19.4-eksbuild.2",
        "namespaceConfig": {"namespace": "cert-manager"},
    }
    objects = list(manifests(described, "eu-west-1"))
    install(client, objects)
    install(client, objects)
    deployments = client.resources["deployments.apps"]
    assert [each["metadata"]["name"] for each in client.list(deployments, "cert-manager")] == [
        "cert-manager",
        "cert-manager-cainjector",
        "cert-manager-webhook",
    ]
    uninstall(client, objects)
    uninstall(client, objects)
    assert client.list(deployments) == []
    assert [each["metadata"]["name"] for each in client.list(client.resources["namespaces"])] == [
        "cert-manager"
    ]
