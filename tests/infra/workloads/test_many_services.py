"""Services by the dozen are rehearsed and placed like the few real ones; `make bench` goes on to a thousand."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from emulator.process import Emulator
from infra import environment_file
from infra.workloads.service import Resources, Service
from rehearsal.cloud import Cloud
from rehearsal.rehearse import LayerResult, rehearse
from rehearsal.synthetic import RESOURCES_EACH, declared, program

COUNT = 40


def rehearsed(services: Sequence[Service]) -> LayerResult:
    """The layer of these services, on top of the local environment."""
    environment = environment_file.load("local")
    with Emulator(environment.account, environment.region) as emulator:
        cloud = Cloud(emulator.endpoint, environment.account, environment.region)
        return rehearse(environment, cloud, extra=[("synthetic", program(services))]).layers[-1]


def test_many_services_pass_and_one_that_fits_no_node_is_told():
    *others, large = declared(COUNT)
    layer = rehearsed([*others, replace(large, resources=Resources(100, 4_000_000, 4_000_000))])

    (refusal,) = layer.refusals
    assert refusal.resource == f"kubernetes:apps/v1:Deployment {large.name}"
    assert "fits no node of any pool" in str(refusal.problem)
    assert len(layer.records) > COUNT * RESOURCES_EACH


@pytest.mark.parametrize("count", [0, 1, 1000])
def test_declarations_of_any_number_fit_together(count: int):
    assert len(declared(count)) == count
