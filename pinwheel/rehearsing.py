"""A rehearsal in an emulator of its own: starting it and importing Pulumi, both slow, go side by side."""

import contextlib
import gc
import importlib
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from emulator.process import BACKED_STOP_TIMEOUT_SECONDS, BackedBy, Emulator, EmulatorDiedError, EmulatorError
from pinwheel import lifetime
from pinwheel.progress import Progress

if TYPE_CHECKING:
    from infra.environment import Environment
    from rehearsal.rehearse import Rehearsal


@contextmanager
def started_emulator(
    environment: "Environment", port: int = 0, log: Path | None = None, backing: BackedBy | None = None
) -> Generator[Emulator]:
    """An emulator of the environment's account and region, starting; gone with the context or a signal."""
    emulator = Emulator(environment.account, environment.region, port=port, log=log, backing=backing)
    with lifetime.at_signal(lambda: _end(emulator)):
        try:
            emulator.start()
            yield emulator
        finally:
            emulator.stop()


def _end(emulator: Emulator) -> None:
    with contextlib.suppress(EmulatorError):  # not started yet
        lifetime.end_process(
            emulator.pid, BACKED_STOP_TIMEOUT_SECONDS if emulator.backing else lifetime.STOP_TIMEOUT_SECONDS
        )


def load_programs(layers: Sequence[str]) -> None:
    """Import what a rehearsal needs. A layer that cannot be imported is the rehearsal's to report."""
    # For good: the process ends soon after the rehearsal, which keeps what it makes; see decision 10.
    gc.disable()
    from rehearsal import rehearse  # noqa: PLC0415 - Pulumi and botocore: seconds

    for layer in rehearse.layers_for(layers):
        with contextlib.suppress(Exception):
            importlib.import_module(f"infra.stacks.{layer}")


def rehearse_in(
    emulator: Emulator, environment: "Environment", layers: Sequence[str], progress: Progress
) -> "Rehearsal":
    """Rehearse in an emulator that is ready. Raises EmulatorError when it ends meanwhile."""
    from rehearsal.cloud import Cloud  # noqa: PLC0415 - see load_programs
    from rehearsal.rehearse import rehearse  # noqa: PLC0415

    cloud = Cloud(emulator.endpoint, environment.account, environment.region)
    result = rehearse(environment, cloud, layers=layers, observer=progress)
    if not emulator.alive:
        raise EmulatorDiedError(
            "the emulator ended during the rehearsal",
            "free some memory and run again; `pinwheel up` keeps its log in .pinwheel/emulator.log",
        )
    return result
