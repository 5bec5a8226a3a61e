"""One object says how GPU nodes and GPU pods find each other."""

import base64
import json
from email import message_from_bytes

import pytest

from infra.environment import GpuPool
from infra.gpu_nodes.pool import (
    GpuScheduling,
    device_plugin_configuration,
    distinct_time_slices,
    node_user_data,
)


def pool(name: str = "inference", time_slices: int = 1) -> GpuPool:
    return GpuPool.model_validate(
        {
            "name": name,
            "provisioner": "karpenter",
            "instance_types": ["g5.xlarge"],
            "gpu_limit": 4,
            "time_slices": time_slices,
        }
    )


def test_pods_select_and_tolerate_what_the_nodes_carry():
    scheduling = GpuScheduling(pool())
    assert scheduling.node_selector.items() <= scheduling.labels.items()
    taint = scheduling.taint.for_node_pool()
    (toleration,) = scheduling.tolerations
    assert (toleration.key, toleration.value, toleration.effect) == (
        taint["key"],
        taint["value"],
        taint["effect"],
    )


def test_pools_differ_in_their_selector_but_share_the_taint():
    one, other = GpuScheduling(pool("inference")), GpuScheduling(pool("batch"))
    assert one.node_selector != other.node_selector
    assert one.taint == other.taint


def test_a_container_asks_for_whole_gpus_or_one_slice():
    assert GpuScheduling(pool()).resources(gpus=4) == {"nvidia.com/gpu": "4"}
    assert GpuScheduling(pool(time_slices=4)).resources() == {"nvidia.com/gpu": "1"}


@pytest.mark.parametrize(("time_slices", "gpus"), [(4, 2), (4, 0), (1, 0), (1, -1)])
def test_other_requests_are_refused_with_the_pool_and_the_remedy(time_slices: int, gpus: int):
    with pytest.raises(
        ValueError, match=f"GPU pool inference: a container asks for {gpus} GPUs; it may ask for"
    ):
        GpuScheduling(pool(time_slices=time_slices)).resources(gpus)


def test_time_slices_are_shared_by_the_device_plugin_only_when_there_are_several():
    assert "sharing" not in device_plugin_configuration(1)
    (resource,) = device_plugin_configuration(4)["sharing"]["timeSlicing"]["resources"]
    assert resource == {"name": "nvidia.com/gpu", "replicas": 4}


def test_the_device_plugin_runs_once_for_each_value():
    pools = [pool("ranking", 4), pool("batch", 1), pool("inference", 4)]
    assert distinct_time_slices(pools) == [1, 4]


def test_user_data_is_a_mime_document_with_one_node_config():
    document = message_from_bytes(base64.b64decode(node_user_data()))
    assert document.get_content_type() == "multipart/mixed"
    (part,) = (each for each in document.walk() if not each.is_multipart())
    assert part.get_content_type() == "application/node.eks.aws"
    config = json.loads(str(part.get_payload()))
    assert config["kind"] == "NodeConfig"
    assert config["spec"]["instance"]["localStorage"] == {"strategy": "RAID0"}


def test_user_data_never_changes_by_itself():
    assert node_user_data() == node_user_data()
