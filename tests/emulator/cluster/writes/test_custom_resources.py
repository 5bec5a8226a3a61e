"""CustomResourceDefinitions, and the objects of their kinds."""

from typing import Any

import pytest

from emulator.cluster.store import Object
from tests.emulator.cluster.writes.writing import NODE_POOL, Api, changed, node_pool, refusal

SCHEMA = "spec.versions.0.schema.openAPIV3Schema"


def test_a_definition_is_established_and_served(custom_api: Api) -> None:
    made = custom_api.get(NODE_POOL) or {}
    assert made["status"]["acceptedNames"] == {
        "kind": "NodePool",
        "listKind": "NodePoolList",
        "plural": "nodepools",
        "singular": "nodepool",
    }
    assert [(c["type"], c["status"]) for c in made["status"]["conditions"]] == [
        ("NamesAccepted", "True"),
        ("Established", "True"),
    ]
    assert made["status"]["storedVersions"] == ["v1"]
    assert custom_api.resources.find("karpenter.sh", "v1", "nodepools") is not None


def test_a_definition_takes_its_objects_along(custom_api: Api) -> None:
    custom_api.create(node_pool())
    pools = custom_api.resource(node_pool())
    custom_api.delete(NODE_POOL)
    assert custom_api.store.list(pools) == []
    assert custom_api.get(NODE_POOL) is None
    assert custom_api.resources.find("karpenter.sh", "v1", "nodepools") is None
    assert custom_api.schemas.structure("karpenter.sh/v1", "NodePool") is None


def test_a_definition_waits_for_objects_that_cannot_go(custom_api: Api) -> None:
    custom_api.create(changed(node_pool(), "metadata.finalizers", ["a.b/c"]))
    gone = custom_api.delete(NODE_POOL)
    assert gone["metadata"]["finalizers"] == ["customresourcecleanup.apiextensions.k8s.io"]
    custom_api.patch(node_pool(), {"metadata": {"finalizers": None}})
    assert custom_api.get(NODE_POOL) is None


def test_a_changed_definition_is_served_as_it_is_now(custom_api: Api) -> None:
    second: Object = {**NODE_POOL["spec"]["versions"][0], "name": "v2", "storage": False}
    versions = [*NODE_POOL["spec"]["versions"], second]
    made = custom_api.update(changed(custom_api.get(NODE_POOL) or {}, "spec.versions", versions))
    assert custom_api.resources.find("karpenter.sh", "v2", "nodepools") is not None
    custom_api.update(changed(made, "spec.versions", versions[:1]))
    assert custom_api.resources.find("karpenter.sh", "v2", "nodepools") is None
    assert custom_api.schemas.structure("karpenter.sh/v2", "NodePool") is None


def test_a_dry_run_of_a_definition_defines_nothing(api: Api) -> None:
    api.create(NODE_POOL, dry_run=True)
    assert api.resources.find("karpenter.sh", "v1", "nodepools") is None


@pytest.mark.parametrize(
    ("path", "value", "field", "told"),
    [
        (
            *("metadata.name", "pools.karpenter.sh", "metadata.name"),
            'Invalid value: "pools.karpenter.sh": must be spec.names.plural+"."+spec.group',
        ),
        (
            *("spec.scope", "Everywhere", "spec.scope"),
            'Unsupported value: "Everywhere": supported values: "Cluster", "Namespaced"',
        ),
        (
            *("spec.versions.0.schema", None, "spec.versions[0].schema.openAPIV3Schema"),
            "Required value: schemas are required",
        ),
        (
            *(f"{SCHEMA}.type", None, "spec.versions[0].schema.openAPIV3Schema.type"),
            "Required value: must not be empty at the root",
        ),
        (
            f"{SCHEMA}.properties.spec.properties.size",
            {"minimum": 0},
            "spec.versions[0].schema.openAPIV3Schema.properties[spec].properties[size].type",
            "Required value: must not be empty for specified object fields",
        ),
        (
            f"{SCHEMA}.properties.spec.properties.size",
            {"type": "int"},
            "spec.versions[0].schema.openAPIV3Schema.properties[spec].properties[size].type",
            'Unsupported value: "int": supported values: "array", "boolean", "integer", "number", "object", '
            '"string"',
        ),
        (
            f"{SCHEMA}.properties.spec.properties.zones",
            {"type": "array"},
            "spec.versions[0].schema.openAPIV3Schema.properties[spec].properties[zones].items",
            "Required value: must be specified",
        ),
    ],
)
def test_definitions_that_are_refused(api: Api, path: str, value: Any, field: str, told: str) -> None:
    refused = refusal(api.create, changed(NODE_POOL, path, value))
    assert refused.code == 422
    assert [(cause.field, cause.message) for cause in refused.causes] == [(field, told)]


