"""The official Python client against the cluster."""

from collections.abc import Callable
from typing import Any

import pytest
from kubernetes import client, watch
from kubernetes.client.exceptions import ApiException

from tests.emulator.cluster.harness import (
    SLEEP,
    RunningCluster,
    config_map,
    deployment,
    disruption_budget,
    pod,
)
from tests.waiting import until

pytestmark = pytest.mark.xdist_group("cluster")


@pytest.fixture
def core(official: client.ApiClient) -> client.CoreV1Api:
    return client.CoreV1Api(official)


@pytest.fixture
def apps(official: client.ApiClient) -> client.AppsV1Api:
    return client.AppsV1Api(official)


def test_create_read_list_and_delete(core: client.CoreV1Api, namespace: str) -> None:
    created = core.create_namespaced_config_map(
        namespace,
        client.V1ConfigMap(metadata=client.V1ObjectMeta(name="a", labels={"x": "y"}), data={"k": "v"}),
    )
    assert created.metadata.uid
    assert core.read_namespaced_config_map("a", namespace).data == {"k": "v"}
    listed = core.list_namespaced_config_map(namespace, label_selector="x=y")
    assert [each.metadata.name for each in listed.items] == ["a"]
    assert listed.metadata.resource_version
    core.delete_namespaced_config_map("a", namespace)
    with pytest.raises(ApiException) as raised:
        core.read_namespaced_config_map("a", namespace)
    assert (raised.value.status, raised.value.reason) == (404, "Not Found")


def test_a_list_comes_in_pages(core: client.CoreV1Api, namespace: str) -> None:
    for number in range(5):
        core.create_namespaced_config_map(namespace, config_map(f"page-{number}"))
    names: list[str] = []
    token = None
    while token != "":
        page = core.list_namespaced_config_map(
            namespace, limit=2, _continue=token, field_selector="metadata.name!=kube-root-ca.crt"
        )
        assert len(page.items) <= 2
        names += [each.metadata.name for each in page.items]
        token = page.metadata._continue or ""
    assert names == [f"page-{number}" for number in range(5)]


def test_watch_from_a_version_on(core: client.CoreV1Api, namespace: str) -> None:
    version = core.list_namespaced_config_map(namespace).metadata.resource_version
    core.create_namespaced_config_map(namespace, config_map("w"))
    core.patch_namespaced_config_map("w", namespace, {"data": {"x": "1"}})
    core.delete_namespaced_config_map("w", namespace)
    seen: list[tuple[str, Any]] = []
    watching = watch.Watch()
    for event in watching.stream(
        core.list_namespaced_config_map,
        namespace,
        resource_version=version,
        timeout_seconds=20,
        field_selector="metadata.name=w",
    ):
        seen.append((event["type"], event["object"].data))
        if event["type"] == "DELETED":
            watching.stop()
    assert seen == [("ADDED", None), ("MODIFIED", {"x": "1"}), ("DELETED", {"x": "1"})]


def test_the_three_patches(official: client.ApiClient, core: client.CoreV1Api, namespace: str) -> None:
    core.create_namespaced_pod(namespace, pod("p", nodeSelector={"no": "node"}))

    def patch(body: object, content_type: str) -> Any:
        return core.patch_namespaced_pod("p", namespace, body, _content_type=content_type)

    patch({"metadata": {"labels": {"merged": "yes"}}}, "application/merge-patch+json")
    patch(
        {"spec": {"containers": [{"name": "main", "image": "example.com/pinwheel/echo:2"}]}},
        "application/strategic-merge-patch+json",
    )
    patched = patch(
        [{"op": "add", "path": "/metadata/labels/added", "value": "yes"}], "application/json-patch+json"
    )
    assert patched.metadata.labels == {"app": "p", "merged": "yes", "added": "yes"}
    (container,) = patched.spec.containers
    assert (container.image, container.command) == ("example.com/pinwheel/echo:2", list(SLEEP))
    with pytest.raises(ApiException) as raised:
        patch([{"op": "test", "path": "/metadata/name", "value": "q"}], "application/json-patch+json")
    assert raised.value.status == 422


def test_replace_of_what_has_changed_is_a_conflict(core: client.CoreV1Api, namespace: str) -> None:
    first = core.create_namespaced_config_map(namespace, config_map("c", x="1"))
    second = core.read_namespaced_config_map("c", namespace)
    second.data = {"x": "2"}
    core.replace_namespaced_config_map("c", namespace, second)
    first.data = {"x": "3"}
    with pytest.raises(ApiException) as raised:
        core.replace_namespaced_config_map("c", namespace, first)
    assert (raised.value.status, raised.value.reason) == (409, "Conflict")
    assert "the object has been modified" in raised.value.body


