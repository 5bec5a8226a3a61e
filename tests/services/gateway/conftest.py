"""One Envoy for most tests; each test has people and paths of its own."""

from collections.abc import Iterator

import httpx
import pytest

from infra.workloads.service import Authentication, Route
from tests.services.gateway.world import Gateway, Pool, Server, generated, running

ROUTES = (
    Route(("/v1/pins", "/v1/boards"), max_body_bytes=4096),
    Route(("/v1/mine",), authentication=Authentication.REQUIRED),
    Route(("/v1/few",), requests_per_minute_each=3),
    Route(("/v1/short",), timeout_seconds=0.3),
)


@pytest.fixture(scope="session")
def pool() -> Iterator[Pool]:
    pool = Pool()
    yield pool
    pool.stop()


@pytest.fixture(scope="session")
def pin() -> Iterator[Server]:
    server = Server()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory, pool: Pool, pin: Server) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("gateway")
    with running(folder, generated({"pin": ROUTES}, {"pin": pin.port}), pool) as gateway:
        yield gateway


@pytest.fixture
def client(gateway: Gateway) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=gateway.url, timeout=30) as client:
        yield client