def test_one_version_is_stored(api: Api) -> None:
    refused = refusal(api.create, changed(NODE_POOL, "spec.versions.0.storage", False))
    assert "must have exactly one version marked as storage version" in refused.message


def test_the_scope_is_immutable(custom_api: Api) -> None:
    made = custom_api.get(NODE_POOL) or {}
    refused = refusal(custom_api.update, changed(made, "spec.scope", "Namespaced"))
    assert [(c.field, c.message) for c in refused.causes] == [
        ("spec.scope", 'Invalid value: "Namespaced": field is immutable')
    ]


def test_defaults_come_from_the_schema(custom_api: Api) -> None:
    made = custom_api.create(node_pool(taints=[{"key": "gpu"}]))
    assert made["spec"] == {"size": 1, "taints": [{"key": "gpu", "effect": "NoSchedule"}]}


def test_null_counts_as_given_where_it_may_stand(custom_api: Api) -> None:
    assert custom_api.create(node_pool(note=None, size=None))["spec"] == {"note": None, "size": 1}


def test_unknown_fields_are_pruned(custom_api: Api) -> None:
    assert custom_api.create(node_pool(speed=1))["spec"] == {"size": 1}
    assert custom_api.options.warnings == ['unknown field "spec.speed"']


def test_unknown_fields_are_refused_when_asked(custom_api: Api) -> None:
    refused = refusal(custom_api.create, node_pool(speed=1), field_validation="Strict")
    assert refused.code == 400
    assert refused.message.endswith('strict decoding error: unknown field "spec.speed"')


@pytest.mark.parametrize(
    ("spec", "field", "reason", "told"),
    [
        (
            *({"size": "3"}, "spec.size", "FieldValueInvalid"),
            'Invalid value: "string": spec.size in body must be of type integer: "string"',
        ),
        (
            *({"size": -1}, "spec.size", "FieldValueInvalid"),
            "Invalid value: -1: spec.size in body should be greater than or equal to 0",
        ),
        (
            *({"mode": "rent"}, "spec.mode", "FieldValueNotSupported"),
            'Unsupported value: "rent": supported values: "spot", "on-demand"',
        ),
        ({"taints": [{}]}, "spec.taints[0].key", "FieldValueRequired", "Required value"),
    ],
)
def test_values_that_the_schema_refuses(
    custom_api: Api, spec: Object, field: str, reason: str, told: str
) -> None:
    refused = refusal(custom_api.create, node_pool(**spec))
    assert refused.code == 422
    assert [(c.field, c.reason, c.message) for c in refused.causes] == [(field, reason, told)]


def test_a_status_is_written_by_itself(custom_api: Api) -> None:
    made = custom_api.create({**node_pool(size=2), "status": {"size": 9}})
    assert "status" not in made
    stored = custom_api.update({**made, "status": {"size": 2}, "spec": {"size": 7}}, "status")
    assert (stored["status"], stored["spec"]) == ({"size": 2}, {"size": 2})
    refused = refusal(custom_api.update, {**stored, "status": {"size": "x"}}, "status")
    assert [cause.field for cause in refused.causes] == ["status.size"]


def test_strategic_merge_patches_are_not_for_custom_resources(custom_api: Api) -> None:
    custom_api.create(node_pool())
    refused = refusal(custom_api.patch, node_pool(), {}, "strategic-merge-patch+json")
    assert (refused.code, refused.reason) == (415, "UnsupportedMediaType")
    assert refused.message == (
        "the body of the request was in an unknown format - accepted media types include: "
        "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml"
    )


def test_a_cluster_scoped_object_has_no_namespace(custom_api: Api) -> None:
    refused = refusal(custom_api.create, changed(node_pool(), "metadata.namespace", "search"))
    assert refused.code == 400
