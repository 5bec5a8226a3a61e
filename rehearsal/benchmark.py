"""How fast a rehearsal is beside bare mocks, and how its cost grows: `make bench` prints it, docs/benchmarks.md has it.

Every measurement runs in a process of its own, in turn (bare, rehearsal, bare, rehearsal, ...), because these
machines are noisy and only ratios of the same run can be trusted. The median of the rounds is shown.
"""

import argparse
import gc
import json
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

_MIB = 1024
_SYNTHETIC = (100, 300, 1000)


def _measure(kind: str, environment_name: str, count: int) -> dict[str, Any]:
    """Runs in a child process: one rehearsal (`rehearsal`) or one bare run (`bare`)."""
    started = time.perf_counter()
    from emulator.process import Emulator  # noqa: PLC0415 - imports are part of what is measured
    from infra import environment_file  # noqa: PLC0415

    environment = environment_file.load(environment_name)
    if kind == "bare":
        from rehearsal.bare import run_bare  # noqa: PLC0415
        from rehearsal.synthetic import services  # noqa: PLC0415

        extra = [("synthetic", services(count))] if count else []
        resources, seconds = run_bare(environment, extra)
        return _result(resources, seconds, started, 0.0)
    gc.disable()  # as `pinwheel rehearse` does: decision 10
    emulator = Emulator(account=environment.account, region=environment.region)
    emulator.start()
    try:
        from rehearsal.cloud import Cloud  # noqa: PLC0415
        from rehearsal.rehearse import rehearse  # noqa: PLC0415
        from rehearsal.synthetic import services  # noqa: PLC0415

        emulator.wait_ready()
        extra = [("synthetic", services(count))] if count else []
        before = time.perf_counter()
        rehearsal = rehearse(
            environment, Cloud(emulator.endpoint, environment.account, environment.region), extra=extra
        )
        seconds = time.perf_counter() - before
        if not rehearsal.passed:
            raise SystemExit(f"the rehearsal did not pass: {rehearsal.refusals[:3]}")
        records = sum(len(layer.records) for layer in rehearsal.layers)
        return _result(
            records, seconds, started, psutil.Process(emulator.pid).memory_info().rss / _MIB / _MIB
        )
    finally:
        emulator.stop()


def _result(resources: int, seconds: float, started: float, emulator_mib: float) -> dict[str, Any]:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    per_mib = _MIB if sys.platform != "darwin" else _MIB * _MIB
    return {
        "resources": resources,
        "seconds": seconds,
        "whole": time.perf_counter() - started,
        "mib": peak / per_mib,
        "emulator_mib": emulator_mib,
    }


def _child(kind: str, environment: str, count: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "rehearsal.benchmark", "--measure", kind, environment, str(count)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603
    return json.loads(output.splitlines()[-1])


def _rounds(environment: str, count: int, rounds: int) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {"bare": [], "rehearsal": []}
    for _ in range(rounds):
        for kind, results in found.items():
            results.append(_child(kind, environment, count))
    return found


def _median(results: list[dict[str, Any]], key: str) -> float:
    return statistics.median(result[key] for result in results)


def main() -> None:
    """Prints the table; `--markdown FILE` writes it too."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--measure", nargs=3, metavar=("KIND", "ENVIRONMENT", "COUNT"), help=argparse.SUPPRESS
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--markdown", type=Path)
    arguments = parser.parse_args()
    if arguments.measure:
        kind, environment, count = arguments.measure
        sys.stdout.write(json.dumps(_measure(kind, environment, int(count))) + "\n")
        return
    rows = [_row("prod", 0, arguments.rounds)]
    rows += [_row("prod", count, 1 if count == max(_SYNTHETIC) else 3) for count in _SYNTHETIC]
    _print(rows)
    if arguments.markdown:
        lines = ["| " + " | ".join(_COLUMNS) + " |", "|" + "---|" * len(_COLUMNS)]
        lines += ["| " + " | ".join(row) + " |" for row in rows]
        arguments.markdown.write_text("\n".join(lines) + "\n", encoding="utf-8")


_COLUMNS = (
    "programs", "resources", "bare mocks (s)", "rehearsal (s)", "ratio", "whole command: bare / rehearsal (s)",
    "ratio", "resources/s", "peak MiB: program / emulator",
)  # fmt: skip


def _row(environment: str, count: int, rounds: int) -> list[str]:
    found = _rounds(environment, count, rounds)
    bare, rehearsed = found["bare"], found["rehearsal"]
    seconds, whole = _median(rehearsed, "seconds"), _median(rehearsed, "whole")
    bare_seconds, bare_whole = _median(bare, "seconds"), _median(bare, "whole")
    resources = rehearsed[0]["resources"]
    return [
        f"{environment} + {count} services" if count else environment,
        f"{resources:,}",
        f"{bare_seconds:.2f}",
        f"{seconds:.2f}",
        f"{seconds / bare_seconds:.2f}",
        f"{bare_whole:.2f} / {whole:.2f}",
        f"{whole / bare_whole:.2f}",
        f"{resources / seconds:.0f}",
        f"{_median(rehearsed, 'mib'):.0f} / {_median(rehearsed, 'emulator_mib'):.0f}",
    ]


def _print(rows: list[list[str]]) -> None:
    table = Table(*_COLUMNS, title="Rehearsal beside bare mocks that return their inputs (medians)")
    for row in rows:
        table.add_row(*row)
    Console().print(table)


if __name__ == "__main__":
    main()
