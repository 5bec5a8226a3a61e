"""Bounds that contradict each other are refused, wherever they stand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rehearsal.checks.capacity import check_scaling


@pytest.mark.parametrize(
    ("inputs", "property_", "value", "remedy"),
    [
        (
            {"scalingConfig": {"minSize": 1, "desiredSize": 9, "maxSize": 4}},
            "scalingConfig.desiredSize",
            9,
            "at most 4",
        ),
        (
            {"scalingConfig": {"minSize": 3, "desiredSize": 2, "maxSize": 4}},
            "scalingConfig.minSize",
            3,
            "at most 2",
        ),
        ({"minSize": 5, "maxSize": 4, "desiredCapacity": 4}, "minSize", 5, "raise desiredCapacity"),
        ({"minSize": 1, "maxSize": 4, "desiredCapacity": 5}, "desiredCapacity", 5, "raise maxSize"),
        ({"minCapacity": 8, "maxCapacity": 2.5}, "minCapacity", 8, "at most 2.5"),
        ({"spec": {"minReplicas": 3, "maxReplicas": 2}}, "spec.minReplicas", 3, "minReplicas <= maxReplicas"),
        (
            {"capacity": {"autoscaling": {"minWorkerCount": 2, "maxWorkerCount": 1}}},
            "capacity.autoscaling.minWorkerCount",
            2,
            "at most 1",
        ),
        ({"groups": [{"minSize": 0}, {"minSize": -1}]}, "groups[1].minSize", -1, "0 or more"),
    ],
)
def test_bounds_out_of_order_are_refused(inputs, property_, value, remedy):
    (problem,) = check_scaling(inputs)
    assert (problem.property, problem.value) == (property_, value)
    assert remedy in problem.remedy


@pytest.mark.parametrize(
    "inputs",
    [{}, {"minSize": 1}, {"minSize": "1", "maxSize": 0}, {"minTtl": 5, "maxTtl": 1}, {"minSize": None}],
)
def test_what_is_no_pair_of_bounds_is_left_alone(inputs):
    assert check_scaling(inputs) == []


@given(st.lists(st.integers(0, 9), min_size=3, max_size=3))
def test_only_bounds_in_order_pass(sizes):
    inputs = dict(zip(["minSize", "desiredSize", "maxSize"], sizes, strict=True))
    assert (check_scaling(inputs) == []) == (sizes == sorted(sizes))
