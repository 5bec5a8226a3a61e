"""A fake OpenSearch for each test."""

from collections.abc import Iterator

import pytest

from tests.services.search.opensearch.fake import FakeOpenSearch, running


@pytest.fixture
def opensearch() -> Iterator[FakeOpenSearch]:
    with running() as fake:
        yield fake
