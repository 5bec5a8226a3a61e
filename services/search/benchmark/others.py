"""The other engines. Each is a function that gives its row; one that is not installed raises ImportError.

They index the same titles, are asked the same words, any of which may occur, and rank by BM25 or what they have.
"""

import importlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from typing import Any

import faiss

from services.search.benchmark.corpus import Matrix
from services.search.benchmark.measures import (
    Row,
    Task,
    Timer,
    added_to_found,
    latencies,
    recall,
    resident_mb,
    titles,
)

_EXACT_QUERIES = 100


def sqlite(task: Task) -> list[Row]:
    """SQLite FTS5."""
    path = task.directory / "fts5.sqlite"
    path.unlink(missing_ok=True)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("CREATE VIRTUAL TABLE pins USING fts5(title, tokenize = 'porter')")
    insert = "INSERT INTO pins (rowid, title) VALUES (?, ?)"
    row = Row("SQLite FTS5", "text")
    with Timer(row):
        for rows in titles(task.corpus):
            connection.executemany(insert, rows)
        connection.commit()

    def search(text: str) -> list[int]:
        words = " OR ".join(f'"{word}"' for word in text.split())
        found = "SELECT rowid FROM pins WHERE pins MATCH ? ORDER BY rank LIMIT 10"
        return [pin_id for (pin_id,) in connection.execute(found, (words,))]

    def add(pin_id: int, word: str) -> None:
        connection.execute(insert, (pin_id, word))
        connection.commit()

    ask(row, task, search, add)
    connection.close()
    return [row]


def lancedb(task: Task) -> list[Row]:
    """LanceDB's full text search."""
    os.environ.setdefault("RUST_LOG", "error")
    module: Any = importlib.import_module("lancedb")
    arrow: Any = importlib.import_module("pyarrow")
    schema = arrow.schema([("id", arrow.int64()), ("title", arrow.string())])

    def batches() -> Iterator[Any]:
        for rows in titles(task.corpus):
            columns = [arrow.array(column) for column in zip(*rows, strict=True)]
            yield arrow.record_batch(columns, schema=schema)

    row = Row("LanceDB", "text")
    with Timer(row):
        table = module.connect(task.directory / "lancedb").create_table(
            "pins", batches(), schema=schema, mode="overwrite"
        )
        table.create_fts_index("title", use_tantivy=False)

    def search(text: str) -> list[int]:
        found = table.search(text, query_type="fts").select(["id", "_score"]).limit(10).to_arrow()
        return found["id"].to_pylist()

    def add(pin_id: int, word: str) -> None:
        table.add([{"id": pin_id, "title": word}])

    ask(row, task, search, add)
    return [row]


def faiss_exact(task: Task) -> list[Row]:
    """faiss without an approximate index: what recall is measured against."""
    library: Any = faiss
    library.omp_set_num_threads(1)
    row = Row("faiss, exact", "vectors", recall=1.0)
    index = library.IndexFlatIP(task.corpus.dimension)
    with Timer(row):
        for chunk in task.corpus.chunks():
            index.add(chunk.vectors)
    asked = list(task.corpus.vector_queries(task.queries)[:_EXACT_QUERIES])
    row.query_ms = latencies(lambda vector: index.search(vector[None], 10), asked)
    row.memory_mb = resident_mb()
    task.exact[:] = [(index.search(vector[None], 10)[1][0] + 1).tolist() for vector in asked]
    return [row]


def hnswlib(task: Task) -> list[Row]:
    """hnswlib, M 16, ef 64."""
    module: Any = importlib.import_module("hnswlib")
    index = module.Index(space="ip", dim=task.corpus.dimension)
    index.init_index(max_elements=task.corpus.pins + 100, M=16, ef_construction=100)
    row = Row("hnswlib", "vectors")
    with Timer(row):
        for chunk in task.corpus.chunks():
            index.add_items(chunk.vectors, chunk.ids)
    index.set_ef(64)
    index.set_num_threads(1)

    def search(vector: Matrix) -> list[int]:
        return index.knn_query(vector, 10)[0][0].tolist()

    asked = list(task.corpus.vector_queries(task.queries))
    row.query_ms = latencies(search, asked)
    row.recall = recall([search(vector) for vector in asked[: len(task.exact)]], task.exact)
    row.memory_mb = resident_mb()
    row.note = "search and addition may not mix"
    return [row]


def ask(row: Row, task: Task, search: Callable[[str], list[int]], add: Callable[[int, str], object]) -> None:
    """Measure a text engine that is built."""
    row.query_ms = latencies(search, task.corpus.text_queries(task.queries))
    row.memory_mb = resident_mb()
    row.found_ms = added_to_found(add, search, task.corpus.pins + 1)
