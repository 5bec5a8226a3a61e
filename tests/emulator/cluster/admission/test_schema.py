"""Objects the API server would refuse, or silently cut, are refused."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.cluster.admission.schema import KubernetesSchemas
from emulator.cluster.admission.vocabulary import ENUMS, ITEM_ENUMS, RANGES

SCHEMAS = KubernetesSchemas("1.35")
CONTAINER = "spec.template.spec.containers[0]"

DEPLOYMENT: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "search", "namespace": "search", "labels": {"app.kubernetes.io/name": "search"}},
    "spec": {
        "replicas": 3,
        "selector": {"matchLabels": {"app": "search"}},
        "template": {
            "metadata": {"labels": {"app": "search"}},
            "spec": {
                "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}],
                "volumes": [{"name": "cache", "emptyDir": {"sizeLimit": "1Gi"}}],
                "containers": [
                    {
                        "name": "search",
                        "image": "search:1",
                        "ports": [{"name": "http", "containerPort": 8080}],
                        "readinessProbe": {"httpGet": {"path": "/ready", "port": "http"}},
                        "volumeMounts": [{"name": "cache", "mountPath": "/cache"}],
                        "resources": {
                            "requests": {"cpu": "500m", "memory": "1Gi", "nvidia.com/gpu": 1},
                            "limits": {"memory": "1Gi", "nvidia.com/gpu": 1},
                        },
                    }
                ],
            },
        },
    },
}


def changed(path: str, value: object) -> dict[str, Any]:
    """Return the Deployment with one value changed; the path is as in the problems."""
    manifest = copy.deepcopy(DEPLOYMENT)
    *owners, last = path.replace("[", ".[").split(".")
    owner: Any = manifest
    for step in owners:
        owner = owner[int(step[1:-1])] if step.startswith("[") else owner[step]
    owner[last] = value
    return manifest


def refusal(path, value):
    (problem,) = SCHEMAS.check(changed(path, value))
    return problem


def test_an_object_the_api_server_takes_passes():
    assert SCHEMAS.check(DEPLOYMENT) == []


@pytest.mark.parametrize(
    ("path", "value", "property_", "remedy"),
    [
        ("metadata.labelz", {}, None, "did you mean labels?"),
        (f"{CONTAINER}.imagePullPolicy", "always", None, "did you mean Always?"),
        ("spec.replicas", "3", None, "give an integer"),
        ("spec.replicas", -1, None, "from 0 to"),
        (
            f"{CONTAINER}.ports",
            [{"containerPort": 80000}],
            f"{CONTAINER}.ports[0].containerPort",
            "1 to 65535",
        ),
        (
            f"{CONTAINER}.resources",
            {"requests": {"cpu": "4x"}},
            f"{CONTAINER}.resources.requests.cpu",
            "250m",
        ),
        (
            "spec.template.spec.tolerations",
            [{"effect": "NO_SCHEDULE", "operator": "Exists"}],
            "spec.template.spec.tolerations[0].effect",
            "did you mean NoSchedule? (NO_SCHEDULE is EKS's word",
        ),
        (
            "spec.template.spec.tolerations",
            [{"key": "a", "operator": "Equals"}],
            "spec.template.spec.tolerations[0].operator",
            "did you mean Equal?",
        ),
        ("metadata.name", "Search", None, "lower-case"),
        ("metadata.name", "s" * 254, None, "253"),
        ("metadata.labels", {"app": "a b"}, 'metadata.labels["app"]', "up to 63"),
        ("metadata.labels", {"-app": "a"}, "metadata.labels", "[prefix/]name"),
        ("metadata.labels", {"Ex_ample/app": "a"}, "metadata.labels", "DNS name"),
        ("spec.selector", {"matchLabels": {"app": "other"}}, 'spec.selector.matchLabels["app"]', "app=other"),
        ("spec.selector", {}, "spec.selector", "matchLabels"),
        (
            f"{CONTAINER}.volumeMounts",
            [{"name": "cash", "mountPath": "/c"}],
            f"{CONTAINER}.volumeMounts[0].name",
            "only cache",
        ),
        (
            f"{CONTAINER}.readinessProbe",
            {"httpGet": {"port": "htp"}},
            f"{CONTAINER}.readinessProbe.httpGet.port",
            "only http",
        ),
        (
            f"{CONTAINER}.readinessProbe",
            {"tcpSocket": {"port": 0}},
            f"{CONTAINER}.readinessProbe.tcpSocket.port",
            "65535",
        ),
        (f"{CONTAINER}.name", "Search", None, "63 lower-case"),
        (
            f"{CONTAINER}.ports",
            [{"name": "http_main", "containerPort": 1}, {"name": "http", "containerPort": 2}],
            f"{CONTAINER}.ports[0].name",
            "15 lower-case",
        ),
        (
            f"{CONTAINER}.resources",
            {"requests": {"memory": "2Gi"}, "limits": {"memory": "1Gi"}},
            f'{CONTAINER}.resources.requests["memory"]',
            "at most 1Gi",
        ),
        (
            f"{CONTAINER}.resources",
            {"requests": {"nvidia.com/gpu": 1}},
            f'{CONTAINER}.resources.requests["nvidia.com/gpu"]',
            "the same limit",
        ),
        (
            f"{CONTAINER}.resources",
            {"requests": {"nvidia.com/gpu": 1}, "limits": {"nvidia.com/gpu": 2}},
            f'{CONTAINER}.resources.requests["nvidia.com/gpu"]',
            "2 in both",
        ),
        (
            f"{CONTAINER}.resources",
            {"limits": {"nvidia.com/gpu": "500m"}},
            f'{CONTAINER}.resources.limits["nvidia.com/gpu"]',
            "whole number",
        ),
        (
            f"{CONTAINER}.resources",
            {"limits": {"memory": "512m"}},
            f'{CONTAINER}.resources.limits["memory"]',
            "512Mi",
        ),
        (
            f"{CONTAINER}.resources",
            {"limits": {"cpu": "-1"}},
            f'{CONTAINER}.resources.limits["cpu"]',
            "0 or more",
        ),
        (
            "spec.template.spec.tolerations",
            [{"operator": "Exists", "key": "a", "value": "b"}],
            "spec.template.spec.tolerations[0].value",
            "Equal",
        ),
        (
            "spec.template.spec.tolerations",
            [{"value": "b"}],
            "spec.template.spec.tolerations[0].key",
            "Exists",
        ),
        (
            "spec.template.spec.tolerations",
            [{"key": "b", "tolerationSeconds": 3}],
            "spec.template.spec.tolerations[0].tolerationSeconds",
            "leave it out",
        ),
        ("spec.template.spec.restartPolicy", "Never", None, "only Always"),
    ],
)
def test_refusals_name_the_field_and_what_would_be_right(path, value, property_, remedy):
    problem = refusal(path, value)
    assert problem.property == (property_ or path)
    assert remedy in problem.remedy


def test_a_missing_field_is_named():
    problem = refusal(f"{CONTAINER}.ports", [{"name": "http"}])
    assert (problem.property, problem.reason) == (f"{CONTAINER}.ports[0].containerPort", "is required")


def test_containers_have_names_of_their_own():
    containers = [{"name": "search"}, {"name": "search"}]
    problem = refusal("spec.template.spec.containers", containers)
    assert (problem.property, problem.value) == ("spec.template.spec.containers[1].name", "search")


def test_every_mistake_is_reported_at_once():
    manifest = changed("metadata.labelz", {})
    manifest["spec"]["replicas"] = "3"
    del manifest["spec"]["template"]["spec"]["containers"][0]["name"]
    assert {p.property for p in SCHEMAS.check(manifest)} == {
        "metadata.labelz",
        "spec.replicas",
        f"{CONTAINER}.name",
    }


def test_a_kind_that_does_not_exist_names_the_one_meant():
    (problem,) = SCHEMAS.check({"apiVersion": "apps/v1", "kind": "Deploymnt"})
    assert (problem.property, problem.value) == ("kind", "Deploymnt")
    assert "1.35" in problem.reason
    assert problem.remedy == "did you mean apps/v1 Deployment?"


def test_a_kind_of_another_api_version_names_the_right_one():
    (problem,) = SCHEMAS.check({"apiVersion": "extensions/v1beta1", "kind": "Ingress"})
    assert (problem.property, problem.value) == ("apiVersion", "extensions/v1beta1")
    assert "networking.k8s.io/v1" in problem.remedy


def test_an_unknown_version_lists_those_there_are():
    with pytest.raises(ValueError, match=r"1\.99: one of 1\.25, .*1\.35"):
        KubernetesSchemas("1.99")


@pytest.mark.parametrize(
    ("kind", "version", "name", "fine"),
    [
        ("Namespace", "v1", "a.b", False),
        ("Service", "v1", "1search", False),
        ("ConfigMap", "v1", "a.b", True),
        ("ClusterRole", "rbac.authorization.k8s.io/v1", "system:reader", True),
        ("ClusterRole", "rbac.authorization.k8s.io/v1", "a/b", False),
    ],
)
def test_names_follow_the_rule_of_their_kind(kind, version, name, fine):
    problems = SCHEMAS.check({"apiVersion": version, "kind": kind, "metadata": {"name": name}})
    assert [p.property for p in problems] == ([] if fine else ["metadata.name"])


def test_a_stateful_set_mounts_its_claims():
    manifest = changed(f"{CONTAINER}.volumeMounts", [{"name": "data", "mountPath": "/data"}])
    manifest["kind"] = "StatefulSet"
    manifest["spec"]["serviceName"] = "search"
    manifest["spec"]["volumeClaimTemplates"] = [{"metadata": {"name": "data"}, "spec": {}}]
    assert SCHEMAS.check(manifest) == []


def test_a_cron_jobs_pods_are_checked():
    pod: dict[str, Any] = {"spec": {"restartPolicy": "Always", "containers": [{"name": "a"}]}}
    spec = {"schedule": "@daily", "jobTemplate": {"spec": {"template": pod}}}
    manifest = {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "a"}, "spec": spec}
    (problem,) = SCHEMAS.check(manifest)
    assert problem.property == "spec.jobTemplate.spec.template.spec.restartPolicy"
    assert "OnFailure" in problem.remedy


def test_a_disruption_budget_gives_one_bound():
    spec = {"minAvailable": 1, "maxUnavailable": 1, "selector": {}}
    manifest = {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": "a"},
        "spec": spec,
    }
    (problem,) = SCHEMAS.check(manifest)
    assert (problem.property, problem.remedy) == ("spec.maxUnavailable", "give one of the two")


NODE_POOL: dict[str, Any] = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "nodepools.karpenter.sh"},
    "spec": {
        "group": "karpenter.sh",
        "scope": "Cluster",
        "names": {"kind": "NodePool", "plural": "nodepools"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "required": ["spec"],
                        "properties": {
                            "spec": {
                                "type": "object",
                                "properties": {
                                    "weight": {"type": "integer", "minimum": 1, "maximum": 100},
                                    "limits": {
                                        "type": "object",
                                        "additionalProperties": {"x-kubernetes-int-or-string": True},
                                    },
                                    "extra": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                                    "note": {"type": "string", "nullable": True},
                                    "taints": {
                                        "type": "array",
                                        "items": {
                                            "type": "object",
                                            "required": ["effect", "key"],
                                            "properties": {
                                                "key": {"type": "string"},
                                                "effect": {
                                                    "type": "string",
                                                    "enum": ["NoSchedule", "PreferNoSchedule", "NoExecute"],
                                                },
                                            },
                                        },
                                    },
                                },
                            }
                        },
                    }
                },
            },
            {"name": "v1beta1", "served": False, "schema": {"openAPIV3Schema": {"type": "object"}}},
        ],
    },
}


def node_pool(**spec: Any) -> dict[str, Any]:
    return {"apiVersion": "karpenter.sh/v1", "kind": "NodePool", "metadata": {"name": "gpu"}, "spec": spec}


def test_a_custom_resource_needs_its_definition():
    schemas = KubernetesSchemas("1.35")
    assert [p.property for p in schemas.check(node_pool())] == ["kind"]
    schemas.add_custom_resource_definition(NODE_POOL)
    assert (
        schemas.check(node_pool(weight=10, limits={"cpu": 8, "memory": "1Gi"}, extra={"a": 1}, note=None))
        == []
    )


@pytest.mark.parametrize(
    ("spec", "property_", "remedy"),
    [
        ({"wait": 1}, "spec.wait", "did you mean weight?"),
        ({"weight": 101}, "spec.weight", "from 1 to 100"),
        ({"limits": {"cpu": []}}, "spec.limits.cpu", "integer or string"),
        (
            {"taints": [{"key": "a", "effect": "NO_SCHEDULE"}]},
            "spec.taints[0].effect",
            "did you mean NoSchedule?",
        ),
        ({"taints": [{"key": "a"}]}, "spec.taints[0].effect", "give effect"),
    ],
)
def test_custom_resources_are_checked_against_their_definition(spec, property_, remedy):
    (problem,) = KubernetesSchemas("1.35", [NODE_POOL]).check(node_pool(**spec))
    assert problem.property == property_
    assert remedy in problem.remedy


def test_the_metadata_of_custom_resources_is_checked_too():
    manifest = node_pool()
    manifest["metadata"]["labelz"] = {}
    (problem,) = KubernetesSchemas("1.35", [NODE_POOL]).check(manifest)
    assert problem.property == "metadata.labelz"


def test_a_version_that_is_not_served_is_refused():
    manifest = {**node_pool(), "apiVersion": "karpenter.sh/v1beta1"}
    (problem,) = KubernetesSchemas("1.35", [NODE_POOL]).check(manifest)
    assert (problem.property, problem.remedy) == ("apiVersion", "only karpenter.sh/v1")


def test_every_construct_of_a_structural_schema_is_understood():
    constructs = {
        "port": {"type": "number", "minimum": 0, "exclusiveMinimum": True},
        "mode": {"type": "string", "enum": ["a", "b"], "nullable": True},
        "either": {
            "type": "object",
            "properties": {"x": {"type": "string"}, "y": {"type": "string"}},
            "oneOf": [{"required": ["x"]}, {"required": ["y"]}],
        },
        "object": {
            "type": "object",
            "x-kubernetes-embedded-resource": True,
            "x-kubernetes-preserve-unknown-fields": True,
        },
        "none": {"type": "object"},
        "short": {"type": "string", "maxLength": 3},
        "list": {"type": "array", "items": {"type": "string", "pattern": "^[a-z]+$"}},
    }
    crd = copy.deepcopy(NODE_POOL)
    schema = {"type": "object", "properties": {"spec": {"type": "object", "properties": constructs}}}
    crd["spec"]["versions"] = [{"name": "v1", "schema": {"openAPIV3Schema": schema}}]
    schemas = KubernetesSchemas("1.35", [crd])
    good = {"port": 1, "mode": None, "either": {"x": "1"}, "object": {"kind": "A", "spec": 1}, "list": ["a"]}
    assert schemas.check(node_pool(**good)) == []
    bad = {"port": 0, "mode": "c", "either": {}, "none": {"a": 1}, "short": "long", "list": ["A"]}
    told = {p.property: p.remedy for p in schemas.check(node_pool(**bad))}
    assert set(told) == {"spec.port", "spec.mode", "spec.either", "spec.none.a", "spec.short", "spec.list[0]"}
    assert told["spec.mode"] == "one of a, b"
    assert "^[a-z]+$" in told["spec.list[0]"]


def test_a_pattern_in_gos_dialect_judges_nothing():
    crd = copy.deepcopy(NODE_POOL)
    spec = {"type": "object", "properties": {"a": {"type": "string", "pattern": r"\Q.\E["}}}
    schema = {"type": "object", "properties": {"spec": spec}}
    crd["spec"]["versions"] = [{"name": "v1", "schema": {"openAPIV3Schema": schema}}]
    schemas = KubernetesSchemas("1.35", [crd])
    assert schemas.check(node_pool(a="b")) == []
    assert [p.property for p in schemas.check(node_pool(b="b"))] == ["spec.b"]


def test_a_definition_without_its_parts_is_refused():
    with pytest.raises(ValueError, match="spec"):
        SCHEMAS.add_custom_resource_definition({"kind": "CustomResourceDefinition"})


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.sampled_from(["a", "", "1Gi", "Exists"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
PATHS = st.sampled_from(
    [
        "metadata.labels",
        "metadata.annotations",
        "metadata.name",
        "spec.selector",
        "spec.template",
        "spec.template.metadata",
        "spec.template.spec",
        "spec.template.spec.tolerations",
        "spec.template.spec.volumes",
        "spec.template.spec.containers",
        f"{CONTAINER}.ports",
        f"{CONTAINER}.resources",
        f"{CONTAINER}.resources.limits",
        f"{CONTAINER}.readinessProbe",
        f"{CONTAINER}.volumeMounts",
    ]
)


@given(PATHS, VALUES)
def test_no_object_is_too_odd_to_be_judged(path, value):
    assert isinstance(SCHEMAS.check(changed(path, value)), list)


def test_a_custom_resource_with_pods_of_its_own_kind_is_left_to_its_schema():
    spec = {"template": {"spec": {"containers": [{"imagine": "that"}]}}}
    schemas = KubernetesSchemas("1.35")
    free = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    crd: dict[str, Any] = copy.deepcopy(NODE_POOL)
    crd["spec"]["versions"] = [{"name": "v1", "schema": {"openAPIV3Schema": free}}]
    schemas.add_custom_resource_definition(crd)
    assert schemas.check(node_pool(**spec)) == []


def test_a_whole_number_on_the_wire_is_an_integer():
    assert SCHEMAS.check(changed("spec.replicas", 3.0)) == []


def test_every_kind_of_the_version_compiles():
    for key in SCHEMAS._kinds:
        SCHEMAS._compile(key)


@pytest.mark.parametrize("field", [*ENUMS, *ITEM_ENUMS, *RANGES], ids=lambda field: ".".join(field)[-50:])
def test_the_vocabulary_is_of_fields_there_are(field):
    definition, name = field
    assert name in SCHEMAS._definitions[definition]["properties"]
