"""The comparison of engines runs, on a catalogue that is the same each time."""

import numpy as np
import pytest

from services.search.benchmark.__main__ import main, table
from services.search.benchmark.corpus import Corpus
from services.search.benchmark.engines import measure
from services.search.benchmark.measures import Row, recall


def test_the_same_catalogue_each_time() -> None:
    first, second = (Corpus(30_000, dimension=8) for _ in range(2))
    for one, other in zip(first.chunks(), second.chunks(), strict=True):
        assert one.titles == other.titles
        assert np.array_equal(one.vectors, other.vectors)
        assert np.array_equal(one.groups, other.groups)
    assert first.text_queries(20) == second.text_queries(20)
    assert first.group_queries(20) == second.group_queries(20)


def test_the_catalogue_looks_like_one() -> None:
    corpus = Corpus(40_000, dimension=8)
    chunks = list(corpus.chunks())
    assert sum(len(chunk.ids) for chunk in chunks) == 40_000
    titles = [title for chunk in chunks for title in chunk.titles]
    assert {len(title.split()) for title in titles} == {5, 6, 7, 8}
    sizes = np.bincount(np.concatenate([chunk.groups for chunk in chunks]))
    assert sizes[1:].max() > 50 * np.median(sizes[1:])
    words = {word for title in titles for word in title.split()}
    assert all(set(text.split()) <= words for text in corpus.text_queries(50))
    assert np.allclose(np.linalg.norm(chunks[0].vectors, axis=1), 1, atol=1e-5)


def test_one_run_prints_one_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--pins", "2000", "--queries", "100", "--engines", "pinwheel", "sqlite", "faiss_exact"]) == 0
    printed = capsys.readouterr().out
    lines = [line for line in printed.splitlines() if line.startswith("|")]
    assert len({len(line) for line in lines}) == 1
    assert [line.split("|")[1].strip() for line in lines[2:]] == [
        "pinwheel",
        "SQLite FTS5",
        "pinwheel",
        "pinwheel",
        "faiss, exact",
    ]
    vectors = next(line for line in lines if "pinwheel" in line and "vectors  " in line)
    assert vectors.split("|")[5].strip() == "1.000"  # so few are compared exactly


def test_engines_that_are_not_installed_are_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "hnswlib", None)
    rows, _ = measure("hnswlib", 1000, 100, str(tmp_path_factory.mktemp("bench")), [])
    assert rows[0].note.startswith("not installed: ")
    assert "hnswlib" in table(rows, "nothing")


def test_too_few_pins_are_refused() -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["--pins", "10"])


def test_recall_is_the_share_of_the_exact_answers() -> None:
    assert recall([[1, 2], [3]], [[2, 9], [3]]) == 0.75
    assert Row("engine", "text").recall is None
