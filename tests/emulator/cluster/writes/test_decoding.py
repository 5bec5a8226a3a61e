"""Reading objects as Go does."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emulator.cluster.admission.schema import KubernetesSchemas
from emulator.cluster.admission.structure import Structure
from emulator.cluster.quantities import canonical_quantity, parse_quantity
from emulator.cluster.store import Object
from emulator.cluster.writes.decoding import DecodingError, decode

SCHEMAS = KubernetesSchemas("1.35")


def shape(api_version: str, kind: str) -> Structure:
    found = SCHEMAS.structure(api_version, kind)
    assert found is not None
    return found


DEPLOYMENT = shape("apps/v1", "Deployment")


def container(**fields: Any) -> Object:
    return {"spec": {"template": {"spec": {"containers": [fields]}}}}


@pytest.mark.parametrize(
    ("obj", "message"),
    [
        (
            {"spec": {"replicas": 3.5}},
            "json: cannot unmarshal number 3.5 into Go struct field DeploymentSpec.spec.replicas of type int32",
        ),
        (
            {"spec": {"replicas": 2**31}},
            "json: cannot unmarshal number 2147483648 into Go struct field DeploymentSpec.spec.replicas of type "
            "int32",
        ),
        (
            {"spec": "x"},
            "json: cannot unmarshal string into Go struct field Deployment.spec of type v1.DeploymentSpec",
        ),
        (
            {"spec": {"template": {"spec": {"containers": {}}}}},
            "json: cannot unmarshal object into Go struct field PodSpec.spec.template.spec.containers of type "
            "[]v1.Container",
        ),
        (
            container(ports=[{"containerPort": "x"}]),
            "json: cannot unmarshal string into Go struct field "
            "ContainerPort.spec.template.spec.containers.ports.containerPort of type int32",
        ),
        (
            container(env=[{"name": "A", "value": 1}]),
            "json: cannot unmarshal number into Go struct field "
            "EnvVar.spec.template.spec.containers.env.value of type string",
        ),
        (
            {"metadata": {"labels": {"a": True}}},
            "json: cannot unmarshal bool into Go struct field ObjectMeta.metadata.labels of type string",
        ),
        (
            {"metadata": {"labels": []}},
            "json: cannot unmarshal array into Go struct field ObjectMeta.metadata.labels of type "
            "map[string]string",
        ),
        (
            container(resources={"limits": {"cpu": "4x"}}),
            "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
        ),
        (container(resources={"limits": {"cpu": "4KK"}}), "unable to parse quantity's suffix"),
        (container(resources={"limits": {"cpu": "1e999999999"}}), "unable to parse quantity's suffix"),
        (container(resources={"limits": {"cpu": 1e300}}), "unable to parse quantity's suffix"),
        (
            {"metadata": {"creationTimestamp": "yesterday"}},
            'parsing time "yesterday" as "2006-01-02T15:04:05Z07:00": cannot parse "yesterday" as "2006"',
        ),
    ],
)
def test_what_does_not_fit_is_told_in_the_words_of_go(obj: Object, message: str) -> None:
    with pytest.raises(DecodingError) as caught:
        decode(DEPLOYMENT, obj)
    assert str(caught.value) == message


def test_a_secret_is_base64() -> None:
    with pytest.raises(DecodingError, match="illegal base64 data at input byte 3"):
        decode(shape("v1", "Secret"), {"data": {"a": "abc$"}})


def test_null_is_nothing() -> None:
    obj = {"metadata": {"creationTimestamp": None, "name": "a"}, "spec": {"replicas": None}}
    assert decode(DEPLOYMENT, obj).object == {"metadata": {"name": "a"}, "spec": {}}


def test_an_empty_map_is_nothing_but_an_empty_struct_is_something() -> None:
    volume = {"name": "a", "emptyDir": {}}
    pod = {"metadata": {"labels": {}}, "spec": {"volumes": [volume], "nodeSelector": {}, "containers": []}}
    assert decode(shape("v1", "Pod"), pod).object == {
        "metadata": {},
        "spec": {"volumes": [volume], "containers": []},
    }


def test_an_empty_choice_is_the_default() -> None:
    toleration = {"key": "a", "operator": "Exists", "effect": ""}
    assert decode(shape("v1", "Pod"), {"spec": {"tolerations": [toleration]}}).object == {
        "spec": {"tolerations": [{"key": "a", "operator": "Exists"}]}
    }


def test_unknown_fields_are_named_with_their_place() -> None:
    decoded = decode(DEPLOYMENT, {**container(name="a", imagee="b"), "foo": 1})
    assert decoded.object == container(name="a")
    assert decoded.unknown == ["spec.template.spec.containers[0].imagee", "foo"]


def test_whole_numbers_are_integers() -> None:
    replicas = decode(DEPLOYMENT, {"spec": {"replicas": 3.0}}).object["spec"]["replicas"]
    assert (replicas, type(replicas)) == (3, int)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("0.5", "500m"),
        (0.5, "500m"),
        (2, "2"),
        ("1000m", "1"),
        ("1024Mi", "1Gi"),
        ("1536Mi", "1536Mi"),
        ("0.5Gi", "512Mi"),
        ("2000", "2k"),
        ("1e3", "1e3"),
        ("0", "0"),
        ("-250m", "-250m"),
    ],
)
def test_quantities_are_written_in_one_way(text: object, canonical: str) -> None:
    assert canonical_quantity(text) == canonical


SUFFIXES = st.sampled_from(["", "m", "k", "M", "G", "Ki", "Mi", "Gi", "e3", "u"])


@given(st.integers(-(10**6), 10**6), SUFFIXES)
def test_the_canonical_form_means_the_same(number: int, suffix: str) -> None:
    canonical = canonical_quantity(f"{number}{suffix}")
    assert parse_quantity(canonical) == parse_quantity(f"{number}{suffix}")
    assert canonical_quantity(canonical) == canonical


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.sampled_from(["a", "", "1Gi"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=5,
)
PATHS = st.sampled_from(
    ["metadata", "metadata.labels", "spec", "spec.replicas", "spec.selector", "spec.template.spec.volumes"]
)


@given(PATHS, JSON)
def test_what_was_read_reads_the_same_again(path: str, value: Any) -> None:
    obj: Object = {}
    owner = obj
    *steps, last = path.split(".")
    for step in steps:
        owner = owner.setdefault(step, {})
    owner[last] = value
    try:
        once = decode(DEPLOYMENT, obj).object
    except DecodingError:
        return
    again = decode(DEPLOYMENT, once)
    assert (again.object, again.unknown) == (once, [])
