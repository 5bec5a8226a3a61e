"""Two worlds: one that all share and nobody harms, and one whose processes are killed and held."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.conftest import Pinwheel, Printed, read_until
from tests.system.system import Person, System


@pytest.fixture(scope="session")
def system(world: Printed) -> Iterator[System]:
    """The system in the world that tests of clients share; use it with `xdist_group("world")`."""
    with _closing(System(world)) as whole:
        yield whole


@pytest.fixture(scope="session")
def harmed(harmed_world: Printed) -> Iterator[System]:
    """One whose parts may be harmed; use it with `xdist_group("harmed")`."""
    with _closing(System(harmed_world)) as whole:
        yield whole


@pytest.fixture(scope="session")
def harmed_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Printed]:
    """A second world."""
    runner = Pinwheel(tmp_path_factory.mktemp("harmed"))
    process = runner.start("up", "--port", "0")
    try:
        yield Printed(read_until(process, "Ctrl-C stops it all."), runner)
        process.terminate()
        process.communicate(timeout=60)
        assert runner.processes() == []
    finally:
        for left in runner.processes():
            left.kill()


@pytest.fixture
def person(system: System) -> Person:
    """Somebody new in the shared world."""
    return system.person()


@contextmanager
def _closing(whole: System) -> Iterator[System]:
    try:
        yield whole
    finally:
        whole.close()
