"""Kubernetes objects that an API server would refuse, or accept with a field dropped."""

from typing import Any

import pulumi_kubernetes as kubernetes
import pytest

from tests.rehearsal.refusals.conftest import Mistakes


def deployment(name: str = "web", *, namespace: str = "default", **pod: Any) -> None:
    """A faultless Deployment, save for what is changed in its pod."""
    labels = {"app": name}
    container = {
        "name": "web",
        "image": "web:1",
        "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}},
    }
    kubernetes.apps.v1.Deployment(
        name,
        metadata={"name": name, "namespace": namespace},
        spec={
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container], **pod}},
        },
    )


POD = "spec.template.spec"


def test_a_field_that_does_not_exist(mistakes_alone: Mistakes):
    outcome = mistakes_alone(lambda: deployment(tolerates=[{"key": "gpu"}]))

    outcome.assert_only_refused(
        "web", f"{POD}.tolerates", [{"key": "gpu"}], "is no such field", "did you mean tolerations?"
    )


def test_a_value_of_another_type(mistakes_alone: Mistakes):
    outcome = mistakes_alone(lambda: deployment(terminationGracePeriodSeconds="soon"))

    outcome.assert_only_refused(
        "web", f"{POD}.terminationGracePeriodSeconds", "soon", "is a string", "give an integer"
    )


def test_a_required_field_that_is_missing(mistakes_alone: Mistakes):
    outcome = mistakes_alone(lambda: deployment(containers=[{"image": "web:1"}]))

    outcome.assert_only_refused("web", f"{POD}.containers[0].name", None, "is required", "give name")


def test_a_toleration_in_the_vocabulary_of_eks(mistakes_alone: Mistakes):
    toleration = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NO_SCHEDULE"}

    outcome = mistakes_alone(lambda: deployment(tolerations=[toleration]))

    outcome.assert_only_refused(
        "web",
        f"{POD}.tolerations[0].effect",
        "NO_SCHEDULE",
        "did you mean NoSchedule?",
        "EKS's word",
    )


def custom(kind: str, version: str, name: str, spec: dict[str, Any]) -> None:
    kubernetes.apiextensions.CustomResource(
        name, api_version=version, kind=kind, metadata={"name": name}, spec=spec
    )


def node_pool(name: str = "batch", **template: Any) -> None:
    """A faultless NodePool of Karpenter, save for what is changed in its template."""
    spec = {
        "nodeClassRef": {"group": "karpenter.k8s.aws", "kind": "EC2NodeClass", "name": "default"},
        "requirements": [
            {"key": "node.kubernetes.io/instance-type", "operator": "In", "values": ["g5.xlarge"]}
        ],
    }
    custom("NodePool", "karpenter.sh/v1", name, {"template": {"spec": {**spec, **template}}})


def test_a_node_pool_that_its_definition_refuses(mistakes_alone: Mistakes):
    outcome = mistakes_alone(lambda: node_pool(taint=[{"key": "gpu"}]))

    outcome.assert_only_refused(
        "batch", "spec.template.spec.taint", [{"key": "gpu"}], "is no such field", "did you mean taints?"
    )
    assert outcome.refusals[0].resource == "kubernetes:karpenter.sh/v1:NodePool batch"


def test_a_taint_of_a_node_pool_in_the_vocabulary_of_eks(mistakes_alone: Mistakes):
    taints = [{"key": "nvidia.com/gpu", "value": "true", "effect": "NO_SCHEDULE"}]

    outcome = mistakes_alone(lambda: node_pool(taints=taints))

    outcome.assert_only_refused(
        "batch", "spec.template.spec.taints[0].effect", "NO_SCHEDULE", "did you mean NoSchedule?"
    )


@pytest.mark.parametrize(
    ("kind", "version", "wrong", "right"),
    [
        ("NodePol", "karpenter.sh/v1", "kind", "did you mean karpenter.sh/v1 NodePool?"),
        ("NodePool", "karpenter.sh/v1alpha5", "apiVersion", "karpenter.sh/v1"),
        ("Thing", "example.com/v1", "kind", "declare its CustomResourceDefinition first"),
    ],
)
def test_a_kind_that_does_not_exist(
    mistakes_alone: Mistakes, kind: str, version: str, wrong: str, right: str
):
    outcome = mistakes_alone(lambda: custom(kind, version, "object", {}))

    outcome.assert_only_refused("object", wrong, kind if wrong == "kind" else version, right)


def test_a_kind_whose_definition_came_before(mistakes_alone: Mistakes):
    def program() -> None:
        definition = kubernetes.apiextensions.v1.CustomResourceDefinition(
            "things.example.com",
            metadata={"name": "things.example.com"},
            spec={
                "group": "example.com",
                "names": {"kind": "Thing", "plural": "things"},
                "scope": "Namespaced",
                "versions": [
                    {
                        "name": "v1",
                        "served": True,
                        "storage": True,
                        "schema": {
                            "openAPIV3Schema": {
                                "type": "object",
                                "properties": {
                                    "spec": {"type": "object", "properties": {"size": {"type": "integer"}}}
                                },
                            }
                        },
                    }
                ],
            },
        )
        definition.id.apply(lambda _: custom("Thing", "example.com/v1", "thing", {"size": "big"}))

    mistakes_alone(program).assert_only_refused("thing", "spec.size", "big", "is a string", "give an integer")


def test_a_namespace_that_does_not_exist(mistakes_alone: Mistakes):
    outcome = mistakes_alone(lambda: deployment(namespace="kube-sytem"))

    outcome.assert_only_refused(
        "web", "metadata.namespace", "kube-sytem", "declare it first", "did you mean kube-system?"
    )


def test_a_namespace_that_was_declared_before(mistakes_alone: Mistakes):
    def program() -> None:
        namespace = kubernetes.core.v1.Namespace("shop", metadata={"name": "shop"})
        namespace.metadata["name"].apply(lambda name: deployment(namespace=name))

    assert mistakes_alone(program).told() == "nothing refused"


def test_two_objects_with_one_name(mistakes_alone: Mistakes):
    def program() -> None:
        for name in ("settings", "more-settings"):
            kubernetes.core.v1.ConfigMap(name, metadata={"name": "settings"}, data={"a": "b"})

    outcome = mistakes_alone(program)

    (refusal,) = outcome.refusals
    assert refusal.problem.property == "metadata.name"
    assert refusal.problem.value == "settings"
    assert "another name" in refusal.problem.remedy


def test_all_mistakes_of_an_object_are_told_at_once(mistakes_alone: Mistakes):
    outcome = mistakes_alone(
        lambda: deployment(namespace="nowhere", nodeName=3, containers=[{"name": "Web", "imge": "web:1"}])
    )

    assert {each.problem.property for each in outcome.refusals} >= {
        "metadata.namespace",
        f"{POD}.nodeName",
        f"{POD}.containers[0].imge",
    }
