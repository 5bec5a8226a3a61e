"""What tests of the command line and of its clients share: a runner of `pinwheel`, and a world that is up."""

import os
import re
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

if TYPE_CHECKING:
    from rehearsal.rehearse import Rehearsal

ROOT = Path(__file__).resolve().parent.parent
MARKER = "PINWHEEL_TEST_MARKER"


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep each `xdist_group` on one worker: pytest 9.2 does not read the attribute that pytest-xdist 3.8 sets.

    https://github.com/pytest-dev/pytest-xdist/blob/v3.8.0/src/xdist/remote.py (`item._nodeid = ...`)
    """
    for item in items:
        with_group = vars(item).get("_nodeid")
        if with_group is not None and item.nodeid != with_group:
            item._id = type(item._id).parse(with_group)


@dataclass
class Pinwheel:
    """Runs the real command in processes of its own, all of which carry a marker to find them by."""

    state: Path
    variables: dict[str, str] = field(default_factory=dict)
    marker: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def environment(self) -> dict[str, str]:
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PYICEBERG_"))
        }
        ours = {
            MARKER: self.marker,
            "PINWHEEL_STATE": str(self.state),
            "PYTHONPATH": str(ROOT),
            "COLUMNS": "200",
        }
        return {**kept, **ours, **self.variables}

    def run(self, *arguments: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "pinwheel", *arguments],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "pinwheel", *arguments],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def processes(self) -> list[psutil.Process]:
        """Every living process that was started here, however distantly."""
        return [process for process in psutil.process_iter() if self._is_ours(process)]

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            ours = process.environ().get(MARKER) == self.marker
            return ours and process.status() != psutil.STATUS_ZOMBIE
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            return False


@pytest.fixture
def pinwheel(tmp_path: Path) -> Iterator[Pinwheel]:
    """`pinwheel`, with a state directory of its own; whatever a failing test leaves is killed."""
    runner = Pinwheel(tmp_path / "state")
    yield runner
    for process in runner.processes():
        process.kill()


@dataclass
class Printed:
    """What `pinwheel up` printed: all that a client is given."""

    lines: list[str]
    pinwheel: Pinwheel

    @property
    def endpoint(self) -> str:
        return next(found[1] for line in self.lines if (found := re.search(r"AWS endpoint is (\S+)", line)))

    @property
    def variables(self) -> dict[str, str]:
        exports = [
            line.strip().removeprefix("export ") for line in self.lines if line.startswith("  export ")
        ]
        return dict(export.split("=", 1) for export in exports)

    @property
    def environment(self) -> dict[str, str]:
        """The environment of somebody who has pasted the exported variables."""
        return {**self.pinwheel.environment, **self.variables}

    @property
    def commands(self) -> list[str]:
        """The three things to try, as they stand."""
        start = self.lines.index("Try next:") + 1
        return [line.strip() for line in self.lines[start : start + 3]]

    def thing(self, name: str) -> str:
        """The value in the line `  <name>   <value>`."""
        return next(line[len(name) + 2 :].strip() for line in self.lines if line.startswith(f"  {name} "))


def read_until(process: subprocess.Popen[str], line: str) -> list[str]:
    """The stdout lines up to `line`; fails with all that the process said when it ends before."""
    assert process.stdout is not None
    assert process.stderr is not None
    lines: list[str] = []
    for each in process.stdout:
        lines.append(each.rstrip("\n"))
        if line in each:
            return lines
    pytest.fail("\n".join(["pinwheel ended:", *lines, process.stderr.read()]))


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Printed]:
    """The local world, up on a free port, as a newcomer has it after `make up`."""
    runner = Pinwheel(tmp_path_factory.mktemp("world"))
    process = runner.start("up", "--port", "0")
    try:
        yield Printed(read_until(process, "Ctrl-C stops it all."), runner)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=30)
        assert process.returncode == 128 + signal.SIGINT, told
        assert runner.processes() == []
    finally:
        for left in runner.processes():
            left.kill()


@pytest.fixture(scope="session")
def rehearsed() -> "Callable[[str], Rehearsal]":
    """`rehearsed("prod")` is the rehearsal of an environment; each is rehearsed once.

    Modules that use it carry `pytest.mark.xdist_group("rehearsed")`, so that one worker has them all.
    """
    from tests.rehearsing import rehearse_anew  # takes seconds to import, which most tests need not wait for

    return cache(rehearse_anew)
