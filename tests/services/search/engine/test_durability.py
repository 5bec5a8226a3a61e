"""What was committed stays, whatever becomes of the process; snapshots are whole and open as an index."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from services.search.engine.engine import Engine
from services.search.engine.snapshots import MANIFEST, SnapshotError, read_manifest, verify
from services.search.engine.types import EngineSettings, GroupChanged, PinChanged, Query, VectorChanged
from services.search.engine.vectors.segment import Segment
from services.search.engine.vectors.store import StoreError
from tests.services.search.engine.writing_process import GROUPS, PINS, SETTINGS, STREAM, VERSIONS, history

ROOT = Path(__file__).parents[4]
PROCESS = Path(__file__).with_name("writing_process.py")


def run_until_killed(directory: Path, lines: int) -> tuple[int, bool]:
    """Let the process say so many lines more, then end it with SIGKILL; the last it said, and if it was done."""
    process = subprocess.Popen(
        [sys.executable, str(PROCESS), str(directory)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    said: list[str] = []
    while len(said) < lines and "done" not in said:
        line = process.stdout.readline().strip()
        assert line, "the process ended by itself"
        said.append(line)
    process.kill()
    process.communicate()
    return int([line for line in said if line != "done"][-1]), "done" in said


def test_killed_at_any_point_it_goes_on_from_its_last_commit(tmp_path: Path) -> None:
    committed = 0
    for lines in (2, 1, 3, 4, 2, 5, 3, 1000):
        last, done = run_until_killed(tmp_path, lines)
        assert last >= committed
        committed = last
    assert done
    engine = Engine.open(tmp_path, replace(SETTINGS, background=False))
    assert engine.positions() == {STREAM: len(history())}
    expected = {
        pin for pin in range(1, PINS + 1) if pin % 5 and pin % GROUPS
    }  # neither deleted nor of the deleted group
    assert {hit.pin_id for hit in engine.search(Query(f"edition{VERSIONS}", limit=1000)).hits} == expected
    assert engine.search(Query(f"edition{VERSIONS - 1}")).hits == []
    asked = np.ones(8, np.float32)
    found = engine.search(Query(vector=asked, limit=1000)).hits
    assert sorted(hit.pin_id for hit in found) == sorted(expected)
    for hit in found:
        vector = np.random.default_rng([hit.pin_id, VERSIONS]).standard_normal(8, np.float32)
        cosine = float(vector @ asked / np.linalg.norm(vector) / np.linalg.norm(asked))
        assert hit.vector_score == pytest.approx(cosine, abs=1e-5)
    engine.close()


def fill(engine: Engine, pins: range) -> None:
    generator = np.random.default_rng(pins.start)
    engine.apply([GroupChanged(1, 1)])
    engine.apply([PinChanged(pin, 1, 1, f"lamp number{pin}") for pin in pins], {("pins", 0): pins.stop})
    engine.apply([VectorChanged(pin, 1, generator.standard_normal(8, np.float32)) for pin in pins])
    engine.commit()


@pytest.mark.parametrize("index", ["ivf", "hnsw"])
def test_a_snapshot_opens_as_the_index_it_was(
    open_engine, tmp_path: Path, settings: EngineSettings, index: str
) -> None:
    engine = open_engine(settings=replace(settings, vector_index=index))
    fill(engine, range(1, 101))
    engine.maintain()
    fill(engine, range(101, 150))
    queries = [Query("lamp", limit=200), Query(vector=np.ones(8, np.float32), limit=20)]
    answers = [engine.search(query) for query in queries]
    snapshot = engine.snapshot(tmp_path / "snapshot")
    engine.apply([PinChanged(pin, 2, deleted=True) for pin in range(1, 100)])
    fill(engine, range(200, 300))
    engine.maintain()
    verify(snapshot.directory)
    assert snapshot.positions == {("pins", 0): 150}
    again = open_engine(snapshot.directory, replace(settings, vector_index=index))
    assert again.positions() == snapshot.positions
    assert [again.search(query) for query in queries] == answers
    fill(again, range(400, 450))
    assert again.search(Query("number420")).total == 1


def test_snapshots_share_the_files_that_did_not_change(engine: Engine, tmp_path: Path) -> None:
    fill(engine, range(1, 101))
    engine.maintain()
    first = engine.snapshot(tmp_path / "first")
    fill(engine, range(101, 110))
    second = engine.snapshot(tmp_path / "second")
    before = {(file.path, file.sha256) for file in first.files}
    sealed = {file for file in before if file[0].endswith((".vectors", ".lists", ".faiss", ".term"))}
    after = {(file.path, file.sha256) for file in second.files}
    assert len(sealed & after) >= len(sealed) - 1  # all but the segment that is written to


def test_the_manifest_tells_files_and_positions(engine: Engine, tmp_path: Path) -> None:
    fill(engine, range(1, 10))
    snapshot = engine.snapshot(tmp_path / "snapshot")
    files, positions = read_manifest((snapshot.directory / MANIFEST).read_text())
    assert files == snapshot.files
    assert positions == {("pins", 0): 10}
    assert {path.name for path in snapshot.directory.rglob("*") if path.is_file()} == {
        *(Path(file.path).name for file in files),
        MANIFEST,
    }


def test_a_snapshot_that_was_not_fetched_whole_is_refused(engine: Engine, tmp_path: Path) -> None:
    fill(engine, range(1, 50))
    snapshot = engine.snapshot(tmp_path / "snapshot")
    chosen = next(file for file in snapshot.files if file.path.endswith(".vectors"))
    path = snapshot.directory / chosen.path
    content = bytearray(path.read_bytes())
    content[100] ^= 1
    path.unlink()
    path.write_bytes(content)
    with pytest.raises(SnapshotError, match=chosen.path):
        verify(snapshot.directory)
    path.unlink()
    with pytest.raises(SnapshotError, match="fetch it anew"):
        verify(snapshot.directory)


def test_a_snapshot_needs_an_empty_directory(engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").touch()
    with pytest.raises(SnapshotError, match="not empty"):
        engine.snapshot(tmp_path / "full")


def test_vectors_of_another_dimension_are_refused(open_engine, settings: EngineSettings) -> None:
    open_engine().close()
    with pytest.raises(StoreError, match="8 dimensions, the settings say 16; rebuild"):
        open_engine(settings=replace(settings, dimension=16))


def test_a_torn_record_and_what_follows_it_is_cleared(tmp_path: Path) -> None:
    segment = Segment(tmp_path, "one", 4, 10)
    ids = np.arange(1, 6)
    vectors = np.ones((5, 4), np.float32)
    segment.append(ids, ids, np.zeros(5, np.bool_), vectors)
    segment.vectors[3] = 7  # written, but its checksum was not
    again = Segment(tmp_path, "one", 4, 10)
    again.recover()
    assert again.count == 3
    assert not again.records["pin_id"][3:].any()
    again.append(ids[:1], ids[:1], np.zeros(1, np.bool_), vectors[:1])
    third = Segment(tmp_path, "one", 4, 10)
    third.recover()
    assert third.count == 4


def test_files_that_nobody_names_are_removed(open_engine, tmp_path: Path) -> None:
    engine = open_engine()
    fill(engine, range(1, 50))
    engine.close()
    stray = tmp_path / "index" / "vectors" / "segment-000099.vectors"
    stray.write_bytes(b"left by a process that was killed")
    fill(open_engine(), range(50, 90))
    assert not stray.exists()
    manifest = json.loads((tmp_path / "index" / "vectors" / "manifest.json").read_text())
    named = {name for name, *_ in [*manifest["sealed"], manifest["active"]]}
    assert {path.name.split(".")[0] for path in stray.parent.glob("*.vectors")} == named
