"""PUT: what changes, what stays, and what must not change."""

from typing import Any

import pytest

from emulator.cluster.store import Object
from tests.emulator.cluster.writes.writing import (
    CONFIG_MAP,
    DEPLOYMENT,
    NAMESPACE,
    POD,
    Api,
    changed,
    node_pool,
    refusal,
)


def test_an_update_replaces_the_object_and_keeps_its_status(api: Api) -> None:
    made = api.create(DEPLOYMENT)
    api.update({**made, "status": {"replicas": 3}}, "status")
    stored = api.update({**changed(DEPLOYMENT, "spec.replicas", 5), "status": {"replicas": 99}})
    assert stored["spec"]["replicas"] == 5
    assert stored["status"] == {"replicas": 3}
    assert stored["metadata"]["uid"] == made["metadata"]["uid"]
    assert stored["metadata"]["generation"] == 2


def test_an_update_of_the_status_changes_nothing_else(api: Api) -> None:
    made = api.create(DEPLOYMENT)
    changes = {**changed(made, "spec.replicas", 9), "status": {"replicas": 3}}
    stored = api.update(changed(changes, "metadata.labels", {"a": "b"}), "status", field_manager="me")
    assert stored["spec"]["replicas"] == 3
    assert stored["status"] == {"replicas": 3}
    assert stored["metadata"]["labels"] == {"app": "search"}
    assert stored["metadata"]["generation"] == 1
    (entry,) = (each for each in stored["metadata"]["managedFields"] if each["manager"] == "me")
    assert (entry["subresource"], entry["fieldsV1"]) == ("status", {"f:status": {"f:replicas": {}}})


def test_an_update_without_a_version_is_taken(api: Api) -> None:
    api.create(CONFIG_MAP)
    assert api.update({**CONFIG_MAP, "data": {"c": "3"}})["data"] == {"c": "3"}


def test_an_update_of_an_older_version_is_a_conflict(api: Api) -> None:
    made = api.create(CONFIG_MAP)
    api.update({**CONFIG_MAP, "data": {"c": "3"}})
    refused = refusal(api.update, made)
    assert (refused.code, refused.reason) == (409, "Conflict")
    assert refused.message.startswith(
        'Operation cannot be fulfilled on configmaps "settings": the object has'
    )


def test_an_update_of_another_object_of_that_name_is_a_conflict(api: Api) -> None:
    api.create(CONFIG_MAP)
    assert (
        "Precondition failed: UID"
        in refusal(api.update, changed(CONFIG_MAP, "metadata.uid", "other")).message
    )


def test_a_custom_resource_needs_a_version_to_be_updated(custom_api: Api) -> None:
    custom_api.create(node_pool())
    assert refusal(custom_api.update, node_pool(size=2)).message == (
        'NodePool.karpenter.sh "gpu" is invalid: metadata.resourceVersion: Invalid value: 0: must be '
        "specified for an update"
    )


def test_what_is_not_there_is_not_updated(api: Api) -> None:
    assert refusal(api.update, CONFIG_MAP).code == 404


@pytest.mark.parametrize(
    ("metadata", "told"),
    [
        ({"name": "other"}, "the name of the object (other) does not match the name on the URL (settings)"),
        ({}, "name must be provided"),
        ({"name": "settings", "namespace": "other"}, "the namespace of the provided object does not match"),
    ],
)
def test_url_and_object_name_the_same(api: Api, metadata: Object, told: str) -> None:
    api.create(CONFIG_MAP)
    body = {**CONFIG_MAP, "metadata": metadata}
    resource = api.resources["configmaps"]
    refused = refusal(api.writes.update, resource, NAMESPACE, "settings", body, api.options)
    assert refused.code == 400
    assert told in refused.message


def test_a_dry_run(api: Api) -> None:
    made = api.create(CONFIG_MAP)
    assert api.update({**CONFIG_MAP, "data": {}}, dry_run=True).get("data") is None
    assert api.get(CONFIG_MAP) is made


def test_a_service_keeps_what_it_was_given(api: Api) -> None:
    service: Object = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "search"},
        "spec": {"type": "NodePort", "ports": [{"port": 80}]},
    }
    made = api.create(service)
    stored = api.update(changed(service, "spec.selector", {"app": "search"}))
    assert stored["spec"]["clusterIP"] == made["spec"]["clusterIP"]
    assert stored["spec"]["ports"] == made["spec"]["ports"]


def test_a_namespace_keeps_its_finalizer(api: Api) -> None:
    namespace = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": NAMESPACE, "labels": {"a": "b"}},
    }
    stored = api.update(namespace)
    assert stored["spec"] == {"finalizers": ["kubernetes"]}
    assert stored["metadata"]["finalizers"] == ["kubernetes"]
    assert stored["metadata"]["labels"] == {"a": "b", "kubernetes.io/metadata.name": NAMESPACE}


def test_a_namespace_is_finalized(api: Api) -> None:
    namespaces = api.resources["namespaces"]
    going = api.writes.delete(namespaces, "", NAMESPACE, {})
    api.update({**going, "spec": {"finalizers": []}}, "finalize")
    assert api.store.find(namespaces, "", NAMESPACE) is None


