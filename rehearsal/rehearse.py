"""Runs the layers of an environment in order: each one's program against the stage, then the rules of the whole."""

import asyncio
import contextvars
import gc
import time
import traceback
import warnings
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import pulumi
from pulumi.runtime.stack import run_in_stack

from emulator.problem import Problem
from infra import program
from infra.environment import PROJECT, Environment
from rehearsal.cloud import Cloud
from rehearsal.monitor import NoOutputsError, RehearsalMonitor
from rehearsal.record import Record, Refusal, Status
from rehearsal.stage import Stage

_THREADS = 4
"""Resources in flight. The program's own work is serial; a few threads hide the emulator's answers behind it."""

_PROGRAMS = Path(program.__file__).resolve().parent


@dataclass
class LayerResult:
    """What became of one layer."""

    name: str
    records: list[Record] = field(default_factory=list)
    """Sorted by URN, so that two rehearsals compare byte by byte."""
    refusals: list[Refusal] = field(default_factory=list)
    outputs: dict[str, Any] = field(default_factory=dict)
    """The stack's outputs: the layer's contract."""
    crash: str = ""
    """The program's own exception, if it ended with one: the last line of its traceback."""
    crash_at: str = ""
    """File and line of the repository where it was raised."""
    crash_trace: str = ""
    lacks: str = ""
    """The stack for want of whose outputs the program ended: that stack's own program had ended early."""
    seconds: float = 0.0


@dataclass
class Rehearsal:
    """What became of an environment."""

    environment: Environment
    layers: list[LayerResult] = field(default_factory=list)

    @property
    def refusals(self) -> list[Refusal]:
        """Every reason why it does not pass."""
        return [refusal for layer in self.layers for refusal in layer.refusals]

    @property
    def passed(self) -> bool:
        """Whether every layer's program ended well and nothing was refused."""
        return not self.refusals and not any(layer.crash for layer in self.layers)

    def as_json(self) -> dict[str, Any]:
        """The resource graph."""
        return {
            "environment": self.environment.name,
            "layers": [
                {"name": layer.name, "resources": [record.as_json() for record in layer.records]}
                for layer in self.layers
            ],
        }


class Observer(Protocol):
    """Is told how a rehearsal goes on; called from several threads."""

    def layer_started(self, layer: str) -> None:
        """The program of `layer` starts."""

    def resource_done(self, layer: str, record: Record) -> None:
        """A resource has been created, recorded or refused."""

    def layer_done(self, result: LayerResult) -> None:
        """A layer has ended."""


Program = Callable[[Environment], None]


def layers_for(chosen: Sequence[str]) -> list[str]:
    """The chosen layers and those they need, in order; all layers when none is chosen."""
    wanted = set(chosen) or set(program.LAYERS)
    for name in reversed(program.LAYERS):
        if name in wanted:
            wanted.update(program.LAYERS[name].needs)
    return [name for name in program.LAYERS if name in wanted]


def rehearse(
    environment: Environment,
    cloud: Cloud,
    *,
    layers: Sequence[str] = (),
    observer: Observer | None = None,
    extra: Sequence[tuple[str, Program]] = (),
) -> Rehearsal:
    """Rehearses `layers` (default: all) in the emulated `cloud`. Never raises over the program or its resources.

    `extra` are further programs, each run as a layer of its own after the others: the benchmark's synthetic
    services, or a test's mistakes.
    """
    programs: list[tuple[str, Program]] = [
        (name, lambda each, layer=name: program.run(each, layer)) for name in layers_for(layers)
    ]
    return play(Stage(environment, cloud), [*programs, *extra], observer)


def play(
    stage: Stage, programs: Sequence[tuple[str, Program]], observer: Observer | None = None
) -> Rehearsal:
    """Plays the programs one after the other, each as a layer of its name.

    A stage may be played on again: what earlier programs created is still there for later ones.
    """
    result = Rehearsal(stage.environment)
    with _without_garbage_collection():
        for name, layer_program in programs:
            if observer:
                observer.layer_started(name)
            layer = _play_layer(name, layer_program, stage, observer)
            result.layers.append(layer)
            if observer:
                observer.layer_done(layer)
        _judge_the_whole(stage, result)
    return result


