"""What a person sees while a rehearsal runs: a live table on a terminal, plain lines anywhere else."""

import threading
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from rehearsal.record import Record
    from rehearsal.rehearse import LayerResult

_REFRESHES_PER_SECOND = 8


@dataclass
class _Layer:
    name: str
    done: int = 0
    failed: int = 0
    latest: str = ""
    seconds: float | None = None
    """None while it runs."""
    crashed: bool = False
    started: float = field(default_factory=time.monotonic)

    def summary(self) -> str:
        refused = f", {self.failed} refused" if self.failed else ""
        return f"{self.done} resources{refused}"


class Progress:
    """An observer of a rehearsal (`rehearsal.rehearse.Observer`); a context manager."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._phase = ""
        self._layers: dict[str, _Layer] = {}
        self._lock = threading.Lock()
        self._spinner = Spinner("dots")
        self._live = Live(
            get_renderable=self._table,
            console=console,
            refresh_per_second=_REFRESHES_PER_SECOND,
            transient=True,
        )

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def phase(self, text: str) -> None:
        """What is going on before the first layer."""
        self._phase = text
        self._say(text)

    def layer_started(self, layer: str) -> None:
        """The program of `layer` starts."""
        self._phase = ""
        with self._lock:
            self._layers[layer] = _Layer(layer)
        self._say(f"{layer}: started")

    def resource_done(self, layer: str, record: "Record") -> None:
        """A resource has been created, recorded or refused."""
        with self._lock:
            row = self._layers[layer]
            row.done += 1
            row.failed += bool(record.problems)
            row.latest = record.name

    def layer_done(self, result: "LayerResult") -> None:
        """A layer has ended."""
        with self._lock:
            row = self._layers[result.name]
            row.seconds = result.seconds
            row.crashed = bool(result.crash)
        ended = ", its program ended with an exception" if result.crash else ""
        self._say(f"{result.name}: {row.summary()}{ended}, {result.seconds:.1f} s")

    def _say(self, line: str) -> None:
        if not self._console.is_terminal:
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def _table(self) -> Table:
        table = Table.grid(padding=(0, 2))
        with self._lock:
            for row in self._layers.values():
                table.add_row(*self._row(row))
        if self._phase:
            table.add_row(self._spinner, Text(self._phase))
        return table

    def _row(self, row: _Layer) -> "tuple[Spinner | Text, Text, Text, Text, Text]":
        running = row.seconds is None
        seconds = time.monotonic() - row.started if row.seconds is None else row.seconds
        bad = bool(row.failed or row.crashed)
        mark = Text("✗", "red") if bad else Text("✓", "green")
        return (
            self._spinner if running else mark,
            Text(row.name, "bold"),
            Text(row.summary(), "red" if bad else ""),
            Text(f"{seconds:.1f} s", "dim"),
            Text(row.latest if running else "", "dim"),
        )
