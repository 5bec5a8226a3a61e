"""The fixtures of the tests of writes."""

import pytest

from emulator.cluster.admission.schema import KubernetesSchemas
from tests.emulator.cluster.writes.writing import NODE_POOL, Api, make_api


@pytest.fixture(scope="session")
def shared_schemas() -> KubernetesSchemas:
    return KubernetesSchemas("1.35")


@pytest.fixture
def api(shared_schemas: KubernetesSchemas) -> Api:
    return make_api(shared_schemas)


@pytest.fixture
def custom_api() -> Api:
    """One that has the kind NodePool; its schemas are its own."""
    api = make_api(KubernetesSchemas("1.35"))
    api.create(NODE_POOL)
    return api
