"""The real engine, Pulumi's Automation API and all, over a `pulumi` program that answers from a script."""

import json
import os
import sys
from pathlib import Path

import pytest

from pinwheel.errors import ExitCode, Failure
from pinwheel.pulumi_engine import AutomationEngine, find_command

PROGRAM = """#!{python}
import json, os, sys
arguments = [each for each in sys.argv[1:] if each != "--non-interactive"]
with open({log!r}, "a") as log:
    log.write(json.dumps([arguments, os.environ.get("PINWHEEL_UNPROTECT", ""), os.getcwd()]) + "\\n")
command = " ".join(arguments[:2])
if arguments[0] == "version":
    print({version!r})
elif arguments[0] in ("up", "destroy", "preview") and {failure!r}:
    print({failure!r}, file=sys.stderr)
    sys.exit(255)
elif command == "stack output":
    print({outputs!r})
elif command == "stack history":
    print(json.dumps([{{"kind": "update", "startTime": "2026-11-22T00:00:00.000Z", "message": "", "environment": {{}},
                        "config": {{}}, "result": "succeeded", "version": 1}}]))
else:
    if arguments[0] == "preview":  # the API counts the changes by an event
        import grpc
        from pulumi.runtime.proto import events_pb2, events_pb2_grpc
        summary = {{"sequence": 1, "timestamp": 0, "summaryEvent": {{"resourceChanges": {{"create": 1}}}}}}
        address = arguments[arguments.index("--event-log") + 1].removeprefix("tcp://")
        with grpc.insecure_channel(address) as channel:
            request = events_pb2.EventRequest(event=json.dumps(summary))
            events_pb2_grpc.EventsStub(channel).StreamEvents(iter([request]))
    print(f"{{arguments[0]}} done")
"""


class Cli:
    """A `pulumi` program in a directory of its own."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._log = directory / "log"

    def install(self, *, version: str = "v3.272.0", failure: str = "", outputs: object = None) -> None:
        (self._directory / "bin").mkdir(exist_ok=True)
        program = self._directory / "bin" / "pulumi"
        told = {"version": version, "failure": failure, "outputs": json.dumps(outputs or {})}
        program.write_text(PROGRAM.format(python=sys.executable, log=str(self._log), **told))
        program.chmod(0o755)

    def calls(self, command: str) -> list[tuple[list[str], str, str]]:
        lines = [json.loads(line) for line in self._log.read_text().splitlines()]
        return [
            (arguments, variable, where) for arguments, variable, where in lines if arguments[0] == command
        ]


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    monkeypatch.setenv("PATH", os.pathsep.join([str(tmp_path / "bin"), "/usr/bin", "/bin"]))
    monkeypatch.setenv("HOME", str(tmp_path))
    return Cli(tmp_path)


def test_up_runs_the_stack_in_the_repository_and_passes_its_output_on(cli: Cli) -> None:
    cli.install()
    told: list[str] = []
    AutomationEngine(find_command()).up("dev-network", told.append)
    ((arguments, unprotect, where),) = cli.calls("up")
    assert arguments[arguments.index("--stack") + 1] == "dev-network"
    assert unprotect == ""
    assert (Path(where) / "Pulumi.yaml").is_file()
    assert "up done" in told


def test_unprotect_names_the_environment_to_the_program(cli: Cli) -> None:
    cli.install()
    AutomationEngine(find_command()).up("prod-data", lambda _: None, unprotect=True)
    assert [unprotect for _, unprotect, _ in cli.calls("up")] == ["prod"]


def test_preview_and_destroy_reach_the_cli(cli: Cli) -> None:
    cli.install()
    engine = AutomationEngine(find_command())
    engine.preview("dev-network", lambda _: None)
    engine.destroy("dev-network", lambda _: None)
    assert len(cli.calls("preview")) == 1
    assert len(cli.calls("destroy")) == 1


def test_the_contract_of_a_stack(cli: Cli) -> None:
    cli.install(outputs={"contract": {"vpc_id": "vpc-1"}})
    assert AutomationEngine(find_command()).contract("dev-network") == {"vpc_id": "vpc-1"}


def test_a_stack_without_outputs_has_no_contract(cli: Cli) -> None:
    cli.install()
    assert AutomationEngine(find_command()).contract("dev-network") == {}


def test_a_failed_update_says_what_pulumi_said(cli: Cli) -> None:
    cli.install(failure="Updating...\n    error: creating EKS Cluster: LimitExceeded\n")
    with pytest.raises(
        Failure, match=r"stack dev-cluster: .*error: creating EKS Cluster: LimitExceeded"
    ) as failed:
        AutomationEngine(find_command()).up("dev-cluster", lambda _: None)
    assert failed.value.code == ExitCode.INFRASTRUCTURE


def test_a_concurrent_update_says_how_to_cancel_it(cli: Cli) -> None:
    cli.install(failure="error: [409] Conflict: Another update is currently in progress.")
    with pytest.raises(Failure, match="another update is in progress") as failed:
        AutomationEngine(find_command()).destroy("dev-cluster", lambda _: None)
    assert "pulumi cancel -s dev-cluster" in failed.value.remedy


def test_a_cli_that_is_too_old_is_refused(cli: Cli) -> None:
    cli.install(version="v3.100.0")
    with pytest.raises(Failure, match="too old") as refused:
        find_command()
    assert "3.272.0 or newer" in refused.value.remedy


def test_a_cli_that_is_not_on_the_path_but_where_its_installer_puts_it(tmp_path: Path, cli: Cli) -> None:
    cli.install()
    (tmp_path / ".pulumi").mkdir()
    (tmp_path / "bin").rename(tmp_path / ".pulumi" / "bin")
    assert find_command().command == str(tmp_path / ".pulumi" / "bin" / "pulumi")


def test_no_cli_at_all(cli: Cli) -> None:
    with pytest.raises(Failure, match="not installed"):
        find_command()
