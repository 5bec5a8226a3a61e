"""The commands of `pinwheel`: their arguments and their help. What they do is in the modules they call."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from typer._click.exceptions import (
    ClickException,
    UsageError,
)  # typer brings its own click and exports half of it

from pinwheel.errors import ExitCode, Failure, guarded

app = typer.Typer(
    name="pinwheel",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

EnvironmentName = Annotated[
    str, typer.Argument(metavar="ENVIRONMENT", help="A file of environments/, without .yaml.")
]
Layers = Annotated[
    list[str] | None,
    typer.Option("--layer", metavar="LAYER", help="Only this layer (and what it needs); repeatable."),
]
Json = Annotated[
    str | None, typer.Option("--json", metavar="FILE", help="Write the resource graph to FILE; - is stdout.")
]
Directory = Annotated[
    Path | None, typer.Option("--environments", metavar="DIR", help="Where the environment files are.")
]


def run(arguments: Sequence[str]) -> int:
    """Run one command line; returns its exit code."""
    arguments = arguments or ["--help"]
    debug = "--debug" in arguments
    # Of the whole command line, so it may stand anywhere in it.
    arguments = ["--debug"] * debug + [each for each in arguments if each != "--debug"]
    return guarded(lambda: _called(arguments), debug=debug)


def _called(arguments: Sequence[str]) -> int:
    command = typer.main.get_command(app)
    try:
        # Not `command.main`, which turns a broken pipe and an interrupt into exit codes of its own.
        with command.make_context("pinwheel", list(arguments)) as context:
            code: Any = command.invoke(context)
    except typer.Exit as ended:  # --help
        return ended.exit_code
    except UsageError as error:
        where = error.ctx.command_path if error.ctx else "pinwheel"
        raise Failure(error.format_message() or "a command is missing", f"see `{where} --help`") from error
    except ClickException as error:
        raise Failure(error.format_message(), "see `pinwheel --help`") from error
    return code if isinstance(code, int) else ExitCode.PASSED


@app.callback()
def everywhere(
    context: typer.Context,
    *,
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error comes from.")] = False,
) -> None:
    """Provisions the platform on AWS, and rehearses all of it on this machine first."""
    context.obj = debug


@app.command()
def rehearse(
    context: typer.Context,
    environment: EnvironmentName = "local",
    layer: Layers = None,
    json: Json = None,
    environments: Directory = None,
) -> int:
    """Run the real programs of an environment against an emulated AWS, and report everything it would refuse.

    Exit code: 0 it passes; 1 something is refused; 2 the command or a file is wrong; 3 the emulator or the
    machine does not play along.
    """
    from pinwheel.rehearse_command import rehearse_once  # noqa: PLC0415

    return rehearse_once(environment, layer or [], json, environments, debug=context.obj)


@app.command()
def up(
    context: typer.Context,
    environment: EnvironmentName = "local",
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Of the AWS endpoint; 0 is any free one.  [default: 4588]"),
    ] = None,
    json: Json = None,
    environments: Directory = None,
    *,
    keep: Annotated[
        bool, typer.Option("--keep", help="Go on with the data of the last time, and leave it at the end.")
    ] = False,
    seed: Annotated[
        int, typer.Option(min=0, max=10_000_000, metavar="PINS", help="Put a catalogue of so many pins in.")
    ] = 0,
) -> int:
    """Rehearse an environment and leave it running, with real brokers, databases and pods behind it.

    Ctrl-C stops everything.
    """
    from pinwheel import up as command  # noqa: PLC0415

    return command.up(environment, port, json, environments, keep=keep, seed=seed, debug=context.obj)


@app.command()
def down() -> int:
    """Stop the world that `pinwheel up` left running, or what is left of it."""
    from pinwheel import up as command  # noqa: PLC0415

    return command.down()


@app.command()
def status(
    *,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Show it anew every second.")] = False,
    json: Annotated[bool, typer.Option("--json", help="For machines.")] = False,
) -> int:
    """Show what is up: AWS, brokers, databases, nodes and pods. Exit code 0 when something is, else 1."""
    from pinwheel import status as command  # noqa: PLC0415

    return command.status(watch=watch, as_json=json)


@app.command()
def seed(
    pins: Annotated[int, typer.Option(min=1, max=10_000_000, help="How many.")] = 1000,
) -> int:
    """Put a catalogue into the world that is up, through its gateway: people, boards, pins with pictures, saves."""
    from pinwheel import seed as command  # noqa: PLC0415

    return command.seed(pins)


@app.command()
def token(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of the person: letters, digits, . _ -")],
) -> int:
    """Print an access token of the world that is up, good for an hour; the person gets an account if there is none."""
    from pinwheel.client import people as command  # noqa: PLC0415

    return command.print_token(name)


@app.command()
def demo() -> int:
    """Create a pin in the world that is up, and find it by its words and by its picture, with the seconds it took."""
    from pinwheel import demo as command  # noqa: PLC0415

    return command.demo()


@app.command()
def deploy(
    context: typer.Context,
    environment: Annotated[str, typer.Argument(metavar="ENVIRONMENT")],
    layer: Annotated[
        list[str] | None, typer.Option("--layer", metavar="LAYER", help="Only this layer; repeatable.")
    ] = None,
    *,
    preview: Annotated[bool, typer.Option("--preview", help="Only show what would change.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    skip_rehearsal: Annotated[bool, typer.Option("--skip-rehearsal", help="Deploy without it.")] = False,
    environments: Directory = None,
) -> int:
    """Bring an environment up in AWS with the Pulumi CLI, layer by layer, once its rehearsal passes."""
    from pinwheel import deploy as command  # noqa: PLC0415

    return command.deploy(
        environment,
        layer or [],
        environments,
        preview=preview,
        yes=yes,
        skip_rehearsal=skip_rehearsal,
        debug=context.obj,
    )


@app.command()
def destroy(
    environment: Annotated[str, typer.Argument(metavar="ENVIRONMENT")],
    layer: Annotated[
        list[str] | None, typer.Option("--layer", metavar="LAYER", help="Only this layer; repeatable.")
    ] = None,
    *,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask; a protected one asks anyway.")
    ] = False,
    unprotect: Annotated[bool, typer.Option("--unprotect", help="Take its protection off first.")] = False,
    skip_drain: Annotated[bool, typer.Option("--skip-drain", help="Leave what runs in the cluster.")] = False,
    environments: Directory = None,
) -> int:
    """Take an environment down, the last layer first; the cluster is drained before it goes."""
    from pinwheel import deploy as command  # noqa: PLC0415

    return command.destroy(
        environment, layer or [], environments, yes=yes, unprotect=unprotect, skip_drain=skip_drain
    )
