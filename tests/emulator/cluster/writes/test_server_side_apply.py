"""Server-side apply: merging, ownership, conflicts; the examples are those of Kubernetes' documentation."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.cluster.admission.schema import KubernetesSchemas
from emulator.cluster.status import ApiError
from emulator.cluster.store import Object
from emulator.cluster.writes.field_sets import decode, encode, text
from emulator.cluster.writes.managed_fields import Managers
from emulator.cluster.writes.server_side_apply import applied, manager_of
from tests.emulator.cluster.writes.writing import (
    CONFIG_MAP,
    DEPLOYMENT,
    Api,
    changed,
    node_pool,
    refusal,
)


def container(**fields: Any) -> Object:
    """A Deployment of which only one container is said."""
    spec = {"template": {"spec": {"containers": [{"name": "search", **fields}]}}}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "search"}, "spec": spec}


def owned(obj: Object) -> dict[str, list[str]]:
    """The fields of each manager, as messages name them."""
    return {
        f"{entry['manager']} {entry['operation']}": sorted(text(p) for p in decode(entry["fieldsV1"]))
        for entry in obj["metadata"].get("managedFields", ())
    }


def test_applying_what_is_not_there_creates_it(api: Api) -> None:
    made = api.apply(CONFIG_MAP, "ci")
    assert api.options.created
    assert made["data"] == {"a": "1", "b": "2"}
    assert made["metadata"]["managedFields"] == [
        {
            "manager": "ci",
            "operation": "Apply",
            "apiVersion": "v1",
            "time": "2026-01-01T00:00:00Z",
            "fieldsType": "FieldsV1",
            "fieldsV1": {"f:data": {"f:a": {}, "f:b": {}}},
        }
    ]


def test_applying_twice_changes_nothing(api: Api) -> None:
    made = api.apply(DEPLOYMENT)
    api.tick()
    assert api.apply(DEPLOYMENT) is made
    assert not api.options.created


def test_a_field_that_is_applied_no_longer_goes(api: Api) -> None:
    api.apply(CONFIG_MAP)
    made = api.apply(changed(CONFIG_MAP, "data.a", None))
    assert made["data"] == {"b": "2"}
    assert owned(made) == {"kubectl Apply": [".data.b"]}


def test_a_field_that_another_applies_too_stays(api: Api) -> None:
    api.apply(CONFIG_MAP, "one")
    api.apply(CONFIG_MAP, "two")
    made = api.apply(changed(CONFIG_MAP, "data.a", None), "one")
    assert made["data"] == {"a": "1", "b": "2"}
    assert owned(made) == {"one Apply": [".data.b"], "two Apply": [".data.a", ".data.b"]}


def test_a_field_that_had_a_default_gets_it_back(api: Api) -> None:
    api.apply(changed(DEPLOYMENT, "spec.revisionHistoryLimit", 3))
    assert api.apply(DEPLOYMENT)["spec"]["revisionHistoryLimit"] == 10


def test_items_of_a_list_are_told_apart_by_their_keys(api: Api) -> None:
    api.apply(DEPLOYMENT, "one")
    made = api.apply(container(env=[{"name": "A", "value": "1"}]), "two")
    (only,) = made["spec"]["template"]["spec"]["containers"]
    assert (only["image"], only["env"]) == ("search:1", [{"name": "A", "value": "1"}])
    path = '.spec.template.spec.containers[name="search"]'
    assert owned(made)["two Apply"] == [
        *(path, f'{path}.env[name="A"]', f'{path}.env[name="A"].name', f'{path}.env[name="A"].value'),
        f"{path}.name",
    ]
    back = api.apply(container(), "two")
    assert (
        "env" not in back["spec"]["template"]["spec"]["containers"][0]
        or not back["spec"]["template"]["spec"]["containers"][0]["env"]
    )


def test_a_port_is_told_apart_by_its_default_protocol_too(api: Api) -> None:
    api.apply(DEPLOYMENT)
    port = {"containerPort": 8080, "protocol": "TCP", "name": "http"}
    made = api.apply(container(image="search:1", ports=[port]), "other", force=True)
    assert len(made["spec"]["template"]["spec"]["containers"][0]["ports"]) == 1


def test_a_conflict_with_who_applied_on_the_clients_side(api: Api) -> None:
    api.create(DEPLOYMENT, field_manager="kubectl-client-side-apply")
    assert refusal(api.apply, changed(DEPLOYMENT, "spec.replicas", 5), "ci").body() == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": 'Apply failed with 1 conflict: conflict with "kubectl-client-side-apply" using apps/v1: '
        ".spec.replicas",
        "reason": "Conflict",
        "details": {
            "causes": [
                {
                    "reason": "FieldManagerConflict",
                    "message": 'conflict with "kubectl-client-side-apply" using apps/v1',
                    "field": ".spec.replicas",
                }
            ]
        },
        "code": 409,
    }


def test_all_conflicts_are_told(api: Api) -> None:
    api.apply(CONFIG_MAP, "one")
    api.patch(CONFIG_MAP, {"data": {"c": "3"}}, field_manager="two")
    refused = refusal(api.apply, {**CONFIG_MAP, "data": {"a": "x", "b": "y", "c": "z"}}, "three")
    assert refused.message == (
        'Apply failed with 3 conflicts: conflicts with "one":\n- .data.a\n- .data.b\n'
        'conflicts with "two" using v1:\n- .data.c'
    )


def test_force_takes_fields_over(api: Api) -> None:
    api.apply(CONFIG_MAP, "one")
    made = api.apply(changed(CONFIG_MAP, "data.a", "x"), "two", force=True)
    assert made["data"]["a"] == "x"
    assert owned(made) == {"one Apply": [".data.b"], "two Apply": [".data.a", ".data.b"]}


def test_the_same_value_is_no_conflict(api: Api) -> None:
    api.create(CONFIG_MAP, field_manager="one")
    made = api.apply(CONFIG_MAP, "two")
    assert set(owned(made)) == {"one Update", "two Apply"}


def test_an_update_takes_over_what_it_changes(api: Api) -> None:
    api.apply(CONFIG_MAP, "one")
    made = api.patch(CONFIG_MAP, {"data": {"a": "x"}}, field_manager="two")
    assert owned(made) == {"one Apply": [".data.b"], "two Update": [".data.a"]}


def test_kubectl_takes_over_from_its_own_client_side_apply(api: Api) -> None:
    import json

    last = {"kubectl.kubernetes.io/last-applied-configuration": json.dumps(DEPLOYMENT)}
    api.create(changed(DEPLOYMENT, "metadata.annotations", last), field_manager="kubectl-client-side-apply")
    more = changed(DEPLOYMENT, "spec.replicas", 5)
    assert refusal(api.apply, more, "ci").code == 409
    assert api.apply(more, "kubectl")["spec"]["replicas"] == 5


def test_the_time_of_a_manager_is_when_its_fields_changed(api: Api) -> None:
    api.apply(CONFIG_MAP, "one")
    api.tick()
    made = api.apply(changed(CONFIG_MAP, "data", {"c": "3"}), "two")
    times = {entry["manager"]: entry["time"] for entry in made["metadata"]["managedFields"]}
    assert times == {"one": "2026-01-01T00:00:00Z", "two": "2026-01-01T00:00:01Z"}


def test_managers_are_forgotten_when_asked(api: Api) -> None:
    api.apply(CONFIG_MAP, "one")
    made = api.patch(CONFIG_MAP, {"metadata": {"managedFields": [{}]}})
    assert "managedFields" not in made["metadata"]


def test_a_status_is_applied_by_itself(api: Api) -> None:
    api.apply(DEPLOYMENT)
    status: Object = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "search"},
        "status": {"replicas": 2},
    }
    made = api.apply(status, "controller", subresource="status")
    assert made["status"] == {"replicas": 2}
    assert made["spec"]["replicas"] == 3
    assert owned(made)["controller Apply"] == [".status.replicas"]


def test_a_dry_run_tells_of_conflicts_and_stores_nothing(api: Api) -> None:
    made = api.apply(CONFIG_MAP, "one")
    wanted = changed(CONFIG_MAP, "data.a", "x")
    assert refusal(api.apply, wanted, "two", dry_run=True).code == 409
    assert api.apply(wanted, "two", dry_run=True, force=True)["data"]["a"] == "x"
    assert api.get(CONFIG_MAP) is made


def test_the_body_may_be_yaml(api: Api) -> None:
    body = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {a: '1'}\n"
    made = api.patch(CONFIG_MAP, body, "apply-patch+yaml", field_manager="ci")
    assert made["data"] == {"a": "1"}


def test_lists_of_custom_resources_follow_their_schema(custom_api: Api) -> None:
    custom_api.apply(node_pool(taints=[{"key": "a"}], zones=["x"]), "one")
    made = custom_api.apply(node_pool(taints=[{"key": "b"}]), "two")
    assert [taint["key"] for taint in made["spec"]["taints"]] == ["a", "b"]
    refused = refusal(custom_api.apply, node_pool(zones=["y"]), "two")
    assert refused.message == 'Apply failed with 1 conflict: conflict with "one": .spec.zones'


@pytest.mark.parametrize(
    ("body", "manager", "code", "told"),
    [
        (CONFIG_MAP, "", 422, "fieldManager: Required value: is required for apply patch"),
        (b"a: [", "ci", 400, "error decoding YAML"),
        (b"- 1", "ci", 400, "no object"),
        ({**CONFIG_MAP, "kind": None}, "ci", 400, "Object 'Kind' is missing"),
        (changed(CONFIG_MAP, "metadata.managedFields", [{}]), "ci", 400, "must be nil"),
        (changed(CONFIG_MAP, "metadata.name", "other"), "ci", 400, "does not match the name on the URL"),
        (
            changed(CONFIG_MAP, "dataa", {}),
            "ci",
            500,
            "failed to create typed patch object (search/settings; v1, Kind=ConfigMap): .dataa: field not "
            "declared in schema",
        ),
    ],
)
def test_what_cannot_be_applied(api: Api, body: object, manager: str, code: int, told: str) -> None:
    refused = refusal(api.patch, CONFIG_MAP, body, "apply-patch+yaml", field_manager=manager)
    assert refused.code == code
    assert told in refused.message


SCHEMAS = KubernetesSchemas("1.35")
SHAPE = SCHEMAS.structure("apps/v1", "Deployment")
ENV = st.lists(
    st.fixed_dictionaries({"name": st.sampled_from("ABC")}, optional={"value": st.sampled_from("xy")}),
    unique_by=lambda item: item["name"],
)
SPECS = st.fixed_dictionaries(
    {"name": st.just("search")}, optional={"env": ENV, "image": st.sampled_from("ij"), "args": st.just(["a"])}
)


def apply_to(live: Object, managers: Managers, config: Object, who: str) -> tuple[Object, Managers]:
    assert SHAPE is not None
    return applied(SHAPE, live, config, managers, manager_of(who, ""), force=True)


EMPTY: Object = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "search"}}


@given(SPECS, SPECS)
def test_applying_again_changes_neither_object_nor_managers(first: Object, second: Object) -> None:
    live, managers = apply_to(EMPTY, {}, container(**_rest(first)), "one")
    live, managers = apply_to(live, managers, container(**_rest(second)), "two")
    assert apply_to(live, managers, container(**_rest(second)), "two") == (live, managers)


@given(SPECS, SPECS)
def test_a_sole_manager_gets_exactly_what_it_applies(first: Object, second: Object) -> None:
    live, managers = apply_to(EMPTY, {}, container(**_rest(first)), "one")
    live, _ = apply_to(live, managers, container(**_rest(second)), "one")
    only = live["spec"]["template"]["spec"]["containers"][0]
    assert {k: v for k, v in only.items() if v != []} == {k: v for k, v in second.items() if v != []}


@given(SPECS)
def test_field_sets_survive_their_encoding(spec: Object) -> None:
    _, managers = apply_to(EMPTY, {}, container(**_rest(spec)), "one")
    (managed,) = managers.values()
    assert decode(encode(managed.fields)) == managed.fields


def _rest(spec: Object) -> Object:
    return {name: value for name, value in spec.items() if name != "name"}


def test_a_conflict_leaves_all_as_it_was(api: Api) -> None:
    made = api.apply(CONFIG_MAP, "one")
    with pytest.raises(ApiError):
        api.apply(changed(CONFIG_MAP, "data.a", "x"), "two")
    assert api.get(CONFIG_MAP) is made
