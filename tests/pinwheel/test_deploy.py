"""`deploy` and `destroy`: the order of layers, what is asked and checked before, where it stops."""

import json
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from pinwheel import drain
from pinwheel.deploy import Outside, deploy, destroy
from pinwheel.errors import ExitCode, Failure


@dataclass
class World:
    """Stands in for Pulumi, the cluster, AWS and the person; keeps what was done, in order."""

    log: list[str] = field(default_factory=list)
    fails: str = ""
    """The stack whose operation fails."""
    rehearsal: ExitCode = ExitCode.PASSED
    answer: str = "y"
    contracts: dict[str, dict[str, Any]] = field(default_factory=dict)

    def up(self, stack: str, tell: Any, *, unprotect: bool = False) -> None:
        self._do(f"up {stack}{' unprotected' if unprotect else ''}", stack)

    def preview(self, stack: str, tell: Any) -> None:
        self._do(f"preview {stack}", stack)

    def destroy(self, stack: str, tell: Any) -> None:
        self._do(f"destroy {stack}", stack)

    def contract(self, stack: str) -> dict[str, Any]:
        return self.contracts.get(stack, {})

    def _do(self, what: str, stack: str) -> None:
        self.log.append(what)
        if stack == self.fails:
            raise Failure(f"stack {stack}: error: no capacity", "again", ExitCode.INFRASTRUCTURE)

    @contextmanager
    def kubectl_of(self, cluster: str, region: str) -> Generator[drain.Kubectl]:
        self.log.append(f"drain {cluster} in {region}")
        yield lambda arguments: json.dumps({"items": []}) if "json" in arguments else ""

    def get_paginator(self, _: str) -> Any:
        return self

    def paginate(self, Filters: list[dict[str, Any]]) -> list[dict[str, Any]]:  # noqa: N803 - boto3's name
        self.log.append(f"leftover interfaces of {Filters[0]['Values'][0]}")
        return []

    @property
    def outside(self) -> Outside:
        def rehearse(name: str, layers: Sequence[str], *_: Any, **__: Any) -> ExitCode:
            self.log.append(f"rehearse {name}")
            return self.rehearsal

        def ask(question: str) -> str:
            self.log.append("ask")
            return self.answer

        return Outside(lambda: self, rehearse, self.kubectl_of, lambda _: self, ask, lambda _: None)


@pytest.fixture
def world() -> World:
    contracts = {"dev-network": {"vpc_id": "vpc-1"}, "dev-cluster": {"name": "pinwheel-dev-cluster"}}
    return World(contracts=contracts)


def test_deploy_brings_the_layers_up_in_order_after_a_rehearsal_and_a_yes(world: World) -> None:
    assert deploy("dev", [], outside=world.outside) == ExitCode.PASSED
    assert world.log == [
        "rehearse dev",
        "ask",
        *(f"up dev-{layer}" for layer in ("network", "cluster", "data", "workloads")),
    ]


def test_chosen_layers_only_in_their_own_order(world: World) -> None:
    deploy("dev", ["data", "network"], yes=True, skip_rehearsal=True, outside=world.outside)
    assert world.log == ["up dev-network", "up dev-data"]


def test_preview_changes_nothing_and_asks_nothing(world: World) -> None:
    deploy("prod", [], preview=True, outside=world.outside)
    assert world.log == [
        "rehearse prod",
        *(f"preview prod-{layer}" for layer in ("network", "cluster", "data", "workloads")),
    ]


def test_a_rehearsal_that_does_not_pass_stops_the_deployment(world: World) -> None:
    world.rehearsal = ExitCode.REFUSED
    assert deploy("dev", [], yes=True, outside=world.outside) == ExitCode.REFUSED
    assert world.log == ["rehearse dev"]


def test_it_stops_at_the_first_layer_that_fails(world: World) -> None:
    world.fails = "dev-cluster"
    with pytest.raises(Failure, match="dev-cluster: error: no capacity"):
        deploy("dev", [], yes=True, skip_rehearsal=True, outside=world.outside)
    assert world.log == ["up dev-network", "up dev-cluster"]


