"""Pulumi's own mocks, answering every resource with its inputs: the yardstick of the rehearsal's speed."""

import dataclasses
import time
from collections.abc import Sequence
from typing import Any, get_type_hints

import pulumi
from pulumi.runtime import mocks

from infra import program
from infra.contracts import ClusterContract, DataContract, NetworkContract
from infra.data.catalogue import CAPTURED_TABLES
from infra.environment import Environment
from rehearsal.rehearse import Program, run_program

_ACCOUNT_ARN = "arn:aws:service:us-east-1:000000000000:thing/bare"
_READ_BY_PROGRAMS: dict[str, Any] = {
    "arn": _ACCOUNT_ARN,
    "bootstrapBrokersSaslIam": "broker:9098",
    "bootstrapBrokersSaslScram": "broker:9096",
    "certificateAuthority": {"data": "Y2E="},
    "endpoint": "https://bare.invalid",
    "keyId": "00000000-0000-0000-0000-000000000000",
    "latestRevision": 1,
    "latestVersion": 1,
    "masterUserSecrets": [{"secretArn": _ACCOUNT_ARN, "kmsKeyId": "", "secretStatus": "active"}],
    "name": "bare",
    "port": 3306,
    "readerEndpoint": "reader.invalid",
    "repositoryUrl": "registry.invalid/bare",
    "result": "bare",
    "url": "https://bare.invalid/queue",
    "vpcConfig": {"clusterSecurityGroupId": "sg-00000000000000000"},
    "zoneId": "Z0000000000000",
}
"""What programs join into strings: under bare mocks an output that is not there would end them."""

_MADE_UP = {
    str(pulumi.Output[str]): "bare",
    str(pulumi.Output[int]): 1,
    str(pulumi.Output[list[str]]): ["subnet-a", "subnet-b", "subnet-c"],
    str(pulumi.Output[dict[str, str]]): dict.fromkeys(
        CAPTURED_TABLES, _ACCOUNT_ARN
    ),  # of each database a secret
}
_CONTRACTS: dict[str, Any] = {
    kind.LAYER: {
        "contract": {
            "version": kind.VERSION,
            **{
                field.name: _MADE_UP[str(get_type_hints(kind)[field.name])]
                for field in dataclasses.fields(kind)
            },
        }
    }
    for kind in (NetworkContract, ClusterContract, DataContract)
}


class BareMocks(pulumi.runtime.Mocks):
    """Returns inputs, and made-up contracts for the stacks that are referred to."""

    def __init__(self) -> None:
        self.resources = 0

    def call(self, args: pulumi.runtime.MockCallArgs) -> Any:
        """No function call has a result."""
        del args
        return {}, None

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        """The inputs, plus what programs read."""
        self.resources += 1
        if args.typ == "pulumi:pulumi:StackReference":
            return args.name, {**args.inputs, "outputs": _CONTRACTS[args.name.rsplit("-", 1)[-1]]}
        outputs = {**_READ_BY_PROGRAMS, **args.inputs}
        if "vpcConfig" in args.inputs:  # both an input and, with the cluster's own security group, an output
            outputs["vpcConfig"] = {**args.inputs["vpcConfig"], **_READ_BY_PROGRAMS["vpcConfig"]}
        return f"{args.name}-id", outputs


def run_bare(environment: Environment, extra: Sequence[tuple[str, Program]] = ()) -> tuple[int, float]:
    """Runs every layer's program under bare mocks; returns the number of resources and the seconds."""
    bare = BareMocks()
    programs: list[tuple[str, Program]] = [
        (name, lambda each, layer=name: program.run(each, layer)) for name in program.LAYERS
    ]
    started = time.perf_counter()
    for name, layer_program in [*programs, *extra]:
        run_program(
            lambda run=layer_program: run(environment), mocks.MockMonitor(bare), f"{environment.name}-{name}"
        )
    return bare.resources, time.perf_counter() - started
