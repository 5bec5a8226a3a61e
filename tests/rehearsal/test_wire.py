"""Pulumi's wire form and plain values: there and back, with secrets, references and assets."""

from typing import Any

from google.protobuf import struct_pb2
from hypothesis import given
from hypothesis import strategies as st

from rehearsal.wire import plain, struct

SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET = "1b47061264138c4ac30d75fd1eb44270"
RESOURCE = "5cf8f73096256a8f31e491e813e4eb8e"
ASSET = "c44067f5952c0a294b673a41bacd8c17"
ARCHIVE = "0def7320c3a5731c473e5ecbe6d01bc7"

NAMES = st.text(min_size=1, max_size=8).filter(lambda name: name != SIGNATURE)
NUMBERS = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)
PROPERTIES = st.dictionaries(NAMES, VALUES.filter(lambda value: value is not None), max_size=5)


@given(PROPERTIES)
def test_plain_values_come_back(properties: dict[str, Any]):
    assert plain(struct(properties)) == (properties, frozenset())


@given(PROPERTIES, st.data())
def test_secrets_come_back_as_such(properties: dict[str, Any], data: st.DataObject):
    secret = data.draw(st.sets(st.sampled_from(sorted(properties)))) if properties else set[str]()

    assert plain(struct(properties, secret)) == (properties, frozenset(secret))


@given(PROPERTIES)
def test_properties_come_in_the_order_of_their_names(properties: dict[str, Any]):
    values, _ = plain(struct(properties))

    assert list(values) == sorted(properties)


def test_a_property_without_a_value_is_not_sent():
    assert plain(struct({"name": None, "size": 3})) == ({"size": 3}, frozenset())


def test_whole_numbers_are_integers():
    values, _ = plain(struct({"size": 3.0, "share": 0.5}))

    assert values == {"size": 3, "share": 0.5}
    assert isinstance(values["size"], int)


def test_a_property_that_contains_a_secret_is_secret():
    hidden = {SIGNATURE: SECRET, "value": "hush"}

    values, secret = plain(_as_sent({"environment": {"variables": [{"password": hidden}]}, "name": "n"}))

    assert values == {"environment": {"variables": [{"password": "hush"}]}, "name": "n"}
    assert secret == {"environment"}


def test_a_resource_is_its_id_or_its_urn():
    values, _ = plain(
        _as_sent(
            {
                "custom": {SIGNATURE: RESOURCE, "urn": "urn:a", "id": "vpc-1"},
                "component": {SIGNATURE: RESOURCE, "urn": "urn:b", "id": ""},
            }
        )
    )

    assert values == {"custom": "vpc-1", "component": "urn:b"}


def test_an_archive_stays_one_without_its_hash():
    asset = {SIGNATURE: ASSET, "text": "print()", "hash": "abc"}
    archive = {SIGNATURE: ARCHIVE, "assets": {"handler.py": asset}, "hash": "def"}

    values, _ = plain(_as_sent({"code": archive}))

    assert values["code"] == {
        SIGNATURE: ARCHIVE,
        "assets": {"handler.py": {SIGNATURE: ASSET, "text": "print()"}},
    }
    assert plain(struct(values)) == (values, frozenset())


def _as_sent(values: dict[str, Any]) -> struct_pb2.Struct:
    sent = struct_pb2.Struct()
    sent.update(values)
    return sent
