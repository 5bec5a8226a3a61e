"""Kubernetes objects get their identity; nothing is sent."""

from tests.rehearsal.conftest import Play


def test_an_object_is_known_by_namespace_and_name(play: Play):
    created = play("kubernetes:core/v1:ConfigMap", metadata={"namespace": "gpu-system", "name": "plugin"})

    assert created.id == "gpu-system/plugin"


def test_a_custom_object_of_the_cluster_is_known_by_its_name(play: Play):
    created = play("kubernetes:karpenter.sh/v1:NodePool", metadata={"name": "batch"})

    assert created.id == "batch"


def test_an_object_without_a_name_gets_one_as_pulumi_does(play: Play):
    created = play("kubernetes:core/v1:Namespace", logical_name="gpu")

    assert created.outputs["metadata"]["name"] == created.id
    assert created.id.startswith("gpu-")


def test_a_generated_name_begins_as_it_was_asked_to(play: Play):
    created = play("kubernetes:batch/v1:Job", metadata={"generateName": "migrate-", "namespace": "a"})

    assert created.id.startswith("a/migrate-")
