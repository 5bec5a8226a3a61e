"""`pinwheel deploy` and `destroy`: the layers in order through Pulumi, and down again in reverse."""

import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from infra.program import LAYERS
from pinwheel import drain, environments, lifetime, pulumi_engine
from pinwheel.errors import ExitCode, Failure
from pinwheel.pulumi_engine import Engine
from pinwheel.rehearse_command import rehearse_once

if TYPE_CHECKING:
    from infra.environment import Environment


def _real_engine() -> Engine:
    return pulumi_engine.AutomationEngine(pulumi_engine.find_command())


def _real_ec2(region: str) -> Any:
    import boto3  # noqa: PLC0415 - only a real destroy needs it

    return boto3.client("ec2", region_name=region)


@dataclass
class Outside:
    """Everything here that acts on the world; a test puts others in their place."""

    engine: Callable[[], Engine] = _real_engine
    rehearse: Callable[..., ExitCode] = rehearse_once
    kubectl_of: Callable[[str, str], AbstractContextManager[drain.Kubectl]] = drain.kubectl_of
    ec2: Callable[[str], Any] = _real_ec2
    ask: Callable[[str], str] = input
    tell: Callable[[str], None] = typer.echo

    def answer(self, question: str) -> str:
        """What the person types; raises Failure when nobody is there."""
        try:
            return self.ask(f"{question} ").strip()
        except EOFError:
            raise Failure("nobody is there to confirm", "run it in a terminal, or add --yes") from None


def deploy(
    name: str,
    layers: Sequence[str],
    directory: Path | None = None,
    *,
    preview: bool = False,
    yes: bool = False,
    skip_rehearsal: bool = False,
    debug: bool = False,
    outside: Outside | None = None,
) -> ExitCode:
    """Bring up the chosen layers (all when none is chosen) in order, after a rehearsal that passes."""
    outside = outside or Outside()
    environment = environments.load(name, directory)
    environments.require_layers(layers)
    engine = outside.engine()
    stacks = [_stack(environment, layer) for layer in LAYERS if layer in layers or not layers]
    if not skip_rehearsal:
        code = outside.rehearse(name, layers, None, directory, debug=debug)
        if code is not ExitCode.PASSED:
            outside.tell(
                "Nothing was deployed: the rehearsal does not pass (--skip-rehearsal deploys anyway)."
            )
            return code
    if not (preview or yes):
        _confirm(outside, f"Deploy {', '.join(stacks)} to account {environment.account}?")
    with lifetime.at_signal(lambda: lifetime.end_children(wait=True)):
        for stack in stacks:
            outside.tell(f"{'previewing' if preview else 'deploying'} {stack}")
            if preview:
                engine.preview(stack, outside.tell)
            else:
                engine.up(stack, outside.tell)
    return ExitCode.PASSED


def destroy(
    name: str,
    layers: Sequence[str],
    directory: Path | None = None,
    *,
    yes: bool = False,
    unprotect: bool = False,
    skip_drain: bool = False,
    outside: Outside | None = None,
) -> ExitCode:
    """Destroy the chosen layers (all when none is chosen) in reverse order, the cluster drained first."""
    outside = outside or Outside()
    environment = environments.load(name, directory)
    environments.require_layers(layers)
    _require_no_layer_on_top(layers)
    if environment.protect and not unprotect:
        raise Failure(
            f"{name} is protected (`protect: true`)",
            f"if it must go with all its data: pinwheel destroy {name} --unprotect",
        )
    engine = outside.engine()
    going = [layer for layer in LAYERS if layer in layers or not layers]
    if environment.protect:
        question = f"This deletes {name} with all its data. Type its name to go on:"
        if outside.answer(question) != name:
            raise Failure("that is not its name: nothing was destroyed", f"type {name} to destroy it")
    elif not yes:
        _confirm(outside, f"Destroy {', '.join(_stack(environment, layer) for layer in reversed(going))}?")
    with lifetime.at_signal(lambda: lifetime.end_children(wait=True)):
        if environment.protect:
            for layer in going:
                outside.tell(f"taking the protection off {_stack(environment, layer)}")
                engine.up(_stack(environment, layer), outside.tell, unprotect=True)
        for layer in reversed(going):
            _destroy_layer(environment, layer, engine, outside, skip_drain=skip_drain)
    return ExitCode.PASSED


def _destroy_layer(
    environment: "Environment", layer: str, engine: Engine, outside: Outside, *, skip_drain: bool
) -> None:
    stack = _stack(environment, layer)
    real = environment.emulator is None  # in an emulated cluster no controller makes anything
    if real and layer == "cluster" and not skip_drain:
        cluster = engine.contract(stack)
        if cluster:  # else it never came up, and there is nothing in it
            with outside.kubectl_of(cluster["name"], environment.region) as kubectl:
                drain.drain(kubectl, outside.tell)
    if real and layer == "network":
        network = engine.contract(stack)
        if network:
            ec2 = outside.ec2(environment.region)
            for interface in drain.delete_leftover_interfaces(ec2, network["vpc_id"]):
                outside.tell(f"deleted network interface {interface}, which a node had left behind")
    outside.tell(f"destroying {stack}")
    engine.destroy(stack, outside.tell)


def _require_no_layer_on_top(layers: Sequence[str]) -> None:
    """A layer that others were built on goes with them or not at all."""
    going = set(layers)
    for layer in LAYERS.values():  # in order, so that what stands on what stands on it is found too
        if going.intersection(layer.needs):
            going.add(layer.name)
    missing = [layer for layer in LAYERS if layer in going and layer not in layers]
    if missing:
        raise Failure(
            f"{' and '.join(missing)} would lose what they stand on",
            f"destroy them too: {' '.join(f'--layer {layer}' for layer in LAYERS if layer in going)}",
        )


def _stack(environment: "Environment", layer: str) -> str:
    return f"{environment.name}-{layer}"


def _confirm(outside: Outside, question: str) -> None:
    if not sys.stdin.isatty() and outside.ask is input:
        raise Failure("nobody is there to confirm", "run it in a terminal, or add --yes")
    if outside.answer(f"{question} [y/N]").lower() not in ("y", "yes"):
        raise Failure("not confirmed: nothing was done", "answer y, or add --yes")
