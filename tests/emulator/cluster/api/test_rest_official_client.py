"""The official Python client against the API, over TLS."""

from collections.abc import Iterator

import pytest
from kubernetes import client, utils, watch
from kubernetes.client import ApiException
from kubernetes.dynamic import DynamicClient

from tests.emulator.cluster.api.serving import TOKEN, Served, pod


@pytest.fixture(scope="module")
def official(api: Served) -> Iterator[client.ApiClient]:
    configured = client.Configuration()
    configured.host = api.endpoint
    configured.ssl_ca_cert = str(api.authority)
    configured.api_key = {"authorization": f"Bearer {TOKEN}"}
    configured.proxy = None
    with client.ApiClient(configured) as made:
        yield made


@pytest.fixture
def core(official: client.ApiClient) -> client.CoreV1Api:
    return client.CoreV1Api(official)


def config_map(name: str, **labels: str) -> client.V1ConfigMap:
    return client.V1ConfigMap(metadata=client.V1ObjectMeta(name=name, labels=labels), data={"color": "red"})


def test_create_read_replace_patch_delete(core: client.CoreV1Api) -> None:
    created = core.create_namespaced_config_map("shop", config_map("settings"))
    assert created.metadata.uid
    read = core.read_namespaced_config_map("settings", "shop")
    read.data = {"color": "blue"}
    replaced = core.replace_namespaced_config_map("settings", "shop", read)
    assert replaced.metadata.resource_version != created.metadata.resource_version
    patched = core.patch_namespaced_config_map("settings", "shop", {"data": {"size": "1"}})
    assert patched.data == {"color": "blue", "size": "1"}
    core.delete_namespaced_config_map("settings", "shop")
    with pytest.raises(ApiException) as refusal:
        core.read_namespaced_config_map("settings", "shop")
    assert (refusal.value.status, refusal.value.reason) == (404, "Not Found")


def test_a_version_that_is_no_longer_the_present_one_conflicts(core: client.CoreV1Api) -> None:
    first = core.create_namespaced_config_map("shop", config_map("contested"))
    core.patch_namespaced_config_map("contested", "shop", {"data": {"color": "blue"}})
    first.data = {"color": "green"}
    with pytest.raises(ApiException) as refusal:
        core.replace_namespaced_config_map("contested", "shop", first)
    assert refusal.value.status == 409


def test_lists_with_selectors_and_pages(core: client.CoreV1Api) -> None:
    for number in range(5):
        core.create_namespaced_config_map("shop", config_map(f"m{number}", parity=str(number % 2)))
    odd = core.list_namespaced_config_map("shop", label_selector="parity=1")
    assert [each.metadata.name for each in odd.items] == ["m1", "m3"]
    one = core.list_config_map_for_all_namespaces(field_selector="metadata.name=m4")
    assert [each.metadata.name for each in one.items] == ["m4"]
    page = core.list_namespaced_config_map("shop", label_selector="parity", limit=3)
    rest = core.list_namespaced_config_map(
        "shop", label_selector="parity", limit=3, _continue=page.metadata._continue
    )
    assert [each.metadata.name for each in (*page.items, *rest.items)] == ["m0", "m1", "m2", "m3", "m4"]
    assert rest.metadata._continue is None
    core.delete_collection_namespaced_config_map("shop", label_selector="parity")
    assert core.list_namespaced_config_map("shop", label_selector="parity").items == []


def test_a_bad_selector_is_refused(core: client.CoreV1Api) -> None:
    with pytest.raises(ApiException) as refusal:
        core.list_namespaced_pod("shop", label_selector="app in web")
    assert refusal.value.status == 400
    assert "unable to parse requirement" in refusal.value.body


def test_a_watch_tells_of_changes(core: client.CoreV1Api) -> None:
    version = core.list_namespaced_config_map("shop").metadata.resource_version
    core.create_namespaced_config_map("shop", config_map("watched"))
    core.patch_namespaced_config_map("watched", "shop", {"data": {"color": "blue"}})
    core.delete_namespaced_config_map("watched", "shop")
    stream = watch.Watch()
    seen: list[str] = []
    for event in stream.stream(
        core.list_namespaced_config_map, "shop", resource_version=version, timeout_seconds=60
    ):
        assert event["object"].metadata.name == "watched"
        seen.append(event["type"])
        if event["type"] == "DELETED":
            stream.stop()
    assert seen == ["ADDED", "MODIFIED", "DELETED"]


def test_a_watch_of_a_forgotten_version_is_gone(
    api: Served, core: client.CoreV1Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = api.store._history
    monkeypatch.setattr(api.store, "_history", type(history)(list(history)[-1:], maxlen=1))
    with pytest.raises(ApiException) as refusal:
        list(watch.Watch().stream(core.list_namespaced_config_map, "shop", resource_version="1"))
    assert refusal.value.status == 410


def test_a_log(api: Served, core: client.CoreV1Api) -> None:
    api.add(pod("logged", nodeName="n1"))
    assert core.read_namespaced_pod_log("logged", "shop").startswith("shop/logged/main\n")


def test_the_dynamic_client_discovers(api: Served, official: client.ApiClient) -> None:
    deployments = DynamicClient(official).resources.get(api_version="apps/v1", kind="Deployment")
    assert deployments.namespaced
    assert deployments.get(namespace="shop").items == []


def test_manifests_are_created(core: client.CoreV1Api, official: client.ApiClient) -> None:
    manifest = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key"}, "stringData": {"a": "b"}}
    utils.create_from_dict(official, manifest, namespace="shop")
    assert core.read_namespaced_secret("key", "shop").metadata.name == "key"


def test_who_has_no_token_is_refused(api: Served) -> None:
    configured = client.Configuration()
    configured.host, configured.ssl_ca_cert, configured.proxy = api.endpoint, str(api.authority), None
    with client.ApiClient(configured) as made, pytest.raises(ApiException) as refusal:
        client.CoreV1Api(made).list_namespace()
    assert refusal.value.status == 401
