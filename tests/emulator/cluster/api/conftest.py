"""The API alone: one server for the tests of a module."""

from collections.abc import Iterator

import pytest

from tests.emulator.cluster.api.serving import Served, serve


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve(tmp_path_factory.mktemp("api")) as served:
        yield served
