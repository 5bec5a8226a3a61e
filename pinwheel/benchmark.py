"""How long a whole `pinwheel up` takes beyond the rehearsal, and what it weighs: `python -m pinwheel.benchmark`.

Both are run side by side, in turns, because these machines are noisy. Memory is the resident set of every
process of the world, the command's own included, without services of ours.
"""

import argparse
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import psutil
from rich.console import Console
from rich.table import Table

from pinwheel.world import STATE_VARIABLE

_READY: Final = "Ctrl-C stops it all."


def rehearse(environment: str, state: Path) -> float:
    """Seconds of `pinwheel rehearse`."""
    began = time.perf_counter()
    subprocess.run(  # noqa: S603 - our own command
        _command("rehearse", environment), env=_environment(state), check=True, capture_output=True
    )
    return time.perf_counter() - began


def up(environment: str, state: Path) -> tuple[float, dict[str, float]]:
    """Seconds until `pinwheel up` says that all is ready, and MiB by process."""
    began = time.perf_counter()
    process = subprocess.Popen(  # noqa: S603
        _command("up", environment, "--port", "0"),
        env=_environment(state),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None  # noqa: S101 - for the type checker
    for line in process.stdout:
        if _READY in line:
            break
    seconds = time.perf_counter() - began
    weights: dict[str, float] = {}
    for each in (psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)):
        name = _name(each)
        weights[name] = weights.get(name, 0) + each.memory_info().rss / 2**20
    process.send_signal(signal.SIGINT)
    process.wait()
    return seconds, weights


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "pinwheel", *arguments]


def _environment(state: Path) -> dict[str, str]:
    return {**os.environ, STATE_VARIABLE: str(state)}


def _name(process: psutil.Process) -> str:
    found = re.search(r"-m (\w+(?:\.\w+)*)", " ".join(process.cmdline()))
    return found[1] if found else process.name()


def main() -> None:
    """Print the two tables."""
    parser = argparse.ArgumentParser(prog="python -m pinwheel.benchmark", description=__doc__)
    parser.add_argument("--environment", default="local")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    rehearsals: list[float] = []
    ups: list[float] = []
    weights: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as directory:
        for _ in range(arguments.rounds):
            rehearsals.append(rehearse(arguments.environment, Path(directory)))
            seconds, weights = up(arguments.environment, Path(directory))
            ups.append(seconds)
    rehearsed, ready = statistics.median(rehearsals), statistics.median(ups)
    times = Table(title=f"{arguments.environment}, median of {arguments.rounds}", title_justify="left")
    for column in ("rehearse (s)", "up, until ready (s)", "beyond the rehearsal (s)"):
        times.add_column(column, justify="right")
    times.add_row(f"{rehearsed:.2f}", f"{ready:.2f}", f"{ready - rehearsed:.2f}")
    memory = Table(title="memory while up (MiB, resident)", title_justify="left")
    memory.add_column("process")
    memory.add_column("MiB", justify="right")
    for name, size in sorted(weights.items(), key=lambda each: -each[1]):
        memory.add_row(name, f"{size:.0f}")
    memory.add_row("all", f"{sum(weights.values()):.0f}")
    console = Console()
    console.print(times)
    console.print(memory)


if __name__ == "__main__":
    main()
