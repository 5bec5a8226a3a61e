"""Contracts: what one layer writes, the next can read, or it fails naming the field."""

import dataclasses
from typing import Any, get_args, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra import program
from infra.contracts import (
    ClusterContract,
    ContractError,
    DataContract,
    NetworkContract,
    WorkloadsContract,
    decoded,
    encoded,
)

CONTRACTS = (NetworkContract, ClusterContract, DataContract, WorkloadsContract)


def value_of(expected: Any) -> st.SearchStrategy[Any]:
    text = st.text(min_size=1, max_size=20)
    if expected is str:
        return text
    if expected is int:
        return st.integers(1, 65535)
    if len(get_args(expected)) == 1:
        return st.lists(text, min_size=1, max_size=3)
    return st.dictionaries(text, text, max_size=3)


def values_of(kind: type) -> st.SearchStrategy[dict[str, Any]]:
    hints = get_type_hints(kind)
    return st.fixed_dictionaries(
        {field.name: value_of(get_args(hints[field.name])[0]) for field in dataclasses.fields(kind)}
    )


@pytest.mark.parametrize("kind", CONTRACTS)
@given(data=st.data())
def test_what_is_written_is_what_is_read(kind: Any, data: st.DataObject):
    values = data.draw(values_of(kind))
    assert decoded(kind, encoded(kind, values)) == values


def test_whole_numbers_survive_a_wire_that_has_only_floats():
    wire = {**_data_contract(), "version": DataContract.VERSION, "database_port": 3306.0}
    assert decoded(DataContract, wire)["database_port"] == 3306


@pytest.mark.parametrize(
    ("field", "value"), [("vpc_id", None), ("vpc_id", ""), ("vpc_id", 3), ("private_subnet_ids", ["a", None])]
)
def test_a_field_that_does_not_fit_is_named(field: str, value: Any):
    fine = {
        "vpc_id": "v", "vpc_cidr": "c", "public_subnet_ids": ["a"], "private_subnet_ids": ["a"],
        "intra_subnet_ids": ["a"], "zone_id": "z", "zone_name": "n",
    }  # fmt: skip
    with pytest.raises(ContractError, match=f"contract of the network layer: {field} is"):
        encoded(NetworkContract, {**fine, field: value})


def test_another_version_says_which_layer_to_bring_up_first():
    with pytest.raises(ContractError, match=r"version 7.*run `pulumi up` of the data layer first"):
        decoded(DataContract, {**_data_contract(), "version": 7})


def test_a_layer_without_a_contract_is_named():
    with pytest.raises(ContractError, match="the cluster layer exports no `contract`"):
        decoded(ClusterContract, None)


def test_layers_need_only_layers_before_them():
    seen: list[str] = []
    for layer in program.LAYERS.values():
        assert set(layer.needs) <= set(seen)
        seen.append(layer.name)
    assert [kind.LAYER for kind in CONTRACTS] == seen


@pytest.mark.parametrize("stack", ["prod", "-network", "prod-nothing", "prod-network-x", ""])
def test_a_stack_that_is_not_environment_and_layer_is_refused(stack: str):
    with pytest.raises(ValueError, match="must be <environment>-<layer>"):
        program.of_stack(stack)


def test_a_stack_may_have_dashes_in_its_environment():
    assert program.of_stack("load-test-data") == ("load-test", "data")


def _data_contract() -> dict[str, Any]:
    hints = get_type_hints(DataContract)
    defaults = {str: "x", int: 1}
    return {
        field.name: defaults.get(get_args(hints[field.name])[0], {})
        for field in dataclasses.fields(DataContract)
    }
