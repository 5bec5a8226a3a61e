"""What the API server fills in."""

from typing import Any

import pytest

from emulator.cluster.resources import Resources
from emulator.cluster.store import Object, copy_of
from emulator.cluster.writes import defaults
from emulator.cluster.writes.pod_defaults import quality_of_service

RESOURCES = Resources()


def with_defaults(qualified: str, **fields: Any) -> Object:
    return defaults.apply(RESOURCES[qualified], {"metadata": {"name": "a"}, **fields})


def pod(**spec: Any) -> Object:
    return with_defaults("pods", spec={"containers": [{"name": "a", "image": "a:1"}], **spec})


def test_a_pod() -> None:
    assert pod() == {
        "metadata": {"name": "a"},
        "spec": {
            "containers": [
                {
                    "name": "a",
                    "image": "a:1",
                    "imagePullPolicy": "IfNotPresent",
                    "resources": {},
                    "terminationMessagePath": "/dev/termination-log",
                    "terminationMessagePolicy": "File",
                }
            ],
            "dnsPolicy": "ClusterFirst",
            "enableServiceLinks": True,
            "preemptionPolicy": "PreemptLowerPriority",
            "priority": 0,
            "restartPolicy": "Always",
            "schedulerName": "default-scheduler",
            "securityContext": {},
            "serviceAccount": "default",
            "serviceAccountName": "default",
            "terminationGracePeriodSeconds": 30,
            "tolerations": [
                {"key": f"node.kubernetes.io/{taint}", "operator": "Exists", "effect": "NoExecute"}
                | {"tolerationSeconds": 300}
                for taint in ("not-ready", "unreachable")
            ],
        },
        "status": {"phase": "Pending", "qosClass": "BestEffort"},
    }


@pytest.mark.parametrize(
    "qualified",
    [
        *("pods", "deployments.apps", "statefulsets.apps", "daemonsets.apps", "jobs.batch", "cronjobs.batch"),
        *("services", "secrets", "namespaces", "persistentvolumeclaims", "poddisruptionbudgets.policy"),
        *("horizontalpodautoscalers.autoscaling", "networkpolicies.networking.k8s.io", "replicasets.apps"),
    ],
)
def test_applying_defaults_twice_changes_nothing(qualified: str) -> None:
    template = {"spec": {"containers": [{"name": "a", "image": "a", "livenessProbe": {"grpc": {"port": 1}}}]}}
    job = {"spec": {"template": copy_of(template)}}
    spec = {"template": template, "jobTemplate": job, "ports": [{"port": 1}], "containers": []}
    once = with_defaults(qualified, spec=spec)
    assert defaults.apply(RESOURCES[qualified], once) == once


@pytest.mark.parametrize(
    ("image", "policy"),
    [
        ("nginx", "Always"),
        ("nginx:latest", "Always"),
        ("nginx:1.27", "IfNotPresent"),
        ("registry:5000/nginx", "Always"),
        ("registry:5000/nginx:1.27", "IfNotPresent"),
        ("nginx@sha256:abc", "IfNotPresent"),
    ],
)
def test_an_image_is_pulled_always_when_its_tag_may_move(image: str, policy: str) -> None:
    made = pod(containers=[{"name": "a", "image": image}])
    assert made["spec"]["containers"][0]["imagePullPolicy"] == policy


def test_a_probe() -> None:
    probe = {"httpGet": {"port": 80}, "timeoutSeconds": 0}
    made = pod(containers=[{"name": "a", "readinessProbe": probe}])
    assert made["spec"]["containers"][0]["readinessProbe"] == {
        "httpGet": {"port": 80, "path": "/", "scheme": "HTTP"},
        "timeoutSeconds": 1,
        "periodSeconds": 10,
        "successThreshold": 1,
        "failureThreshold": 3,
    }


def test_volumes() -> None:
    projected = {"sources": [{"serviceAccountToken": {"path": "token"}}]}
    given = [{"name": "a"}, {"name": "b", "configMap": {"name": "c"}}, {"name": "d", "projected": projected}]
    assert pod(volumes=given)["spec"]["volumes"] == [
        {"name": "a", "emptyDir": {}},
        {"name": "b", "configMap": {"name": "c", "defaultMode": 420}},
        {
            "name": "d",
            "projected": {
                "sources": [{"serviceAccountToken": {"path": "token", "expirationSeconds": 3600}}],
                "defaultMode": 420,
            },
        },
    ]


def test_only_a_pod_requests_what_it_limits() -> None:
    spec = {
        "containers": [{"name": "a", "resources": {"limits": {"cpu": "1"}, "requests": {"memory": "1Gi"}}}]
    }
    made = with_defaults("pods", spec=spec)["spec"]["containers"][0]["resources"]
    assert made["requests"] == {"cpu": "1", "memory": "1Gi"}
    template = with_defaults("deployments.apps", spec={"template": {"spec": spec}})["spec"]["template"]
    assert template["spec"]["containers"][0]["resources"]["requests"] == {"memory": "1Gi"}


def test_a_pod_that_tolerates_a_lost_node_is_asked_nothing_more() -> None:
    assert pod(tolerations=[{"operator": "Exists"}])["spec"]["tolerations"] == [{"operator": "Exists"}]


