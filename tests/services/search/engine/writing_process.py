"""What `test_durability` kills: applies a fixed history from where the index stands, and says how far it is.

`python writing_process.py DIRECTORY`; each line it prints is a position that was committed.
"""

import sys
from pathlib import Path

import numpy as np

from services.search.engine.engine import Engine
from services.search.engine.types import Change, EngineSettings, GroupChanged, PinChanged, VectorChanged

SETTINGS = EngineSettings(dimension=8, seal_vectors=40, exact_vectors=60, writer_heap_bytes=60_000_000)
STREAM = ("pins", 0)
PINS, VERSIONS, GROUPS = 150, 4, 6
BATCH = 12


def history() -> list[Change]:
    """Every pin several times, with vectors that come before or after it; a group that is deleted late."""
    changes: list[Change] = [GroupChanged(number, 1, name="board") for number in range(1, GROUPS + 1)]
    for version in range(1, VERSIONS + 1):
        for pin_id in range(1, PINS + 1):
            vector = np.random.default_rng([pin_id, version]).standard_normal(8, np.float32)
            deleted = version == VERSIONS and pin_id % 5 == 0
            pin = PinChanged(pin_id, version, pin_id % GROUPS + 1, f"lamp edition{version}", deleted=deleted)
            moved: list[Change] = [VectorChanged(pin_id, version, vector), pin]
            changes += moved if pin_id % 2 else reversed(moved)
    return [*changes, GroupChanged(1, 2, deleted=True)]


def main() -> None:
    engine = Engine.open(Path(sys.argv[1]), SETTINGS)
    changes = history()
    position = engine.positions().get(STREAM, 0)
    print(position, flush=True)
    while position < len(changes):
        batch = changes[position : position + BATCH]
        position += len(batch)
        engine.apply(batch, {STREAM: position})
        if position // BATCH % 3 == 0 or position == len(changes):
            engine.commit()
            print(position, flush=True)
        if position // BATCH % 7 == 0:
            engine.maintain()
    print("done", flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
