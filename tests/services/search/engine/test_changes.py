"""Changes in whatever order and however often lead to the same index; wrong ones change nothing."""

import threading
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from services.search.engine.engine import Engine
from services.search.engine.types import (
    Change,
    ChangeError,
    EngineSettings,
    GroupChanged,
    GroupPredicate,
    PinChanged,
    Query,
    VectorChanged,
)
from services.search.engine.vectors import compaction
from tests.waiting import until

VIEWERS = (None, 1, 2)
PINS, GROUPS = range(1, 13), range(1, 5)
_UNSHRUNK = [Phase.explicit, Phase.reuse, Phase.generate]
"""Shrinking takes minutes, as each example writes indexes to the disk; the draws say what happened."""


def vector(pin_id: int, version: int) -> np.ndarray:
    return np.random.default_rng([pin_id, version]).standard_normal(8, np.float32)


@dataclass
class Model:
    """What must be found: the newest of everything, in dicts."""

    pins: dict[int, PinChanged] = field(default_factory=dict)
    groups: dict[int, GroupChanged] = field(default_factory=dict)
    vectors: dict[int, VectorChanged] = field(default_factory=dict)

    def apply(self, change: Change) -> None:
        known: dict[int, Any]
        if isinstance(change, GroupChanged):
            known, key = self.groups, change.group_id
        else:
            known, key = (self.pins if isinstance(change, PinChanged) else self.vectors), change.pin_id
        if key not in known or change.version > known[key].version:
            known[key] = change

    def visible(self, viewer: int | None) -> dict[int, PinChanged]:
        return {
            key: pin for key, pin in self.pins.items() if not pin.deleted and self._seen(pin.group_id, viewer)
        }

    def _seen(self, group_id: int, viewer: int | None) -> bool:
        group = self.groups.get(group_id)
        if group_id == 0 or group is None:
            return group_id == 0
        return not group.deleted and (not group.secret or group.owner_id == viewer)


@st.composite
def histories(draw: st.DrawFn) -> list[Change]:
    """Changes of pins, groups and vectors, all mixed up, many of them more than once.

    A pin that is deleted stays so, as in the catalogue, where its identifier is not given again.
    """
    changes: list[Change] = []
    for pin_id in draw(st.lists(st.sampled_from(PINS), unique=True, min_size=1)):
        last = draw(st.integers(1, 4))
        deleted = draw(st.booleans())
        changes += [
            PinChanged(
                pin_id,
                version,
                draw(st.sampled_from([0, *GROUPS])),
                f"lamp edition{version}",
                deleted=deleted and version == last,
            )
            for version in range(1, last + 1)
        ]
        for version in draw(st.lists(st.integers(1, 4), unique=True)):
            content = None if draw(st.integers(0, 4)) == 0 else vector(pin_id, version)
            changes.append(VectorChanged(pin_id, version, content))
    for group_id in draw(st.lists(st.sampled_from(GROUPS), unique=True)):
        changes += [
            GroupChanged(
                group_id,
                version,
                owner_id=draw(st.sampled_from([1, 2])),
                name=f"board{version}",
                secret=draw(st.booleans()),
                deleted=draw(st.integers(0, 4)) == 0,
            )
            for version in range(1, draw(st.integers(1, 4)) + 1)
        ]
    again = draw(st.lists(st.sampled_from(changes), max_size=len(changes)))
    return draw(st.permutations(changes + again))


