"""What is refused of objects that can be read: every cause with Kubernetes' field path and words."""

from typing import Any

import pytest

from emulator.cluster import names
from emulator.cluster.store import Object
from tests.emulator.cluster.writes.writing import CONFIG_MAP, DEPLOYMENT, POD, Api, changed, refusal

SERVICE: Object = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "search"},
    "spec": {"ports": [{"port": 80}], "selector": {"app": "search"}},
}
SECRET: Object = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "search"}}
CRON_JOB: Object = {
    "apiVersion": "batch/v1",
    "kind": "CronJob",
    "metadata": {"name": "nightly"},
    "spec": {
        "schedule": "@daily",
        "jobTemplate": {
            "spec": {
                "template": {
                    "spec": {"restartPolicy": "Never", "containers": [{"name": "a", "image": "a:1"}]}
                }
            }
        },
    },
}
AUTOSCALER: Object = {
    "apiVersion": "autoscaling/v2",
    "kind": "HorizontalPodAutoscaler",
    "metadata": {"name": "search"},
    "spec": {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "search"},
        "minReplicas": 2,
        "maxReplicas": 4,
    },
}
BUDGET: Object = {
    "apiVersion": "policy/v1",
    "kind": "PodDisruptionBudget",
    "metadata": {"name": "search"},
    "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "search"}}},
}
CONTAINER = "spec.containers.0"
REQUIRED, INVALID, FORBIDDEN = "FieldValueRequired", "FieldValueInvalid", "FieldValueForbidden"
DUPLICATE, NOT_SUPPORTED = "FieldValueDuplicate", "FieldValueNotSupported"


def node_affinity(key: str, operator: str) -> Object:
    terms = [{"matchExpressions": [{"key": key, "operator": operator}]}]
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
    return {"nodeAffinity": required}


def two_ports(*names: str) -> list[Object]:
    return [{"port": 80 + place, **({"name": name} if name else {})} for place, name in enumerate(names)]