STATEFUL_SET: Object = {
    **DEPLOYMENT,
    "kind": "StatefulSet",
    "spec": {**DEPLOYMENT["spec"], "serviceName": "search"},
}
JOB: Object = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {"name": "reindex"},
    "spec": {
        "template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "reindex", "image": "a:1"}]}}
    },
}
SERVICE: Object = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "search"},
    "spec": {"ports": [{"port": 80}]},
}
STORAGE_CLASS: Object = {
    "apiVersion": "storage.k8s.io/v1",
    "kind": "StorageClass",
    "metadata": {"name": "gp3"},
    "provisioner": "ebs.csi.aws.com",
    "parameters": {"type": "gp3"},
}
CLAIM: Object = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "data"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}
ROLE_BINDING: Object = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "RoleBinding",
    "metadata": {"name": "readers"},
    "roleRef": {"kind": "Role", "name": "reader", "apiGroup": "rbac.authorization.k8s.io"},
}
OTHER = {"matchLabels": {"app": "other"}}


@pytest.mark.parametrize(
    ("obj", "change", "field", "told"),
    [
        (
            changed(DEPLOYMENT, "spec.template.metadata.labels", {"app": "search", "tier": "web"}),
            ("spec.selector.matchLabels", {"tier": "web"}),
            "spec.selector",
            'Invalid value: {"matchLabels":{"tier":"web"}}: field is immutable',
        ),
        (
            STATEFUL_SET,
            ("spec.serviceName", "other"),
            "spec",
            "Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', "
            "'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and "
            "'minReadySeconds' are forbidden",
        ),
        (JOB, ("spec.completions", 2), "spec.completions", "Invalid value: 2: field is immutable"),
        (
            POD,
            ("spec.nodeName", "other"),
            "spec",
            "Forbidden: pod updates may not change fields other than `spec.containers[*].image`,"
            "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to "
            "existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was "
            "previously negative)",
        ),
        (
            SERVICE,
            ("spec.clusterIP", "127.9.9.9"),
            "spec.clusterIPs[0]",
            'Invalid value: ["127.9.9.9"]: may not change once set',
        ),
        (
            changed(CONFIG_MAP, "immutable", True),
            ("data.a", "2"),
            "data",
            "Forbidden: field is immutable when `immutable` is set",
        ),
        (
            STORAGE_CLASS,
            ("parameters.type", "io2"),
            "parameters",
            "Forbidden: updates to parameters are forbidden.",
        ),
        (
            CLAIM,
            ("spec.accessModes", ["ReadWriteMany"]),
            "spec",
            "Forbidden: spec is immutable after creation except resources.requests and "
            "volumeAttributesClassName for bound claims",
        ),
        (
            ROLE_BINDING,
            ("roleRef.name", "writer"),
            "roleRef",
            'Invalid value: {"kind":"Role","name":"writer","apiGroup":"rbac.authorization.k8s.io"}: cannot '
            "change roleRef",
        ),
    ],
    ids=lambda value: value["kind"] if isinstance(value, dict) else "",
)
def test_immutable_fields(api: Api, obj: Object, change: tuple[str, Any], field: str, told: str) -> None:
    made = api.create(obj)
    refused = refusal(api.update, changed(made, *change))
    assert refused.code == 422
    assert [(cause.field, cause.message) for cause in refused.causes] == [(field, told)]


def test_the_template_of_a_job_is_immutable(api: Api) -> None:
    made = api.create(JOB)
    refused = refusal(api.update, changed(made, "spec.template.spec.containers.0.image", "a:2"))
    assert [cause.field for cause in refused.causes] == ["spec.template"]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("spec.containers.0.image", "search:2"),
        ("spec.activeDeadlineSeconds", 5),
        ("metadata.labels", {"a": "b"}),
    ],
)
def test_what_may_change_of_a_pod(api: Api, path: str, value: Any) -> None:
    made = api.create(POD)
    assert api.update(changed(made, path, value)) is not made


def test_tolerations_of_a_pod_are_added_but_not_taken(api: Api) -> None:
    made = api.create(POD)
    more = [*made["spec"]["tolerations"], {"key": "gpu", "operator": "Exists"}]
    assert api.update(changed(made, "spec.tolerations", more))["spec"]["tolerations"] == more
    less = changed(api.get(POD) or {}, "spec.tolerations", more[:1])
    assert [c.field for c in refusal(api.update, less).causes] == ["spec.tolerations"]


def test_containers_of_a_pod_are_neither_added_nor_taken(api: Api) -> None:
    made = api.create(POD)
    more = [*made["spec"]["containers"], {"name": "b", "image": "b:1"}]
    (cause,) = refusal(api.update, changed(made, "spec.containers", more)).causes
    assert cause.message == "Forbidden: pod updates may not add or remove containers"


def test_a_claim_may_grow(api: Api) -> None:
    made = api.create(CLAIM)
    assert api.update(changed(made, "spec.resources.requests.storage", "2Gi"))["metadata"]["generation"] == 2


def test_what_goes_gets_no_new_finalizers(api: Api) -> None:
    api.create(changed(CONFIG_MAP, "metadata.finalizers", ["a.b/c"]))
    going = api.delete(CONFIG_MAP)
    (cause,) = refusal(api.update, changed(going, "metadata.finalizers", ["a.b/c", "d.e/f"])).causes
    assert cause.message == (
        "Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers "
        '[]string{"d.e/f"}'
    )


def test_the_last_finalizer_lets_an_object_go(api: Api) -> None:
    api.create(changed(CONFIG_MAP, "metadata.finalizers", ["a.b/c"]))
    api.delete(CONFIG_MAP)
    api.patch(CONFIG_MAP, {"metadata": {"finalizers": None}})
    assert api.get(CONFIG_MAP) is None
