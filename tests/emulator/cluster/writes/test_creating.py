"""What a create request makes, and what is refused, with the words of a real API server."""

import base64

import pytest

from emulator.cluster.status import ApiError
from tests.emulator.cluster.writes.writing import (
    CONFIG_MAP,
    DEPLOYMENT,
    NAMESPACE,
    POD,
    Api,
    changed,
    refusal,
)


def test_a_deployment_is_stored_with_its_defaults(api: Api) -> None:
    made = api.create(changed(DEPLOYMENT, "spec.replicas", None))
    assert made["metadata"]["namespace"] == NAMESPACE
    assert made["spec"]["replicas"] == 1
    assert made["spec"]["strategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"},
    }
    container = made["spec"]["template"]["spec"]["containers"][0]
    assert container["imagePullPolicy"] == "IfNotPresent"
    assert container["ports"] == [{"name": "http", "containerPort": 8080, "protocol": "TCP"}]
    assert api.get(DEPLOYMENT) is made


def test_a_status_is_not_taken_from_a_client(api: Api) -> None:
    assert "status" not in api.create({**DEPLOYMENT, "status": {"replicas": 5}})


def test_a_name_is_generated(api: Api) -> None:
    made = api.create({**POD, "metadata": {"generateName": "search-"}})
    assert made["metadata"]["name"].startswith("search-")
    assert len(made["metadata"]["name"]) == len("search-") + 5


def test_kind_and_version_may_be_left_to_the_url(api: Api) -> None:
    bare = {key: CONFIG_MAP[key] for key in ("metadata", "data")}
    made = api.writes.create(api.resources["configmaps"], NAMESPACE, bare, api.options)
    assert (made["apiVersion"], made["kind"]) == ("v1", "ConfigMap")


def test_the_server_gives_uid_time_and_version(api: Api) -> None:
    told = {"uid": "mine", "creationTimestamp": "1999-01-01T00:00:00Z", "generation": 7}
    made = api.create({**POD, "metadata": {"name": "search", **told}})["metadata"]
    assert made["uid"] != "mine"
    assert (made["creationTimestamp"], made["generation"]) == ("2026-01-01T00:00:00Z", 1)


def test_a_dry_run_answers_and_stores_nothing(api: Api) -> None:
    version = api.store.version
    made = api.create(DEPLOYMENT, dry_run=True)
    assert made["metadata"]["uid"]
    assert "resourceVersion" not in made["metadata"]
    assert api.get(DEPLOYMENT) is None
    assert api.store.version == version


def test_a_dry_run_finds_the_name_taken_too(api: Api) -> None:
    api.create(DEPLOYMENT)
    assert refusal(api.create, DEPLOYMENT, dry_run=True).code == 409


def test_a_secret_takes_plain_text(api: Api) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}, "stringData": {"key": "text"}}
    made = api.create(secret)
    assert made["type"] == "Opaque"
    assert base64.b64decode(made["data"]["key"]) == b"text"
    assert "stringData" not in made


def test_a_pod_takes_the_priority_of_its_class(api: Api) -> None:
    high = {
        "apiVersion": "scheduling.k8s.io/v1",
        "kind": "PriorityClass",
        "metadata": {"name": "high"},
        "value": 1000,
    }
    api.create(high)
    made = api.create(changed(POD, "spec.priorityClassName", "high"))
    assert made["spec"]["priority"] == 1000


def test_a_service_gets_an_address_and_node_ports(api: Api) -> None:
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "search"},
        "spec": {"type": "NodePort", "ports": [{"port": 80}], "selector": {"app": "search"}},
    }
    spec = api.create(service)["spec"]
    assert (spec["clusterIP"], spec["clusterIPs"]) == ("127.0.1.1", ["127.0.1.1"])
    assert spec["ports"] == [{"port": 80, "targetPort": 80, "protocol": "TCP", "nodePort": 30000}]
    other = changed(changed(service, "metadata.name", "other"), "spec.clusterIP", "None")
    made = api.create(other)["spec"]
    assert (made["clusterIP"], made["clusterIPs"]) == ("None", ["None"])
    assert made["ports"][0]["nodePort"] == 30001


def test_a_new_objects_manager_is_named(api: Api) -> None:
    (entry,) = api.create(CONFIG_MAP, field_manager="kubectl-create")["metadata"]["managedFields"]
    assert entry == {
        "manager": "kubectl-create",
        "operation": "Update",
        "apiVersion": "v1",
        "time": "2026-01-01T00:00:00Z",
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:data": {".": {}, "f:a": {}, "f:b": {}}},
    }


def test_unknown_fields_are_dropped_with_a_warning(api: Api) -> None:
    misspelt = changed(DEPLOYMENT, "spec.template.spec.containers.0.imagee", "x")
    made = api.create(misspelt)
    assert "imagee" not in made["spec"]["template"]["spec"]["containers"][0]
    assert api.options.warnings == ['unknown field "spec.template.spec.containers[0].imagee"']


def test_unknown_fields_are_dropped_silently_when_asked(api: Api) -> None:
    api.create(changed(DEPLOYMENT, "spec.foo", 1), field_validation="Ignore")
    assert api.options.warnings == []


def test_unknown_fields_are_refused_when_asked(api: Api) -> None:
    misspelt = changed(changed(DEPLOYMENT, "spec.foo", 1), "metadata.labelz", {})
    assert refusal(api.create, misspelt, field_validation="Strict").body() == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": 'Deployment in version "v1" cannot be handled as a Deployment: strict decoding error: '
        'unknown field "metadata.labelz", unknown field "spec.foo"',
        "reason": "BadRequest",
        "code": 400,
    }


