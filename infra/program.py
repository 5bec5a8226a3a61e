"""Runs one layer of one environment. Pulumi enters through `__main__`, the rehearsal calls `run` itself."""

import importlib
from dataclasses import dataclass
from types import MappingProxyType

from infra.environment import Environment


@dataclass(frozen=True)
class Layer:
    """A stack `<environment>-<name>`; `needs` are the layers whose contracts it reads."""

    name: str
    needs: tuple[str, ...]


LAYERS = MappingProxyType(
    {
        layer.name: layer
        for layer in (
            Layer("network", needs=()),
            Layer("cluster", needs=("network",)),
            Layer("data", needs=("network", "cluster")),
            Layer("workloads", needs=("cluster", "data")),
        )
    }
)
"""In the order in which they are brought up; they come down in reverse."""

UNPROTECT_VARIABLE = "PINWHEEL_UNPROTECT"
"""The environment that it names is run without protection against deletion: the way to `pinwheel destroy`."""


def run(environment: Environment, layer: str) -> None:
    """Declares the resources of `layer`; the module `infra.stacks.<layer>` says which."""
    importlib.import_module(f"infra.stacks.{LAYERS[layer].name}").stack(environment)


def of_stack(stack: str) -> tuple[str, str]:
    """Environment and layer of a stack's name; raises ValueError when it is not `<environment>-<layer>`."""
    environment, _, layer = stack.rpartition("-")
    if not environment or layer not in LAYERS:
        raise ValueError(
            f"stack `{stack}`: must be <environment>-<layer> with a layer of {', '.join(LAYERS)}; "
            "for example prod-network"
        )
    return environment, layer
