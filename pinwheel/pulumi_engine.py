"""Pulumi's engine as `deploy` and `destroy` see it, and the real one behind Pulumi's Automation API."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Protocol

from pulumi import automation
from semver import VersionInfo

from infra import program
from pinwheel.environments import ROOT
from pinwheel.errors import ExitCode, Failure

MINIMUM_VERSION: Final = VersionInfo.parse("3.272.0")
"""Of the CLI; the SDK's own version in requirements.lock."""

_INSTALL: Final = (
    "install it with Pulumi's official script (install.sh), with `brew install pulumi`, or "
    "with .venv/bin/python -c 'from pulumi.automation import PulumiCommand; PulumiCommand.install()'; "
    f"version {MINIMUM_VERSION} or newer"
)

Tell = Callable[[str], None]


class Engine(Protocol):
    """What is asked of Pulumi. Every method raises Failure when the operation fails."""

    def up(self, stack: str, tell: Tell, *, unprotect: bool = False) -> None:
        """Bring `stack` up, creating it if need be; `unprotect`, without protection against deletion."""
        ...

    def preview(self, stack: str, tell: Tell) -> None:
        """Show what `up` would change."""
        ...

    def destroy(self, stack: str, tell: Tell) -> None:
        """Delete every resource of `stack`."""
        ...

    def contract(self, stack: str) -> dict[str, Any]:
        """What `stack` hands to the next layer; empty when it has none (yet)."""
        ...


def find_command(home: Path | None = None) -> automation.PulumiCommand:
    """The Pulumi CLI: on the PATH, or where its installers put it. Raises Failure when there is none."""
    pulumi_home = (home or Path.home()) / ".pulumi"
    places = (None, pulumi_home, pulumi_home / "versions" / str(MINIMUM_VERSION))
    for root in places:
        try:
            return automation.PulumiCommand(str(root) if root else None, version=MINIMUM_VERSION)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except automation.InvalidVersionError as error:
            raise Failure(f"the Pulumi CLI is too old: {error}", _INSTALL, ExitCode.INFRASTRUCTURE) from error
        except (OSError, subprocess.SubprocessError) as error:
            raise Failure(
                f"the Pulumi CLI does not run: {error}", _INSTALL, ExitCode.INFRASTRUCTURE
            ) from error
    raise Failure("the Pulumi CLI is not installed", _INSTALL, ExitCode.INFRASTRUCTURE)


class AutomationEngine:
    """The real engine: runs the CLI on this repository's Pulumi.yaml."""

    def __init__(self, command: automation.PulumiCommand) -> None:
        self._command = command

    def up(self, stack: str, tell: Tell, *, unprotect: bool = False) -> None:
        """See Engine."""
        variables = {program.UNPROTECT_VARIABLE: stack.rpartition("-")[0]} if unprotect else {}
        self._run(stack, lambda: self._stack(stack, variables).up(on_output=tell, show_secrets=False))

    def preview(self, stack: str, tell: Tell) -> None:
        """See Engine."""
        self._run(stack, lambda: self._stack(stack).preview(on_output=tell))

    def destroy(self, stack: str, tell: Tell) -> None:
        """See Engine."""
        self._run(stack, lambda: self._stack(stack).destroy(on_output=tell, show_secrets=False))

    def contract(self, stack: str) -> dict[str, Any]:
        """See Engine."""
        outputs = self._run(stack, lambda: self._stack(stack).outputs())
        return outputs["contract"].value if "contract" in outputs else {}

    def _stack(self, name: str, variables: dict[str, str] | None = None) -> automation.Stack:
        options = automation.LocalWorkspaceOptions(pulumi_command=self._command, env_vars=variables)
        return automation.create_or_select_stack(name, work_dir=str(ROOT), opts=options)

    def _run(self, stack: str, operation: Callable[[], Any]) -> Any:
        try:
            return operation()
        except automation.ConcurrentUpdateError as error:
            raise Failure(
                f"stack {stack}: another update is in progress",
                f"wait for it; if it was killed, run `pulumi cancel -s {stack}` first",
                ExitCode.INFRASTRUCTURE,
            ) from error
        except automation.CommandError as error:
            raise Failure(
                f"stack {stack}: {_reason(error)}",
                f"see Pulumi's output above, or `pulumi logs -s {stack}`, then run the same command again",
                ExitCode.INFRASTRUCTURE,
            ) from error


def _reason(error: Exception) -> str:
    """The line of Pulumi's output that says what went wrong."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    wrong = [line for line in lines if "error:" in line.lower()]
    return (wrong or lines or ["Pulumi failed"])[0]
