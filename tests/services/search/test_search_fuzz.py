"""Whatever is sent to the search API, the answer is one that its OpenAPI document tells of, and never a 5xx."""

from collections.abc import Iterator

import pytest
import schemathesis
from hypothesis import HealthCheck, settings

from services.common.openapi import with_problems
from services.search.embedded import EmbeddedBackend
from services.search.ml import Ml
from services.search.root import create_app
from services.search.settings import RootSettings
from tests.services.search import searching
from tests.services.search.searching import Broker, Publisher, Service, board, embedding, pin


def document() -> dict[str, object]:
    settings_ = RootSettings(search_leaves="127.0.0.1:1")
    ml = Ml("", timeout_seconds=1, rerank_timeout_seconds=1)
    return with_problems(create_app(settings_, EmbeddedBackend(settings_), ml).openapi_schema.to_schema())


schema = schemathesis.openapi.from_dict(document())
# What is well-formed may still ask for nothing, or for what is not there; without an ml service /visual is a 503.
schema.config.checks.positive_data_acceptance.expected_statuses = ["2xx", "400", "404", "503"]
# Litestar answers OPTIONS by handler and not by path; the gateway answers it itself (CORS).
schema.config.checks.allow_header_conformance.enabled = False


@pytest.fixture(scope="module")
def fuzzed(
    broker: Broker, publisher: Publisher, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    publisher.send(
        board(1, name="Home"),
        *(pin(n, title="a lamp") for n in range(1, 9)),
        embedding(1, 1),
        embedding(2, 1),
    )
    leaf = searching.leaf(broker, tmp_path_factory.mktemp("index")).ready()
    root = searching.root(leaf.address("rpc"), LEAF_TIMEOUT_MS="5000").ready()
    yield root
    assert root.process.poll() is None
    assert leaf.process.poll() is None
    assert not [entry for service in (root, leaf) for entry in service.log if entry.get("level") == "error"]
    root.kill()
    leaf.kill()


@schema.parametrize()
@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
def test_no_request_makes_it_fail(fuzzed: Service, case: schemathesis.Case) -> None:
    response = case.call(base_url=f"http://{fuzzed.address('http')}")
    if case.path == "/v1/search/visual" and response.status_code == 503:
        assert response.headers["retry-after"] == ["5"]
        return
    case.validate_response(response)