def test_without_a_yes_nothing_is_deployed(world: World) -> None:
    world.answer = "n"
    with pytest.raises(Failure, match="nothing was done"):
        deploy("dev", [], skip_rehearsal=True, outside=world.outside)
    assert world.log == ["ask"]


def test_destroy_goes_in_reverse_drains_the_cluster_and_sweeps_before_the_network(world: World) -> None:
    destroy("dev", [], yes=True, outside=world.outside)
    assert world.log == [
        "destroy dev-workloads",
        "destroy dev-data",
        "drain pinwheel-dev-cluster in us-east-1",
        "destroy dev-cluster",
        "leftover interfaces of vpc-1",
        "destroy dev-network",
    ]


def test_destroy_stops_at_the_first_layer_that_fails(world: World) -> None:
    world.fails = "dev-cluster"
    with pytest.raises(Failure, match="no capacity"):
        destroy("dev", [], yes=True, outside=world.outside)
    assert world.log[-1] == "destroy dev-cluster"


def test_the_drain_may_be_skipped(world: World) -> None:
    destroy("dev", ["cluster", "data", "workloads"], yes=True, skip_drain=True, outside=world.outside)
    assert world.log == ["destroy dev-workloads", "destroy dev-data", "destroy dev-cluster"]


def test_a_cluster_that_never_came_up_needs_no_drain(world: World) -> None:
    world.contracts = {}
    destroy("dev", [], yes=True, outside=world.outside)
    assert world.log == [f"destroy dev-{layer}" for layer in ("workloads", "data", "cluster", "network")]


def test_an_emulated_cluster_has_nothing_to_drain(world: World) -> None:
    world.contracts = {"local-cluster": {"name": "c"}, "local-network": {"vpc_id": "v"}}
    destroy("local", [], yes=True, outside=world.outside)
    assert world.log == [f"destroy local-{layer}" for layer in ("workloads", "data", "cluster", "network")]


def test_a_layer_that_carries_others_goes_with_them_or_not_at_all(world: World) -> None:
    with pytest.raises(Failure, match="cluster and data and workloads would lose") as refused:
        destroy("dev", ["network"], yes=True, outside=world.outside)
    assert refused.value.remedy.endswith("--layer network --layer cluster --layer data --layer workloads")
    assert world.log == []


def test_a_protected_environment_is_not_destroyed(world: World) -> None:
    with pytest.raises(Failure, match="prod is protected") as refused:
        destroy("prod", [], yes=True, outside=world.outside)
    assert "--unprotect" in refused.value.remedy
    assert world.log == []


def test_a_protected_environment_asks_for_its_name_even_with_yes(world: World) -> None:
    with pytest.raises(Failure, match="not its name"):
        destroy("prod", [], yes=True, unprotect=True, outside=world.outside)
    assert world.log == ["ask"]


def test_unprotected_by_its_name_it_loses_its_protection_first(world: World) -> None:
    world.answer = "prod"
    destroy("prod", [], unprotect=True, outside=world.outside)
    assert world.log == [
        "ask",
        *(f"up prod-{layer} unprotected" for layer in ("network", "cluster", "data", "workloads")),
        *(f"destroy prod-{layer}" for layer in ("workloads", "data", "cluster", "network")),
    ]


def test_without_the_pulumi_cli_both_say_how_to_get_it(pinwheel, tmp_path: Path) -> None:
    pinwheel.variables.update(PATH="/nowhere", HOME=str(tmp_path))
    for command in ("deploy", "destroy"):
        done = pinwheel.run(command, "dev", "--yes")
        assert done.returncode == 3
        assert "error: the Pulumi CLI is not installed" in done.stderr
        assert "PulumiCommand.install" in done.stderr
        assert "3.272.0 or newer" in done.stderr
        assert "Traceback" not in done.stderr


def test_nobody_at_the_terminal_and_no_yes_does_nothing(pinwheel, tmp_path: Path) -> None:
    cli = tmp_path / "pulumi"
    cli.write_text("#!/bin/sh\necho v3.272.0\n")
    cli.chmod(0o755)
    pinwheel.variables["PATH"] = f"{tmp_path}:/usr/bin:/bin"
    done = pinwheel.run("destroy", "dev")
    assert done.returncode == 2
    assert "error: nobody is there to confirm" in done.stderr
    assert "--yes" in done.stderr
