"""A broker for each module, and processes that end with their test."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.services.search.searching import Broker, Publisher, Service


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    made = Broker(tmp_path_factory.mktemp("broker"))
    yield made
    made.stop()


@pytest.fixture(scope="module")
def publisher(broker: Broker) -> Publisher:
    return Publisher(broker.address)


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[Broker]:
    """For tests that restart it, or count what is in it."""
    made = Broker(tmp_path / "broker")
    yield made
    made.stop()


@pytest.fixture
def ending() -> Iterator[Callable[[Service], Service]]:
    """`ending(service)` ends with the test, if it did not before."""
    services: list[Service] = []

    def note(service: Service) -> Service:
        services.append(service)
        return service

    yield note
    for service in services:
        if service.process.poll() is None:
            service.kill()
