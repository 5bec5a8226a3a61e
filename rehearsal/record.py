"""What the rehearsal knows of one resource, and its form in the resource graph (`--json`)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from emulator.problem import Problem

SECRET = "[secret]"  # noqa: S105 - what stands in a secret's place
STACK_TYPE = "pulumi:pulumi:Stack"


class Status(StrEnum):
    """How far a resource came."""

    CREATED = "created"
    """Created in the emulator; a Kubernetes object: admitted against the API schemas; a component: declared."""
    RECORDED = "recorded"
    """Noted only: its type has no adapter, or it needs a resource that was refused."""
    FAILED = "failed"
    """Refused; `problems` say why."""


@dataclass
class Record:
    """One resource. `inputs` and `outputs` are as on Pulumi's wire: camelCase, plain values."""

    urn: str
    type: str
    name: str
    custom: bool
    inputs: dict[str, Any]
    parent: str = ""
    provider: str = ""
    dependencies: tuple[str, ...] = ()
    protect: bool = False
    """Whether Pulumi itself refuses to delete it."""
    secret_inputs: frozenset[str] = frozenset()
    secret_outputs: frozenset[str] = frozenset()
    id: str = ""
    outputs: dict[str, Any] = field(default_factory=dict)
    status: Status = Status.RECORDED
    problems: list[Problem] = field(default_factory=list)
    unchecked: tuple[str, ...] = ()
    """Inputs that the adapter does not carry to the emulator, so that nothing has judged them."""
    waits_for: str = ""
    """The refused resource without which this one could not be created."""
    seconds: float = 0.0

    @property
    def layer_resource(self) -> bool:
        """Whether it is a resource of the program rather than of the engine (stacks, references, providers)."""
        return not self.type.startswith("pulumi:")

    def as_json(self) -> dict[str, Any]:
        """The graph's form: secrets masked, keys as Pulumi puts them."""
        return {
            "urn": self.urn,
            "type": self.type,
            "name": self.name,
            "id": self.id,
            "status": self.status.value,
            "inputs": masked(self.inputs, self.secret_inputs),
            "outputs": masked(self.outputs, self.secret_outputs),
            "parent": self.parent,
            "dependencies": list(self.dependencies),
            "seconds": round(self.seconds, 6),
        }


def masked(values: Mapping[str, Any], secret: frozenset[str]) -> dict[str, Any]:
    """`values` with every secret top-level property hidden."""
    return {key: SECRET if key in secret else value for key, value in values.items()}


@dataclass(frozen=True)
class Refusal:
    """One reason why a rehearsal does not pass."""

    layer: str
    urn: str
    problem: Problem

    @property
    def resource(self) -> str:
        """`type name`, as a person calls it."""
        *_, kind, name = self.urn.split("::")
        return f"{kind.rsplit('$', 1)[-1]} {name}"
