"""How long an answer takes: `python -m services.pin.graph.benchmark [--saves 1000000]` prints a table.

Popularity of pins and sizes of boards follow Zipf's law, as saves on Pinterest do.
"""

import argparse
import sys
import time

import numpy as np

from services.pin.graph.zen import BoardPinGraph, Edges, PinChange, SaveChange

_QUESTIONS = 300


def edges(saves: int, seed: int = 1) -> Edges:
    """A graph of that many saves, with a third as many pins and a thirtieth as many boards."""
    random = np.random.default_rng(seed)
    pins, boards = np.arange(1, saves // 3 + 1), np.arange(1, saves // 30 + 1)

    def zipf(count: int, of: int) -> np.ndarray:
        weight = 1.0 / np.arange(1, of + 1) ** 0.7
        return random.permutation(of)[
            np.searchsorted(np.cumsum(weight / weight.sum()), random.random(count) * 0.999)
        ]

    pairs = np.unique(pins[zipf(saves, len(pins))] << 32 | boards[zipf(saves, len(boards))])
    return Edges(
        boards=boards,
        hidden=random.random(len(boards)) < 0.1,  # noqa: PLR2004 - a tenth is secret
        countries=[("DE", "FR", "US")[number] for number in random.integers(0, 3, len(boards))],
        pins=pins,
        homes=boards[zipf(len(pins), len(boards))],
        saved_pins=pairs >> 32,
        saved_boards=pairs & 0xFFFFFFFF,
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="Answers of the board-pin graph, in milliseconds.")
    parser.add_argument("--saves", type=int, default=1_000_000)
    made = edges(parser.parse_args().saves)
    start = time.perf_counter()
    graph = BoardPinGraph.build(made)
    sys.stdout.write(
        f"{graph.edges:,} edges built in {time.perf_counter() - start:.2f} s, {graph.bytes / 1e6:.0f} MB\n"
    )
    random = np.random.default_rng(2)
    pins, boards = (
        random.choice(made.pins, _QUESTIONS).tolist(),
        random.choice(made.boards, _QUESTIONS).tolist(),
    )
    newest = int(made.pins[-1])
    rows = {
        "related pins": [lambda pin=pin: graph.related(pin, 25) for pin in pins],
        "related pins, with a country": [lambda pin=pin: graph.related(pin, 25, country="FR") for pin in pins],
        "more like this board": [lambda board=board: graph.more_like_board(board, 25) for board in boards],
        "a new pin": [lambda pin=pin: graph.apply([PinChange(newest + pin, boards[0])]) for pin in pins],
        "a new save": [lambda pin=pin, board=board: graph.apply([SaveChange(pin, board, deleted=False)])
                       for pin, board in zip(pins, boards, strict=True)],
    }  # fmt: skip
    sys.stdout.write(f"{'milliseconds':32}{'p50':>8}{'p99':>8}\n")
    for name, questions in rows.items():
        times: list[float] = []
        for question in questions:
            start = time.perf_counter()
            question()
            times.append(1000 * (time.perf_counter() - start))
        p50, p99 = np.percentile(times, [50, 99])
        sys.stdout.write(f"{name:32}{p50:8.2f}{p99:8.2f}\n")


if __name__ == "__main__":
    main()
