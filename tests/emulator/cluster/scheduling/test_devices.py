"""GPUs are there when the device plugin is."""

import json

import pytest

from emulator.cluster.scheduling.machines import Machine, node_object
from emulator.instance_types import all_types

GPU = "nvidia.com/gpu"


@pytest.fixture
def node(karpenter_world):
    machine = Machine(
        "10.0.1.23", all_types()["g5.12xlarge"], "eu-west-1a", "eu-west-1", "1.35.7", 100, {"gpu": "true"}
    )
    name = karpenter_world.create("nodes", node_object(machine))["metadata"]["name"]
    karpenter_world.manager.settle()
    return name


def configure(world, replicas):
    shared = {"timeSlicing": {"resources": [{"name": GPU, "replicas": replicas}]}}
    text = json.dumps({"version": "v1", "sharing": shared})
    metadata = {"name": "nvidia-device-plugin-4", "namespace": "gpu-system"}
    return world.create("configmaps", {"metadata": metadata, "data": {"config.yaml": text}})


def run_plugin(world, node, config_map=None):
    volumes = [{"name": "configuration", "configMap": {"name": config_map}}] if config_map else []
    containers = [{"name": "device-plugin", "image": "registry.example/nvidia/k8s-device-plugin:v0.19.3"}]
    world.pod("plugin", namespace="gpu-system", containers=containers, volumes=volumes, nodeName=node)
    world.change("pods", "plugin", "gpu-system", status={"phase": "Running"})
    world.manager.settle()


def gpus(world, node):
    return world.get_node(node)["status"]["allocatable"].get(GPU)


def test_a_node_has_no_gpus_before_the_plugin_runs(karpenter_world, node):
    assert gpus(karpenter_world, node) is None


def test_a_plugin_without_configuration_gives_whole_gpus(karpenter_world, node):
    run_plugin(karpenter_world, node)
    assert gpus(karpenter_world, node) == "4"
    assert karpenter_world.get_node(node)["status"]["capacity"][GPU] == "4"


def test_time_slices_multiply_and_follow_the_config_map(karpenter_world, node):
    configure(karpenter_world, 4)
    run_plugin(karpenter_world, node, "nvidia-device-plugin-4")
    assert gpus(karpenter_world, node) == "16"
    text = "sharing:\n  timeSlicing:\n    resources:\n    - {name: nvidia.com/gpu, replicas: 2}\n"
    karpenter_world.change("configmaps", "nvidia-device-plugin-4", "gpu-system", data={"config.yaml": text})
    karpenter_world.manager.settle()
    assert gpus(karpenter_world, node) == "8"


def test_pods_that_wait_for_gpus_get_them(karpenter_world, node):
    karpenter_world.pod("search", requests={GPU: "1"})
    assert "Insufficient nvidia.com/gpu" in karpenter_world.why("search")
    run_plugin(karpenter_world, node)
    assert karpenter_world.where("search") == node


def test_a_plugin_that_goes_takes_them_along(karpenter_world, node):
    run_plugin(karpenter_world, node)
    karpenter_world.delete("pods", "plugin", "gpu-system")
    karpenter_world.manager.settle()
    assert gpus(karpenter_world, node) == "0"


def test_a_configuration_that_is_none_counts_as_none(karpenter_world, node):
    configuration = configure(karpenter_world, 4)
    changed = {**configuration, "data": {"config.yaml": "{["}}
    karpenter_world.store.update(karpenter_world.resources["configmaps"], changed)
    run_plugin(karpenter_world, node, "nvidia-device-plugin-4")
    assert gpus(karpenter_world, node) == "4"
