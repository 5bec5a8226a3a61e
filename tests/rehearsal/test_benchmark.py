"""What the benchmark measures runs, and measures what it says."""

import json
import subprocess
import sys

import pytest

from infra import environment_file
from infra.environment import Environment
from rehearsal.bare import run_bare
from rehearsal.rehearse import Rehearsal
from rehearsal.synthetic import RESOURCES_EACH, services


@pytest.fixture(scope="module")
def local() -> Environment:
    return environment_file.load("local")


@pytest.mark.xdist_group("rehearsed")
def test_bare_mocks_see_the_resources_that_a_rehearsal_sees(local: Environment, rehearsed):
    resources, seconds = run_bare(local)
    rehearsal: Rehearsal = rehearsed("local")
    assert resources == sum(len(layer.records) for layer in rehearsal.layers)
    assert seconds > 0


def test_each_synthetic_service_adds_its_resources(local: Environment):
    one, _ = run_bare(local, [("synthetic", services(1))])
    four, _ = run_bare(local, [("synthetic", services(4))])
    assert four - one == 3 * RESOURCES_EACH


def test_synthetic_services_pass_the_rehearsal():
    command = [sys.executable, "-m", "rehearsal.benchmark", "--measure", "rehearsal", "local", "30"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    measured = json.loads(done.stdout.splitlines()[-1])
    assert measured["resources"] > 30 * RESOURCES_EACH
    assert measured["mib"] > 0
    assert measured["emulator_mib"] > 0
