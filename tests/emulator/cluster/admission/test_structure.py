"""The shape of kinds, as writes walk over it."""

from typing import Any

import pytest

from emulator.cluster.admission.schema import KubernetesSchemas
from emulator.cluster.admission.structure import Structure, key_of_item

SCHEMAS = KubernetesSchemas("1.35")


def at(*steps: str) -> Structure:
    found = SCHEMAS.structure("v1", "Pod")
    for step in steps:
        assert found is not None
        found = found.item if step == "[]" else found.field(step)
    assert found is not None
    return found


def test_lists_say_how_they_merge() -> None:
    ports = at("spec", "containers", "[]", "ports")
    assert (ports.list_type, ports.list_keys) == ("map", ("containerPort", "protocol"))
    assert (ports.patch_strategies, ports.merge_key) == (("merge",), "containerPort")
    assert at("metadata", "finalizers").list_type == "set"
    assert at("spec", "tolerations").list_type == "atomic"


def test_volumes_keep_only_the_keys_that_are_named() -> None:
    assert at("spec", "volumes").patch_strategies == ("merge", "retainKeys")


def test_some_objects_are_replaced_as_a_whole() -> None:
    assert at("spec", "affinity", "podAffinity").atomic is False
    selector = SCHEMAS.definition("io.k8s.apimachinery.pkg.apis.meta.v1.LabelSelector")
    assert selector.atomic is True


@pytest.mark.parametrize(
    ("steps", "name"),
    [
        (("spec",), "v1.PodSpec"),
        (("spec", "containers"), "[]v1.Container"),
        (("metadata", "labels"), "map[string]string"),
        (("spec", "priority"), "int32"),
        (("spec", "terminationGracePeriodSeconds"), "int64"),
        (("spec", "hostNetwork"), "bool"),
        (("spec", "containers", "[]", "args"), "[]string"),
    ],
)
def test_types_have_their_names_of_go(steps: tuple[str, ...], name: str) -> None:
    assert at(*steps).go_type == name


def test_a_key_that_is_left_out_has_its_default() -> None:
    ports = at("spec", "containers", "[]", "ports")
    assert key_of_item(ports, {"containerPort": 80}) == {"containerPort": 80, "protocol": "TCP"}


def custom(**schema: Any) -> Structure:
    crd = {
        "spec": {
            "group": "example.com",
            "names": {"kind": "Thing"},
            "versions": [{"name": "v1", "schema": {"openAPIV3Schema": {"type": "object", **schema}}}],
        }
    }
    found = KubernetesSchemas("1.35", [crd]).structure("example.com/v1", "Thing")
    assert found is not None
    return found


def test_custom_resources_have_the_metadata_of_all_objects() -> None:
    labels = custom().field("metadata")
    assert labels is not None
    assert labels.definition.endswith("ObjectMeta")
    assert labels.custom is False


def test_free_form_parts_of_custom_resources_take_any_field() -> None:
    free = custom(properties={"spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}})
    spec = free.field("spec")
    assert spec is not None
    assert (spec.open, free.open) == (True, False)


def test_a_kind_that_there_is_not() -> None:
    assert SCHEMAS.structure("v1", "Pond") is None


def test_another_version_has_its_own_kinds() -> None:
    schemas = KubernetesSchemas("1.35")
    schemas.change_version("1.30")
    assert schemas.version == "1.30"
    assert schemas.structure("apps/v1", "Deployment") is not None
    with pytest.raises(ValueError, match=r"no schemas of Kubernetes 1\.99"):
        schemas.change_version("1.99")
    assert schemas.version == "1.30"


def test_a_kind_is_forgotten_with_its_definition() -> None:
    crd = {
        "spec": {
            "group": "example.com",
            "names": {"kind": "Thing"},
            "versions": [{"name": "v1", "schema": {"openAPIV3Schema": {"type": "object"}}}],
        }
    }
    schemas = KubernetesSchemas("1.35", [crd])
    schemas.remove_custom_resource_definition(crd)
    assert schemas.structure("example.com/v1", "Thing") is None


def test_schemas_that_cannot_be_used_are_told() -> None:
    def definition(schema: object) -> dict[str, Any]:
        versions = [{"name": "v1", "schema": {"openAPIV3Schema": schema}}]
        return {"spec": {"group": "a.b", "names": {"kind": "Thing"}, "versions": versions}}

    schemas = KubernetesSchemas("1.35")
    assert schemas.fault_of_definition(definition({"type": "object"})) == ""
    assert schemas.fault_of_definition(definition({"type": "object", "required": 1})) != ""
