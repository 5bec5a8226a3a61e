"""Delete requests."""

import pytest

from emulator.cluster.store import Object
from tests.emulator.cluster.writes.writing import (
    CONFIG_MAP,
    DEPLOYMENT,
    NAMESPACE,
    POD,
    Api,
    changed,
    refusal,
)


def test_what_is_gone_at_once_is_told_by_a_status(api: Api) -> None:
    made = api.create(DEPLOYMENT)
    assert api.delete(DEPLOYMENT) == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": {
            "name": "search",
            "group": "apps",
            "kind": "deployments",
            "uid": made["metadata"]["uid"],
        },
    }
    assert api.get(DEPLOYMENT) is None


def test_a_pod_that_does_not_run_goes_at_once(api: Api) -> None:
    api.create(POD)
    assert api.delete(POD)["kind"] == "Pod"
    assert api.get(POD) is None


@pytest.mark.parametrize(("asked", "seconds"), [(None, 30), (5, 5), (-1, 1)])
def test_a_pod_on_a_node_gets_its_grace_period(api: Api, asked: int | None, seconds: int) -> None:
    api.create(changed(POD, "spec.nodeName", "node"))
    gone = api.delete(POD, gracePeriodSeconds=asked)
    assert gone["metadata"]["deletionGracePeriodSeconds"] == seconds
    assert gone["metadata"]["deletionTimestamp"] == f"2026-01-01T00:00:{seconds:02}Z"
    assert api.get(POD) is gone


def test_a_pod_may_have_all_the_time_there_is(api: Api) -> None:
    api.create(changed(changed(POD, "spec.nodeName", "node"), "spec.terminationGracePeriodSeconds", 2**62))
    gone = api.delete(POD)
    assert gone["metadata"]["deletionGracePeriodSeconds"] == 2**62
    assert gone["metadata"]["deletionTimestamp"].startswith("212")


@pytest.mark.parametrize(
    "options",
    [
        {"propagationPolicy": ["Orphan"]},
        {"gracePeriodSeconds": "soon"},
        {"preconditions": "none"},
        {"orphanDependents": {}},
        {"dryRun": True},
    ],
)
def test_options_have_their_types(api: Api, options: Object) -> None:
    api.create(CONFIG_MAP)
    refused = refusal(api.delete, CONFIG_MAP, **options)
    assert (refused.code, refused.reason) == (400, "BadRequest")
    assert 'DeleteOptions in version "v1" cannot be handled as a DeleteOptions: json: ' in refused.message


def test_a_pod_is_ended_by_force(api: Api) -> None:
    api.create(changed(POD, "spec.nodeName", "node"))
    api.delete(POD)
    api.delete(POD, gracePeriodSeconds=0)
    assert api.get(POD) is None


def test_a_pod_that_has_ended_needs_no_grace(api: Api) -> None:
    made = api.create(changed(POD, "spec.nodeName", "node"))
    api.update({**made, "status": {"phase": "Succeeded"}}, "status")
    api.delete(POD)
    assert api.get(POD) is None


@pytest.mark.parametrize(
    ("options", "finalizers"),
    [
        ({"propagationPolicy": "Foreground"}, ["foregroundDeletion"]),
        ({"propagationPolicy": "Orphan"}, ["orphan"]),
        ({"orphanDependents": True}, ["orphan"]),
    ],
)
def test_dependents_go_first_or_are_left(api: Api, options: Object, finalizers: list[str]) -> None:
    api.create(DEPLOYMENT)
    gone = api.delete(DEPLOYMENT, **options)
    assert gone["metadata"]["finalizers"] == finalizers
    assert "deletionTimestamp" in gone["metadata"]


def test_what_waits_for_its_dependents_may_be_told_not_to(api: Api) -> None:
    api.create(DEPLOYMENT)
    api.delete(DEPLOYMENT, propagationPolicy="Foreground")
    api.delete(DEPLOYMENT)
    assert api.get(DEPLOYMENT) is not None
    assert api.delete(DEPLOYMENT, propagationPolicy="Background")["status"] == "Success"
    assert api.get(DEPLOYMENT) is None


def test_a_finalizer_keeps_an_object(api: Api) -> None:
    api.create(changed(CONFIG_MAP, "metadata.finalizers", ["a.b/c"]))
    gone = api.delete(CONFIG_MAP)
    assert gone["metadata"]["finalizers"] == ["a.b/c"]
    assert api.get(CONFIG_MAP) is gone


def test_a_namespace_waits_for_its_controller(api: Api) -> None:
    gone = api.writes.delete(api.resources["namespaces"], "", NAMESPACE, {})
    assert gone["status"] == {"phase": "Terminating"}
    assert gone["spec"] == {"finalizers": ["kubernetes"]}


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ({"uid": "other"}, "the UID in the precondition (other) does not match the UID in record ("),
        ({"resourceVersion": "0"}, "the ResourceVersion in the precondition (0) does not match"),
    ],
)
def test_preconditions(api: Api, wanted: Object, told: str) -> None:
    made = api.create(CONFIG_MAP)
    refused = refusal(api.delete, CONFIG_MAP, preconditions=wanted)
    assert (refused.code, refused.reason) == (409, "Conflict")
    assert told in refused.message
    same = {name: made["metadata"][name] for name in ("uid", "resourceVersion")}
    assert api.delete(CONFIG_MAP, preconditions=same)["status"] == "Success"


def test_a_dry_run_deletes_nothing(api: Api) -> None:
    made = api.create(CONFIG_MAP)
    assert api.delete(CONFIG_MAP, dryRun=["All"])["status"] == "Success"
    assert api.get(CONFIG_MAP) is made


def test_what_is_not_there(api: Api) -> None:
    assert refusal(api.delete, CONFIG_MAP).code == 404


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (
            {"propagationPolicy": "Sideways"},
            'DeleteOptions.meta.k8s.io "" is invalid: propagationPolicy: Unsupported value: "Sideways": '
            'supported values: "Foreground", "Background", "Orphan", "nil"',
        ),
        (
            {"propagationPolicy": "Orphan", "orphanDependents": True},
            'DeleteOptions.meta.k8s.io "" is invalid: propagationPolicy: Invalid value: "Orphan": '
            "orphanDependents and deletionPropagation cannot be both set",
        ),
        (
            {"dryRun": ["Some"]},
            'DeleteOptions.meta.k8s.io "" is invalid: dryRun: Unsupported value: ["Some"]: supported values: '
            '"All"',
        ),
    ],
)
def test_options_that_make_no_sense(api: Api, options: Object, told: str) -> None:
    api.create(CONFIG_MAP)
    refused = refusal(api.delete, CONFIG_MAP, **options)
    assert (refused.code, refused.message) == (422, told)