def assert_like(engine: Engine, model: Model) -> None:
    for viewer in VIEWERS:
        visible = model.visible(viewer)
        found = engine.search(Query("lamp", limit=1000, viewer=viewer))
        assert {hit.pin_id: hit.group_id for hit in found.hits} == {
            key: pin.group_id for key, pin in visible.items()
        }
        for version in range(1, 5):
            edition = engine.search(Query(f"edition{version}", limit=1000, viewer=viewer))
            assert {hit.pin_id for hit in edition.hits} == {
                key for key, pin in visible.items() if pin.version == version
            }
        for group_id in GROUPS:
            within = engine.search(Query(groups=GroupPredicate(ids=[group_id]), limit=1000, viewer=viewer))
            assert {hit.pin_id for hit in within.hits} == {
                key for key, pin in visible.items() if pin.group_id == group_id
            }
        asked = vector(99, 1)
        found = engine.search(Query(vector=asked, limit=1000, viewer=viewer))
        with_vector = [
            key for key in visible if key in model.vectors and model.vectors[key].vector is not None
        ]
        assert sorted(hit.pin_id for hit in found.hits) == sorted(with_vector)
        for hit in found.hits:
            newest = vector(hit.pin_id, model.vectors[hit.pin_id].version)
            cosine = float(newest @ asked / np.linalg.norm(newest) / np.linalg.norm(asked))
            assert hit.vector_score == pytest.approx(cosine, abs=1e-5)


@settings(max_examples=40, phases=_UNSHRUNK, deadline=None, suppress_health_check=list(HealthCheck))
@given(history=histories(), data=st.data())
def test_every_order_and_repetition_leads_to_the_same_index(
    history: list[Change], data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    directory = tmp_path_factory.mktemp("index")
    tiny = EngineSettings(
        dimension=8, seal_vectors=3, exact_vectors=5, writer_heap_bytes=60_000_000, background=False
    )
    engine = Engine.open(directory, tiny)
    model = Model()
    position = 0
    while position < len(history):
        batch = history[position : position + data.draw(st.integers(1, 8))]
        position += len(batch)
        engine.apply(batch, {("mixed", 0): position})
        for change in batch:
            model.apply(change)
        match data.draw(st.sampled_from(["go on", "commit", "maintain", "reopen"])):
            case "commit":
                engine.commit()
                assert_like(engine, model)
            case "maintain":
                engine.maintain()
            case "reopen":
                engine.commit()
                engine.close()
                engine = Engine.open(directory, tiny)
                assert engine.positions() == {("mixed", 0): position}
                assert_like(engine, model)
            case _:
                pass
    engine.commit()
    engine.maintain()
    assert_like(engine, model)
    engine.close()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (PinChanged(0, 1), "pin_id is 0; expected a whole number from 1"),
        (PinChanged(2**63, 1), "pin_id is 9223372036854775808"),
        (PinChanged("5", 1), "pin_id is '5'"),  # pyright: ignore[reportArgumentType]
        (PinChanged(True, 1), "pin_id is True"),
        (PinChanged(1, -1), "version is -1"),
        (PinChanged(1, 1, -3), "group_id is -3"),
        (PinChanged(1, 1, title=None), "title is NoneType; expected a text"),  # pyright: ignore[reportArgumentType]
        (PinChanged(1, 1, title="a\ud800"), "title is not Unicode at character 1"),
        (PinChanged(1, 1, description="x" * 100_001), "description has 100001 characters"),
        (GroupChanged(1, 1, country="de"), "country is 'de'; expected two capital letters"),
        (GroupChanged(1, 1, kind=9), "kind is 9; expected one of"),  # pyright: ignore[reportArgumentType]
        (GroupChanged(1, 1, owner_id=-1), "owner_id is -1"),
        (VectorChanged(1, 1, b"abc"), "vector has 3 bytes; expected 32"),
        (VectorChanged(1, 1, np.zeros(8, np.float32)), "no length"),
        (VectorChanged(1, 1, np.full(8, np.nan, np.float32)), "no length"),
        (VectorChanged(1, 1, np.full(8, np.inf, np.float32)), "no length"),
        (VectorChanged(1, 1, np.ones(7, np.float32)), "expected float32(8,)"),
        (VectorChanged(1, 1, np.ones(8)), "expected float32(8,)"),  # pyright: ignore[reportArgumentType]
    ],
    ids=str,
)
def test_a_wrong_change_is_refused_before_anything_is_touched(
    engine: Engine, change: Change, says: str
) -> None:
    with pytest.raises(ChangeError, match=says.replace("(", r"\(").replace(")", r"\)")):
        engine.apply([PinChanged(7, 1, title="lamp"), change], {("pins", 0): 5})
    engine.commit()
    assert engine.positions() == {}
    assert engine.search(Query("lamp")).hits == []
    engine.apply([PinChanged(7, 1, title="lamp")], {("pins", 0): 5})
    engine.commit()
    assert engine.positions() == {("pins", 0): 5}
    assert [hit.pin_id for hit in engine.search(Query("lamp")).hits] == [7]


