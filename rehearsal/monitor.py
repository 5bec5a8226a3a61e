"""The engine's side of the Pulumi SDK's mock interface: receives each resource and has it created.

Only what the SDK's own MockMonitor leaves out is here: URNs that must not repeat, parents, dependencies,
secrets, the provider's default tags and stack outputs. What becomes of a resource is the `create` function's.
"""

import json
import time
from collections.abc import Callable
from typing import Any

import pulumi
from google.protobuf import empty_pb2
from pulumi.runtime import mocks
from pulumi.runtime.proto import resource_pb2

from emulator.problem import Problem
from rehearsal import placeholders, wire
from rehearsal.record import STACK_TYPE, Record, Status

_STACK_REFERENCE = "pulumi:pulumi:StackReference"

Create = Callable[[Record, dict[str, str]], None]
"""Fills in a record's id, outputs and status; the second argument are the tags its provider adds."""


class NoOutputsError(pulumi.RunError):
    """The program reads the outputs of a stack that has none."""

    def __init__(self, stack: str) -> None:
        super().__init__(
            f"stack {stack} has no outputs: its layer was not rehearsed before this one, or its program ended early"
        )
        self.stack = stack


class _NoMocks(pulumi.runtime.Mocks):
    def call(self, args: pulumi.runtime.MockCallArgs) -> Any:
        raise NotImplementedError(
            f"the program calls {args.token}: state the value in the environment file instead, "
            "so that previews need no account"
        )

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> Any:
        raise NotImplementedError


class RehearsalMonitor(mocks.MockMonitor):
    """Collects `records` (URN -> record) and the stack's `outputs` while one layer's program runs."""

    def __init__(self, create: Create, stack_outputs: dict[str, dict[str, Any]]) -> None:
        super().__init__(_NoMocks())
        self.records: dict[str, Record] = {}
        self.duplicates: list[tuple[str, Problem]] = []
        self.outputs: dict[str, Any] = {}
        self.secret_outputs: frozenset[str] = frozenset()
        self._create = create
        self._stack_outputs = stack_outputs
        self._tags_of_provider: dict[str, dict[str, str]] = {}

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - gRPC's name
        """One resource of the program."""
        urn = self.make_urn(request.parent, request.type, request.name)
        if request.type == STACK_TYPE:
            return resource_pb2.RegisterResourceResponse(urn=urn)
        inputs, secret = wire.plain(request.object)
        record = Record(
            urn=urn,
            type=request.type,
            name=request.name,
            custom=bool(request.custom),
            inputs=inputs,
            parent=request.parent,
            provider=request.provider,
            dependencies=tuple(sorted(request.dependencies)),
            protect=request.protect,
            secret_inputs=secret,
            secret_outputs=secret.union(request.additionalSecretOutputs),
        )
        if self.records.setdefault(urn, record) is not record:  # the first may still be on its way
            self.duplicates.append((urn, _duplicate(request.name)))
            record.id = placeholders.MARKER + record.name
            record.outputs = placeholders.outputs(record.type, record.name, inputs)
            return _answer(record)
        started = time.perf_counter()
        if request.type.startswith("pulumi:providers:"):
            self._provider(record)
        elif record.custom:
            self._create(record, self._tags_of_provider.get(request.provider.rpartition("::")[0], {}))
        else:
            record.status = Status.CREATED
            record.outputs = inputs
        record.seconds = time.perf_counter() - started
        return _answer(record)

    def _provider(self, record: Record) -> None:
        record.id = f"{record.name}-provider"
        record.status = Status.CREATED
        record.outputs = record.inputs
        tags = record.inputs.get("defaultTags")
        if isinstance(tags, str):  # providers' inputs travel as JSON
            tags = json.loads(tags)
        self._tags_of_provider[record.urn] = (tags or {}).get("tags", {})

    def ReadResource(self, request: Any) -> Any:  # noqa: N802 - gRPC's name
        """A stack reference: the outputs of a layer rehearsed before."""
        urn = self.make_urn(request.parent, request.type, request.name)
        if request.type != _STACK_REFERENCE:
            raise pulumi.RunError(
                f"the program reads {request.type} {request.id}, which it does not declare: read it from the "
                "contract of its layer, or state it in the environment file"
            )
        stack = request.id.rsplit("/", 1)[-1]
        if stack not in self._stack_outputs:
            raise NoOutputsError(stack)
        outputs = {"name": request.id, "outputs": self._stack_outputs[stack], "secretOutputNames": []}
        self.records[urn] = Record(
            urn=urn,
            type=request.type,
            name=request.name,
            custom=True,
            inputs={"name": request.id},
            parent=request.parent,
            id=request.id,
            outputs=outputs,
            status=Status.CREATED,
        )
        return resource_pb2.ReadResourceResponse(urn=urn, properties=wire.struct(outputs))

    def RegisterResourceOutputs(self, request: Any) -> Any:  # noqa: N802 - gRPC's name
        """Outputs of a component or of the stack itself."""
        values, secret = wire.plain(request.outputs)
        record = self.records.get(request.urn)
        if record is not None:
            record.outputs = {**record.outputs, **values}
            record.secret_outputs = record.secret_outputs.union(secret)
        elif values:
            self.outputs, self.secret_outputs = values, secret
        return empty_pb2.Empty()


def _answer(record: Record) -> Any:
    return resource_pb2.RegisterResourceResponse(
        urn=record.urn, id=record.id, object=wire.struct(record.outputs, record.secret_outputs)
    )


def _duplicate(name: str) -> Problem:
    return Problem(
        "",
        name,
        "is declared twice with the same type and parent",
        "give each resource of a type its own name",
    )
