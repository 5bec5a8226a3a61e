"""`pinwheel up`, `down` and `status`: the rehearsed world, left running in the foreground."""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import psutil
from rich.console import Console

from emulator.__main__ import listen
from emulator.process import Emulator, EmulatorDiedError, client_environment
from infra.environment import Emulator as EmulatorSettings
from pinwheel import environments, world
from pinwheel.errors import ExitCode
from pinwheel.progress import Progress
from pinwheel.rehearse_command import STDOUT, present, require_graph_file
from pinwheel.rehearsing import load_programs, rehearse_in, started_emulator
from pinwheel.world import Member, World

if TYPE_CHECKING:
    from infra.environment import Environment
    from rehearsal.rehearse import Rehearsal

DEFAULT_PORT: Final = 4588

_MISLEADS: Final = re.compile(
    "AWS_(PROFILE|DEFAULT_PROFILE|SESSION_TOKEN|CONFIG_FILE|IGNORE_CONFIGURED_ENDPOINT_URLS|ENDPOINT_URL_.+)"
)
"""Variables of a person's own account that would lead a client elsewhere, whatever else is exported."""


def up(
    name: str, port: int | None, graph_file: str | None, directory: Path | None, *, debug: bool
) -> ExitCode:
    """Rehearse `name` and leave its world running until a signal ends this process.

    Returns only when the rehearsal does not pass; raises EmulatorDiedError when the emulator ends.
    """
    environment = environments.load(name, directory)
    require_graph_file(graph_file)
    out = Console(stderr=graph_file == STDOUT)
    log = Console(stderr=True)
    here = World(environment.name, environment.region, [Member.of(world.UP, os.getpid())])
    with world.claimed(here) as notes:
        for note in notes:
            log.print(note, highlight=False, soft_wrap=True)
        port = _port(environment) if port is None else port
        listen("127.0.0.1", port).close()  # a port in use is told at once rather than after the imports
        with started_emulator(environment, port, log=world.state_directory() / "emulator.log") as emulator:
            result = _rehearsed(here, emulator, environment, log)
            code = present(result, graph_file, debug=debug)
            if code is not ExitCode.PASSED:
                return code
            here.outputs = contracts(result)
            world.write(here)
            for line in introduction(here):
                out.print(line, highlight=False, markup=False, soft_wrap=True)
            raise _ended(emulator)


def _port(environment: "Environment") -> int:
    of_environment = urlsplit(environment.emulator.endpoint).port if environment.emulator else None
    return of_environment or DEFAULT_PORT


def _rehearsed(here: World, emulator: Emulator, environment: "Environment", log: Console) -> "Rehearsal":
    with Progress(log) as progress:
        progress.phase("starting the emulator, loading the programs")
        here.members.append(Member.of("emulator", emulator.pid))
        world.write(here)
        load_programs(())
        emulator.wait_ready()
        here.endpoint = emulator.endpoint
        world.write(here)
        if environment.emulator:  # the programs' providers lead to where it really listens
            environment = environment.model_copy(
                update={"emulator": EmulatorSettings(endpoint=emulator.endpoint)}
            )
        return rehearse_in(emulator, environment, (), progress)


def _ended(emulator: Emulator) -> EmulatorDiedError:
    """Wait until the emulator ends, which it does not by itself; a signal ends this process meanwhile."""
    psutil.Process(emulator.pid).wait()
    return EmulatorDiedError(
        "the emulator has ended while the world was up",
        f"see {world.state_directory() / 'emulator.log'}, and run `make up` again",
    )


def contracts(result: "Rehearsal") -> dict[str, dict[str, object]]:
    """Layer -> what it hands on."""
    return {layer.name: layer.outputs.get("contract", {}) for layer in result.layers}