def test_positions_are_those_of_the_last_commit(engine: Engine, open_engine: Any) -> None:
    engine.apply([], {("pins", 0): 5, ("boards", 1): 2})
    assert engine.positions() == {}
    engine.commit()
    engine.apply([], {("pins", 0): 9})
    engine.close()
    assert open_engine().positions() == {("pins", 0): 5, ("boards", 1): 2}


def test_deleting_a_board_of_thousands_writes_one_document(engine: Engine) -> None:
    engine.apply([GroupChanged(1, 1), *(PinChanged(number, 1, 1, "lamp") for number in range(1, 5001))])
    engine.commit()
    before = engine.statistics()
    engine.apply([GroupChanged(1, 2, deleted=True)])
    engine.commit()
    after = engine.statistics()
    assert engine.search(Query("lamp")).hits == []
    assert (after.pins, after.text_segments) == (before.pins, before.text_segments)
    assert (before.groups, after.groups) == (1, 0)


def test_searches_go_on_while_vectors_are_added_sealed_learnt_and_compacted(engine: Engine) -> None:
    engine.apply([GroupChanged(1, 1)])
    stop = threading.Event()
    wrong: list[str] = []

    def search(seed: int) -> None:
        asked = vector(seed, 1)
        while not stop.is_set():
            for hit in engine.search(Query(vector=asked, limit=50)).hits:
                known = [vector(hit.pin_id, version) for version in (1, 2)]
                cosines = [float(one @ asked / np.linalg.norm(one) / np.linalg.norm(asked)) for one in known]
                if min(abs(hit.score - cosine) for cosine in cosines) > 1e-4:
                    wrong.append(f"pin {hit.pin_id} scored {hit.score}, its vectors give {cosines}")
            pins = [hit.pin_id for hit in engine.search(Query("lamp", vector=asked, limit=50)).hits]
            if len(pins) != len(set(pins)):
                wrong.append(f"found twice: {pins}")

    threads = [threading.Thread(target=search, args=(seed,)) for seed in (1001, 1002)]
    for thread in threads:
        thread.start()
    for version in (1, 2):
        for first in range(1, 151, 10):
            pins = range(first, first + 10)
            engine.apply([PinChanged(pin, version, 1, "lamp") for pin in pins])
            engine.apply([VectorChanged(pin, version, vector(pin, version)) for pin in pins])
            engine.commit()
            if first % 40 == 1:
                engine.maintain()
    stop.set()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert engine.statistics().vectors == 150


def test_the_background_puts_the_vectors_in_order(tmp_path: Path, settings: EngineSettings) -> None:
    engine = Engine.open(tmp_path, replace(settings, seal_vectors=500, background=True))
    for first in range(1, 6001, 500):
        engine.apply([VectorChanged(pin, 1, vector(pin, 1)) for pin in range(first, first + 500)])
    until(lambda: engine.statistics().vectors_indexed >= 4000)
    engine.close()


def test_the_background_survives_a_fault(
    tmp_path: Path,
    settings: EngineSettings,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    faults = [OSError(28, "No space left on device")]
    due = compaction.due

    def due_later(*arguments: Any) -> bool:
        if faults:
            raise faults.pop()
        return due(*arguments)

    monkeypatch.setattr(compaction, "due", due_later)
    engine = Engine.open(tmp_path, replace(settings, seal_vectors=500, background=True))
    until(lambda: "No space left on device" in caplog.text)
    engine.apply([VectorChanged(pin, 1, vector(pin, 1)) for pin in range(1, 6001)])
    until(lambda: engine.statistics().vectors_indexed >= 4000)
    engine.close()