def test_a_field_validation_that_there_is_not(api: Api) -> None:
    assert refusal(api.create, DEPLOYMENT, field_validation="Lax").code == 400


def test_a_wrong_type_is_told_in_the_words_of_go(api: Api) -> None:
    refused = refusal(api.create, changed(DEPLOYMENT, "spec.replicas", "3"))
    assert (refused.code, refused.reason) == (400, "BadRequest")
    assert refused.message == (
        'Deployment in version "v1" cannot be handled as a Deployment: json: cannot unmarshal string into '
        "Go struct field DeploymentSpec.spec.replicas of type int32"
    )


def test_every_invalid_field_is_told_at_once(api: Api) -> None:
    broken = changed(DEPLOYMENT, "metadata.name", "Bad_Name")
    broken = changed(broken, "spec.replicas", -1)
    broken = changed(broken, "spec.template.metadata.labels.app", "other")
    broken = changed(broken, "spec.template.spec.containers.0.image", None)
    body = refusal(api.create, broken).body()
    assert (body["code"], body["reason"]) == (422, "Invalid")
    assert body["details"]["name"] == "Bad_Name"
    assert (body["details"]["group"], body["details"]["kind"]) == ("apps", "Deployment")
    assert body["details"]["causes"] == [
        {
            "reason": "FieldValueInvalid",
            "message": "Invalid value: -1: must be greater than or equal to 0",
            "field": "spec.replicas",
        },
        {
            "reason": "FieldValueInvalid",
            "message": 'Invalid value: "Bad_Name": a lowercase RFC 1123 subdomain must consist of lower case '
            "alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. "
            "'example.com', regex used for validation is "
            r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
            "field": "metadata.name",
        },
        {
            "reason": "FieldValueInvalid",
            "message": 'Invalid value: {"app":"other"}: `selector` does not match template `labels`',
            "field": "spec.template.metadata.labels",
        },
        {
            "reason": "FieldValueRequired",
            "message": "Required value",
            "field": "spec.template.spec.containers[0].image",
        },
    ]
    assert body["message"].startswith(
        'Deployment.apps "Bad_Name" is invalid: [spec.replicas: Invalid value: -1'
    )


def test_one_invalid_field(api: Api) -> None:
    broken = changed(POD, "spec.containers.0.imagePullPolicy", "Sometimes")
    assert refusal(api.create, broken).body() == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": 'Pod "search" is invalid: spec.containers[0].imagePullPolicy: Unsupported value: '
        '"Sometimes": supported values: "Always", "IfNotPresent", "Never"',
        "reason": "Invalid",
        "details": {
            "name": "search",
            "kind": "Pod",
            "causes": [
                {
                    "reason": "FieldValueNotSupported",
                    "message": 'Unsupported value: "Sometimes": supported values: "Always", "IfNotPresent", '
                    '"Never"',
                    "field": "spec.containers[0].imagePullPolicy",
                }
            ],
        },
        "code": 422,
    }


def message(refused: ApiError) -> tuple[int, str, str]:
    return refused.code, refused.reason, refused.message


def test_a_name_is_needed(api: Api) -> None:
    assert message(refusal(api.create, {**POD, "metadata": {}})) == (
        422,
        "Invalid",
        'Pod "" is invalid: metadata.name: Required value: name or generateName is required',
    )


def test_url_and_object_name_one_namespace(api: Api) -> None:
    assert message(refusal(api.create, changed(POD, "metadata.namespace", "other"))) == (
        400,
        "BadRequest",
        "the namespace of the provided object does not match the namespace sent on the request",
    )


def test_the_namespace_must_be_there(api: Api) -> None:
    assert message(refusal(api.create, POD, "elsewhere")) == (
        404,
        "NotFound",
        'namespaces "elsewhere" not found',
    )


def test_nothing_new_comes_into_a_namespace_that_goes(api: Api) -> None:
    namespaces = api.resources["namespaces"]
    gone = api.writes.delete(namespaces, "", NAMESPACE, {})
    assert gone["status"]["phase"] == "Terminating"
    refused = refusal(api.create, POD)
    assert message(refused) == (
        403,
        "Forbidden",
        'pods "search" is forbidden: unable to create new content in namespace search because it is being '
        "terminated",
    )
    assert refused.body()["details"]["causes"] == [
        {
            "reason": "NamespaceTerminating",
            "message": "namespace search is being terminated",
            "field": "metadata.namespace",
        }
    ]


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("apiVersion", "apps/v1beta1", "the API version in the data (apps/v1beta1) does not match"),
        ("kind", "StatefulSet", 'StatefulSet in version "v1" cannot be handled as a Deployment'),
    ],
)
def test_url_and_object_name_one_kind(api: Api, field: str, value: str, told: str) -> None:
    resource = api.resources["deployments.apps"]
    refused = refusal(api.writes.create, resource, NAMESPACE, {**DEPLOYMENT, field: value}, api.options)
    assert refused.code == 400
    assert told in refused.message


def test_a_name_that_is_taken(api: Api) -> None:
    api.create(DEPLOYMENT)
    assert message(refusal(api.create, DEPLOYMENT)) == (
        409,
        "AlreadyExists",
        'deployments.apps "search" already exists',
    )


def test_a_priority_class_that_there_is_not(api: Api) -> None:
    assert message(refusal(api.create, changed(POD, "spec.priorityClassName", "high"))) == (
        403,
        "Forbidden",
        'pods "search" is forbidden: no PriorityClass with name high was found',
    )


def test_a_resource_version_makes_no_sense_for_what_is_new(api: Api) -> None:
    assert "should not be set" in refusal(api.create, changed(POD, "metadata.resourceVersion", "1")).message
