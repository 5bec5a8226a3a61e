"""Small engines, whose vectors are sealed, indexed and compacted after a handful."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from services.search.engine.engine import Engine
from services.search.engine.types import EngineSettings

SMALL = EngineSettings(
    dimension=8, seal_vectors=16, exact_vectors=24, writer_heap_bytes=60_000_000, background=False
)

OpenEngine = Callable[..., Engine]


@pytest.fixture
def settings() -> EngineSettings:
    return SMALL


@pytest.fixture
def open_engine(tmp_path: Path) -> Iterator[OpenEngine]:
    """Opens engines, in the test's directory unless told otherwise; those left open are closed at the end."""
    opened: list[Engine] = []

    def opener(directory: Path = tmp_path / "index", settings: EngineSettings = SMALL) -> Engine:
        opened.append(Engine.open(directory, settings))
        return opened[-1]

    yield opener
    for engine in opened:
        engine.close()


@pytest.fixture
def engine(open_engine: OpenEngine) -> Engine:
    return open_engine()
