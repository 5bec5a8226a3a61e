"""What is applied to a cluster fits Kubernetes' schemas, and says what the service understands."""

import json
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from emulator.cluster.admission.schema import KubernetesSchemas
from emulator.cluster.kubelet.images import load_image, project_name

SERVICES = Path(__file__).resolve().parents[3] / "services"
OBJECTS: list[dict[str, Any]] = list(YAML(typ="safe").load_all(SERVICES / "echo/kubernetes.yaml"))


def of_kind(kind: str) -> dict[str, Any]:
    return next(each for each in OBJECTS if each["kind"] == kind)


@pytest.mark.parametrize("obj", OBJECTS, ids=lambda obj: obj["kind"])
def test_the_objects_fit_the_schemas(obj: dict[str, Any]) -> None:
    assert KubernetesSchemas("1.35").check(obj) == []


def test_the_image_is_the_one_that_the_deployment_asks_for() -> None:
    reference = of_kind("Deployment")["spec"]["template"]["spec"]["containers"][0]["image"]
    image = load_image(SERVICES, project_name(reference) or "", reference)
    assert (image.directory / image.entrypoint[1]).is_file()
    assert json.loads((SERVICES / "echo/image.json").read_text())["ExposedPorts"] == {"8080/tcp": {}}


def test_one_selector_for_all() -> None:
    labels = of_kind("Deployment")["spec"]["template"]["metadata"]["labels"]
    assert of_kind("Service")["spec"]["selector"] == labels
    assert of_kind("PodDisruptionBudget")["spec"]["selector"]["matchLabels"] == labels


def test_the_pods_are_restricted() -> None:
    pod = of_kind("Deployment")["spec"]["template"]["spec"]
    container = pod["containers"][0]
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
