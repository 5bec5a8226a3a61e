"""One cluster for all tests with real clients: each test has a namespace of its own.

Modules that use it carry `pytest.mark.xdist_group("cluster")`, so that one worker has them all.
"""

from collections.abc import Iterator

import pytest
from kubernetes import client, config

from emulator.cluster.client import ClusterClient
from tests.emulator.cluster.harness import RESOURCES, Kubectl, RunningCluster, start


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCluster]:
    """A cluster with two nodes."""
    running = start(tmp_path_factory.mktemp("cluster"))
    try:
        for _ in range(2):
            running.add_node()
        yield running
    finally:
        running.server.stop()


@pytest.fixture
def api(cluster: RunningCluster) -> ClusterClient:
    """The synchronous client."""
    return cluster.client


@pytest.fixture
def namespace(cluster: RunningCluster) -> Iterator[str]:
    """A namespace of this test's own, whose objects go when it is over."""
    name = cluster.unique("test")
    namespaces = RESOURCES["namespaces"]
    cluster.client.create(namespaces, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    yield name
    cluster.client.delete(namespaces, "", name)


@pytest.fixture
def kubectl(cluster: RunningCluster, namespace: str) -> Kubectl:
    """kubectl, in the test's namespace."""
    return cluster.kubectl(namespace)


@pytest.fixture(scope="session")
def official(cluster: RunningCluster) -> Iterator[client.ApiClient]:
    """The official Python client."""
    configured = client.Configuration()
    config.load_kube_config(str(cluster.kubeconfig), client_configuration=configured)
    configured.proxy = None
    with client.ApiClient(configured) as made:
        yield made
