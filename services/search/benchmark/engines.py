"""The engines that are compared, and how one of them is measured in a process of its own."""

import importlib
from pathlib import Path
from typing import Final

from services.search.benchmark.corpus import Corpus
from services.search.benchmark.measures import Row, Task

ENGINES: Final = {
    "pinwheel": "ours",
    "sqlite": "others",
    "postgres": "servers",
    "sphinx": "servers",
    "lancedb": "others",
    "faiss_exact": "others",
    "hnswlib": "others",
}
"""The function that measures each, and its module."""


def measure(
    engine: str, pins: int, queries: int, directory: str, exact: list[list[int]]
) -> tuple[list[Row], list[list[int]]]:
    """The rows of one engine, and the exact answers if it is the one that knows them."""
    task = Task(Corpus(pins), Path(directory), queries, exact)
    module = importlib.import_module(f"services.search.benchmark.{ENGINES[engine]}")
    try:
        return getattr(module, engine)(task), task.exact
    except ImportError as error:
        return [Row(engine, "-", note=f"not installed: {error.name or error}")], exact
