"""`pinwheel rehearse`: an emulator for the occasion, live progress, the report, the graph."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from pinwheel import environments, files
from pinwheel.errors import ExitCode
from pinwheel.progress import Progress
from pinwheel.rehearsing import load_programs, rehearse_in, started_emulator

if TYPE_CHECKING:
    from rehearsal.rehearse import Rehearsal

STDOUT = "-"


def rehearse_once(
    name: str, layers: Sequence[str], graph_file: str | None, directory: Path | None, *, debug: bool
) -> ExitCode:
    """Rehearse environment `name`, print the report, write the graph; PASSED or REFUSED."""
    environment = environments.load(name, directory)
    environments.require_layers(layers)
    require_graph_file(graph_file)
    with started_emulator(environment) as emulator, Progress(Console(stderr=True)) as progress:
        progress.phase("starting the emulator, loading the programs")
        load_programs(layers)
        emulator.wait_ready()
        result = rehearse_in(emulator, environment, layers, progress)
    return present(result, graph_file, debug=debug)


def require_graph_file(graph_file: str | None) -> None:
    """Raise Failure for a `--json` file that cannot be written, before the work rather than after."""
    if graph_file not in (None, STDOUT):
        files.require_writable(Path(graph_file))


def present(result: "Rehearsal", graph_file: str | None, *, debug: bool) -> ExitCode:
    """Print the report and write the graph, whether it passes or not."""
    from pinwheel import report  # noqa: PLC0415 - imports the rehearsal

    report.show(result, Console(stderr=graph_file == STDOUT), debug=debug)
    if graph_file == STDOUT:
        json.dump(result.as_json(), sys.stdout, indent=2, ensure_ascii=False)
        sys.stdout.write("\n")
    elif graph_file is not None:
        files.write_json(Path(graph_file), result.as_json())
    return ExitCode.PASSED if result.passed else ExitCode.REFUSED