def introduction(here: World) -> Iterator[str]:
    """What to do now: the endpoint, the variables that lead clients to it, what is there, what to try."""
    yield ""
    yield f"{here.environment} is up: the AWS endpoint is {here.endpoint}"
    yield ""
    yield "In another terminal, in this directory:"
    misleading = sorted(name for name in os.environ if _MISLEADS.fullmatch(name))
    if misleading:
        yield f"  unset {' '.join(misleading)}"
    if any(name.lower() in ("http_proxy", "all_proxy") for name in os.environ):
        yield from (f"  export {name}=127.0.0.1,localhost" for name in ("NO_PROXY", "no_proxy"))
    for name, value in client_environment(here.endpoint, here.region).items():
        yield f"  export {name}={value}"
    yield "  export PYICEBERG_CATALOG__DEFAULT__TYPE=glue"
    yield f"  export PYICEBERG_CATALOG__DEFAULT__S3__ENDPOINT={here.endpoint}"
    # Else it asks the real S3 for the bucket's region.
    yield f"  export PYICEBERG_CATALOG__DEFAULT__S3__REGION={here.region}"
    yield ""
    yield "There are:"
    for what, value in _things(here):
        yield f"  {what:<18} {value}"
    yield "S3 and Glue carry data. Brokers, database and cluster are names only so far: nothing answers there."
    yield ""
    yield "Try next:"
    for command in next_commands(here):
        yield f"  {command}"
    yield ""
    yield "Ctrl-C stops it all."


def _things(here: World) -> Iterator[tuple[str, object]]:
    cluster, data = here.outputs.get("cluster", {}), here.outputs.get("data", {})
    for what, value in (
        ("EKS cluster", cluster.get("name")),
        ("Kafka cluster", data.get("kafka_cluster_arn")),
        ("Kafka brokers", data.get("kafka_bootstrap_brokers_iam")),
        ("database writer", data.get("database_writer_endpoint")),
        ("database reader", data.get("database_reader_endpoint")),
        ("lake bucket", data.get("lake_bucket")),
        ("Glue database", data.get("lake_database")),
    ):
        if value:
            yield what, value


def next_commands(here: World) -> Iterator[str]:
    """Three commands that work as they stand, once the variables are exported."""
    cluster, data = here.outputs.get("cluster", {}), here.outputs.get("data", {})
    aws = f".venv/bin/aws --endpoint-url {here.endpoint}"
    if cluster:
        yield f"{aws} eks describe-cluster --name {cluster['name']}"
    if data:
        yield f"{aws} kafka get-bootstrap-brokers --cluster-arn {data['kafka_cluster_arn']}"
        yield f".venv/bin/pyiceberg list {data['lake_database']}"
    else:
        yield ".venv/bin/pinwheel rehearse prod"


def down() -> ExitCode:
    """End the world that `up` left running, or what is left of it."""
    out = Console()
    here = world.read()
    if here is None:
        out.print("Nothing is up.")
        return ExitCode.PASSED
    if here.owner is None:
        out.print(world.clean(here), highlight=False, soft_wrap=True)
        return ExitCode.PASSED
    world.stop(here)
    out.print(f"{here.environment} is down.", highlight=False)
    return ExitCode.PASSED


def status() -> ExitCode:
    """Say what is up; PASSED when something is, else REFUSED."""
    out = Console()
    here = world.read()
    if here is None or here.owner is None:
        left = "; an earlier run left its state, which the next `pinwheel up` cleans" if here else ""
        out.print(f"Nothing is up{left}. `make up` starts the local world.", highlight=False, soft_wrap=True)
        return ExitCode.REFUSED
    starting = "" if here.endpoint else " is starting"
    out.print(f"{here.environment}{starting} ({here.region})", highlight=False)
    lines = [f"  {'endpoint':<18} {here.endpoint}"] if here.endpoint else []
    lines += [
        f"  {member.name:<18} process {member.pid}{'' if member.alive else ', ended'}"
        for member in here.members
    ]
    lines += [f"  {what:<18} {value}" for what, value in _things(here)]
    for line in lines:
        out.print(line, highlight=False, markup=False, soft_wrap=True)
    return ExitCode.PASSED