def test_a_system_priority_is_known() -> None:
    assert pod(priorityClassName="system-node-critical")["spec"]["priority"] == 2_000_001_000


@pytest.mark.parametrize(
    ("resources", "quality"),
    [
        ({}, "BestEffort"),
        ({"requests": {"cpu": "1"}}, "Burstable"),
        ({"limits": {"cpu": "1", "memory": "1Gi"}}, "Guaranteed"),
        (
            {"limits": {"cpu": "1", "memory": "1Gi"}, "requests": {"cpu": "500m", "memory": "1Gi"}},
            "Burstable",
        ),
        ({"limits": {"nvidia.com/gpu": "1"}}, "BestEffort"),
    ],
)
def test_quality_of_service(resources: Object, quality: str) -> None:
    assert quality_of_service({"containers": [{"name": "a", "resources": resources}]}) == quality


def test_a_job_selects_its_own_pods() -> None:
    made = with_defaults("jobs.batch", spec={"template": {"spec": {"containers": []}}})
    uid = made["metadata"]["uid"]
    assert made["spec"]["selector"] == {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}}
    assert made["spec"]["template"]["metadata"]["labels"]["job-name"] == "a"
    assert (made["spec"]["completions"], made["spec"]["parallelism"]) == (1, 1)
    assert made["spec"]["backoffLimit"] == 6


def test_a_work_queue_has_no_number_of_completions() -> None:
    made = with_defaults("jobs.batch", spec={"parallelism": 3, "template": {}})
    assert "completions" not in made["spec"]


def test_a_cron_job() -> None:
    spec = {"schedule": "@daily", "jobTemplate": {"spec": {"template": {"spec": {"containers": []}}}}}
    made = with_defaults("cronjobs.batch", spec=spec)["spec"]
    assert (made["concurrencyPolicy"], made["suspend"]) == ("Allow", False)
    assert (made["successfulJobsHistoryLimit"], made["failedJobsHistoryLimit"]) == (3, 1)
    assert made["jobTemplate"]["spec"]["template"]["spec"]["dnsPolicy"] == "ClusterFirst"


def test_a_stateful_set() -> None:
    claim = {"metadata": {"name": "data"}, "spec": {}}
    made = with_defaults("statefulsets.apps", spec={"template": {}, "volumeClaimTemplates": [claim]})["spec"]
    assert made["updateStrategy"] == {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}}
    assert made["podManagementPolicy"] == "OrderedReady"
    assert made["persistentVolumeClaimRetentionPolicy"] == {"whenDeleted": "Retain", "whenScaled": "Retain"}
    assert made["volumeClaimTemplates"][0]["spec"]["volumeMode"] == "Filesystem"


def test_a_daemon_set() -> None:
    made = with_defaults("daemonsets.apps", spec={"template": {}})["spec"]
    assert made["updateStrategy"]["rollingUpdate"] == {"maxUnavailable": 1, "maxSurge": 0}


def test_a_service() -> None:
    made = with_defaults("services", spec={"ports": [{"port": 80}, {"port": 90, "targetPort": "http"}]})
    assert made["spec"] == {
        "type": "ClusterIP",
        "sessionAffinity": "None",
        "internalTrafficPolicy": "Cluster",
        "ipFamilies": ["IPv4"],
        "ipFamilyPolicy": "SingleStack",
        "ports": [
            {"port": 80, "protocol": "TCP", "targetPort": 80},
            {"port": 90, "protocol": "TCP", "targetPort": "http"},
        ],
    }
    assert made["status"] == {"loadBalancer": {}}


def test_a_namespace() -> None:
    made = with_defaults("namespaces")
    assert made["metadata"]["labels"] == {"kubernetes.io/metadata.name": "a"}
    assert made["status"] == {"phase": "Active"}


def test_an_autoscaler() -> None:
    made = with_defaults("horizontalpodautoscalers.autoscaling", spec={"maxReplicas": 3, "behavior": {}})
    assert made["spec"]["minReplicas"] == 1
    assert made["spec"]["metrics"][0]["resource"]["target"]["averageUtilization"] == 80
    assert made["spec"]["behavior"]["scaleDown"]["policies"] == [
        {"type": "Percent", "value": 100, "periodSeconds": 15}
    ]


@pytest.mark.parametrize(("spec", "types"), [({}, ["Ingress"]), ({"egress": [{}]}, ["Ingress", "Egress"])])
def test_a_network_policy_is_of_the_types_it_has_rules_of(spec: Object, types: list[str]) -> None:
    assert with_defaults("networkpolicies.networking.k8s.io", spec=spec)["spec"]["policyTypes"] == types


def test_the_subjects_of_a_role_binding() -> None:
    subjects = [{"kind": "User", "name": "a"}, {"kind": "ServiceAccount", "name": "b"}]
    made = with_defaults("rolebindings.rbac.authorization.k8s.io", subjects=subjects)
    assert made["subjects"] == [
        {"kind": "User", "name": "a", "apiGroup": "rbac.authorization.k8s.io"},
        {"kind": "ServiceAccount", "name": "b"},
    ]
