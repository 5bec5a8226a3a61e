"""The official Python client against the cluster that the programs created."""

import threading

import pytest
from kubernetes import client, config, watch

pytestmark = pytest.mark.xdist_group("world")


@pytest.fixture
def api(world):
    """A client made from the kubeconfig that `pinwheel up` named."""
    with config.new_client_from_config(world.variables["KUBECONFIG"]) as made:
        yield made


def test_the_version_is_that_of_the_environment(api) -> None:
    assert client.VersionApi(api).get_code().git_version.startswith("v1.36")


def test_addons_run_on_every_node_as_placeholders(api) -> None:
    core = client.CoreV1Api(api)
    nodes = {node.metadata.name for node in core.list_node().items}
    pods = core.list_namespaced_pod("kube-system", label_selector="k8s-app=aws-node").items
    assert {pod.spec.node_name for pod in pods} == nodes
    assert all(pod.metadata.annotations["pinwheel.io/placeholder"] == "true" for pod in pods)


def test_a_watch_sees_what_others_write(api) -> None:
    core = client.CoreV1Api(api)
    version = core.list_namespaced_config_map("default").metadata.resource_version
    seen: list[tuple[str, str]] = []

    def look() -> None:
        stream = watch.Watch().stream(
            core.list_namespaced_config_map, "default", resource_version=version, timeout_seconds=30
        )
        for event in stream:
            seen.append((event["type"], event["object"].metadata.name))
            if event["type"] == "DELETED":
                return

    watching = threading.Thread(target=look)
    watching.start()
    body = client.V1ConfigMap(metadata=client.V1ObjectMeta(name="watched"), data={"a": "1"})
    core.create_namespaced_config_map("default", body)
    core.patch_namespaced_config_map("watched", "default", {"data": {"a": "2"}})
    core.delete_namespaced_config_map("watched", "default")
    watching.join(40)
    assert seen == [("ADDED", "watched"), ("MODIFIED", "watched"), ("DELETED", "watched")]


def test_what_was_changed_meanwhile_is_not_overwritten(api) -> None:
    core = client.CoreV1Api(api)
    body = client.V1ConfigMap(metadata=client.V1ObjectMeta(name="contended"), data={"a": "1"})
    mine = core.create_namespaced_config_map("default", body)
    core.patch_namespaced_config_map("contended", "default", {"data": {"a": "2"}})
    mine.data["a"] = "3"
    with pytest.raises(client.ApiException) as refused:
        core.replace_namespaced_config_map("contended", "default", mine)
    assert (refused.value.status, refused.value.reason) == (409, "Conflict")
    core.delete_namespaced_config_map("contended", "default")
