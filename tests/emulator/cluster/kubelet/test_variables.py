"""Variables as the object says them."""

import base64
from typing import Any

import pytest

from emulator.cluster.kubelet.variables import (
    ConfigError,
    Sources,
    container_variables,
    expand,
    pod_field,
    resource_field,
    service_links,
)
from emulator.cluster.resources import Resources
from emulator.cluster.store import Object, Store

POD: Object = {
    "metadata": {
        "name": "echo-1",
        "namespace": "default",
        "uid": "u",
        "labels": {"app": "echo", "tier": 'a"b'},
        "annotations": {"example.com/x": "y"},
    },
    "spec": {"nodeName": "node-1", "serviceAccountName": "robot", "containers": []},
    "status": {"podIP": "127.9.1.1", "podIPs": [{"ip": "127.9.1.1"}], "hostIP": "10.0.0.1"},
}


@pytest.fixture
def sources() -> Sources:
    store, resources = Store(), Resources()

    def create(plural: str, name: str, namespace: str = "default", **fields: Any) -> None:
        store.create(resources[plural], {"metadata": {"name": name, "namespace": namespace}, **fields})

    create("configmaps", "settings", data={"COLOUR": "green", "file.yaml": "a: 1"}, binaryData={"b": "AAE="})
    create("secrets", "password", data={"PASSWORD": base64.b64encode(b"s3cret").decode()})
    create("services", "web-api", spec={"clusterIP": "127.9.128.1", "ports": [{"name": "http", "port": 80}]})
    create("services", "nobody", spec={"clusterIP": "None", "ports": [{"port": 80}]})
    create("services", "kubernetes", spec={"clusterIP": "127.0.0.1", "ports": [{"port": 6443}]})
    return Sources(store, resources, "default")


def variables(sources: Sources, container: dict[str, Any], **base: str) -> dict[str, str]:
    return container_variables(POD, container, sources, base)


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("$(A)-$(B)", "1-$(B)"),
        ("$$(A)", "$(A)"),
        ("$$$(A)", "$1"),
        ("$A ${A}", "$A ${A}"),
        ("100$", "100$"),
    ],
)
def test_references_to_variables(text: str, expanded: str) -> None:
    assert expand(text, {"A": "1"}) == expanded


def test_the_objects_variables_win_over_all_others(sources: Sources) -> None:
    container = {
        "envFrom": [
            {"configMapRef": {"name": "settings"}},
            {"prefix": "P_", "secretRef": {"name": "password"}},
        ],
        "env": [
            {"name": "COLOUR", "value": "blue"},
            {"name": "BOTH", "value": "$(COLOUR) $(P_PASSWORD) $(BASE)"},
        ],
    }
    found = variables(sources, container, COLOUR="red", BASE="base")
    assert found["COLOUR"] == "blue"
    assert found["P_PASSWORD"] == "s3cret"
    assert found["BOTH"] == "blue s3cret base"
    assert found["file.yaml"] == "a: 1"


@pytest.mark.parametrize(
    ("value_from", "value"),
    [
        ({"configMapKeyRef": {"name": "settings", "key": "COLOUR"}}, "green"),
        ({"secretKeyRef": {"name": "password", "key": "PASSWORD"}}, "s3cret"),
        ({"fieldRef": {"fieldPath": "metadata.name"}}, "echo-1"),
        ({"fieldRef": {"fieldPath": "status.podIP"}}, "127.9.1.1"),
        ({"fieldRef": {"fieldPath": "status.hostIP"}}, "10.0.0.1"),
        ({"fieldRef": {"fieldPath": "spec.nodeName"}}, "node-1"),
        ({"fieldRef": {"fieldPath": "spec.serviceAccountName"}}, "robot"),
        ({"fieldRef": {"fieldPath": "metadata.labels['app']"}}, "echo"),
        ({"fieldRef": {"fieldPath": "metadata.annotations['example.com/x']"}}, "y"),
        ({"fieldRef": {"fieldPath": "metadata.labels['none']"}}, ""),
        ({"resourceFieldRef": {"resource": "limits.memory", "divisor": "1Mi"}}, "64"),
    ],
)
def test_values_from_elsewhere(sources: Sources, value_from: dict[str, Any], value: str) -> None:
    container = {
        "env": [{"name": "X", "valueFrom": value_from}],
        "resources": {"limits": {"memory": "64Mi"}},
    }
    assert variables(sources, container)["X"] == value


@pytest.mark.parametrize(
    ("container", "wrong"),
    [
        ({"envFrom": [{"configMapRef": {"name": "none"}}]}, 'configmap "none" not found'),
        ({"envFrom": [{"secretRef": {"name": "none"}}]}, 'secret "none" not found'),
        (
            {"env": [{"name": "X", "valueFrom": {"secretKeyRef": {"name": "password", "key": "none"}}}]},
            "couldn't find key none in Secret default/password",
        ),
        (
            {"env": [{"name": "X", "valueFrom": {"fieldRef": {"fieldPath": "spec.x"}}}]},
            "unsupported fieldPath: spec.x",
        ),
        ({"env": [{"name": "X", "valueFrom": {"fileKeyRef": {}}}]}, "fileKeyRef is not known"),
    ],
)
def test_what_is_missing_is_told(sources: Sources, container: dict[str, Any], wrong: str) -> None:
    with pytest.raises(ConfigError) as error:
        variables(sources, container)
    assert wrong in str(error.value)


def test_what_is_optional_may_be_missing(sources: Sources) -> None:
    key = {"name": "none", "key": "x", "optional": True}
    container = {
        "envFrom": [{"configMapRef": {"name": "none", "optional": True}}],
        "env": [
            {"name": "X", "valueFrom": {"configMapKeyRef": key}},
            {"name": "Y", "valueFrom": {"secretKeyRef": key}},
        ],
    }
    assert {"X", "Y"} & set(variables(sources, container)) == set()


def test_links_to_services(sources: Sources) -> None:
    found = variables(sources, {})
    assert found["WEB_API_SERVICE_HOST"] == "127.9.128.1"
    assert found["WEB_API_SERVICE_PORT_HTTP"] == "80"
    assert found["WEB_API_PORT_80_TCP"] == "tcp://127.9.128.1:80"
    assert found["KUBERNETES_SERVICE_PORT"] == "6443"
    assert not any(name.startswith("NOBODY") for name in found)


def test_links_can_be_declined(sources: Sources) -> None:
    pod = {**POD, "spec": {**POD["spec"], "enableServiceLinks": False}}
    found = container_variables(pod, {}, sources, {})
    assert found["KUBERNETES_SERVICE_HOST"] == "127.0.0.1"
    assert "WEB_API_SERVICE_HOST" not in found
    assert service_links([]) == {}


def test_labels_as_a_file() -> None:
    assert pod_field(POD, "metadata.labels") == 'app="echo"\ntier="a\\"b"'


def test_requests_default_to_limits_and_are_rounded_up() -> None:
    container = {"resources": {"limits": {"cpu": "1500m"}}}
    assert resource_field(POD, container, {"resource": "requests.cpu"}) == "2"
    assert resource_field(POD, container, {"resource": "limits.cpu", "divisor": "1m"}) == "1500"
    with pytest.raises(ConfigError, match="container other not found"):
        resource_field(POD, container, {"resource": "limits.cpu", "containerName": "other"})