@contextmanager
def _without_garbage_collection() -> Generator[None]:
    """The collector would walk all botocore models again and again, for half of the time, and find nothing."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _play_layer(name: str, layer_program: Program, stage: Stage, observer: Observer | None) -> LayerResult:
    def create(record: Record, tags: dict[str, str]) -> None:
        stage.create(record, tags)
        if observer:
            observer.resource_done(name, record)

    started = time.perf_counter()
    stack = f"{stage.environment.name}-{name}"
    monitor = RehearsalMonitor(create, stage.stack_outputs)
    result = LayerResult(name)
    try:
        run_program(lambda: layer_program(stage.environment), monitor, stack)
        stage.stack_outputs[stack] = monitor.outputs
    except (Exception, SystemExit) as error:  # a program's sys.exit() must not pass for a rehearsal's end
        result.crash = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        result.crash_at = _place(error)
        result.crash_trace = traceback.format_exc()
        if isinstance(error, NoOutputsError) and error.stack in stage.crashed:
            result.lacks = error.stack
        stage.crashed.add(stack)
    if result.crash:
        _forget_what_never_ran()
    result.records = sorted(monitor.records.values(), key=lambda record: record.urn)
    result.outputs = monitor.outputs
    found = [(record.urn, problem) for record in result.records for problem in record.problems]
    found += sorted(monitor.duplicates, key=lambda each: each[0])
    found += stage.rules.check_shown(result.records)
    found += [
        (f"{stack}::output", problem)
        for problem in stage.rules.check_outputs(monitor.outputs, monitor.secret_outputs)
    ]
    result.refusals = [Refusal(name, urn, problem) for urn, problem in found]
    result.seconds = time.perf_counter() - started
    return result


def _place(error: BaseException) -> str:
    """The innermost line of the repository's own programs in a traceback, e.g. `infra/stacks/data.py:23`."""
    if isinstance(error, SyntaxError):  # its message says where
        return ""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if Path(frame.filename).is_relative_to(_PROGRAMS)]
    return f"{Path(ours[-1].filename).relative_to(_PROGRAMS.parent)}:{ours[-1].lineno}" if ours else ""


def _forget_what_never_ran() -> None:
    """Collects the coroutines that a crash left, now and quietly: Python would warn of each, at any later time."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        gc.collect()


def run_program(function: Callable[[], None], monitor: pulumi.runtime.mocks.MockMonitor, stack: str) -> None:
    """Runs a Pulumi program against `monitor`, in a context and an event loop of its own."""

    async def run() -> None:
        loop = asyncio.get_running_loop()
        loop.set_default_executor(ThreadPoolExecutor(_THREADS))
        # When a program raises, run_in_stack does too. Its other tasks fail with it, and need not be heard.
        loop.set_exception_handler(lambda *_: None)
        pulumi.runtime.set_mocks(
            monitor.mocks,
            project=PROJECT,
            stack=stack,
            preview=False,
            monitor=monitor,
            organization="rehearsal",
        )
        # What a program that crashed left undone is not this one's: set_mocks keeps the settings' outputs.
        pulumi.runtime.settings.SETTINGS.outputs = set()  # pyright: ignore[reportAttributeAccessIssue]
        # set_mocks leaves a finished root stack behind; run_in_stack makes the real one, with outputs.
        pulumi.runtime.settings.ROOT.set(None)
        await run_in_stack(function)

    contextvars.Context().run(asyncio.run, run())


def _judge_the_whole(stage: Stage, result: Rehearsal) -> None:
    """What can be said only when everything is known, e.g. whether a pod fits any node."""
    by_urn = {record.urn: (layer, record) for layer in result.layers for record in layer.records}
    problems: list[tuple[str, Problem]] = stage.rules.check_whole()
    for urn, problem in problems:
        layer, record = by_urn[urn]
        record.problems.append(problem)
        record.status = Status.FAILED
        layer.refusals.append(Refusal(layer.name, urn, problem))