def test_delete_collection(core: client.CoreV1Api, namespace: str) -> None:
    for name in ("a", "b"):
        core.create_namespaced_config_map(
            namespace, {**config_map(name), "metadata": {"name": name, "labels": {"gone": "yes"}}}
        )
    core.create_namespaced_config_map(namespace, config_map("kept"))
    core.delete_collection_namespaced_config_map(namespace, label_selector="gone=yes")
    names = {each.metadata.name for each in core.list_namespaced_config_map(namespace).items}
    assert names - {"kube-root-ca.crt"} == {"kept"}


def test_scale_subresource(apps: client.AppsV1Api, namespace: str) -> None:
    apps.create_namespaced_deployment(namespace, deployment("web", replicas=0))
    scale = apps.read_namespaced_deployment_scale("web", namespace)
    assert (scale.spec.replicas, scale.status.selector) == (0, "app=web")
    apps.patch_namespaced_deployment_scale("web", namespace, {"spec": {"replicas": 1}})
    until(lambda: apps.read_namespaced_deployment("web", namespace).status.ready_replicas == 1)


def test_an_eviction_is_refused_while_the_budget_forbids_it(
    core: client.CoreV1Api, apps: client.AppsV1Api, official: client.ApiClient, namespace: str
) -> None:
    policy = client.PolicyV1Api(official)
    apps.create_namespaced_deployment(namespace, deployment("web"))
    policy.create_namespaced_pod_disruption_budget(namespace, disruption_budget("web", minAvailable=1))
    until(lambda: apps.read_namespaced_deployment("web", namespace).status.ready_replicas == 1)
    until(lambda: policy.read_namespaced_pod_disruption_budget("web", namespace).status.current_healthy == 1)
    (running,) = core.list_namespaced_pod(namespace).items
    eviction = client.V1Eviction(
        metadata=client.V1ObjectMeta(name=running.metadata.name, namespace=namespace)
    )
    with pytest.raises(ApiException) as raised:
        core.create_namespaced_pod_eviction(running.metadata.name, namespace, eviction)
    assert raised.value.status == 429
    assert "Cannot evict pod as it would violate the pod's disruption budget." in raised.value.body
    policy.patch_namespaced_pod_disruption_budget("web", namespace, {"spec": {"minAvailable": 0}})
    until(
        lambda: policy.read_namespaced_pod_disruption_budget("web", namespace).status.disruptions_allowed == 1
    )
    core.create_namespaced_pod_eviction(running.metadata.name, namespace, eviction)
    until(
        lambda: (
            running.metadata.uid
            not in {each.metadata.uid for each in core.list_namespaced_pod(namespace).items}
        )
    )


def test_logs(core: client.CoreV1Api, namespace: str) -> None:
    script = "echo hello; echo world; exec sleep 600"
    core.create_namespaced_pod(namespace, pod("talker", "sh", "-c", script))
    until(lambda: core.read_namespaced_pod("talker", namespace).status.phase == "Running")
    until(lambda: core.read_namespaced_pod_log("talker", namespace) == "hello\nworld\n")
    assert core.read_namespaced_pod_log("talker", namespace, tail_lines=1) == "world\n"
    with pytest.raises(ApiException) as raised:
        core.read_namespaced_pod_log("talker", namespace, container="other")
    assert raised.value.status == 400


def test_custom_objects(official: client.ApiClient, namespace: str) -> None:
    definitions = client.ApiextensionsV1Api(official)
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    definitions.create_custom_resource_definition(
        {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": "gizmos.example.org"},
            "spec": {
                "group": "example.org",
                "scope": "Namespaced",
                "names": {"kind": "Gizmo", "listKind": "GizmoList", "plural": "gizmos", "singular": "gizmo"},
                "versions": [
                    {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
                ],
            },
        }
    )
    gizmos = client.CustomObjectsApi(official)
    where = ("example.org", "v1", namespace, "gizmos")
    gizmo = {"apiVersion": "example.org/v1", "kind": "Gizmo", "metadata": {"name": "g"}, "spec": {"a": 1}}
    gizmos.create_namespaced_custom_object(*where, gizmo)
    assert gizmos.list_namespaced_custom_object(*where)["items"][0]["spec"] == {"a": 1}
    definitions.delete_custom_resource_definition("gizmos.example.org")
    until(lambda: _gone(lambda: gizmos.list_namespaced_custom_object(*where)))


def _gone(call: Callable[[], object]) -> bool:
    try:
        call()
    except ApiException as error:
        return error.status == 404
    return False


def test_the_wrong_token(cluster: RunningCluster, official: client.ApiClient) -> None:
    configuration = client.Configuration()
    configuration.host = cluster.endpoint
    configuration.ssl_ca_cert = official.configuration.ssl_ca_cert
    configuration.api_key = {"authorization": "Bearer guessed"}
    with client.ApiClient(configuration) as stranger, pytest.raises(ApiException) as raised:
        client.CoreV1Api(stranger).list_namespace()
    assert (raised.value.status, raised.value.reason) == (401, "Unauthorized")
