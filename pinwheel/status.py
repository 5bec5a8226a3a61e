"""`pinwheel status`: the whole world on one screen."""

import json
import signal
import time
from collections import Counter
from dataclasses import asdict, replace
from typing import Final

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from pinwheel import world
from pinwheel.errors import ExitCode
from pinwheel.overview import Overview, gather
from pinwheel.world import World

_REFRESH_SECONDS: Final = 1.0
_PODS_SHOWN: Final = 40


def status(*, watch: bool, as_json: bool) -> ExitCode:
    """Say what is up; PASSED when something is, else REFUSED. `watch` shows it anew every second."""
    out = Console()
    here = _up()
    if here is None:
        left = "; an earlier run left its state, which the next `pinwheel up` cleans" if world.read() else ""
        out.print(f"Nothing is up{left}. `make up` starts the local world.", highlight=False, soft_wrap=True)
        return ExitCode.REFUSED
    if as_json:
        out.print_json(json.dumps(asdict(gather(here))))
        return ExitCode.PASSED
    if not watch or not out.is_terminal:
        out.print(screen(gather(here)), highlight=False)
        return ExitCode.PASSED
    return _watched(out, here)


def _up() -> World | None:
    here = world.read()
    return here if here is not None and here.owner is not None else None


def _watched(out: Console, here: World) -> ExitCode:
    """Until Ctrl-C, which stops the watching and nothing else, or the end of the world."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with Live(fitting(gather(here), out), console=out, auto_refresh=False, screen=True) as live:
            while (here := _up() or here).owner is not None:
                live.update(fitting(gather(here), out), refresh=True)
                time.sleep(_REFRESH_SECONDS)
    except KeyboardInterrupt:
        return ExitCode.PASSED
    out.print(f"{here.environment} is down.", highlight=False)
    return ExitCode.REFUSED


def fitting(seen: Overview, out: Console) -> Group:
    """The screen for a terminal of a height: what never changes goes first, and what is cut off is counted."""
    for each in (seen, replace(seen, resources=[])):
        lines = out.render_lines(screen(each), out.options.update(height=None), pad=False)
        if len(lines) <= out.height:
            return screen(each)
    shown = [
        Text.assemble(*((part.text, part.style or "") for part in line)) for line in lines[: out.height - 1]
    ]
    left = len(lines) - len(shown)
    return Group(*shown, Text(f"... {left} more lines; `pinwheel status` shows all", "dim"))


def screen(seen: Overview) -> Group:
    """Everything, from the outside in: AWS, the processes behind it, nodes, pods, services, notes."""
    title = Text(f"{seen.environment} ({seen.region})", "bold")
    if not seen.endpoint:
        title.append(" is starting", "not bold")
    parts: list[Text | Table] = [title, *_rows(seen.resources), Text(), _processes(seen)]
    if seen.nodes:
        parts += [Text(), _nodes(seen)]
    if seen.pods:
        parts += [Text(), _pods(seen)]
    parts += [Text()] * bool(seen.services) + _rows(seen.services)
    return Group(*parts, *(Text(f"! {note}", "yellow") for note in seen.notes))


def _processes(seen: Overview) -> Table:
    table = _table("process", "pid", "state", "address", "restarts")
    for member in seen.members:
        address = seen.endpoint if member.name == "emulator" else ""
        table.add_row(member.name, str(member.pid), _state(alive=member.alive), address, "")
    for member in seen.behind:
        details = member.details
        row = (str(details.get("address", "")), str(details.get("restarts", 0)))
        table.add_row(member.name, str(member.pid), _state(alive=member.alive), *row)
    return table


def _state(*, alive: bool) -> Text:
    return Text("running", "green") if alive else Text("ended", "red")


def _nodes(seen: Overview) -> Table:
    table = _table("node", "state", "pool", "instance type", "pods")
    for node in seen.nodes:
        table.add_row(_short(node.name), node.state, node.pool, node.instance_type, str(node.pods))
    return table


def _pods(seen: Overview) -> Table:
    """Ours, and those that something is the matter with, first; placeholders that run are only counted."""
    shown = [pod for pod in seen.pods if not (pod.placeholder and pod.settled)]
    shown.sort(key=lambda pod: (pod.settled, pod.namespace, pod.name))
    table = _table("pod", "ready", "state", "restarts", "node")
    for pod in shown[:_PODS_SHOWN]:
        state = Text(pod.state, "" if pod.settled else "yellow")
        table.add_row(f"{pod.namespace}/{pod.name}", pod.ready, state, str(pod.restarts), _short(pod.node))
    if rest := Counter(pod.state for pod in shown[_PODS_SHOWN:]):
        table.add_row("and " + ", ".join(f"{count} more {state}" for state, count in sorted(rest.items())))
    if placeholders := len(seen.pods) - len(shown):
        table.add_row(Text(f"{placeholders} placeholders: images that are not ours", "dim"))
    return table


def _short(node: str) -> str:
    return node.partition(".")[0]


def _rows(pairs: list[tuple[str, str]]) -> list[Text | Table]:
    if not pairs:
        return []
    table = Table.grid(padding=(0, 2, 0, 0))
    for name, value in pairs:
        table.add_row(Text(name, "dim"), Text(value, overflow="fold"))
    return [table]


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column in {"pid", "restarts", "ready", "state"})
    return table