@pytest.mark.parametrize(
    ("obj", "change", "cause"),
    [
        (POD, ("spec.containers", []), ("spec.containers", REQUIRED, "Required value")),
        (
            POD,
            ("spec.volumes", [{"name": "v", "configMap": {"items": [{"key": "a", "path": "a/../../b"}]}}]),
            (
                *("spec.volumes[0].configMap.items[0].path", INVALID),
                "Invalid value: \"a/../../b\": must not contain '..'",
            ),
        ),
        (
            POD,
            (
                "spec.volumes",
                [
                    {
                        "name": "v",
                        "projected": {"sources": [{"secret": {"items": [{"key": "a", "path": "/b"}]}}]},
                    }
                ],
            ),
            (
                *("spec.volumes[0].projected.sources[0].secret.items[0].path", INVALID),
                'Invalid value: "/b": must be a relative path',
            ),
        ),
        (
            POD,
            (
                "spec",
                {
                    "volumes": [{"name": "v", "emptyDir": {}}],
                    "containers": [
                        {
                            "name": "app",
                            "image": "a:1",
                            "volumeMounts": [{"name": "v", "mountPath": "/v", "subPath": "../v"}],
                        }
                    ],
                },
            ),
            (
                *("spec.containers[0].volumeMounts[0].subPath", INVALID),
                "Invalid value: \"../v\": must not contain '..'",
            ),
        ),
        (
            BUDGET,
            ("spec.selector", {"matchExpressions": [{"key": "app", "operator": "In"}]}),
            (
                *("spec.selector.matchExpressions[0].values", REQUIRED),
                "Required value: must be specified when `operator` is 'In' or 'NotIn'",
            ),
        ),
        (
            BUDGET,
            ("spec.selector", {"matchExpressions": [{"key": "app", "operator": "Exists", "values": ["a"]}]}),
            (
                *("spec.selector.matchExpressions[0].values", FORBIDDEN),
                "Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
            ),
        ),
        (
            BUDGET,
            ("spec.selector", {"matchExpressions": [{"key": "[", "operator": "Exists"}]}),
            (
                *("spec.selector.matchExpressions[0].key", INVALID),
                f'Invalid value: "[": name part {names.QUALIFIED_ERROR}',
            ),
        ),
        (
            POD,
            ("spec.affinity", node_affinity("disk", "Gt")),
            (
                "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution."
                "nodeSelectorTerms[0].matchExpressions[0].values",
                REQUIRED,
                "Required value: must be specified single value when `operator` is 'Lt' or 'Gt'",
            ),
        ),
        (
            POD,
            (f"{CONTAINER}.name", None),
            ("spec.containers[0].name", REQUIRED, "Required value"),
        ),
        (
            POD,
            (f"{CONTAINER}.image", " a"),
            (
                *("spec.containers[0].image", INVALID),
                'Invalid value: " a": must not have leading or trailing whitespace',
            ),
        ),
        (
            POD,
            ("spec.containers", [POD["spec"]["containers"][0]] * 2),
            ("spec.containers[1].name", DUPLICATE, 'Duplicate value: "search"'),
        ),
        (
            POD,
            (f"{CONTAINER}.volumeMounts", [{"name": "cache", "mountPath": "/cache"}]),
            ("spec.containers[0].volumeMounts[0].name", "FieldValueNotFound", 'Not found: "cache"'),
        ),
        (
            POD,
            (f"{CONTAINER}.readinessProbe", {}),
            (
                *("spec.containers[0].readinessProbe", REQUIRED),
                "Required value: must specify a handler type",
            ),
        ),
        (
            POD,
            (f"{CONTAINER}.livenessProbe", {"exec": {"command": ["a"]}, "grpc": {"port": 1}}),
            (
                *("spec.containers[0].livenessProbe.grpc", FORBIDDEN),
                "Forbidden: may not specify more than 1 handler type",
            ),
        ),
        (
            POD,
            (f"{CONTAINER}.livenessProbe", {"grpc": {"port": 1}, "successThreshold": 2}),
            ("spec.containers[0].livenessProbe.successThreshold", INVALID, "Invalid value: 2: must be 1"),
        ),
        (
            POD,
            (f"{CONTAINER}.ports", [{"containerPort": 70000}]),
            (
                *("spec.containers[0].ports[0].containerPort", INVALID),
                "Invalid value: 70000: must be between 1 and 65535, inclusive",
            ),
        ),
        (
            POD,
            (f"{CONTAINER}.ports", [{"containerPort": 80, "name": "HTTP"}]),
            (
                *("spec.containers[0].ports[0].name", INVALID),
                'Invalid value: "HTTP": must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)',
            ),
        ),
        (
            POD,
            (f"{CONTAINER}.resources", {"requests": {"memory": "2Gi"}, "limits": {"memory": "1Gi"}}),
            (
                *("spec.containers[0].resources.requests", INVALID),
                'Invalid value: "2Gi": must be less than or equal to memory limit of 1Gi',
            ),
        ),
        (
            POD,
            (f"{CONTAINER}.resources", {"requests": {"nvidia.com/gpu": 1}}),
            (
                *("spec.containers[0].resources.limits", REQUIRED),
                "Required value: Limit must be set for non overcommitable resources",
            ),
        ),
        (
            POD,
            ("spec.tolerations", [{"value": "b"}]),
            (
                *("spec.tolerations[0].operator", INVALID),
                'Invalid value: "Equal": operator must be Exists when `key` is empty, which means "match all '
                'values and all keys"',
            ),
        ),
        (
            POD,
            ("spec.volumes", [{"name": "a", "emptyDir": {}, "configMap": {"name": "b"}}]),
            (
                *("spec.volumes[0].emptyDir", FORBIDDEN),
                "Forbidden: may not specify more than 1 volume type",
            ),
        ),
        (
            POD,
            ("metadata.labels", {"app": "a b"}),
            (
                *("metadata.labels", INVALID),
                'Invalid value: "a b": a valid label must be an empty string or consist of alphanumeric '
                "characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. "
                "'MyValue',  or 'my_value',  or '12345', regex used for validation is "
                "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
            ),
        ),
        (
            DEPLOYMENT,
            ("spec.strategy", {"type": "Recreate", "rollingUpdate": {"maxSurge": 1}}),
            (
                *("spec.strategy.rollingUpdate", FORBIDDEN),
                "Forbidden: may not be specified when strategy `type` is 'Recreate'",
            ),
        ),
        (
            DEPLOYMENT,
            ("spec.strategy", {"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 0}}),
            (
                *("spec.strategy.rollingUpdate.maxUnavailable", INVALID),
                "Invalid value: 0: may not be 0 when `maxSurge` is 0",
            ),
        ),
        (
            DEPLOYMENT,
            ("spec.minReadySeconds", 600),
            (
                *("spec.progressDeadlineSeconds", INVALID),
                "Invalid value: 600: must be greater than minReadySeconds",
            ),
        ),
        (DEPLOYMENT, ("spec.selector", None), ("spec.selector", REQUIRED, "Required value")),
        (
            DEPLOYMENT,
            ("spec.template.spec.restartPolicy", "Never"),
            (
                *("spec.template.spec.restartPolicy", NOT_SUPPORTED),
                'Unsupported value: "Never": supported values: "Always"',
            ),
        ),
        (SERVICE, ("spec.ports", []), ("spec.ports", REQUIRED, "Required value")),
        (
            SERVICE,
            ("spec.ports", two_ports("a", "")),
            ("spec.ports[1].name", REQUIRED, "Required value"),
        ),
        (
            SERVICE,
            ("spec.ports", two_ports("a", "a")),
            ("spec.ports[1].name", DUPLICATE, 'Duplicate value: "a"'),
        ),
        (
            SERVICE,
            ("spec.ports.0.targetPort", 0),
            (
                *("spec.ports[0].targetPort", INVALID),
                "Invalid value: 0: must be between 1 and 65535, inclusive",
            ),
        ),
        (
            SERVICE,
            ("spec.type", "Cluster"),
            (
                *("spec.type", NOT_SUPPORTED),
                'Unsupported value: "Cluster": supported values: "ClusterIP", "ExternalName", "LoadBalancer", '
                '"NodePort"',
            ),
        ),
        (
            SERVICE,
            ("metadata.name", "1search"),
            (
                *("metadata.name", INVALID),
                'Invalid value: "1search": a DNS-1035 label must consist of lower case alphanumeric characters '
                "or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. "
                "'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')",
            ),
        ),
        (
            CONFIG_MAP,
            ("data.a b", "1"),
            (
                *("data[a b]", INVALID),
                "Invalid value: \"a b\": a valid config key must consist of alphanumeric characters, '-', '_' or "
                "'.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is "
                "'[-._a-zA-Z0-9]+')",
            ),
        ),
        (
            CONFIG_MAP,
            ("data", {"a": "x" * (1024 * 1024 + 1)}),
            ("", "FieldValueTooLong", "Too long: may not be more than 1048576 bytes"),
        ),
        (
            SECRET,
            ("type", "kubernetes.io/ssh-auth"),
            ("data[ssh-privatekey]", REQUIRED, "Required value"),
        ),
        (
            CRON_JOB,
            ("spec.schedule", "daily"),
            (
                *("spec.schedule", INVALID),
                'Invalid value: "daily": expected exactly 5 fields, found 1: [daily]',
            ),
        ),
        (
            CRON_JOB,
            ("spec.jobTemplate.spec.backoffLimit", -1),
            (
                *("spec.jobTemplate.spec.backoffLimit", INVALID),
                "Invalid value: -1: must be greater than or equal to 0",
            ),
        ),
        (
            CRON_JOB,
            ("spec.jobTemplate.spec.template.spec.restartPolicy", "Always"),
            (
                *("spec.jobTemplate.spec.template.spec.restartPolicy", NOT_SUPPORTED),
                'Unsupported value: "Always": supported values: "OnFailure", "Never"',
            ),
        ),
        (
            AUTOSCALER,
            ("spec.maxReplicas", 1),
            (
                *("spec.maxReplicas", INVALID),
                "Invalid value: 1: must be greater than or equal to `minReplicas`",
            ),
        ),
        (
            BUDGET,
            ("spec.minAvailable", "half"),
            (
                *("spec.minAvailable", INVALID),
                'Invalid value: "half": a valid percent string must be a numeric string followed by an ending '
                "'%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')",
            ),
        ),
        (
            BUDGET,
            ("spec.maxUnavailable", 1),
            (
                *("spec", INVALID),
                'Invalid value: {"minAvailable":1,"selector":{"matchLabels":{"app":"search"}},"maxUnavailable":1}'
                ": minAvailable and maxUnavailable cannot be both set",
            ),
        ),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) and len(value) == 3 else "",
)
def test_causes(api: Api, obj: Object, change: tuple[str, Any], cause: tuple[str, str, str]) -> None:
    refused = refusal(api.create, changed(obj, *change))
    assert (refused.code, refused.reason) == (422, "Invalid")
    assert [(each.field, each.reason, each.message) for each in refused.causes] == [cause]


@pytest.mark.parametrize("obj", [SERVICE, SECRET, CRON_JOB, AUTOSCALER, BUDGET], ids=lambda obj: obj["kind"])
def test_without_the_change_they_are_taken(api: Api, obj: Object) -> None:
    assert api.create(obj)["metadata"]["uid"]


def test_what_only_a_person_would_regret_is_taken(api: Api) -> None:
    """A probe of a port that no container names: the rehearsal tells, an API server does not."""
    probe = {"httpGet": {"port": "htp"}}
    assert api.create(changed(POD, f"{CONTAINER}.readinessProbe", probe))


def test_the_status_of_a_built_in_kind_may_lack_what_go_has_zero_values_for(api: Api) -> None:
    made = api.create(POD)
    status = {"containerStatuses": [{"name": "search", "ready": True}]}
    assert api.update({**made, "status": status}, "status")["status"] == status
    labelled = api.patch(POD, {"metadata": {"labels": {"a": "b"}}})
    assert labelled["status"]["containerStatuses"] == status["containerStatuses"]
