"""`pinwheel up` and `down`: the rehearsed world, left running in the foreground."""

import os
import re
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import psutil
from rich.console import Console

from emulator.__main__ import listen
from emulator.process import (
    BackedBy,
    Emulator,
    EmulatorDiedError,
    PortInUseError,
    client_environment,
)
from infra.environment import Emulator as EmulatorSettings
from pinwheel import environments, world
from pinwheel.client.gateway import GATEWAY, address
from pinwheel.errors import ExitCode, Failure
from pinwheel.overview import KUBECONFIG, Overview, Pod, gather
from pinwheel.progress import Progress
from pinwheel.rehearse_command import STDOUT, present, require_graph_file
from pinwheel.rehearsing import load_programs, rehearse_in, started_emulator
from pinwheel.seed import planted
from pinwheel.world import Member, World

if TYPE_CHECKING:
    from infra.environment import Environment
    from rehearsal.rehearse import Rehearsal

DEFAULT_PORT: Final = 4588
_SETTLE_SECONDS: Final = 120.0
_POLL_SECONDS: Final = 0.2

_MISLEADS: Final = re.compile(
    "AWS_(PROFILE|DEFAULT_PROFILE|SESSION_TOKEN|CONFIG_FILE|IGNORE_CONFIGURED_ENDPOINT_URLS|ENDPOINT_URL_.+)"
)
"""Variables of a person's own account that would lead a client elsewhere, whatever else is exported."""


def up(
    name: str,
    port: int | None,
    graph_file: str | None,
    directory: Path | None,
    *,
    keep: bool,
    seed: int,
    debug: bool,
) -> ExitCode:
    """Rehearse `name` and leave its world running until a signal ends this process.

    With `keep` it goes on with the data of the last time, and leaves its own. With `seed` it puts a catalogue
    of so many pins in. Returns only when the rehearsal does not pass; raises EmulatorDiedError when the
    emulator ends.
    """
    environment = environments.load(name, directory)
    require_graph_file(graph_file)
    out = Console(stderr=graph_file == STDOUT)
    log = Console(stderr=True)
    here = World(environment.name, environment.region, [Member.of(world.UP, os.getpid())])
    state = world.state_directory()
    with world.claimed(here) as notes:
        port, taken = _port(environment, port)
        for note in (*notes, *taken):
            log.print(note, highlight=False, soft_wrap=True)
        backing = BackedBy(state, keep=keep, images=environments.ROOT / "services")
        with started_emulator(environment, port, log=state / "emulator.log", backing=backing) as emulator:
            result = _rehearsed(here, emulator, environment, log)
            code = present(result, graph_file, debug=debug)
            if code is not ExitCode.PASSED:
                return code
            here.outputs = contracts(result)
            world.write(here)
            seen = _settled(here, log)
            searches = _seeded(here, seed, seen, log)
            for line in introduction(here, seen, searches):
                out.print(line, highlight=False, markup=False, soft_wrap=True)
            raise _ended(emulator)


def _port(environment: "Environment", asked: int | None) -> tuple[int, list[str]]:
    """The port of the endpoint, and what to say of it. One that was asked for must be free (PortInUseError)."""
    if asked is not None:
        listen("127.0.0.1", asked).close()  # told at once rather than after the imports
        return asked, []
    of_environment = urlsplit(environment.emulator.endpoint).port if environment.emulator else None
    port = of_environment or DEFAULT_PORT
    try:
        listen("127.0.0.1", port).close()
    except PortInUseError:
        return 0, [f"Port {port} is taken by another program; the AWS endpoint gets a free one."]
    return port, []


def _settled(here: World, log: Console) -> Overview:
    """Wait until what the programs asked for runs; what does not within a while is in the notes."""
    deadline = time.monotonic() + _SETTLE_SECONDS
    with Progress(log) as progress:
        progress.phase("waiting for nodes and pods")
        seen = gather(here)
        expects_nodes = "cluster" in here.outputs
        while not (seen.settled and (seen.nodes or not expects_nodes)) and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
            seen = gather(here)
    late = [f"{pod.namespace}/{pod.name}" for pod in seen.pods if not pod.settled]
    late += [node.name for node in seen.nodes if not node.state.startswith("Ready")]
    if late:
        seen.notes.append(f"not ready yet: {', '.join(late)}; `pinwheel status --watch` shows more")
    return seen


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


def _seeded(here: World, pins: int, seen: Overview, log: Console) -> str:
    """Put a catalogue in, if asked to; the URL of a search, empty in a world without a gateway."""
    if not any(name.endswith(f"/{GATEWAY}") for name, _ in seen.services):
        return ""
    if not pins:
        return f"{address(here)}/v1/search/pins?q=garden"
    try:
        return planted(here, pins, log).search
    except Failure as failure:  # the world is up all the same
        seen.notes.append(f"the catalogue was not seeded: {failure.reason}")
        return ""


def introduction(here: World, seen: Overview, searches: str = "") -> Iterator[str]:
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
    if seen.nodes:
        yield f"  export KUBECONFIG={world.state_directory() / KUBECONFIG}"
    yield ""
    yield "There are:"
    services = [(f"service {name}", url) for name, url in seen.services]
    for what, value in (*seen.resources, *_counts(seen), *services):
        yield f"  {what:<18} {value}"
    yield from (f"Note: {note}." for note in seen.notes)
    if searches:
        yield ""
        yield f"Search: {searches}"
    yield ""
    yield "Try next:"
    for command in next_commands(here):
        yield f"  {command}"
    yield ""
    yield "Ctrl-C stops it all."


def _counts(seen: Overview) -> Iterator[tuple[str, str]]:
    for what, counts in (
        ("nodes", Counter(node.pool for node in seen.nodes)),
        ("pods", Counter(_kind(pod) for pod in seen.pods)),
    ):
        if counts:
            yield what, ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))


def _kind(pod: Pod) -> str:
    if not pod.settled:
        return "not ready"
    return "placeholders (images that are not ours)" if pod.placeholder else "of our images"


def next_commands(here: World) -> Iterator[str]:
    """Three commands that work as they stand, once the variables are exported."""
    cluster, data = here.outputs.get("cluster", {}), here.outputs.get("data", {})
    aws = f".venv/bin/aws --endpoint-url {here.endpoint}"
    if "workloads" in here.outputs:
        yield ".venv/bin/pinwheel demo"
        yield ".venv/bin/pinwheel seed --pins 1000"
    if cluster:
        yield ".venv/bin/kubectl get pods --all-namespaces -o wide"
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
