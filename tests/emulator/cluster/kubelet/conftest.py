"""Each test has a machine of its own."""

from pathlib import Path

import pytest

from tests.emulator.cluster.kubelet.machine import Machine


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)
